//! Values to JSON-RPC bytes.

use std::io::Write as _;

use proto_types::{ApiError, DateTime, Ref, Value};

use super::{Envelope, Version};
use crate::ValueWriter;
use crate::decimal::{write_int, write_time};
use crate::float::write_float;
use crate::writer::with_reference;

/// Room made for an answer of unknown size, in bytes.
const ROOM: usize = 1024;

/// Writes JSON values, with commas between members where they are needed.
pub struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    /// Appends to the bytes given, which must end where a value may stand.
    pub fn new(out: Vec<u8>) -> JsonWriter {
        JsonWriter { out }
    }

    /// The bytes, those given at first included.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Inlined, so that the copy of a constant is a few moves instead of a call.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A comma, unless this value is the first in its surroundings. No value ends with one of the three bytes.
    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'[' | b'{' | b':')) {
            self.out.push(b',');
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        escape(&mut self.out, text);
        self.out.push(b'"');
    }
}

impl ValueWriter for JsonWriter {
    fn text(&mut self, text: &str) {
        self.separate();
        self.quoted(text);
    }

    fn int(&mut self, number: i64) {
        self.separate();
        write_int(&mut self.out, number);
    }

    fn int32(&mut self, number: i64) {
        self.int(number);
    }

    fn float(&mut self, number: f64) {
        self.separate();
        if number.is_finite() {
            write_float(&mut self.out, number);
        } else {
            // JSON has no such numbers.
            self.put(b"null");
        }
    }

    fn truth(&mut self, truth: bool) {
        self.separate();
        self.put(if truth { b"true" } else { b"false" });
    }

    fn time(&mut self, at: DateTime) {
        self.separate();
        self.out.push(b'"');
        write_time(&mut self.out, at);
        self.out.push(b'"');
    }

    fn reference(&mut self, reference: Ref) {
        self.separate();
        self.out.push(b'"');
        with_reference(reference, |text| self.put(text.as_bytes()));
        self.out.push(b'"');
    }

    fn void(&mut self) {
        self.text("");
    }

    fn set(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push(b'[');
        members(self);
        self.out.push(b']');
    }

    fn map(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    fn member(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.separate();
        self.quoted(name);
        self.out.push(b':');
        value(self);
    }
}

/// A successful answer.
pub fn success(envelope: &Envelope, value: &Value) -> Vec<u8> {
    success_with(envelope, ROOM, |w| w.value(value))
}

/// A successful answer whose value `write` writes; `room` is the expected size in bytes.
pub fn success_with(envelope: &Envelope, room: usize, write: impl FnOnce(&mut JsonWriter)) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::with_capacity(room.saturating_add(64)));
    match envelope.version {
        Version::V1 => writer.put(b"{\"result\":"),
        Version::V2 => writer.put(b"{\"jsonrpc\":\"2.0\",\"result\":"),
    }
    write(&mut writer);
    if envelope.version == Version::V1 {
        writer.put(b",\"error\":null");
    }
    end(writer, envelope)
}

/// An answer that names an error.
pub fn failure(envelope: &Envelope, error: &ApiError) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::with_capacity(ROOM));
    match envelope.version {
        Version::V1 => {
            writer.put(b"{\"result\":null,\"error\":");
            writer
                .strings(std::iter::once(error.code.as_ref()).chain(error.params.iter().map(String::as_str)));
        }
        Version::V2 => {
            writer.put(b"{\"jsonrpc\":\"2.0\",\"error\":");
            writer.map(|w| {
                w.member("code", |w| w.int(1));
                w.member("message", |w| w.text(&error.code));
                w.member("data", |w| w.strings(&error.params));
            });
        }
    }
    end(writer, envelope)
}

/// A call of version 2.0, for the client side.
pub fn call(id: u64, method: &str, params: &[Value]) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::with_capacity(ROOM));
    writer.map(|w| {
        w.member("jsonrpc", |w| w.text("2.0"));
        w.member("method", |w| w.text(method));
        w.member("params", |w| {
            w.set(|w| {
                for param in params {
                    w.value(param);
                }
            });
        });
        w.member("id", |w| w.int(i64::try_from(id).unwrap_or(i64::MAX)));
    });
    writer.into_bytes()
}

fn end(mut writer: JsonWriter, envelope: &Envelope) -> Vec<u8> {
    writer.put(b",\"id\":");
    writer.put(envelope.id.get().as_bytes());
    writer.put(b"}");
    writer.into_bytes()
}

/// Appends text with the escapes that JSON asks for.
fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = rest
            .iter()
            .position(|b| *b < 0x20 || matches!(b, b'"' | b'\\'))
            .unwrap_or(rest.len());
        let Some((before, special)) = rest.split_at_checked(plain) else {
            return;
        };
        out.extend_from_slice(before);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        rest = after;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                // Writing into a vector cannot fail.
                let _ = write!(out, "\\u{other:04x}");
            }
        }
    }
}
