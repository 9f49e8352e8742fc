//! Values to XML-RPC bytes, exactly as XenServer writes them.

use proto_types::{ApiError, DateTime, Ref, Value};

use crate::ValueWriter;
use crate::decimal::{write_int, write_time};
use crate::float::write_float;
use crate::writer::with_reference;

const HEAD: &[u8] = b"<?xml version=\"1.0\"?><methodResponse><params><param>";
const TAIL: &[u8] = b"</param></params></methodResponse>";
const SUCCESS_HEAD: &[u8] = b"<?xml version=\"1.0\"?><methodResponse><params><param><value><struct><member>\
<name>Status</name><value>Success</value></member><member><name>Value</name>";
const FAILURE_HEAD: &[u8] = b"<?xml version=\"1.0\"?><methodResponse><params><param><value><struct><member>\
<name>Status</name><value>Failure</value></member><member><name>ErrorDescription</name>";
const STRUCT_TAIL: &[u8] = b"</member></struct></value></param></params></methodResponse>";
const MAP_HEAD: &[u8] = b"<value><struct>";
const MAP_TAIL: &[u8] = b"</struct></value>";

/// Room made for an answer of unknown size, in bytes.
const ROOM: usize = 1024;

/// Writes `<value>` elements one after another.
///
/// Integers are decimal strings, references and enums plain strings, and characters that XML 1.0 forbids are
/// dropped. A carriage return is written as `&#13;`, since a bare one would be read as a line feed.
pub struct XmlWriter {
    out: Vec<u8>,
}

impl XmlWriter {
    /// Appends to the bytes given.
    pub fn new(out: Vec<u8>) -> XmlWriter {
        XmlWriter { out }
    }

    /// The bytes, those given at first included.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Appends a whole value that was encoded before.
    pub fn encoded(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    /// Inlined, so that the copy of a constant is a few moves instead of a call.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

impl ValueWriter for XmlWriter {
    fn text(&mut self, text: &str) {
        self.put(b"<value>");
        escape(&mut self.out, text);
        self.put(b"</value>");
    }

    fn int(&mut self, number: i64) {
        self.put(b"<value>");
        write_int(&mut self.out, number);
        self.put(b"</value>");
    }

    fn int32(&mut self, number: i64) {
        self.put(b"<value><i4>");
        write_int(&mut self.out, number);
        self.put(b"</i4></value>");
    }

    fn float(&mut self, number: f64) {
        self.put(b"<value><double>");
        write_float(&mut self.out, number);
        self.put(b"</double></value>");
    }

    fn truth(&mut self, truth: bool) {
        self.put(if truth {
            b"<value><boolean>1</boolean></value>"
        } else {
            b"<value><boolean>0</boolean></value>"
        });
    }

    fn time(&mut self, at: DateTime) {
        self.put(b"<value><dateTime.iso8601>");
        write_time(&mut self.out, at);
        self.put(b"</dateTime.iso8601></value>");
    }

    fn reference(&mut self, reference: Ref) {
        self.put(b"<value>");
        with_reference(reference, |text| self.put(text.as_bytes()));
        self.put(b"</value>");
    }

    fn void(&mut self) {
        self.put(b"<value></value>");
    }

    fn set(&mut self, members: impl FnOnce(&mut Self)) {
        self.put(b"<value><array><data>");
        let before = self.out.len();
        members(self);
        if self.out.len() == before {
            self.out.truncate(before.saturating_sub(b"<data>".len()));
            self.put(b"<data/></array></value>");
        } else {
            self.put(b"</data></array></value>");
        }
    }

    fn map(&mut self, members: impl FnOnce(&mut Self)) {
        self.put(MAP_HEAD);
        let before = self.out.len();
        members(self);
        if self.out.len() == before {
            self.out.truncate(before.saturating_sub(b"<struct>".len()));
            self.put(b"<struct/></value>");
        } else {
            self.put(MAP_TAIL);
        }
    }

    fn member(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.put(b"<member><name>");
        escape(&mut self.out, name);
        self.put(b"</name>");
        value(self);
        self.put(b"</member>");
    }
}

/// A successful answer.
pub fn success(value: &Value) -> Vec<u8> {
    success_with(ROOM, |w| w.value(value))
}

/// A successful answer whose value `write` writes; `room` is the expected size in bytes.
pub fn success_with(room: usize, write: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
    let mut writer = XmlWriter::new(Vec::with_capacity(
        room.saturating_add(SUCCESS_HEAD.len())
            .saturating_add(STRUCT_TAIL.len()),
    ));
    writer.put(SUCCESS_HEAD);
    write(&mut writer);
    writer.put(STRUCT_TAIL);
    writer.into_bytes()
}

/// What comes before and after the members of a map that is a successful answer, for whoever writes them piece by piece.
/// There must be at least one.
pub fn success_around_members() -> [Vec<u8>; 2] {
    [
        [SUCCESS_HEAD, MAP_HEAD].concat(),
        [MAP_TAIL, STRUCT_TAIL].concat(),
    ]
}

/// An answer that names an error.
pub fn failure(error: &ApiError) -> Vec<u8> {
    let mut writer = XmlWriter::new(Vec::with_capacity(ROOM));
    writer.put(FAILURE_HEAD);
    writer.set(|w| {
        w.text(&error.code);
        for param in &error.params {
            w.text(param);
        }
    });
    writer.put(STRUCT_TAIL);
    writer.into_bytes()
}

/// An answer without a status, as that of `system.listMethods`.
pub fn bare(write: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
    let mut writer = XmlWriter::new(Vec::with_capacity(ROOM));
    writer.put(HEAD);
    write(&mut writer);
    writer.put(TAIL);
    writer.into_bytes()
}

/// A call, for the client side. The session, if any, is the first of `params`.
pub fn call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut writer = XmlWriter::new(Vec::with_capacity(ROOM));
    writer.put(b"<?xml version=\"1.0\"?><methodCall><methodName>");
    escape(&mut writer.out, method);
    writer.put(b"</methodName><params>");
    for param in params {
        writer.put(b"<param>");
        writer.value(param);
        writer.put(b"</param>");
    }
    writer.put(b"</params></methodCall>");
    writer.into_bytes()
}

/// The text of `task.result`: one `<value>` element.
pub fn task_result(value: &Value) -> String {
    let mut writer = XmlWriter::new(Vec::with_capacity(64));
    writer.value(value);
    String::from_utf8(writer.into_bytes()).unwrap_or_default()
}

/// Which bytes of UTF-8 need a closer look: markup, control characters, and what begins U+FFFE and U+FFFF.
///
/// A table, because comparing with each of them takes three times as long, and this is the busiest loop of all.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the compiler checks a constant"
)]
static IS_SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        special[control] = true;
        control += 1;
    }
    special[b'<' as usize] = true;
    special[b'>' as usize] = true;
    special[b'&' as usize] = true;
    special[b'"' as usize] = true;
    special[0xef] = true;
    special
};

/// How many bytes in front need no closer look.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let is_special = |byte: &u8| IS_SPECIAL.get(usize::from(*byte)).is_some_and(|special| *special);
    bytes.iter().position(is_special).unwrap_or(bytes.len())
}

/// Appends text with entities for markup and without the characters that XML forbids.
fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let Some((before, special)) = rest.split_at_checked(plain_length(rest)) else {
            return;
        };
        out.extend_from_slice(before);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        rest = after;
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\r' => out.extend_from_slice(b"&#13;"),
            b'\t' | b'\n' => out.push(*byte),
            0xef => match after {
                // U+FFFE and U+FFFF.
                [0xbf, 0xbe | 0xbf, after @ ..] => rest = after,
                _ => out.push(0xef),
            },
            _ => {}
        }
    }
}
