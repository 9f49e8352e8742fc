//! Reads XML-RPC replies.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::Value;

/// Walks tags; attributes, comments and CDATA do not occur in XML-RPC replies.
pub struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// Starts at the top of a reply.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Text up to the next tag, and that tag.
    fn next(&mut self) -> Result<(&'a str, &'a str)> {
        let (text, rest) = self.rest.split_once('<').context("reply ends early")?;
        let (tag, rest) = rest.split_once('>').context("reply ends in a tag")?;
        self.rest = rest;
        Ok((text, tag.trim()))
    }

    fn peek(&self) -> &'a str {
        self.rest.trim_start()
    }

    fn skip_to(&mut self, wanted: &str) -> Result<()> {
        while self.next()?.1 != wanted {}
        Ok(())
    }

    /// The value of a reply that is no fault.
    pub fn response(&mut self) -> Result<Value> {
        ensure!(!self.rest.contains("<fault>"), "answered a fault: {}", self.rest);
        self.skip_to("param")?;
        self.skip_to("value")?;
        self.value()
    }

    /// The value whose opening tag was just read, to its closing tag.
    fn value(&mut self) -> Result<Value> {
        let (text, tag) = self.next()?;
        let value = match tag {
            "/value" => return Ok(Value::Text(unescape(text))),
            "string" | "int" | "i4" | "i8" | "dateTime.iso8601" | "base64" => {
                Value::Text(unescape(self.next()?.0))
            }
            "boolean" => Value::Bool(self.next()?.0.trim() == "1"),
            "double" => Value::Double(self.next()?.0.trim().parse().context("number")?),
            "string/" | "nil/" => Value::Text(String::new()),
            "array" => self.list()?,
            "struct" => self.map()?,
            "struct/" => Value::Map(BTreeMap::new()),
            other => bail!("unknown type {other}"),
        };
        self.skip_to("/value")?;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        if self.next()?.1 != "data" {
            return Ok(Value::List(items));
        }
        loop {
            match self.next()?.1 {
                "value" => items.push(self.value()?),
                "value/" => items.push(Value::Text(String::new())),
                _ => return Ok(Value::List(items)),
            }
        }
    }

    fn map(&mut self) -> Result<Value> {
        let mut map = BTreeMap::new();
        loop {
            if self.peek().starts_with("</struct") {
                return Ok(Value::Map(map));
            }
            self.skip_to("name")?;
            let name = unescape(self.next()?.0);
            let value = loop {
                match self.next()?.1 {
                    "value" => break self.value()?,
                    "value/" => break Value::Text(String::new()),
                    _ => {}
                }
            };
            map.insert(name, value);
            self.skip_to("/member")?;
        }
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#13;", "\r")
        .replace("&#10;", "\n")
        .replace("&amp;", "&")
}
