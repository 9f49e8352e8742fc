//! The pool's objects as one XML document, and back: what `/pool/xmldbdump` sends and takes.
//!
//! ```text
//! <database><manifest><pair key="schema_major_vsn" value="5"/>…</manifest>
//!   <table name="VM"><row ref="OpaqueRef:…" name_label="web" tags="('a' 'b')" …/>…</table>…</database>
//! ```
//! Source: the form in which XenServer keeps its database: tables of rows whose fields are attributes, sets and maps as lists in
//! parentheses. What belongs to callers or to this pool's own workings stays out: sessions, tasks, members, keys.

mod words;

use proto_types::schema::ClassDef;
use proto_types::{ClassId, Field, Ref, Value};
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::database::Database;
use crate::row::Row;

/// The major version of the schema that such documents carry.
pub const MAJOR: &str = "5";
/// The minor one: of the schema of the last release that is described in full.
pub const MINOR: &str = "783";

/// Classes that stay out beside those of the pool's own.
const LEFT_OUT: &[&str] = &["session", "task", "event", "role", "message", "blob", "user"];
/// What the names of the pool's own classes begin with.
const OWN: &str = "tarn_";

/// A row of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpedRow {
    /// Its class.
    pub class: ClassId,
    /// Its reference.
    pub reference: Ref,
    /// Its fields, without those that follow from other rows.
    pub fields: Vec<(Field, Value)>,
}

impl DumpedRow {
    /// A field's value, if the document has it.
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(there, _)| *there == field)
            .map(|(_, value)| value)
    }

    /// A reference in it; null if the document has none.
    pub fn reference_in(&self, field: Field) -> Ref {
        self.get(field).map_or(Ref::NULL, Value::as_ref)
    }

    /// A text in it.
    pub fn text(&self, field: Field) -> &str {
        self.get(field).map_or("", Value::as_str)
    }
}

/// Why a document is no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADatabase {
    /// It is of another major version.
    #[error("a schema of version {0:?}")]
    Version(String),
    /// It is not as described.
    #[error("{0}")]
    Malformed(String),
}

fn is_dumped(class: &ClassDef) -> bool {
    !class.name.starts_with(OWN) && !LEFT_OUT.contains(&class.name)
}

/// The fields of a class that a document carries, with their place.
fn fields(class: ClassId) -> impl Iterator<Item = (Field, &'static proto_types::schema::FieldDef)> {
    (0_u16..)
        .zip(class.def().fields)
        .filter(|(_, def)| def.derived_from.is_none() && !def.volatile)
        .map(move |(index, def)| (Field { class, index }, def))
}

/// The document, piece by piece.
pub fn pieces(db: &Database) -> impl Iterator<Item = String> + '_ {
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<database><manifest><pair key=\"schema_major_vsn\" value=\"{MAJOR}\"/>\
         <pair key=\"schema_minor_vsn\" value=\"{MINOR}\"/><pair key=\"generation_count\" value=\"{}\"/></manifest>\n",
        db.applied()
    );
    let classes = ClassId::all().filter(|class| is_dumped(class.def()));
    let tables = classes.flat_map(|class| {
        let open = format!("<table name=\"{}\">\n", class.name());
        let rows = db.rows(class).map(|row| row_in_words(row));
        std::iter::once(open)
            .chain(rows)
            .chain(std::iter::once("</table>\n".to_owned()))
    });
    std::iter::once(head)
        .chain(tables)
        .chain(std::iter::once("</database>\n".to_owned()))
}

fn row_in_words(row: &Row) -> String {
    let mut words = format!("<row ref=\"{}\"", row.reference);
    for (field, def) in fields(row.class) {
        let text = words::write(row.get(field));
        words.push_str(&format!(" {}=\"{}\"", def.name, attribute_text(&text)));
    }
    words.push_str("/>\n");
    words
}

/// White space other than blanks would not survive in an attribute; what XML has no word for goes.
fn attribute_text(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let plain: String = text.chars().filter(allowed).collect();
    escape(plain.as_str())
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;")
}

/// Reads a document. Tables and fields that are not known are left out.
///
/// # Errors
/// See [`NotADatabase`].
pub fn read(text: &str) -> Result<Vec<DumpedRow>, NotADatabase> {
    let mut reader = Reader::from_str(text);
    let mut rows = Vec::new();
    let (mut part, mut version) = (Part::Manifest, None);
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|e| malformed(&reader, &e))?;
        let (tag, is_open) = match event {
            Event::Eof if depth == 0 && version.is_some() => return Ok(rows),
            Event::Eof => return Err(malformed(&reader, &"it ends too early")),
            Event::DocType(_) => return Err(malformed(&reader, &"a document type")),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            Event::Start(tag) => (tag, true),
            Event::Empty(tag) => (tag, false),
            _ => continue,
        };
        match (depth, tag.local_name().as_ref(), part) {
            (0, "database", _) => {}
            (1, "manifest", _) => part = Part::Manifest,
            (2, "pair", Part::Manifest) => {
                if attribute(&reader, &tag, "key")?.as_deref() == Some("schema_major_vsn") {
                    version = attribute(&reader, &tag, "value")?;
                    if version.as_deref() != Some(MAJOR) {
                        return Err(NotADatabase::Version(version.unwrap_or_default()));
                    }
                }
            }
            (1, "table", _) if version.is_some() => {
                let name = attribute(&reader, &tag, "name")?.unwrap_or_default();
                let class = ClassId::all().find(|c| c.name() == name && is_dumped(c.def()));
                part = class.map_or(Part::Unknown, Part::Table);
            }
            (2, "row", Part::Table(class)) => rows.push(row(&reader, &tag, class)?),
            (2, "row", Part::Unknown) => {}
            (_, name, _) => return Err(malformed(&reader, &format!("<{name}> where it has no place"))),
        }
        depth += usize::from(is_open);
    }
}

/// What is being read.
#[derive(Clone, Copy)]
enum Part {
    Manifest,
    Table(ClassId),
    /// A table of another release.
    Unknown,
}

fn malformed(reader: &Reader<&[u8]>, why: &dyn std::fmt::Display) -> NotADatabase {
    NotADatabase::Malformed(format!("{why}, at byte {}", reader.buffer_position()))
}

fn attribute(
    reader: &Reader<&[u8]>,
    tag: &BytesStart<'_>,
    name: &str,
) -> Result<Option<String>, NotADatabase> {
    let found = tag.try_get_attribute(name).map_err(|e| malformed(reader, &e))?;
    let Some(found) = found else { return Ok(None) };
    let value = found
        .normalized_value(XmlVersion::Implicit1_0)
        .map_err(|e| malformed(reader, &e))?;
    Ok(Some(value.into_owned()))
}

fn row(reader: &Reader<&[u8]>, tag: &BytesStart<'_>, class: ClassId) -> Result<DumpedRow, NotADatabase> {
    let reference = attribute(reader, tag, "ref")?
        .and_then(|text| text.parse::<Ref>().ok())
        .filter(|reference| !reference.is_null())
        .ok_or_else(|| malformed(reader, &"a row without a reference"))?;
    let mut found = Vec::new();
    for (field, def) in fields(class) {
        if let Some(text) = attribute(reader, tag, def.name)? {
            let value = words::read(&text, &def.ty).ok_or_else(|| {
                let why = format!("{}.{} is {text:.80?}", class.name(), def.name);
                malformed(reader, &why)
            })?;
            found.push((field, value));
        }
    }
    Ok(DumpedRow {
        class,
        reference,
        fields: found,
    })
}

#[cfg(test)]
mod test;
