//! Trusted platform modules of VMs, and the keys of Secure Boot.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pool_domain::decide::vtpm;
use pool_domain::query;
use pool_ops::machine;
use pool_ops::vm::tpm;
use proto_types::generated::{host, pool, vtpm as class};
use proto_types::{ApiError, Value};

use super::{Handler, Table};

/// What a host says that has firmware with the usual keys.
const SECURE_BOOT: &str = "secure-boot";

/// The messages.
pub const TABLE: Table = &[
    (
        "VTPM.create",
        Handler::Write(|d, _, a| vtpm::create(d, a.reference(0)?, a.truth(1)?).map(Value::from)),
    ),
    (
        "VTPM.destroy",
        Handler::Write(|d, _, a| vtpm::destroy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VTPM.get_contents",
        Handler::Special(|api, entry, args| {
            Box::pin(async move {
                let module = args.reference(0)?;
                let owner = query::find(&entry.db, class::CLASS, module)?
                    .get(class::VM)
                    .as_ref();
                // What a host still has is newer.
                tpm::fetch(&api.ops, owner).await?;
                let db = api.ops.pool.snapshot();
                Ok(vtpm::contents(&db, query::find(&db, class::CLASS, module)?).into())
            })
        }),
    ),
    (
        "VTPM.set_contents",
        Handler::Write(|d, _, a| {
            let text = a.text(1)?;
            STANDARD
                .decode(text)
                .map_err(|_| ApiError::new("INVALID_VALUE", ["contents", "not base64"]))?;
            vtpm::set_contents(d, a.reference(0)?, text).map(|()| Value::Void)
        }),
    ),
    (
        "pool.get_guest_secureboot_readiness",
        Handler::Special(|api, entry, args| {
            Box::pin(async move {
                query::find(&entry.db, pool::CLASS, args.reference(0)?)?;
                let mut ready = true;
                for row in entry.db.rows(host::CLASS) {
                    let can = machine::capabilities(&api.ops, row.reference).await?;
                    ready = ready && can.contains(SECURE_BOOT);
                }
                // Which revocations come with the keys is the firmware's business and not known here.
                Ok(if ready { "ready_no_dbx" } else { "not_ready" }.into())
            })
        }),
    ),
];
