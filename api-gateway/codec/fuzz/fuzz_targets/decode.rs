//! Any bytes into every decoder. Run in `api-gateway/codec` with `cargo +nightly fuzz run decode`.
#![no_main]

use gateway_codec::{Limits, jsonrpc, typed, xmlrpc};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = xmlrpc::decode_response(bytes, &Limits::CALL);
    let _ = jsonrpc::decode_response(bytes, &Limits::CALL);
    let _ = jsonrpc::decode_call(bytes, &Limits::CALL);
    let Ok(call) = xmlrpc::decode_call(bytes, &Limits::CALL) else { return };
    for param in &call.params {
        // What was read can be written and read again.
        let again = xmlrpc::task_result(&typed::untyped(param));
        assert!(xmlrpc::decode_value(again.as_bytes(), &Limits::RESPONSE).is_ok());
    }
});
