//! The plug-in that every host has: what really runs there, and failures that it plays on request.
//!
//! It stands behind `host.call_plugin`, so that the API has no message that XenServer's has not.

use std::sync::Arc;

use pool_ops::ha::drill;
use proto_types::{ApiError, Args, Value};

use crate::api::Api;
use crate::api::gate::Entry;

/// Its name.
pub const PLUGIN: &str = "tarn-drill";

/// Answers a call: `guests` (uuids, by the host's own word), or `kill`, `cut`, `pause` with `seconds`.
///
/// # Errors
/// `XENAPI_PLUGIN_FAILURE` for another function; [`drill::begin`]'s.
pub async fn call(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let reference = args.reference(0)?;
    let function = args.text(2)?;
    if function == "guests" {
        let guests = drill::guests(&api.ops, reference).await?;
        let texts: Vec<String> = guests.iter().map(ToString::to_string).collect();
        return Ok(texts.join(" ").into());
    }
    let failure = drill::failure(function)
        .ok_or_else(|| ApiError::new("XENAPI_PLUGIN_FAILURE", ["no such function", function, ""]))?;
    let seconds = args
        .at(3)?
        .get("seconds")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    drill::begin(
        &api.ops,
        &entry.caller.history("drill"),
        reference,
        (failure, seconds),
    )
    .await?;
    Ok("".into())
}
