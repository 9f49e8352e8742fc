//! XML-RPC bytes to values.

use proto_types::ApiError;

use super::reader::{Tag, Token, XmlReader, is_blank, is_blank_char};
use crate::text::read_utf8;
use crate::{Call, DecodeError, Limits, Outcome, WireValue};

/// Reads a `methodCall`.
///
/// # Errors
/// [`DecodeError`] when the bytes are not one, hold bad text, or exceed the limits. Never panics.
pub fn decode_call(bytes: &[u8], limits: &Limits) -> Result<Call, DecodeError> {
    let mut reader = open(bytes, limits)?;
    reader.expect(Tag::MethodCall, "methodCall expected")?;
    reader.expect(Tag::MethodName, "methodName expected")?;
    let method = reader.text_to_end()?.trim_matches(is_blank_char).to_owned();
    if method.is_empty() {
        return Err(reader.malformed("empty methodName"));
    }
    let params = match reader.next_structural()? {
        Token::End => Vec::new(),
        Token::Start(Tag::Params) => {
            let params = params(&mut reader)?;
            reader.expect_end()?;
            params
        }
        _ => return Err(reader.malformed("params expected")),
    };
    reader.expect_eof()?;
    Ok(Call { method, params })
}

/// Reads a `methodResponse`, for the client side.
///
/// A `fault` becomes a failure with the code `Fault`.
///
/// # Errors
/// As [`decode_call`].
pub fn decode_response(bytes: &[u8], limits: &Limits) -> Result<Outcome, DecodeError> {
    let mut reader = open(bytes, limits)?;
    reader.expect(Tag::MethodResponse, "methodResponse expected")?;
    let outcome = match reader.next_structural()? {
        Token::Start(Tag::Params) => {
            let mut params = params(&mut reader)?;
            match (params.pop(), params.is_empty()) {
                (Some(value), true) => {
                    outcome(value).ok_or_else(|| reader.malformed("status without its value"))?
                }
                _ => return Err(reader.malformed("an answer has one value")),
            }
        }
        Token::Start(Tag::Fault) => {
            reader.expect(Tag::Value, "value expected")?;
            let value = value(&mut reader, 1)?;
            reader.expect_end()?;
            let text = match value.member("faultString") {
                Some(WireValue::String(text)) => text.clone(),
                _ => String::new(),
            };
            Outcome::Failure(ApiError::new("Fault", [text]))
        }
        _ => return Err(reader.malformed("params or fault expected")),
    };
    reader.expect_end()?;
    reader.expect_eof()?;
    Ok(outcome)
}

/// Reads one `<value>` element, the form of `task.result`.
///
/// # Errors
/// As [`decode_call`].
pub fn decode_value(bytes: &[u8], limits: &Limits) -> Result<WireValue, DecodeError> {
    let mut reader = open(bytes, limits)?;
    reader.expect(Tag::Value, "value expected")?;
    let value = value(&mut reader, 1)?;
    reader.expect_eof()?;
    Ok(value)
}

fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<XmlReader<'a>, DecodeError> {
    if bytes.len() > limits.bytes {
        return Err(DecodeError::TooLarge {
            limit: limits.bytes,
            of: "bytes",
        });
    }
    Ok(XmlReader::new(read_utf8(bytes)?, limits))
}

/// Takes the status apart from the value; a value without status stands for itself.
fn outcome(mut value: WireValue) -> Option<Outcome> {
    match value.member("Status").and_then(WireValue::as_str) {
        Some("Success") => {
            let WireValue::Struct(members) = &mut value else {
                return None;
            };
            let at = members.iter().position(|(name, _)| name == "Value")?;
            Some(Outcome::Success(members.swap_remove(at).1))
        }
        Some("Failure") => {
            let WireValue::Array(items) = value.member("ErrorDescription")? else {
                return None;
            };
            let mut texts = items
                .iter()
                .map(|item| item.as_str().unwrap_or_default().to_owned());
            let code = texts.next()?;
            Some(Outcome::Failure(ApiError {
                code: code.into(),
                params: texts.collect(),
            }))
        }
        _ => Some(Outcome::Success(value)),
    }
}

/// The values up to the end of `params`, which is taken too.
fn params(reader: &mut XmlReader<'_>) -> Result<Vec<WireValue>, DecodeError> {
    let mut params = Vec::new();
    loop {
        match reader.next_structural()? {
            Token::Start(Tag::Param) => {
                reader.expect(Tag::Value, "value expected")?;
                params.push(value(reader, 1)?);
                reader.expect_end()?;
            }
            Token::End => return Ok(params),
            _ => return Err(reader.malformed("param expected")),
        }
    }
}

/// The value whose start has just been taken, up to and with its end.
///
/// Text is kept as it is, white space included, unless an element follows: then only white space may stand there.
fn value(reader: &mut XmlReader<'_>, depth: usize) -> Result<WireValue, DecodeError> {
    if depth > reader.limits().depth {
        return Err(DecodeError::TooLarge {
            limit: reader.limits().depth,
            of: "levels",
        });
    }
    reader.count_value()?;
    let mut text = String::new();
    loop {
        match reader.next()? {
            Token::Text(piece) => reader.append(&mut text, &piece)?,
            Token::Char(c) => reader.append(&mut text, c.encode_utf8(&mut [0; 4]))?,
            Token::End => return reader.checked(text).map(WireValue::String),
            Token::Start(tag) => {
                if !is_blank(&text) {
                    return Err(reader.malformed("text beside an element"));
                }
                let value = typed(reader, tag, depth)?;
                reader.expect_end()?;
                return Ok(value);
            }
            Token::Eof => return Err(reader.malformed("the message ends early")),
        }
    }
}

/// The content of the element inside a value, up to and with the element's end.
fn typed(reader: &mut XmlReader<'_>, tag: Tag, depth: usize) -> Result<WireValue, DecodeError> {
    match tag {
        Tag::String => reader.text_to_end().map(WireValue::String),
        Tag::Int => {
            let text = reader.text_to_end()?;
            let number = text
                .trim_matches(is_blank_char)
                .parse()
                .map_err(|_| reader.malformed("not an integer"))?;
            Ok(WireValue::Int(number))
        }
        Tag::Boolean => match reader.text_to_end()?.trim_matches(is_blank_char) {
            "1" => Ok(WireValue::Bool(true)),
            "0" => Ok(WireValue::Bool(false)),
            _ => Err(reader.malformed("not a truth value")),
        },
        Tag::Double => {
            let text = reader.text_to_end()?;
            let number = text
                .trim_matches(is_blank_char)
                .parse()
                .map_err(|_| reader.malformed("not a number"))?;
            Ok(WireValue::Double(number))
        }
        Tag::DateTime => {
            let text = reader.text_to_end()?;
            Ok(WireValue::DateTime(text.trim_matches(is_blank_char).to_owned()))
        }
        Tag::Nil => {
            reader.expect_end()?;
            Ok(WireValue::Nil)
        }
        Tag::Array => array(reader, depth),
        Tag::Struct => structure(reader, depth),
        Tag::MethodCall
        | Tag::MethodName
        | Tag::MethodResponse
        | Tag::Params
        | Tag::Param
        | Tag::Fault
        | Tag::Value
        | Tag::Data
        | Tag::Member
        | Tag::Name => Err(reader.malformed("not the name of a type")),
    }
}

fn array(reader: &mut XmlReader<'_>, depth: usize) -> Result<WireValue, DecodeError> {
    reader.expect(Tag::Data, "data expected")?;
    let mut items = Vec::new();
    loop {
        match reader.next_structural()? {
            Token::Start(Tag::Value) => items.push(value(reader, depth.saturating_add(1))?),
            Token::End => break,
            _ => return Err(reader.malformed("value expected")),
        }
    }
    reader.expect_end()?;
    Ok(WireValue::Array(items))
}

fn structure(reader: &mut XmlReader<'_>, depth: usize) -> Result<WireValue, DecodeError> {
    let mut members = Vec::new();
    loop {
        match reader.next_structural()? {
            Token::Start(Tag::Member) => {
                reader.expect(Tag::Name, "name expected")?;
                // Names are keys of maps, where white space counts.
                let name = reader.text_to_end()?;
                reader.expect(Tag::Value, "value expected")?;
                members.push((name, value(reader, depth.saturating_add(1))?));
                reader.expect_end()?;
            }
            Token::End => return Ok(WireValue::Struct(members)),
            _ => return Err(reader.malformed("member expected")),
        }
    }
}
