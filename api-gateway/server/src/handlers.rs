//! What each message does: one file per class, a table of names in each.

mod adopt;
pub mod appliance;
pub mod certificate;
pub mod data_source;
pub mod devices;
pub mod drill;
pub mod event;
pub mod ha;
pub mod host;
pub mod host_machine;
pub mod link;
pub mod management;
pub mod message;
pub mod moves;
pub mod network;
pub mod pif;
pub mod pool;
pub mod pool_settings;
pub mod role;
pub mod session;
pub mod snapshot_schedule;
pub mod storage;
pub mod subject;
pub mod task;
pub mod update;
pub mod vbd;
pub mod vdi;
pub mod vif;
pub mod vm;
mod vm_memory_image;
pub mod vm_settings;
pub mod vtpm;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::future::BoxFuture;
use pool_domain::{Database, Draft};
use pool_ops::{Call, Operation, Ops};
use proto_types::schema::{MessageDef, MessageKind};
use proto_types::{ApiError, Args, Ref, Value};
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::fair::Permit;
use crate::api::gate::Entry;

/// What a reading handler has at hand.
pub struct Scope<'a> {
    /// The state.
    pub db: &'a Database,
    /// Who asks.
    pub caller: &'a Caller,
    /// The node's API.
    pub api: &'a Arc<Api>,
    /// The message.
    pub message: &'static MessageDef,
}

/// Makes an operation from the arguments.
pub type MakeJob = fn(&Database, &Args) -> Result<Work, ApiError>;

/// A handler that needs the whole API.
pub type Special = for<'a> fn(Arc<Api>, &'a Entry, Args) -> BoxFuture<'a, Result<Value, ApiError>>;

/// How a message is carried out.
#[derive(Clone, Copy)]
pub enum Handler {
    /// It reads.
    Read(fn(&Scope<'_>, &Args) -> Result<Value, ApiError>),
    /// It is one decision.
    Write(fn(&mut Draft<'_>, &Caller, &Args) -> Result<Value, ApiError>),
    /// It is one of the writes that exist for every class.
    Generic,
    /// It is an operation on hosts.
    Run(MakeJob),
    /// It is an operation that moves bytes through this node.
    Transfer(fn(&Arc<Api>, &Database, &Args) -> Result<Work, ApiError>),
    /// It is something else.
    Special(Special),
    /// It is not built. Obstacles that XenServer would find first are told, and then that.
    Unbuilt(fn(&Scope<'_>, &Args) -> Result<(), ApiError>),
    /// It is not built but for arguments that ask for what is so already: these are answered.
    Partly(fn(&Scope<'_>, &Args) -> Result<Option<Value>, ApiError>),
}

/// What a call for an operation comes to.
pub enum Work {
    /// There is nothing to do; this is the result.
    Nothing(Value),
    /// This is to be run.
    Job(Box<dyn Job>),
}

/// A turn that is to come.
pub type Coming = BoxFuture<'static, Option<Permit>>;

/// A task, and what its operation comes to.
pub type Begun = (Ref, JoinHandle<Result<Value, ApiError>>);

/// An operation ready to run, whatever its kind.
#[async_trait]
pub trait Job: Send {
    /// Runs it to its end.
    async fn run(self: Box<Self>, ops: Ops, call: Call) -> Result<Value, ApiError>;
    /// Runs it behind a task, once its turn has come.
    async fn run_async(self: Box<Self>, ops: Ops, call: Call, turn: Coming) -> Result<Begun, ApiError>;
}

struct Ready<O>(O);

#[async_trait]
impl<O: Operation> Job for Ready<O> {
    async fn run(self: Box<Self>, ops: Ops, call: Call) -> Result<Value, ApiError> {
        pool_ops::run(&ops, self.0, call).await
    }
    async fn run_async(self: Box<Self>, ops: Ops, call: Call, turn: Coming) -> Result<Begun, ApiError> {
        pool_ops::run_async(&ops, self.0, call, turn).await
    }
}

/// Wraps an operation.
pub fn job(operation: impl Operation) -> Result<Work, ApiError> {
    Ok(Work::Job(Box::new(Ready(operation))))
}

/// A table of one class.
pub type Table = &'static [(&'static str, Handler)];

/// All tables.
const TABLES: &[Table] = &[
    data_source::TABLE,
    appliance::TABLE,
    certificate::TABLE,
    devices::TABLE,
    event::TABLE,
    ha::TABLE,
    host::TABLE,
    host_machine::TABLE,
    message::TABLE,
    moves::TABLE,
    link::TABLE,
    management::TABLE,
    network::TABLE,
    pif::TABLE,
    pool::TABLE,
    pool_settings::TABLE,
    role::TABLE,
    session::TABLE,
    snapshot_schedule::TABLE,
    storage::TABLE,
    subject::TABLE,
    task::TABLE,
    update::TABLE,
    vbd::TABLE,
    vdi::TABLE,
    vif::TABLE,
    vm::TABLE,
    vm_memory_image::TABLE,
    vm_settings::TABLE,
    vtpm::TABLE,
];

/// Classes whose plain `create` and `destroy` need no more than their row.
const PLAIN: &[&str] = &["secret", "VM_group", "console", "user"];

/// Messages that stand in the data model with a meaning of their own and need no more than the write that their
/// name says: `set_X`, `add_to_X`, `remove_from_X` of the field X.
const PLAIN_WRITES: &[&str] = &[
    "VM.add_to_blocked_operations",
    "VM.add_to_other_config",
    "VM.add_to_platform",
    "VM.remove_from_blocked_operations",
    "VM.remove_from_other_config",
    "VM.remove_from_platform",
    "VM.set_HVM_boot_policy",
    "VM.set_actions_after_crash",
    "VM.set_appliance",
    "VM.set_blocked_operations",
    "VM.set_domain_type",
    "VM.set_order",
    "VM.set_other_config",
    "VM.set_platform",
    "VM.set_shutdown_delay",
    "VM.set_start_delay",
    "SR.set_physical_size",
    "SR.set_physical_utilisation",
    "SR.set_virtual_allocation",
    "VDI.set_allow_caching",
    "VDI.set_cbt_enabled",
    "VDI.set_is_a_snapshot",
    "VDI.set_managed",
    "VDI.set_metadata_of_pool",
    "VDI.set_missing",
    "VDI.set_physical_utilisation",
    "VDI.set_read_only",
    "VDI.set_snapshot_of",
    "VDI.set_snapshot_time",
    "VDI.set_virtual_size",
    "VDI.set_sharable",
];

/// The write that a message's name says.
pub fn plain_write(message: &MessageDef) -> Option<MessageKind> {
    type Make = fn(u16) -> MessageKind;
    let kinds: [(&str, Make); 3] = [
        ("set_", MessageKind::Set),
        ("add_to_", MessageKind::AddTo),
        ("remove_from_", MessageKind::RemoveFrom),
    ];
    if !PLAIN_WRITES.contains(&message.full_name) {
        return None;
    }
    kinds.iter().find_map(|(prefix, kind)| {
        let field = message.name.strip_prefix(prefix)?;
        message.class.def().field(field).map(kind)
    })
}

/// The handler of a message, if it is built.
pub fn find(message: &MessageDef) -> Option<Handler> {
    static ALL: OnceLock<HashMap<&'static str, Handler>> = OnceLock::new();
    let all = ALL.get_or_init(|| TABLES.iter().flat_map(|t| t.iter().copied()).collect());
    if let Some(handler) = all.get(message.full_name) {
        return Some(*handler);
    }
    match message.kind {
        MessageKind::Set(_)
        | MessageKind::AddTo(_)
        | MessageKind::RemoveFrom(_)
        | MessageKind::AddMember(_)
        | MessageKind::RemoveMember(_) => Some(Handler::Generic),
        MessageKind::Create | MessageKind::Destroy => {
            PLAIN.contains(&message.class.name()).then_some(Handler::Generic)
        }
        MessageKind::Custom => plain_write(message).map(|_| Handler::Generic),
        MessageKind::GetRecord
        | MessageKind::GetAll
        | MessageKind::GetAllRecords
        | MessageKind::GetAllRecordsWhere
        | MessageKind::GetAllWhere
        | MessageKind::GetByUuid
        | MessageKind::GetByNameLabel
        | MessageKind::Get(_) => None,
    }
}

/// Says whether a message is built. Those between hosts of a XenServer pool are not: hosts here speak otherwise, and the
/// dispatch refuses them to everyone.
pub fn is_built(message: &MessageDef) -> bool {
    let reads = matches!(
        message.kind,
        MessageKind::GetRecord
            | MessageKind::GetAll
            | MessageKind::GetAllRecords
            | MessageKind::GetAllRecordsWhere
            | MessageKind::GetAllWhere
            | MessageKind::GetByUuid
            | MessageKind::GetByNameLabel
            | MessageKind::Get(_)
    );
    let handled =
        || find(message).is_some_and(|handler| !matches!(handler, Handler::Unbuilt(_) | Handler::Partly(_)));
    !message.pool_only && (reads || handled())
}

#[cfg(test)]
mod test;
