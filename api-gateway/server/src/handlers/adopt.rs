//! The plug-in that every host has for domains that the pool did not start: it lists them, and takes one over.
//!
//! It stands behind `host.call_plugin`, as [`super::drill`] does.

use std::sync::Arc;

use pool_ops::vm::adopt;
use proto_types::{ApiError, Args, Ref, Value};
use uuid::Uuid;

use crate::api::Api;
use crate::api::gate::Entry;

/// Its name.
pub const PLUGIN: &str = "tarn-adopt";

/// Answers a call: `list` (each domain as [`adopt::line`] has it), or `adopt` with the domain's `uuid`, which answers the VM.
///
/// # Errors
/// `XENAPI_PLUGIN_FAILURE` for another function; those of [`adopt::Adopt`].
pub async fn call(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let host = args.reference(0)?;
    match args.text(2)? {
        "list" => {
            let domains = adopt::foreign(&api.ops, host).await?;
            let lines: Vec<String> = domains.iter().map(adopt::line).collect();
            Ok(lines.join("\n").into())
        }
        "adopt" => {
            let text = args.at(3)?.get("uuid").unwrap_or_default();
            let domain = Uuid::try_parse(text).map_err(|_| ApiError::new("UUID_INVALID", ["VM", text]))?;
            let call = pool_ops::Call {
                label: "VM.adopt".to_owned(),
                session: entry.caller.session,
                host: (api.host)(),
                origin: entry.caller.history("VM.adopt"),
                parent: Ref::NULL,
                other_config: Vec::new(),
            };
            let made = pool_ops::run(&api.ops, adopt::Adopt::new(host, domain), call).await?;
            // A plug-in's answer is text.
            Ok(made.as_ref().to_string().into())
        }
        function => Err(ApiError::new(
            "XENAPI_PLUGIN_FAILURE",
            ["no such function", function, ""],
        )),
    }
}
