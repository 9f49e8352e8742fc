//! The audit trail: who did what, from where, and how it ended. One line each, in the form of XenServer's audit log:
//!
//! ```text
//! [20261125T06:58:11.123Z|info|HOST|PEER||audit] ('trackid=..' 'SID' 'USER' 'ALLOWED' 'OK' 'API' 'VM.start' (('vm' 'web' 'UUID' 'REF')))
//! ```
//! Objects are told by label, uuid and reference. Free text is told only where its parameter says that it is a name; what may
//! be a secret never is.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pool_domain::{Database, access};
use proto_types::generated::host;
use proto_types::schema::{MessageDef, MessageKind, Type};
use proto_types::{ApiError, Args, DateTime, Ref, Value};

use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::fair::Peer;
use crate::handlers::{self, Handler};

/// Longest text told of one value, in characters.
const LONGEST_VALUE: usize = 128;
/// Most things told of one call.
const MOST_TOLD: usize = 24;
/// Lines a minute about callers that nobody knows: they must not push out what known ones did.
const STRANGERS_PER_MINUTE: u32 = 60;

/// Names of parameters and of records' members whose text may be told.
const PLAIN: &[&str] = &[
    "address",
    "bridge",
    "class",
    "cls",
    "device",
    "device_name",
    "fn",
    "hostname",
    "key",
    "label",
    "MAC",
    "mode",
    "name",
    "name_description",
    "name_label",
    "new_name",
    "obj_uuid",
    "operation",
    "plugin",
    "role",
    "short_name",
    "subject_identifier",
    "subject_name",
    "type",
    "uname",
    "userdevice",
    "uuid",
];

/// How names of messages begin that only ask.
const ASKS: &[&str] = &[
    "assert_",
    "can_",
    "compute_",
    "get_",
    "has_",
    "is_",
    "list_",
    "probe",
    "query_",
    "retrieve_",
    "test_",
    "maximise_memory",
    "detect_nonhomogeneous_external_auth",
    "check_update_readiness",
    "certificate_list",
    "crl_list",
];

/// Whether a message belongs into the trail: it changes something, or tries to.
pub fn is_told(message: &MessageDef) -> bool {
    match message.kind {
        MessageKind::Set(_)
        | MessageKind::AddTo(_)
        | MessageKind::RemoveFrom(_)
        | MessageKind::AddMember(_)
        | MessageKind::RemoveMember(_)
        | MessageKind::Create
        | MessageKind::Destroy => true,
        MessageKind::Custom => {
            // Waiting for events, and an end that the log-in announced.
            let is_quiet = message.class.name() == "event"
                || matches!(message.full_name, "session.logout" | "session.local_logout");
            let asks = ASKS.iter().any(|begin| message.name.starts_with(begin));
            !is_quiet && !asks && !matches!(handlers::find(message), Some(Handler::Read(_)))
        }
        _ => false,
    }
}

/// One thing a call was about: its role in the call, label or text, uuid, reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    name: String,
    label: String,
    uuid: String,
    reference: String,
}

/// What is known of a call before it ends.
#[derive(Clone, Debug)]
pub struct Note {
    kind: &'static str,
    call: String,
    user: String,
    sid: String,
    track: String,
    peer: Peer,
    is_stranger: bool,
    told: Vec<Told>,
}

impl Note {
    /// Of a message with its arguments.
    pub fn of_call(
        db: &Database,
        caller: &Caller,
        peer: Peer,
        message: &MessageDef,
        args: &Args,
        sent_as: &str,
    ) -> Note {
        let mut note = Note::new("API", sent_as, caller, peer);
        if message.no_session && !caller.is_superuser {
            note.is_stranger = true;
            note.user = message
                .params
                .iter()
                .zip(&args.0)
                .find(|(p, _)| p.name == "uname")
                .map(|(_, v)| clip(v.as_str()))
                .unwrap_or_default();
            return note;
        }
        if message.secret {
            return note;
        }
        for (param, value) in message.params.iter().zip(&args.0) {
            let named = message.name == "set_name_label" || PLAIN.contains(&param.name);
            tell(db, param.name, &param.ty, value, named, &mut note.told);
        }
        note
    }

    /// Of a request for an HTTP handler, with the objects that its query names.
    pub fn of_transfer(
        db: &Database,
        caller: Option<&Caller>,
        peer: Peer,
        action: &str,
        named: &[(&str, &str)],
    ) -> Note {
        let nobody = Caller::default();
        let mut note = Note::new("HTTP", &format!("http/{action}"), caller.unwrap_or(&nobody), peer);
        note.is_stranger = caller.is_none();
        if !note.is_stranger {
            for (name, text) in named {
                match text.parse::<Ref>() {
                    Ok(reference) => note.told.push(object(db, name, reference)),
                    Err(_) => note.told.push(text_of(name, text)),
                }
            }
        }
        note
    }

    /// Of something that an operator does past the API.
    pub fn of_operator(call: &str, about: &[(&str, &str)]) -> Note {
        let mut note = Note::new("CLI", call, &Caller::local_root(), Peer::Local);
        note.told = about.iter().map(|(name, text)| text_of(name, text)).collect();
        note
    }

    fn new(kind: &'static str, call: &str, caller: &Caller, peer: Peer) -> Note {
        Note {
            kind,
            call: clip(call),
            user: caller.user.clone(),
            sid: match caller.is_superuser {
                true => "LOCAL_SUPERUSER".to_owned(),
                false => caller.sid.clone(),
            },
            track: access::track(caller.session),
            peer,
            is_stranger: false,
            told: Vec::new(),
        }
    }

    fn line(&self, when: Duration, host: &str, end: &End, left_out: u32) -> String {
        let (verdict, outcome) = match end {
            End::Denied(code) => ("DENIED", format!("ERROR:{code}")),
            End::Failed(code) => ("ALLOWED", format!("ERROR:{code}")),
            End::Accepted => ("ALLOWED", "ACCEPTED".to_owned()),
            End::Done(_) => ("ALLOWED", "OK".to_owned()),
        };
        let seconds = DateTime(i64::try_from(when.as_secs()).unwrap_or(i64::MAX)).to_string();
        let peer = match self.peer {
            Peer::Local => "local".to_owned(),
            Peer::Address(address) => address.to_string(),
        };
        let mut out = format!(
            "[{}.{:03}Z|info|{}|{peer}||audit] (",
            seconds.trim_end_matches('Z'),
            when.subsec_millis(),
            plain(host)
        );
        let fields = [
            &format!("trackid={}", self.track),
            &self.sid,
            &self.user,
            verdict,
            &outcome,
            self.kind,
            &self.call,
        ];
        for field in fields {
            let _ = write!(out, "'{}' ", quoted(field));
        }
        out.push('(');
        let made = match end {
            End::Done(made) => made.as_ref().map(|made| &made.0),
            _ => None,
        };
        for (at, thing) in self.told.iter().chain(made).take(MOST_TOLD).enumerate() {
            let space = if at > 0 { " " } else { "" };
            let fields = [&thing.name, &thing.label, &thing.uuid, &thing.reference].map(|f| quoted(f));
            let _ = write!(out, "{space}('{}')", fields.join("' '"));
        }
        out.push(')');
        if left_out > 0 {
            let _ = write!(out, " 'left-out={left_out}'");
        }
        out.push_str(")\n");
        out
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum End {
    /// It was not allowed.
    Denied(String),
    /// It failed.
    Failed(String),
    /// A task stands for it.
    Accepted,
    /// It is done; perhaps something was made.
    Done(Option<Made>),
}

/// What a call has made.
#[derive(Clone, Debug)]
pub struct Made(Told);

impl End {
    /// By an error.
    pub fn of_error(error: &ApiError) -> End {
        let denied = [
            "RBAC_PERMISSION_DENIED",
            "SESSION_AUTHENTICATION_FAILED",
            "SESSION_AUTHORIZATION_FAILED",
        ];
        match denied.contains(&&*error.code) {
            true => End::Denied(error.code.to_string()),
            false => End::Failed(error.code.to_string()),
        }
    }

    /// By what has been made, or else was found.
    pub fn of_made(db: &Database, made: Ref) -> End {
        // A session's reference is its secret.
        match db.get(made) {
            Some(row) if row.class.name() != "session" => End::Done(Some(Made(object(db, "result", made)))),
            _ => End::Done(None),
        }
    }

    /// By what the work behind a task came to.
    pub fn of_result(db: &Database, result: &Result<Value, ApiError>) -> End {
        match result {
            Ok(value) => End::of_made(db, value.as_ref()),
            Err(error) => End::of_error(error),
        }
    }
}

/// Counts lines about strangers.
#[derive(Default)]
pub struct Strangers(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    number: u64,
    told: u32,
    left_out: u32,
}

impl Strangers {
    /// Whether one more line may be written in this minute; if so, how many were left out since the last one.
    fn pass(&self, when: Duration) -> Option<u32> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = when.as_secs() / 60;
        if minute.number != number {
            (minute.number, minute.told) = (number, 0);
        }
        if minute.told >= STRANGERS_PER_MINUTE {
            minute.left_out = minute.left_out.saturating_add(1);
            return None;
        }
        minute.told += 1;
        Some(std::mem::take(&mut minute.left_out))
    }
}

impl Api {
    /// Writes a line of the trail.
    pub async fn audit(self: &Arc<Self>, note: &Note, end: &End) {
        let _turn = self.telling.lock().await;
        let when = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Whoever logs in is a stranger no more: that line is always written.
        let left_out = match note.is_stranger && !matches!(end, End::Done(_)) {
            true => match self.strangers.pass(when) {
                Some(left_out) => left_out,
                None => return,
            },
            false => 0,
        };
        let db = self.cluster.snapshot();
        let host = db.of_class(host::CLASS, (self.host)());
        let host = host.map_or("", |row| row.get(host::NAME_LABEL).as_str());
        self.trail.append(note.line(when, host, end, left_out)).await;
    }
}

/// What the trail tells of a transfer: that it began, and once how it ended.
pub struct Telling {
    api: Arc<Api>,
    note: Note,
    has_ended: AtomicBool,
}

impl Telling {
    /// Of a transfer of which nothing has been told yet.
    pub fn new(api: &Arc<Api>, note: Note) -> Arc<Telling> {
        Arc::new(Telling {
            api: Arc::clone(api),
            note,
            has_ended: AtomicBool::new(false),
        })
    }

    /// It has begun.
    pub async fn accepted(&self) {
        self.api.audit(&self.note, &End::Accepted).await;
    }

    /// It has ended. Only the first word counts: what follows from one end are no others.
    pub async fn ended(&self, end: &End) {
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            self.api.audit(&self.note, end).await;
        }
    }

    /// It has ended by what its work came to.
    pub async fn came_to(&self, result: &Result<Value, ApiError>) {
        self.ended(&End::of_result(&self.api.cluster.snapshot(), result))
            .await;
    }
}

/// Tells that a connection has ended, when this is dropped.
pub struct UntilDropped(pub Arc<Telling>);

impl Drop for UntilDropped {
    fn drop(&mut self) {
        let told = Arc::clone(&self.0);
        tokio::spawn(async move { told.ended(&End::Done(None)).await });
    }
}

fn tell(db: &Database, name: &str, ty: &Type, value: &Value, named: bool, told: &mut Vec<Told>) {
    if told.len() >= MOST_TOLD {
        return;
    }
    match (ty, value) {
        // A session's reference is its secret.
        (Type::Ref("session"), _) => {}
        (Type::Ref(_), Value::Ref(reference)) => told.push(object(db, name, *reference)),
        (Type::Set(Type::Ref(_)), Value::Set(items)) => {
            let all = items.iter().map(|item| object(db, name, item.as_ref()));
            told.extend(all.take(MOST_TOLD.saturating_sub(told.len())));
        }
        (Type::String, Value::Str(text)) if named => told.push(text_of(name, text)),
        (Type::Enum(_), Value::Str(text)) => told.push(text_of(name, text)),
        (Type::Int, Value::Int(number)) => told.push(text_of(name, &number.to_string())),
        (Type::Bool, Value::Bool(truth)) => told.push(text_of(name, &truth.to_string())),
        (Type::Float, Value::Float(number)) => told.push(text_of(name, &number.to_string())),
        (Type::DateTime, Value::Time(time)) => told.push(text_of(name, &time.to_string())),
        (Type::Record(_), Value::Record(members)) => {
            for (member, value) in members {
                match value {
                    Value::Ref(reference) if !reference.is_null() => {
                        told.push(object(db, member, *reference))
                    }
                    Value::Str(text) if PLAIN.contains(&&**member) => told.push(text_of(member, text)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn object(db: &Database, name: &str, reference: Ref) -> Told {
    let row = db.get(reference);
    let text = |field: &str| row.and_then(|row| row.named(field)).map_or("", Value::as_str);
    Told {
        name: name.to_owned(),
        label: clip(text("name_label")),
        uuid: row.map_or("", |row| row.uuid()).to_owned(),
        reference: reference.to_string(),
    }
}

fn text_of(name: &str, text: &str) -> Told {
    Told {
        name: name.to_owned(),
        label: clip(text),
        ..Told::default()
    }
}

fn clip(text: &str) -> String {
    text.chars().take(LONGEST_VALUE).collect()
}

/// Nothing that clients choose ends a quotation or a line.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn plain(text: &str) -> String {
    quoted(text).replace('|', "/")
}

#[cfg(test)]
mod test;
