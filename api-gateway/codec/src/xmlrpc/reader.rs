//! XML events with the rules that all of XML-RPC shares: no DOCTYPE, entities resolved, text bounded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::text::is_allowed_char;
use crate::{DecodeError, Limits};

/// Reads one document and counts what it yields.
pub(super) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    limits: Limits,
    values: usize,
}

/// What comes next in the document.
pub(super) enum Token<'a> {
    /// An element begins.
    Start(Tag),
    /// The innermost element ends.
    End,
    /// A piece of text, entities not resolved.
    Text(std::borrow::Cow<'a, str>),
    /// One character that was written as an entity.
    Char(char),
    /// The document ends.
    Eof,
}

/// The elements of XML-RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    MethodCall,
    MethodName,
    MethodResponse,
    Params,
    Param,
    Fault,
    Value,
    String,
    Int,
    Boolean,
    Double,
    DateTime,
    Array,
    Data,
    Struct,
    Member,
    Name,
    Nil,
}

impl Tag {
    fn of(name: &str) -> Option<Tag> {
        Some(match name {
            "value" => Tag::Value,
            "param" => Tag::Param,
            "member" => Tag::Member,
            "name" => Tag::Name,
            "string" => Tag::String,
            "int" | "i4" | "i8" => Tag::Int,
            "boolean" => Tag::Boolean,
            "double" => Tag::Double,
            "dateTime.iso8601" => Tag::DateTime,
            "array" => Tag::Array,
            "data" => Tag::Data,
            "struct" => Tag::Struct,
            "params" => Tag::Params,
            "methodCall" => Tag::MethodCall,
            "methodName" => Tag::MethodName,
            "methodResponse" => Tag::MethodResponse,
            "fault" => Tag::Fault,
            "nil" | "ex:nil" => Tag::Nil,
            _ => return None,
        })
    }
}

impl<'a> XmlReader<'a> {
    pub(super) fn new(text: &'a str, limits: &Limits) -> XmlReader<'a> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        XmlReader {
            reader,
            limits: *limits,
            values: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts one more value or member.
    pub(super) fn count_value(&mut self) -> Result<(), DecodeError> {
        self.values = self.values.saturating_add(1);
        if self.values > self.limits.values {
            return Err(DecodeError::TooLarge {
                limit: self.limits.values,
                of: "values",
            });
        }
        Ok(())
    }

    pub(super) fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::malformed(self.reader.buffer_position(), what)
    }

    /// The next token; comments, processing instructions and the declaration are passed over.
    pub(super) fn next(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            let at = self.reader.buffer_position();
            let event = self
                .reader
                .read_event()
                .map_err(|_| DecodeError::malformed(at, "not well-formed XML"))?;
            return Ok(match event {
                Event::Start(start) => match Tag::of(start.name().as_ref()) {
                    Some(tag) => Token::Start(tag),
                    None => return Err(DecodeError::malformed(at, "unknown element")),
                },
                Event::End(_) => Token::End,
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(entity) => Token::Char(resolve(&entity, at)?),
                Event::Eof => Token::Eof,
                Event::DocType(_) => return Err(DecodeError::malformed(at, "DOCTYPE is refused")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
                Event::Empty(_) => return Err(DecodeError::malformed(at, "unexpected empty element")),
            });
        }
    }

    /// The next token that is not blank text.
    pub(super) fn next_structural(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            match self.next()? {
                Token::Text(text) if is_blank(&text) => {}
                Token::Char(c) if is_blank_char(c) => {}
                Token::Text(_) | Token::Char(_) => return Err(self.malformed("text between elements")),
                token => return Ok(token),
            }
        }
    }

    /// Takes the given element's start.
    pub(super) fn expect(&mut self, wanted: Tag, what: &'static str) -> Result<(), DecodeError> {
        match self.next_structural()? {
            Token::Start(tag) if tag == wanted => Ok(()),
            _ => Err(self.malformed(what)),
        }
    }

    /// Takes the end of the innermost element.
    pub(super) fn expect_end(&mut self) -> Result<(), DecodeError> {
        match self.next_structural()? {
            Token::End => Ok(()),
            _ => Err(self.malformed("end of element expected")),
        }
    }

    /// Takes the end of the document.
    pub(super) fn expect_eof(&mut self) -> Result<(), DecodeError> {
        match self.next_structural()? {
            Token::Eof => Ok(()),
            _ => Err(self.malformed("something follows the message")),
        }
    }

    /// The text up to the end of the innermost element, which is taken too.
    pub(super) fn text_to_end(&mut self) -> Result<String, DecodeError> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Token::Text(piece) => self.append(&mut text, &piece)?,
                Token::Char(c) => self.append(&mut text, c.encode_utf8(&mut [0; 4]))?,
                Token::End => return self.checked(text),
                Token::Start(_) => return Err(self.malformed("element inside text")),
                Token::Eof => return Err(self.malformed("the message ends early")),
            }
        }
    }

    /// Adds a piece to a string within the limit.
    pub(super) fn append(&self, text: &mut String, piece: &str) -> Result<(), DecodeError> {
        if text.len().saturating_add(piece.len()) > self.limits.string {
            return Err(DecodeError::TooLarge {
                limit: self.limits.string,
                of: "bytes in one string",
            });
        }
        text.push_str(piece);
        Ok(())
    }

    /// Refuses a finished string that XML could not carry back.
    pub(super) fn checked(&self, text: String) -> Result<String, DecodeError> {
        crate::text::check_text(&text)?;
        Ok(text)
    }
}

/// Resolves the five entities that XML has by itself, and character references.
fn resolve(entity: &BytesRef<'_>, at: u64) -> Result<char, DecodeError> {
    if entity.is_char_ref() {
        return match entity.resolve_char_ref() {
            Ok(Some(c)) if is_allowed_char(c) => Ok(c),
            _ => Err(DecodeError::malformed(at, "character reference to no character")),
        };
    }
    match entity.xml10_content().as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(DecodeError::malformed(at, "unknown entity")),
    }
}

/// White space as XML knows it.
pub(super) fn is_blank_char(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Nothing but white space.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_blank_char)
}
