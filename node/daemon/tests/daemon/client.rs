//! A client of the API over a node's Unix socket, as small as it can be.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_codec::{Limits, Outcome, WireValue, xmlrpc};
use proto_types::{ApiError, Ref, Value};

/// A session.
pub struct Client {
    socket: PathBuf,
    session: String,
}

/// What a test compares answers with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(pub WireValue);

impl From<bool> for Answer {
    fn from(truth: bool) -> Answer {
        Answer(WireValue::Bool(truth))
    }
}

fn post(socket: &Path, method: &str, params: &[Value]) -> std::io::Result<Outcome> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let body = xmlrpc::call(method, params);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let start = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| std::io::Error::other("no answer"))?;
    let body = answer.get(start.saturating_add(4)..).unwrap_or_default();
    xmlrpc::decode_response(body, &Limits::RESPONSE).map_err(std::io::Error::other)
}

/// Fetches a page as local root: the status and the body.
pub fn get(socket: &Path, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| std::io::Error::other("no answer"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((
        status.ok_or_else(|| std::io::Error::other("no status"))?,
        body.to_owned(),
    ))
}

impl Client {
    /// Logs in as local root.
    pub fn local(socket: &Path) -> Result<Client, String> {
        let words = ["root", "", "1.0", "test"].map(Value::str);
        match post(socket, "session.login_with_password", &words) {
            Ok(Outcome::Success(WireValue::String(session))) => Ok(Client {
                socket: socket.to_owned(),
                session,
            }),
            other => Err(format!("{other:?}")),
        }
    }

    /// Calls a message within the session.
    pub fn call(&self, method: &str, params: &[Value]) -> Result<Answer, ApiError> {
        let mut all = vec![Value::str(&self.session)];
        all.extend_from_slice(params);
        match post(&self.socket, method, &all) {
            Ok(Outcome::Success(value)) => Ok(Answer(value)),
            Ok(Outcome::Failure(error)) => Err(error),
            Err(error) => Err(ApiError::internal(format!("{method}: {error}"))),
        }
    }

    /// The answer of a call that must succeed and takes texts and references.
    pub fn ok(&self, method: &str, params: &[&dyn AsText]) -> WireValue {
        let values: Vec<Value> = params.iter().map(|p| Value::str(p.text())).collect();
        self.call(method, &values)
            .unwrap_or_else(|e| panic!("{method}: {e:?}"))
            .0
    }

    /// As [`Client::ok`], for one that answers a text or a reference.
    pub fn text(&self, method: &str, params: &[&dyn AsText]) -> String {
        self.ok(method, params).as_str().unwrap_or_default().to_owned()
    }

    /// As [`Client::ok`], for one that answers a set of texts or references.
    pub fn refs(&self, method: &str, params: &[&dyn AsText]) -> Vec<String> {
        let WireValue::Array(items) = self.ok(method, params) else {
            panic!("{method}: no array")
        };
        items
            .iter()
            .filter_map(|i| i.as_str().map(str::to_owned))
            .collect()
    }

    /// A VM without disks, ready to start.
    pub fn new_vm(&self, name: &str) -> String {
        let bases = self.refs("VM.get_by_name_label", &[&"Other install media"]);
        let vm = self.text("VM.clone", &[bases.first().expect("the template"), &name]);
        let _ = self.call(
            "VM.remove_from_other_config",
            &[vm.as_str().into(), "disks".into()],
        );
        self.ok("VM.provision", &[&vm]);
        vm
    }

    /// Starts a VM.
    pub fn start(&self, vm: &str) -> Result<Answer, ApiError> {
        self.call("VM.start", &[vm.into(), false.into(), false.into()])
    }
}

/// What goes over the wire as text.
pub trait AsText {
    /// The text.
    fn text(&self) -> String;
}

impl AsText for String {
    fn text(&self) -> String {
        self.clone()
    }
}

impl AsText for &String {
    fn text(&self) -> String {
        (*self).clone()
    }
}

impl AsText for &str {
    fn text(&self) -> String {
        (*self).to_owned()
    }
}

impl AsText for Ref {
    fn text(&self) -> String {
        self.to_string()
    }
}
