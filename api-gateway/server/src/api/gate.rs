//! The first checks: does this node lead, is there a session.

use std::sync::Arc;
use std::sync::PoisonError;

use gateway_codec::{Call, Limits, Outcome, xmlrpc};
use pool_domain::Database;
use proto_types::generated::session;
use proto_types::{ApiError, Ref};

use super::Api;
use super::caller::Caller;
use super::fair::{Client, Peer};
use super::ports::{Leader, Role};
use crate::audit::Note;
use crate::service::{Format, Origin};

/// Whether a call came from a client or from another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// From a client.
    First,
    /// Passed on; it is not passed on again.
    Second,
}

/// A call that is answered here.
#[derive(Clone)]
pub struct Entry {
    /// The state it reads.
    pub db: Database,
    /// Who calls.
    pub caller: Caller,
    /// Over the local socket: no password is asked.
    pub is_local_root: bool,
    /// Where from.
    pub peer: Peer,
    /// What the client wants of the call's task.
    pub task: TaskWishes,
    /// What the audit trail is to tell of the call.
    pub note: Option<Arc<Note>>,
}

/// What a client wants of the task of its call.
#[derive(Clone, Debug, Default)]
pub struct TaskWishes {
    /// The task above it.
    pub parent: Ref,
    /// Entries of its `other_config`.
    pub other_config: Vec<(String, String)>,
}

impl Entry {
    /// Who takes turns.
    pub fn client(&self) -> Client {
        Client {
            peer: self.peer,
            session: self.caller.session,
        }
    }
}

/// What becomes of a call.
pub enum Passed {
    /// It is answered here.
    Here(Box<Entry>),
    /// It is answered with an error.
    Refused(ApiError),
    /// The leader answers it.
    ToLeader(Leader),
}

/// Messages that a node without a leader answers, with a session of its own or none.
const EMERGENCY: &[&str] = &[
    "pool.is_slave",
    "session.slave_local_login_with_password",
    "session.slave_local_login",
    "session.local_logout",
    "host.is_in_emergency_mode",
    "host.ha_xapi_healthcheck",
    "host.emergency_ha_disable",
    "pool.emergency_reset_master",
    "pool.emergency_transition_to_master",
    "host.emergency_reset_server_certificate",
];

/// Lets a call pass, or says why not.
pub async fn pass(api: &Arc<Api>, origin: Origin, call: &Call, hop: Hop) -> Passed {
    let is_local_root = matches!(origin, Origin::LocalRoot { .. });
    let peer = Peer::from(origin);
    let name = call.method.as_str();
    let session = call.params.first().and_then(|p| p.as_str()).unwrap_or_default();
    if name.starts_with("system.") || EMERGENCY.contains(&name) {
        return emergency(api, call, origin, session);
    }
    let db = match api.cluster.read().await {
        Ok(db) => db,
        Err(Role::Follower(leader)) => {
            if is_local_root && hop == Hop::First {
                return Passed::ToLeader(leader);
            }
            return Passed::Refused(slave_answer(api, name, session, leader).await);
        }
        Err(Role::Leader | Role::Unknown) => return Passed::Refused(ApiError::bare("HOST_STILL_BOOTING")),
    };
    if needs_no_session(name) || call.params.is_empty() {
        let caller = if is_local_root {
            Caller::local_root()
        } else {
            Caller::default()
        };
        return Passed::Here(Box::new(Entry {
            db,
            caller,
            is_local_root,
            peer,
            task: TaskWishes::default(),
            note: None,
        }));
    }
    let found = session
        .parse::<Ref>()
        .ok()
        .and_then(|r| db.of_class(session::CLASS, r))
        .map(|row| Caller::of(&db, row));
    match found {
        Some(caller) => {
            api.used
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(caller.session, pool_ops::core::now());
            Passed::Here(Box::new(Entry {
                db,
                caller,
                is_local_root,
                peer,
                task: TaskWishes::default(),
                note: None,
            }))
        }
        None => Passed::Refused(ApiError::new("SESSION_INVALID", [session])),
    }
}

/// On a follower: log-ins and sessions are sent to the master, but not a session that there is none of.
async fn slave_answer(api: &Api, name: &str, session: &str, leader: Leader) -> ApiError {
    let known = session
        .parse::<Ref>()
        .ok()
        .and_then(|r| api.cluster.snapshot().of_class(session::CLASS, r).cloned())
        .is_some();
    let address = leader.address.clone();
    if !needs_no_session(name) && !known && !session.is_empty() && is_denied(api, session, leader).await {
        ApiError::new("SESSION_INVALID", [session])
    } else {
        ApiError::new("HOST_IS_SLAVE", [address])
    }
}

/// Asks the leader whether it knows no such session: this member may not have heard of it yet, all the more when it
/// has just come back.
async fn is_denied(api: &Api, session: &str, leader: Leader) -> bool {
    let question = xmlrpc::call("session.get_uuid", &[session.into(), session.into()]);
    let answer = api
        .forwarder
        .forward(leader, Format::XmlRpc, question.into())
        .await
        .map(|body| xmlrpc::decode_response(&body, &Limits::RESPONSE));
    matches!(answer, Ok(Ok(Outcome::Failure(error))) if error.code == "SESSION_INVALID")
}

fn needs_no_session(name: &str) -> bool {
    name.starts_with("session.login_with_password")
        || name == "session.slave_login"
        || name.starts_with("session_login_with_password")
}

fn emergency(api: &Api, call: &Call, origin: Origin, session: &str) -> Passed {
    let is_local_root = matches!(origin, Origin::LocalRoot { .. });
    let peer = Peer::from(origin);
    let db = api.cluster.snapshot();
    let open = call.method.starts_with("system.") || call.method.starts_with("session.slave_local_login");
    let reference = session.parse::<Ref>().ok();
    let own = reference.is_some_and(|r| {
        api.local
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&r)
    });
    let pool_wide = reference.and_then(|r| db.of_class(session::CLASS, r).map(|row| Caller::of(&db, row)));
    if open || own || is_local_root {
        // An open call is anybody's: only who shows a session of this node, or sits on it, is its superuser.
        let caller = match own || is_local_root {
            true => Caller {
                session: reference.unwrap_or_default(),
                ..Caller::local_root()
            },
            false => Caller::default(),
        };
        return Passed::Here(Box::new(Entry {
            db,
            caller,
            is_local_root,
            peer,
            task: TaskWishes::default(),
            note: None,
        }));
    }
    match pool_wide {
        Some(caller) => Passed::Here(Box::new(Entry {
            db,
            caller,
            is_local_root,
            peer,
            task: TaskWishes::default(),
            note: None,
        })),
        None => Passed::Refused(ApiError::new("SESSION_INVALID", [session])),
    }
}
