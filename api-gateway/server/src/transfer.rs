//! The HTTP handlers besides calls: transfers, consoles, metrics.
//!
//! ```text
//! request ─► table (method, longest path) ─► place (302 to the leader where it must be) ─► admit (who, may they) ─► handler
//! ```
//! A handler gets an [`Exchange`]: who asks, for what, the body that comes and the tunnel the connection may become. What it
//! refuses turns into a status and, where the client named a task, into the end of that task.

pub mod admit;
mod appliance;
pub mod audit_log;
pub mod blob;
pub mod body;
pub mod console;
mod database;
mod delta;
pub mod export;
mod fetch;
pub mod fetch_vms;
pub mod figures;
mod image;
pub mod import;
pub mod moving;
pub mod old_update;
pub mod ova;
pub mod place;
pub mod query;
pub mod raw_vdi;
pub mod refusal;
pub mod reply;
mod spool;
pub mod table;
pub mod task;
pub mod tunnel;
pub mod update_sync;

use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use pool_domain::Database;

pub use body::RequestBody;
pub use query::Query;
pub use refusal::Refusal;
pub use tunnel::Tunnel;

use crate::Origin;
use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::fair::Peer;
use crate::api::ports::Role;
use crate::audit::{End, Note, Telling, UntilDropped};
use crate::http::reply_body::ReplyBody;

/// What a handler answers.
pub type Reply = Response<ReplyBody>;

/// Names in queries that say what a transfer is about.
const NAMING: &[&str] = &["ref", "uuid", "vdi", "sr_id", "sr_uuid", "since"];

/// How long a follower waits for a row that its leader may have written a moment ago.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// A request as the transport hands it over.
pub struct Request {
    /// Where it came from.
    pub origin: Origin,
    /// Method, path, headers.
    pub head: Parts,
    /// The body, unread.
    pub body: RequestBody,
    /// The connection, if it is to outlive HTTP.
    pub tunnel: Tunnel,
}

/// A request that has been admitted.
pub struct Exchange {
    /// The node's API.
    pub api: Arc<Api>,
    /// Who asks.
    pub caller: Caller,
    /// The state: all that was acknowledged before on the leader, the latest known elsewhere.
    pub db: Database,
    /// Query and cookies.
    pub query: Query,
    /// The rest of the request.
    pub request: Request,
    /// The handler's entry in the table.
    pub entry: &'static table::Entry,
    /// What the audit trail tells of it.
    pub told: Option<Arc<Telling>>,
}

impl Exchange {
    /// Looks something up. A follower that does not find it looks again for a second, since the leader may just have
    /// written it.
    pub async fn find<T>(&mut self, look: impl Fn(&Database) -> Option<T>) -> Option<T> {
        eventually(&self.api, &mut self.db, look).await
    }

    /// The connection becomes something else: the trail tells when, and when it ends.
    pub async fn becomes_tunnel(&mut self) {
        if let Some(told) = self.told.clone() {
            told.accepted().await;
            self.request.tunnel.hold(UntilDropped(told));
        }
    }
}

async fn eventually<T>(api: &Api, db: &mut Database, look: impl Fn(&Database) -> Option<T>) -> Option<T> {
    let deadline = tokio::time::Instant::now() + CATCHING_UP;
    loop {
        if let Some(found) = look(db) {
            return Some(found);
        }
        if api.cluster.role() == Role::Leader || tokio::time::Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        *db = api.cluster.snapshot();
    }
}

/// Answers one request.
#[tracing::instrument(name = "transfer", skip_all, fields(method = %request.head.method, path = request.head.uri.path()))]
pub async fn run(api: &Arc<Api>, request: Request) -> Result<Reply, Broken> {
    let query = Query::of(&request.head);
    let entry = match table::find(&request.head.method, request.head.uri.path()) {
        Ok(entry) => entry,
        Err(status) => return Ok(reply::page(status)),
    };
    if let Some(elsewhere) = place::elsewhere(api, entry, &request) {
        return Ok(elsewhere);
    }
    let mut db = match api.cluster.read().await {
        Ok(db) => db,
        Err(_) if entry.place == table::Place::Any => api.cluster.snapshot(),
        // Leadership was lost since; the client asks again.
        Err(_) => return Ok(reply::page(StatusCode::SERVICE_UNAVAILABLE)),
    };
    let named = query.task();
    let peer = Peer::from(request.origin);
    let told: Vec<(&str, &str)> = NAMING
        .iter()
        .filter_map(|name| Some((*name, query.get(name)?)))
        .collect();
    let about =
        |db: &Database, caller: Option<&Caller>| Note::of_transfer(db, caller, peer, entry.action, &told);
    let mut note = None;
    let admitted = admit::admit(api, &mut db, &request, &query, entry).await;
    match &admitted {
        Ok(caller) if entry.is_told => note = Some(about(&db, Some(caller))),
        // Whoever shows no credentials is asked for some, which is no event.
        Err(Refusal::Unauthorized) if !admit::shows_any(&request, &query) => {}
        Err(_) => note = Some(about(&db, None)),
        Ok(_) => {}
    }
    let told = note.map(|note| Telling::new(api, note));
    let outcome = match admitted {
        Ok(caller) => {
            let exchange = Exchange {
                api: Arc::clone(api),
                caller,
                db,
                query,
                request,
                entry,
                told: told.clone(),
            };
            (entry.handle)(exchange).await
        }
        Err(refusal) => Err(refusal),
    };
    // What begins tells so itself, and how it ends.
    if let (Some(told), Err(refusal)) = (&told, &outcome) {
        let error = refusal.error();
        told.ended(&error.as_ref().map_or(End::Done(None), End::of_error))
            .await;
    }
    match outcome {
        Ok(reply) => Ok(reply),
        Err(refusal) => {
            if let (Some(named), Some(error)) = (named, refusal.error()) {
                task::fail(api, named, error).await;
            }
            refusal.into_reply(entry)
        }
    }
}

/// The connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;
