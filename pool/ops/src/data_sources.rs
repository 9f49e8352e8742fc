//! What is measured of VMs, hosts and repositories: asked of the host that measures.

use std::time::Duration;

pub use node_commands::DataSource;
use node_commands::{CommandErrorKind, HostCommand, HostReply, Measured};
use pool_domain::decide::storage;
use pool_domain::{Database, Row, query, vm_rules};
use proto_types::generated::{sr, vm};
use proto_types::{ApiError, ClassId, Ref};
use uuid::Uuid;

use crate::core::{Ops, uuid_of_host};

/// A host answers at once or not at all.
const WAIT: Duration = Duration::from_secs(10);

/// What a client does with data sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reads one value.
    Query,
    /// Lists sources, begins or drops archives.
    Manage,
}

/// Something that is measured, and the host that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    host: Uuid,
    of: Measured,
}

/// Finds where an object of a class is measured.
///
/// # Errors
/// `HANDLE_INVALID`; for a VM that does not run those of the operation `data_source_op`; `SR_HAS_NO_PBDS` for a
/// repository that is plugged nowhere.
pub fn place(db: &Database, class: ClassId, reference: Ref, why: Use) -> Result<Place, ApiError> {
    let row = query::find(db, class, reference)?;
    let (on, of): (Ref, fn(Uuid) -> Measured) = match class {
        vm::CLASS => (where_it_runs(db, row, why)?, Measured::Vm),
        sr::CLASS => (storage::host_for(db, reference)?, Measured::Sr),
        _ => (reference, |_| Measured::Host),
    };
    let own = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid(class.name(), reference))?;
    Ok(Place {
        host: uuid_of_host(db, on)?,
        of: of(own),
    })
}

/// Reading a value is allowed of a paused VM too, and beside other operations.
fn where_it_runs(db: &Database, row: &Row, why: Use) -> Result<Ref, ApiError> {
    match why {
        Use::Manage => vm_rules::check(db, row, "data_source_op")?,
        Use::Query => {
            let state = row.get(vm::POWER_STATE).as_str();
            let needed = [vm_rules::RUNNING, vm_rules::PAUSED];
            if !needed.contains(&state) {
                return Err(vm_rules::bad_power_state(row.reference, &needed, state));
            }
        }
    }
    Ok(row.get(vm::RESIDENT_ON).as_ref())
}

async fn ask(ops: &Ops, place: Place, command: HostCommand) -> Result<HostReply, ApiError> {
    let answer = ops.agents.call(place.host, Uuid::new_v4(), command, WAIT).await;
    answer.map_err(|failure| match failure.kind {
        Some(CommandErrorKind::NoSuchDataSource) => ApiError::internal(failure.text),
        _ => failure.api,
    })
}

fn other_answer<T>() -> Result<T, ApiError> {
    Err(ApiError::internal(
        "the host gave another answer than was asked for",
    ))
}

/// All sources.
///
/// # Errors
/// `HOST_OFFLINE` and the like.
pub async fn list(ops: &Ops, place: Place) -> Result<Vec<DataSource>, ApiError> {
    match ask(ops, place, HostCommand::DataSources { of: place.of }).await? {
        HostReply::DataSources(sources) => Ok(sources),
        _ => other_answer(),
    }
}

/// The newest value of a source; `None` while it is not known.
///
/// # Errors
/// `INTERNAL_ERROR` if there is no such source, as XenServer answers; `HOST_OFFLINE` and the like.
pub async fn query(ops: &Ops, place: Place, name: &str) -> Result<Option<f64>, ApiError> {
    let command = HostCommand::QueryDataSource {
        of: place.of,
        name: name.to_owned(),
    };
    match ask(ops, place, command).await? {
        HostReply::Number(value) => Ok(value),
        _ => other_answer(),
    }
}

/// Begins to archive a source.
///
/// # Errors
/// As [`query`].
pub async fn record(ops: &Ops, place: Place, name: &str) -> Result<(), ApiError> {
    let command = HostCommand::RecordDataSource {
        of: place.of,
        name: name.to_owned(),
    };
    ask(ops, place, command).await.map(|_| ())
}

/// Drops the archives of a source.
///
/// # Errors
/// As [`query`].
pub async fn forget(ops: &Ops, place: Place, name: &str) -> Result<(), ApiError> {
    let command = HostCommand::ForgetDataSource {
        of: place.of,
        name: name.to_owned(),
    };
    ask(ops, place, command).await.map(|_| ())
}
