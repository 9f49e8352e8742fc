//! Which operation a host admits now, and the error where it does not.

use proto_types::generated::host;
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::placement;
use crate::row::Row;

/// Every operation, in the order in which they are advertised.
const OPERATIONS: &[&str] = &[
    "provision",
    "evacuate",
    "shutdown",
    "reboot",
    "power_on",
    "vm_start",
    "vm_resume",
    "vm_migrate",
    "enable",
];
/// Bring guests to the host.
const BRING: &[&str] = &["provision", "vm_start", "vm_resume", "vm_migrate"];
/// Take guests off the host.
const TAKE: &[&str] = &["evacuate", "shutdown", "reboot", "apply_updates"];

/// The operations to advertise for a host.
pub fn advertised(db: &Database, row: &Row) -> Value {
    let enabled = row.get(host::ENABLED).as_bool();
    // Enabling an enabled host succeeds, but nobody should be offered it.
    let offered = |name: &&&str| !(enabled && **name == "enable");
    Value::strings(
        OPERATIONS
            .iter()
            .filter(offered)
            .filter(|name| check(db, row, name).is_ok()),
    )
}

/// Says whether a host admits an operation now.
///
/// # Errors
/// `HOST_IS_LIVE`, `HOST_POWER_ON_MODE_DISABLED`, `HOST_OFFLINE [host]`, `OTHER_OPERATION_IN_PROGRESS`,
/// `HOST_NOT_DISABLED`, `HOST_DISABLED [host]`.
pub fn check(db: &Database, row: &Row, operation: &str) -> Result<(), ApiError> {
    let me = || row.reference.to_string();
    let live = placement::is_live(db, row);
    if operation == "power_on" {
        if live {
            return Err(ApiError::new("HOST_IS_LIVE", [me()]));
        }
        if row.get(host::POWER_ON_MODE).as_str().is_empty() {
            return Err(ApiError::bare("HOST_POWER_ON_MODE_DISABLED"));
        }
        return Ok(());
    }
    if !live {
        return Err(ApiError::new("HOST_OFFLINE", [me()]));
    }
    if let Some((running, task)) = rival(row, operation) {
        return Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            ["host".to_owned(), me(), running, task],
        ));
    }
    let enabled = row.get(host::ENABLED).as_bool();
    match operation {
        "shutdown" | "reboot" if enabled => Err(ApiError::bare("HOST_NOT_DISABLED")),
        "vm_start" | "vm_resume" | "vm_migrate" if !enabled => Err(ApiError::new("HOST_DISABLED", [me()])),
        _ => Ok(()),
    }
}

/// The operation under way that does not go with another one, and its task.
fn rival(row: &Row, operation: &str) -> Option<(String, String)> {
    let current = row.get(host::CURRENT_OPERATIONS).as_map()?;
    let brings = BRING.contains(&operation);
    let takes = TAKE.contains(&operation);
    current
        .iter()
        .find(|(_, running)| {
            let running = running.as_str();
            (brings && TAKE.contains(&running))
                || (takes && (BRING.contains(&running) || TAKE.contains(&running)))
                || (operation == "provision" && running == "provision")
                || (operation == "enable" && matches!(running, "shutdown" | "reboot"))
        })
        .map(|(task, running)| (running.as_str().to_owned(), task.as_str().to_owned()))
}

/// Says whether guests are being taken off a host, by which operation.
pub fn is_being_emptied(row: &Row) -> bool {
    row.get(host::CURRENT_OPERATIONS)
        .as_map()
        .is_some_and(|m| m.values().any(|o| TAKE.contains(&o.as_str())))
}

/// Reads a host and checks that it admits an operation.
///
/// # Errors
/// `HANDLE_INVALID`; see [`check`].
pub fn admitted(
    draft: &mut crate::draft::Draft<'_>,
    reference: Ref,
    operation: &str,
) -> Result<std::sync::Arc<Row>, ApiError> {
    let row = draft.read(host::CLASS, reference)?;
    check(draft.db(), &row, operation)?;
    Ok(row)
}
