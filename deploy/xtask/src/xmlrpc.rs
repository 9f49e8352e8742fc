//! A small XML-RPC client over a node's Unix socket, for the testbed's own set-up and the demo.
//!
//! It trusts its peer (a node of this clone); the product's decoder, which trusts nobody, is
//! `gateway-codec`.

mod parser;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use parser::Parser;

/// A value of XML-RPC as XenAPI uses it: integers and references are strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, also integers and references.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// A floating point number.
    Double(f64),
    /// A list.
    List(Vec<Value>),
    /// A record or map.
    Map(BTreeMap<String, Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Value {
    /// A map from pairs.
    pub fn map<const N: usize>(pairs: [(&str, Value); N]) -> Self {
        Self::Map(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The text, or an error that shows what came instead.
    pub fn text(&self) -> Result<&str> {
        match self {
            Self::Text(text) => Ok(text),
            other => bail!("expected text, got {other:?}"),
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Result<&[Value]> {
        match self {
            Self::List(items) => Ok(items),
            other => bail!("expected a list, got {other:?}"),
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Result<&BTreeMap<String, Value>> {
        match self {
            Self::Map(map) => Ok(map),
            other => bail!("expected a map, got {other:?}"),
        }
    }

    /// One field of a record.
    pub fn field(&self, name: &str) -> Result<&Value> {
        self.entries()?
            .get(name)
            .with_context(|| format!("no field {name}"))
    }

    fn write(&self, out: &mut String) {
        out.push_str("<value>");
        match self {
            Self::Text(text) => {
                out.push_str("<string>");
                escape(text, out);
                out.push_str("</string>");
            }
            Self::Bool(value) => out.push_str(&format!("<boolean>{}</boolean>", u8::from(*value))),
            Self::Double(value) => out.push_str(&format!("<double>{value}</double>")),
            Self::List(items) => {
                out.push_str("<array><data>");
                for item in items {
                    item.write(out);
                }
                out.push_str("</data></array>");
            }
            Self::Map(map) => {
                out.push_str("<struct>");
                for (name, value) in map {
                    out.push_str("<member><name>");
                    escape(name, out);
                    out.push_str("</name>");
                    value.write(out);
                    out.push_str("</member>");
                }
                out.push_str("</struct>");
            }
        }
        out.push_str("</value>");
    }
}

/// The API's own error: a code and its parameters.
#[derive(Debug)]
pub struct Failure(pub Vec<String>);

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0.join(" "))
    }
}

impl std::error::Error for Failure {}

/// A logged-in session.
pub struct Session {
    socket: PathBuf,
    reference: String,
}

impl Session {
    /// The session's reference.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Logs in over a node's Unix socket, where every local caller is let in.
    pub fn login(socket: &Path) -> Result<Self> {
        let args = [Value::from("root"), "".into(), "1.0".into(), "tarn-xtask".into()];
        let reply = call(socket, "session.login_with_password", &args)?;
        Ok(Self {
            socket: socket.to_path_buf(),
            reference: reply.text()?.to_owned(),
        })
    }

    /// Calls a message with the session as its first parameter.
    pub fn call<const N: usize>(&self, method: &str, args: [Value; N]) -> Result<Value> {
        let mut all = vec![Value::from(self.reference.as_str())];
        all.extend(args);
        call(&self.socket, method, &all)
    }

    /// Calls a message that returns one text.
    pub fn text<const N: usize>(&self, method: &str, args: [Value; N]) -> Result<String> {
        Ok(self
            .call(method, args)?
            .text()
            .with_context(|| format!("result of {method}"))?
            .to_owned())
    }

    /// The one object of a name.
    pub fn by_name(&self, class: &str, name: &str) -> Result<String> {
        let found = self.call(&format!("{class}.get_by_name_label"), [name.into()])?;
        let first = found
            .list()?
            .first()
            .with_context(|| format!("no {class} named {name:?}"))?;
        Ok(first.text()?.to_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A node that is gone has no session to end.
        let _ = call(
            &self.socket,
            "session.logout",
            &[Value::from(self.reference.as_str())],
        );
    }
}

fn call(socket: &Path, method: &str, args: &[Value]) -> Result<Value> {
    let mut body = format!("<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>");
    for arg in args {
        body.push_str("<param>");
        arg.write(&mut body);
        body.push_str("</param>");
    }
    body.push_str("</params></methodCall>");
    let reply = post(socket, &body).with_context(|| format!("call {method}"))?;
    let response = Parser::new(&reply)
        .response()
        .with_context(|| format!("read reply of {method}"))?;
    match response.field("Status")?.text()? {
        "Success" => Ok(response.field("Value")?.clone()),
        _ => {
            let words = response.field("ErrorDescription")?.list()?;
            let words = words
                .iter()
                .map(|word| word.text().map(str::to_owned))
                .collect::<Result<_>>()?;
            Err(anyhow::Error::new(Failure(words)).context(format!("{method} was refused")))
        }
    }
}

fn post(socket: &Path, body: &str) -> Result<String> {
    let mut stream =
        UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(300)))
        .context("set a deadline")?;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).context("send the call")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).context("await the reply")?;
    let reply = String::from_utf8(reply).context("reply is not UTF-8")?;
    let (head, body) = reply.split_once("\r\n\r\n").context("reply without a header")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "answered {status:?}");
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return dechunk(body);
    }
    Ok(body.to_owned())
}

fn dechunk(mut body: &str) -> Result<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").context("chunk without a size")?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .context("chunk size")?;
        if size == 0 {
            return Ok(whole);
        }
        whole.push_str(rest.get(..size).context("short chunk")?);
        body = rest.get(size + 2..).context("short chunk")?;
    }
}

fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(letter),
        }
    }
}

#[cfg(test)]
mod test;
