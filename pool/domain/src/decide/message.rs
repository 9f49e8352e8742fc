//! Notices to people: what clients show as alerts. XenServer's class `message`.

use proto_types::generated::{certificate, host, message, pool, pvs_proxy, sr, vdi, vm, vmpp, vmss};
use proto_types::{ApiError, ClassId, DateTime, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;

/// Most notices kept.
pub const MOST_MESSAGES: usize = 10_000;
/// How many of the oldest go at once when there are too many: looking for them costs a walk over all.
const DROPPED_AT_ONCE: usize = 500;

/// One notice.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// What happened, such as `VM_STARTED`.
    pub name: &'a str,
    /// From 1, the most urgent, to 5.
    pub priority: i64,
    /// Class of the object in the spelling of the enumeration `cls`.
    pub cls: &'a str,
    /// The object's uuid.
    pub object: &'a str,
    /// Details.
    pub body: String,
}

/// Writes a notice of the pool's own. The oldest go when there are too many.
pub fn add(draft: &mut Draft<'_>, notice: &Notice<'_>) -> Ref {
    if draft.db().count(message::CLASS) >= MOST_MESSAGES {
        drop_oldest(draft);
    }
    let now = draft.facts().now;
    draft.insert(
        message::CLASS,
        vec![
            (message::NAME, notice.name.into()),
            (message::PRIORITY, notice.priority.into()),
            (message::CLS, notice.cls.into()),
            (message::OBJ_UUID, notice.object.into()),
            (message::TIMESTAMP, now.into()),
            (message::BODY, notice.body.as_str().into()),
        ],
    )
}

fn drop_oldest(draft: &mut Draft<'_>) {
    let mut all: Vec<(DateTime, Ref)> = draft
        .db()
        .rows(message::CLASS)
        .map(|m| (m.get(message::TIMESTAMP).as_time(), m.reference))
        .collect();
    all.sort_unstable();
    for (_, reference) in all.into_iter().take(DROPPED_AT_ONCE) {
        draft.delete(reference);
    }
}

/// Notes what became of a VM, in XenServer's words: `VM 'name' started on host: ...`.
pub fn about_vm(draft: &mut Draft<'_>, reference: Ref, name: &str, what: &str) {
    let priority = if name == "VM_CRASHED" { 2 } else { 5 };
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    add(
        draft,
        &Notice {
            name,
            priority,
            cls: "VM",
            object: row.uuid(),
            body: format!("VM '{}' {what}", row.get(vm::NAME_LABEL).as_str()),
        },
    );
}

/// A host as notices name it: `label (uuid: ...)`.
pub fn host_in_words(db: &Database, reference: Ref) -> String {
    db.of_class(host::CLASS, reference).map_or_else(
        || "unknown host".to_owned(),
        |h| format!("{} (uuid: {})", h.get(host::NAME_LABEL).as_str(), h.uuid()),
    )
}

/// The class that a value of the enumeration `cls` stands for.
fn class_of(cls: &str) -> Option<ClassId> {
    Some(match cls {
        "VM" => vm::CLASS,
        "Host" => host::CLASS,
        "SR" => sr::CLASS,
        "Pool" => pool::CLASS,
        "VMPP" => vmpp::CLASS,
        "VMSS" => vmss::CLASS,
        "PVS_proxy" => pvs_proxy::CLASS,
        "VDI" => vdi::CLASS,
        "Certificate" => certificate::CLASS,
        _ => return None,
    })
}

/// `message.create`.
///
/// # Errors
/// `UUID_INVALID [class, uuid]` if there is no such object.
pub fn create(draft: &mut Draft<'_>, notice: &Notice<'_>) -> Result<Ref, ApiError> {
    let known = class_of(notice.cls).is_some_and(|c| draft.db().by_uuid(c, notice.object).is_some());
    if !known {
        return Err(ApiError::new("UUID_INVALID", [notice.cls, notice.object]));
    }
    Ok(add(draft, notice))
}

/// `message.destroy`, and each of `message.destroy_many`.
///
/// # Errors
/// `HANDLE_INVALID [message, reference]`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(message::CLASS, reference)?;
    draft.delete(reference);
    Ok(())
}

/// Notices written at `since` or later, those about one object only where it is given; newest first is the
/// client's business.
pub fn since(db: &Database, since: DateTime, about: Option<(&str, &str)>) -> Value {
    let wanted = db.rows(message::CLASS).filter(|m| {
        m.get(message::TIMESTAMP).as_time() >= since
            && about.is_none_or(|(cls, uuid)| {
                m.get(message::CLS).as_str() == cls && m.get(message::OBJ_UUID).as_str() == uuid
            })
    });
    Value::Map(
        wanted
            .map(|m| (Value::Ref(m.reference), crate::query::record(db, m)))
            .collect(),
    )
}
