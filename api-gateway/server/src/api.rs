//! The API behind the transport: who calls, may they, which message, what comes back.
//!
//! ```text
//! bytes ─► codec ─► gate (leader? session?) ─► dispatch (name, count, types, role) ─► handler ─► codec ─► bytes
//! ```

pub mod answer;
pub mod caller;
pub mod dispatch;
pub mod execute;
pub mod fair;
pub mod gate;
pub mod listing;
pub mod login;
pub mod ports;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::audit::Strangers;
use crate::latencies::Latencies;
use crate::service::{ApiService, CallHeaders, CallReply, Format, Health, Origin};
use crate::transfer::{self, Broken, Reply, Request};
use answer::{Answer, Shape};
use async_trait::async_trait;
use bytes::Bytes;
use fair::{Client, Lanes, Peer};
use gateway_codec::{Call, Limits, jsonrpc, xmlrpc};
use hyper::StatusCode;
use pool_domain::Database;
use pool_domain::decide::{management, session::SessionLimits};
use pool_ops::Ops;
use ports::{AuditTrail, Cluster, Forwarder, HostFigures, HostStreams, Membership, Survival};
use proto_types::generated::host;
use proto_types::schema::Role;
use proto_types::{ApiError, DateTime, Ref};
use tokio::sync::watch;

/// What a node's API is put together from.
pub struct ApiParts {
    /// Operations of the pool.
    pub ops: Ops,
    /// Leadership and linearizable reads.
    pub cluster: Arc<dyn Cluster>,
    /// The way to the leader for calls of the local socket.
    pub forwarder: Arc<dyn Forwarder>,
    /// Who belongs to the pool.
    pub membership: Arc<dyn Membership>,
    /// What to do when the majority is lost.
    pub survival: Arc<dyn Survival>,
    /// The way to consoles and volumes.
    pub streams: Arc<dyn HostStreams>,
    /// What is counted on this host.
    pub figures: Arc<dyn HostFigures>,
    /// Where the audit trail is kept.
    pub trail: Arc<dyn AuditTrail>,
    /// This host.
    pub host: Arc<dyn Fn() -> Ref + Send + Sync>,
    /// How many sessions there may be, which may change.
    pub sessions: watch::Receiver<SessionLimits>,
    /// Turns for clients.
    pub lanes: Lanes,
    /// How long at least a client over the network waits for the answer to a wrong password; XenServer takes 5 seconds.
    pub wrong_password: Duration,
}

/// The API of one node.
pub struct Api {
    pub(crate) ops: Ops,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) forwarder: Arc<dyn Forwarder>,
    pub(crate) membership: Arc<dyn Membership>,
    pub(crate) survival: Arc<dyn Survival>,
    pub(crate) streams: Arc<dyn HostStreams>,
    pub(crate) figures: Arc<dyn HostFigures>,
    pub(crate) trail: Arc<dyn AuditTrail>,
    pub(crate) strangers: Strangers,
    /// Lines of the trail are stamped and queued one after another, so that it is in order.
    pub(crate) telling: tokio::sync::Mutex<()>,
    pub(crate) host: Arc<dyn Fn() -> Ref + Send + Sync>,
    pub(crate) sessions: watch::Receiver<SessionLimits>,
    /// Sessions of this node alone, for emergencies.
    pub(crate) local: Mutex<HashMap<Ref, ()>>,
    /// When sessions were last used; written to the pool now and then, for not every call may cost a write.
    pub(crate) used: Mutex<HashMap<Ref, DateTime>>,
    /// How long calls took, by message.
    pub(crate) latencies: Latencies,
    /// Turns for clients.
    pub(crate) lanes: Lanes,
    pub(crate) wrong_password: Duration,
}

impl Api {
    /// Puts an API together.
    pub fn new(parts: ApiParts) -> Arc<Api> {
        Arc::new(Api {
            ops: parts.ops,
            cluster: parts.cluster,
            forwarder: parts.forwarder,
            membership: parts.membership,
            survival: parts.survival,
            streams: parts.streams,
            figures: parts.figures,
            trail: parts.trail,
            strangers: Strangers::default(),
            telling: tokio::sync::Mutex::default(),
            host: parts.host,
            sessions: parts.sessions,
            local: Mutex::default(),
            used: Mutex::default(),
            latencies: Latencies::default(),
            lanes: parts.lanes,
            wrong_password: parts.wrong_password,
        })
    }

    /// When sessions were used since this was last asked.
    pub fn take_activity(&self) -> Vec<(Ref, DateTime)> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.drain().collect()
    }

    /// Checks the password of a user who may take hosts into the pool, for whoever asks from `peer`.
    ///
    /// # Errors
    /// As a log-in; `RBAC_PERMISSION_DENIED` for a user who may not.
    pub async fn check_password(
        &self,
        db: &Database,
        (user, password): (&str, &str),
        peer: Peer,
    ) -> Result<(), ApiError> {
        let client = Client {
            peer,
            session: Ref::NULL,
        };
        let caller = login::authenticate(self, db, user, password, client).await?;
        match caller.reaches(Role::PoolOperator) {
            true => Ok(()),
            false => Err(caller::denied("pool.join".to_owned())),
        }
    }

    /// Everything counted on this node, in Prometheus' form: content type and text.
    pub fn metrics(&self) -> (&'static str, String) {
        let (content_type, mut page) = self.figures.exposition();
        let help = "Time from a call's arrival to its answer.";
        page.push_str(&self.latencies.page("tarn_api_call", "method", help));
        (content_type, page)
    }

    /// Answers a call that another node passed on from its local socket.
    pub async fn forwarded(self: &Arc<Self>, format: Format, body: Bytes) -> CallReply {
        let headers = CallHeaders::default();
        self.answer(
            Origin::LocalRoot { pid: None },
            &headers,
            format,
            body,
            gate::Hop::Second,
        )
        .await
    }

    async fn answer(
        self: &Arc<Self>,
        origin: Origin,
        headers: &CallHeaders,
        format: Format,
        body: Bytes,
        hop: gate::Hop,
    ) -> CallReply {
        let (call, shape) = match decode(format, &body) {
            Ok(decoded) => decoded,
            Err(reply) => return reply,
        };
        match gate::pass(self, origin, &call, hop).await {
            gate::Passed::Here(mut entry) => {
                entry.task = wishes(headers);
                let client = entry.client();
                let answer = dispatch::run(self, entry, call).await;
                self.encode(client, answer, shape).await
            }
            gate::Passed::Refused(error) => Answer::Failure(error).encode(&shape),
            gate::Passed::ToLeader(leader) => match self.forwarder.forward(leader, format, body).await {
                Ok(body) if format == Format::XmlRpc => CallReply::xml(body),
                Ok(body) => CallReply::json(body),
                Err(error) => Answer::Failure(error).encode(&shape),
            },
        }
    }
}

impl Api {
    /// Writes an answer. Many records take a while: their clients take turns, and nobody else waits.
    async fn encode(&self, client: Client, answer: Answer, shape: Shape) -> CallReply {
        let is_long = match &answer {
            Answer::Records(_, rows) => rows.len() > answer::SHORT_LIST,
            // Anybody may ask for it, without a session.
            Answer::Methods(_) => true,
            Answer::Value(_) | Answer::Record(..) | Answer::Failure(_) => false,
        };
        if !is_long {
            return answer.encode(&shape);
        }
        let turn = match self.lanes.listing.enter(client) {
            Ok(turn) => turn.come().await,
            Err(error) => return Answer::Failure(error).encode(&shape),
        };
        let work = tokio::task::spawn_blocking(move || {
            let reply = answer.encode(&shape);
            drop(turn);
            reply
        });
        work.await
            .unwrap_or_else(|_| CallReply::page(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// What the headers of a call say of its task.
fn wishes(headers: &CallHeaders) -> gate::TaskWishes {
    gate::TaskWishes {
        parent: headers
            .subtask_of()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        other_config: headers
            .task_other_config()
            .map(|(key, value)| (key, value.to_owned()))
            .collect(),
    }
}

/// Reads a call; what cannot be read is answered outside the protocol.
fn decode(format: Format, body: &[u8]) -> Result<(Call, Shape), CallReply> {
    match format {
        Format::XmlRpc => match xmlrpc::decode_call(body, &Limits::CALL) {
            Ok(call) => Ok((call, Shape::Xml)),
            Err(error) => Err(match error.api_error() {
                Some(error) => Answer::Failure(error).encode(&Shape::Xml),
                None => CallReply::page(StatusCode::INTERNAL_SERVER_ERROR),
            }),
        },
        Format::Json => match jsonrpc::decode_call(body, &Limits::CALL) {
            Ok((call, envelope)) => Ok((call, Shape::Json(envelope))),
            Err(_) => Err(CallReply::page(StatusCode::INTERNAL_SERVER_ERROR)),
        },
    }
}

/// The API as the transport sees it.
pub struct Service(pub Arc<Api>);

#[async_trait]
impl ApiService for Service {
    fn admits_strangers(&self) -> bool {
        let db = self.0.cluster.snapshot();
        let own = db.of_class(host::CLASS, (self.0.host)());
        !own.is_some_and(|row| management::is_disabled(&db, row.uuid()))
    }

    fn health(&self) -> Health {
        self.0.figures.health()
    }

    async fn call(&self, origin: Origin, headers: CallHeaders, format: Format, body: Bytes) -> CallReply {
        self.0
            .answer(origin, &headers, format, body, gate::Hop::First)
            .await
    }

    async fn transfer(&self, request: Request) -> Result<Reply, Broken> {
        transfer::run(&self.0, request).await
    }
}
