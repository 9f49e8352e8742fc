//! VMs with their disks to other hosts and repositories: `VM.migrate_send`, `host.migrate_receive`, `VDI.pool_migrate`.

use pool_domain::decide::management;
use pool_domain::decide::vm_move::Journey;
use pool_domain::{Database, query};
use pool_ops::storage::vdi_move::RelocateVdi;
use pool_ops::vm::migrate_send::MigrateSend;
use proto_types::generated::{host, network, pif, sr, vdi, vm};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Scope, Table, Work, job};

/// The messages.
pub const TABLE: Table = &[
    ("VM.migrate_send", Handler::Run(migrate_send)),
    ("host.migrate_receive", Handler::Read(migrate_receive)),
    ("VDI.pool_migrate", Handler::Run(relocate)),
];

fn relocate(db: &Database, args: &Args) -> Result<Work, ApiError> {
    let (disk, to) = (args.reference(0)?, args.reference(1)?);
    query::find(db, vdi::CLASS, disk)?;
    query::find(db, sr::CLASS, to)?;
    job(RelocateVdi::new(disk, to))
}

/// The host of this pool that `dest`, the answer of `host.migrate_receive`, names.
fn destination(dest: &Value) -> Ref {
    dest.get("host").and_then(|h| h.parse().ok()).unwrap_or_default()
}

fn migrate_send(db: &Database, args: &Args) -> Result<Work, ApiError> {
    let (this, dest) = (args.reference(0)?, args.at(1)?);
    let to = destination(dest);
    if db.of_class(host::CLASS, to).is_none() {
        query::find(db, vm::CLASS, this)?;
        // The other pool would have to take it in.
        return Err(ApiError::new(
            "NOT_IMPLEMENTED",
            ["VM.migrate_send to another pool"],
        ));
    }
    let journey = Journey {
        vm: this,
        to,
        disks: args.at(3)?,
        nics: args.at(4)?,
        options: args.at(5)?,
    };
    job(MigrateSend::new(db, journey)?)
}

/// Where a sender finds this pool. `HOST_CANNOT_ATTACH_NETWORK [host, network]` if the host has no interface there, and
/// what is missing of one that it has.
fn migrate_receive(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let db = scope.db;
    let (on, net) = (args.reference(0)?, args.reference(1)?);
    let row = query::find(db, host::CLASS, on)?;
    query::find(db, network::CLASS, net)?;
    let card = db
        .rows(pif::CLASS)
        .find(|p| p.get(pif::NETWORK).as_ref() == net && p.get(pif::HOST).as_ref() == on)
        .ok_or_else(|| ApiError::new("HOST_CANNOT_ATTACH_NETWORK", [on.to_string(), net.to_string()]))?;
    if card.get(pif::IP_CONFIGURATION_MODE).as_str() == "None" && !card.get(pif::MANAGEMENT).as_bool() {
        return Err(ApiError::new(
            "PIF_HAS_NO_NETWORK_CONFIGURATION",
            [card.reference.to_string()],
        ));
    }
    let address = management::address_on(db, net, on)?;
    let master = row.get(host::ADDRESS).as_str();
    let session = scope.caller.session.to_string();
    let url = |address: &str, path: &str| format!("https://{address}/{path}?session_id={session}");
    Ok(Value::string_map([
        ("SM", url(&address, "services/SM")),
        ("host", on.to_string()),
        ("xenops", url(&address, "services/xenops")),
        ("session_id", session.clone()),
        (
            "master",
            format!("https://{}/", leader_address(db).unwrap_or(master)),
        ),
    ]))
}

fn leader_address(db: &Database) -> Option<&str> {
    use proto_types::generated::pool;
    let master = db.only(pool::CLASS)?.get(pool::MASTER).as_ref();
    Some(db.of_class(host::CLASS, master)?.get(host::ADDRESS).as_str())
}
