//! JSON-RPC bytes to values.

use proto_types::ApiError;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{Envelope, Version};
use crate::text::{check_text, read_utf8};
use crate::{Call, DecodeError, Limits, Outcome, WireValue};

/// A call as the JSON parser sees it.
#[derive(Deserialize)]
struct RawCall {
    jsonrpc: Option<String>,
    method: String,
    #[serde(default)]
    params: Vec<Json>,
    id: Option<Box<RawValue>>,
}

/// An answer as the JSON parser sees it.
#[derive(Deserialize)]
struct RawResponse {
    result: Option<Json>,
    error: Option<Json>,
}

/// Reads one call; batches are not supported.
///
/// # Errors
/// [`DecodeError`] when the bytes are not a call or exceed the limits. Never panics.
pub fn decode_call(bytes: &[u8], limits: &Limits) -> Result<(Call, Envelope), DecodeError> {
    let raw: RawCall = parse(bytes, limits)?;
    let version = match raw.jsonrpc.as_deref() {
        None | Some("1.0") => Version::V1,
        Some("2.0") => Version::V2,
        Some(_) => return Err(DecodeError::malformed(0, "unknown version of JSON-RPC")),
    };
    let id = match raw.id {
        Some(id)
            if id
                .get()
                .starts_with(|c: char| matches!(c, '"' | '-' | 'n') || c.is_ascii_digit()) =>
        {
            id
        }
        Some(_) => return Err(DecodeError::malformed(0, "id is neither string nor number")),
        None => RawValue::NULL.to_owned(),
    };
    check_text(&raw.method)?;
    let mut count = 0;
    let params = raw
        .params
        .into_iter()
        .map(|json| convert(json, 1, limits, &mut count))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((
        Call {
            method: raw.method,
            params,
        },
        Envelope { version, id },
    ))
}

/// Reads an answer of either version, for the client side.
///
/// # Errors
/// As [`decode_call`].
pub fn decode_response(bytes: &[u8], limits: &Limits) -> Result<Outcome, DecodeError> {
    let raw: RawResponse = parse(bytes, limits)?;
    let mut count = 0;
    match raw.error {
        None => convert(raw.result.unwrap_or(Json::Null), 1, limits, &mut count).map(Outcome::Success),
        Some(Json::Array(description)) => failure(description, None),
        Some(Json::Object(mut error)) => {
            let code = error.remove("message");
            match error.remove("data") {
                Some(Json::Array(params)) => failure(params, code),
                _ => failure(Vec::new(), code),
            }
        }
        Some(_) => Err(DecodeError::malformed(0, "error is neither array nor object")),
    }
}

fn failure(texts: Vec<Json>, code: Option<Json>) -> Result<Outcome, DecodeError> {
    let mut texts = code.into_iter().chain(texts).map(|json| match json {
        Json::String(text) => text,
        other => other.to_string(),
    });
    let code = texts
        .next()
        .ok_or_else(|| DecodeError::malformed(0, "error without a code"))?;
    Ok(Outcome::Failure(ApiError {
        code: code.into(),
        params: texts.collect(),
    }))
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], limits: &Limits) -> Result<T, DecodeError> {
    if bytes.len() > limits.bytes {
        return Err(DecodeError::TooLarge {
            limit: limits.bytes,
            of: "bytes",
        });
    }
    // The parser itself refuses more than 128 levels.
    serde_json::from_str(read_utf8(bytes)?).map_err(|error| {
        DecodeError::malformed(
            u64::try_from(error.column()).unwrap_or(0),
            "not JSON, or not of the shape of JSON-RPC",
        )
    })
}

fn convert(json: Json, depth: usize, limits: &Limits, count: &mut usize) -> Result<WireValue, DecodeError> {
    if depth > limits.depth {
        return Err(DecodeError::TooLarge {
            limit: limits.depth,
            of: "levels",
        });
    }
    *count = count.saturating_add(1);
    if *count > limits.values {
        return Err(DecodeError::TooLarge {
            limit: limits.values,
            of: "values",
        });
    }
    let below = depth.saturating_add(1);
    Ok(match json {
        Json::Null => WireValue::Nil,
        Json::Bool(truth) => WireValue::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => WireValue::Int(whole),
            None => WireValue::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => WireValue::String(checked(text, limits)?),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| convert(item, below, limits, count));
            WireValue::Array(items.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, json)| Ok((checked(name, limits)?, convert(json, below, limits, count)?)));
            WireValue::Struct(members.collect::<Result<_, DecodeError>>()?)
        }
    })
}

fn checked(text: String, limits: &Limits) -> Result<String, DecodeError> {
    if text.len() > limits.string {
        return Err(DecodeError::TooLarge {
            limit: limits.string,
            of: "bytes in one string",
        });
    }
    check_text(&text)?;
    Ok(text)
}
