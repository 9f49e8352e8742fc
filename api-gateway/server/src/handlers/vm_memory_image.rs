//! `VM.set_suspend_VDI`: another disk takes the place of that which holds a VM's memory, if it holds the same.

use std::sync::Arc;

use pool_domain::{Database, query, vm_rules};
use pool_ops::storage::vdi_live::checksum;
use proto_types::generated::{vdi, vm};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Entry, Handler, Table};
use crate::api::Api;

/// The message.
pub const TABLE: Table = &[(
    "VM.set_suspend_VDI",
    Handler::Special(|api, entry, args| Box::pin(async move { replace(&api, entry, &args).await })),
)];

/// The disk that holds a suspended VM's memory.
fn present(db: &Database, this: Ref) -> Result<Ref, ApiError> {
    let row = query::find(db, vm::CLASS, this)?;
    let state = row.get(vm::POWER_STATE).as_str();
    if state != vm_rules::SUSPENDED {
        return Err(vm_rules::bad_power_state(this, &[vm_rules::SUSPENDED], state));
    }
    Ok(row.get(vm::SUSPEND_VDI).as_ref())
}

async fn replace(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let (this, new) = (args.reference(0)?, args.reference(1)?);
    let db = &entry.db;
    let old = present(db, this)?;
    let of_new = query::find(db, vdi::CLASS, new)?.uuid().to_owned();
    if old == new {
        return Ok(Value::Void);
    }
    let of_old = query::find(db, vdi::CLASS, old)?.uuid().to_owned();
    let (there, here) = futures::try_join!(checksum(&api.ops, old), checksum(&api.ops, new))?;
    if there != here {
        return Err(ApiError::new(
            "SUSPEND_VDI_REPLACEMENT_IS_NOT_IDENTICAL",
            [format!("{of_old} : {there}"), format!("{of_new} : {here}")],
        ));
    }
    let origin = entry.caller.history("VM.set_suspend_VDI");
    api.ops
        .decide(&origin, |d| {
            d.read(vdi::CLASS, new)?;
            d.read(vm::CLASS, this)?;
            // It may have woken up meanwhile, or been given yet another one.
            if present(d.db(), this)? != old {
                return Err(ApiError::handle_invalid("VDI", old));
            }
            d.set(this, vm::SUSPEND_VDI, new);
            Ok(())
        })
        .await?;
    Ok(Value::Void)
}
