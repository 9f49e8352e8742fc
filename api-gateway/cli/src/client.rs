//! A session with a pool: calls, and what is known of the objects that answers refer to.

mod known;

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use gateway_codec::{Limits, Outcome, WireValue, xmlrpc};
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use proto_types::{ApiError, Value};
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::options::Options;
use crate::transport::{Connection, Dialer, Peer, whole};
use known::Known;

/// The null reference.
pub const NULL: &str = "OpaqueRef:NULL";

/// The longest that a call may take; `event.from` and a guest that shuts down take long.
const LONGEST_CALL: Duration = Duration::from_secs(2 * 3600);

/// Whom we claim to be.
const AGENT: &str = concat!("xe/", env!("CARGO_PKG_VERSION"));

/// How often a pool may send us on before we give up.
const MOST_MOVES: usize = 4;

/// Which session to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// With the pool.
    Pool,
    /// With this host alone, for commands that mend a host without master.
    Local,
}

/// A session.
pub struct Client {
    runtime: Runtime,
    dialer: Dialer,
    link: RefCell<Link>,
    session: RefCell<String>,
    username: String,
    password: String,
    login: Login,
    known: RefCell<Known>,
}

struct Link {
    peer: Peer,
    open: Option<Connection>,
}

/// An object of the API as it was read.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its reference.
    pub reference: String,
    /// Its record.
    pub record: WireValue,
}

impl Object {
    /// The text of a field; empty if it has none.
    pub fn text(&self, field: &str) -> &str {
        self.record
            .member(field)
            .and_then(WireValue::as_str)
            .unwrap_or_default()
    }

    /// Whether a field is true.
    pub fn truth(&self, field: &str) -> bool {
        matches!(self.record.member(field), Some(WireValue::Bool(true)))
    }

    /// The texts in a set.
    pub fn texts(&self, field: &str) -> Vec<String> {
        self.record.member(field).map(texts).unwrap_or_default()
    }

    /// The pairs of a map.
    pub fn map(&self, field: &str) -> Vec<(String, String)> {
        self.record.member(field).map(pairs).unwrap_or_default()
    }
}

/// The texts in a set.
pub fn texts(value: &WireValue) -> Vec<String> {
    match value {
        WireValue::Array(items) => items
            .iter()
            .filter_map(WireValue::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// The pairs of a map, values as text.
pub fn pairs(value: &WireValue) -> Vec<(String, String)> {
    match value {
        WireValue::Struct(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), text_of(value)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Any plain value as text.
pub fn text_of(value: &WireValue) -> String {
    match value {
        WireValue::String(text) | WireValue::DateTime(text) => text.clone(),
        WireValue::Int(number) => number.to_string(),
        WireValue::Bool(truth) => truth.to_string(),
        WireValue::Double(number) => format!("{number:.3}"),
        WireValue::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join("; "),
        WireValue::Struct(_) => {
            let pairs: Vec<String> = pairs(value)
                .into_iter()
                .map(|(k, v)| format!("{k}: {v}"))
                .collect();
            pairs.join("; ")
        }
        WireValue::Nil => String::new(),
    }
}

impl Client {
    /// Opens a session.
    ///
    /// # Errors
    /// When the server is not reached or refuses the login.
    pub fn open(options: &Options, login: Login) -> Result<Client, Failure> {
        Client::open_at(Peer::of(options), options, login)
    }

    /// Opens a session with a certain host.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub fn open_at(peer: Peer, options: &Options, login: Login) -> Result<Client, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::contact(format!("cannot begin: {error}")))?;
        let client = Client {
            runtime,
            dialer: Dialer::new(options)?,
            link: RefCell::new(Link { peer, open: None }),
            session: RefCell::new(String::new()),
            username: options.username.clone().unwrap_or_else(|| "root".to_owned()),
            password: options.password.clone().unwrap_or_else(|| "null".to_owned()),
            login,
            known: RefCell::new(Known::default()),
        };
        client.log_in()?;
        Ok(client)
    }

    fn log_in(&self) -> Result<(), Failure> {
        let (user, password) = (Value::str(&self.username), Value::str(&self.password));
        let session = match self.login {
            Login::Pool => self.raw(
                "session.login_with_password",
                &[user, password, Value::str("2.21"), Value::str("cli")],
            )?,
            Login::Local => self.raw("session.slave_local_login_with_password", &[user, password])?,
        };
        *self.session.borrow_mut() = text_of(&session);
        Ok(())
    }

    /// Ends the session. What goes wrong here no longer matters to anybody.
    pub fn close(&self) {
        let session = self.session.borrow().clone();
        let method = match self.login {
            Login::Pool => "session.logout",
            Login::Local => "session.local_logout",
        };
        let _ = self.raw(method, &[Value::str(session)]);
    }

    /// The session's reference, for transfers.
    pub fn session(&self) -> String {
        self.session.borrow().clone()
    }

    /// Where the session is held.
    pub fn peer(&self) -> Peer {
        self.link.borrow().peer.clone()
    }

    /// Goes on with another host of the pool. Over the local socket there is no other: that host finds the master itself.
    pub fn turn_to(&self, address: &str) {
        let mut link = self.link.borrow_mut();
        if matches!(link.peer, Peer::Network { .. }) {
            link.peer = link.peer.moved_to(address);
        }
        link.open = None;
    }

    /// For transfers, which have connections of their own.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Runs something that waits.
    pub fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// Sends a message with the session in front of its arguments.
    ///
    /// # Errors
    /// What the API refuses, and broken connections.
    pub fn call(&self, method: &str, args: &[Value]) -> Result<WireValue, Failure> {
        self.call_in(&self.session(), method, args)
    }

    /// As [`Client::call`], in another session with the same pool.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn call_in(&self, session: &str, method: &str, args: &[Value]) -> Result<WireValue, Failure> {
        let mut params = Vec::with_capacity(args.len().saturating_add(1));
        params.push(Value::str(session));
        params.extend_from_slice(args);
        self.raw(method, &params)
    }

    /// Sends a message as it is, to the master wherever it is.
    fn raw(&self, method: &str, params: &[Value]) -> Result<WireValue, Failure> {
        self.wait(self.ask(method, params))
    }

    /// As [`Client::call`], for who waits for something else meanwhile.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_meanwhile(&self, method: &str, args: &[Value]) -> Result<WireValue, Failure> {
        let mut params = vec![Value::str(self.session())];
        params.extend_from_slice(args);
        self.ask(method, &params).await
    }

    async fn ask(&self, method: &str, params: &[Value]) -> Result<WireValue, Failure> {
        self.ask_for(method, params, None).await
    }

    /// Sends a message; of records in its answer only some fields may be wanted.
    async fn ask_for(
        &self,
        method: &str,
        params: &[Value],
        fields: Option<&[&str]>,
    ) -> Result<WireValue, Failure> {
        let body = Bytes::from(xmlrpc::call(method, params));
        for _ in 0..MOST_MOVES {
            match self.exchange(body.clone(), fields).await? {
                Outcome::Success(value) => return Ok(value),
                Outcome::Failure(ApiError { code, params })
                    if code == "HOST_IS_SLAVE" && !params.is_empty() =>
                {
                    let mut link = self.link.borrow_mut();
                    let master = params.first().map(String::as_str).unwrap_or_default();
                    link.peer = link.peer.moved_to(master);
                    link.open = None;
                }
                Outcome::Failure(error) => return Err(Failure::Api(error)),
            }
        }
        Err(Failure::contact(
            "The pool's hosts do not agree who is the master.",
        ))
    }

    async fn exchange(&self, body: Bytes, fields: Option<&[&str]>) -> Result<Outcome, Failure> {
        let (peer, open) = {
            let mut link = self.link.borrow_mut();
            (link.peer.clone(), link.open.take())
        };
        let mut connection = match open.filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.dialer.connect(&peer).await?,
        };
        let lost = |why: &dyn std::fmt::Display| {
            Failure::contact(format!("Lost connection to the server.\n({why})"))
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header(CONTENT_TYPE, "text/xml")
            .header(USER_AGENT, AGENT)
            .body(whole(body))
            .map_err(|error| lost(&error))?;
        let answer = async {
            let response = connection.send(request).await.map_err(|error| lost(&error))?;
            if response.status() != StatusCode::OK {
                return Err(Failure::contact(format!(
                    "Server internal error. ({})",
                    response.status()
                )));
            }
            let limited = Limited::new(response.into_body(), Limits::LISTING.bytes);
            limited
                .collect()
                .await
                .map(|whole| whole.to_bytes())
                .map_err(|error| lost(&error))
        };
        let bytes = tokio::time::timeout(LONGEST_CALL, answer)
            .await
            .map_err(|_| lost(&"no answer in time"))??;
        self.link.borrow_mut().open = Some(connection);
        let thin = fields.and_then(|fields| xmlrpc::thinned(&bytes, &|name| fields.contains(&name)));
        let bytes = thin.as_deref().unwrap_or(&bytes);
        xmlrpc::decode_response(bytes, &Limits::LISTING).map_err(|error| lost(&error))
    }

    /// The text that a message answers.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn text(&self, method: &str, args: &[Value]) -> Result<String, Failure> {
        self.call(method, args).map(|value| text_of(&value))
    }

    /// The reference of the object with a uuid.
    ///
    /// # Errors
    /// When there is none.
    pub fn by_uuid(&self, class: &str, uuid: &str) -> Result<String, Failure> {
        self.text(&format!("{class}.get_by_uuid"), &[Value::str(uuid)])
    }

    /// The object with a reference.
    ///
    /// # Errors
    /// When there is none.
    pub fn object(&self, class: &str, reference: &str) -> Result<Object, Failure> {
        let record = self.call(&format!("{class}.get_record"), &[Value::str(reference)])?;
        Ok(Object {
            reference: reference.to_owned(),
            record,
        })
    }

    /// The value of a field.
    ///
    /// # Errors
    /// When the object is gone.
    pub fn field(&self, class: &str, reference: &str, field: &str) -> Result<WireValue, Failure> {
        self.call(&format!("{class}.get_{field}"), &[Value::str(reference)])
    }

    /// The uuid of an object.
    ///
    /// # Errors
    /// When it is gone.
    pub fn uuid(&self, class: &str, reference: &str) -> Result<String, Failure> {
        self.field(class, reference, "uuid").map(|value| text_of(&value))
    }

    /// All objects of a class that satisfy an expression, in the order of the answer.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn objects(&self, class: &str, expression: &str) -> Result<Vec<Object>, Failure> {
        self.objects_with(class, expression, None)
    }

    /// As [`Client::objects`], with these fields only, if any are named.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn objects_with(
        &self,
        class: &str,
        expression: &str,
        fields: Option<&[&str]>,
    ) -> Result<Vec<Object>, Failure> {
        let mut params = vec![Value::str(self.session())];
        let method = match expression {
            "true" => format!("{class}.get_all_records"),
            other => {
                params.push(Value::str(other));
                format!("{class}.get_all_records_where")
            }
        };
        let answer = self.wait(self.ask_for(&method, &params, fields))?;
        let WireValue::Struct(members) = answer else {
            return Err(Failure::contact("The server's answer is no set of records."));
        };
        Ok(members
            .into_iter()
            .map(|(reference, record)| Object { reference, record })
            .collect())
    }

    /// The pool's reference.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn pool(&self) -> Result<String, Failure> {
        let pools = self.call("pool.get_all", &[])?;
        let first = texts(&pools).into_iter().next();
        first.ok_or_else(|| ApiError::internal("Remote host does not belong to a pool.").into())
    }

    /// The master's reference.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn master(&self) -> Result<String, Failure> {
        let pool = self.pool()?;
        self.text("pool.get_master", &[Value::str(pool)])
    }

    /// The uuid of the pool's default storage, if it has any.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn default_sr(&self) -> Result<Option<String>, Failure> {
        let pool = self.pool()?;
        let sr = self.text("pool.get_default_SR", &[Value::str(pool)])?;
        match self.uuid("SR", &sr) {
            Ok(uuid) => Ok(Some(uuid)),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(other) => Err(other),
        }
    }
}
