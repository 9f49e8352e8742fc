//! The service by which hosts join and local calls reach the leader.

mod learning;
mod looking_back;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use gateway_server::api::fair::Peer;
use gateway_server::audit::{End, Note};
use gateway_server::{Api, Format};
use pool_domain::decide::authority;
use pool_domain::decide::host as hosts;
use pool_domain::decide::host::MemberFacts;
use pool_domain::decide::pool_members;
use pool_domain::decide::user as users;
use pool_domain::placement;
use pool_domain::transaction::Origin;
use pool_ops::Ops;
use pool_raft::{Member, Pool};
use pool_store::convert::row_from_wire;
use proto_types::generated::{host as host_class, tarn_authority, tarn_join_token};
use proto_types::{ApiError, DateTime, Ref, Value};
use proto_wire::ca::{self, Authority};
use proto_wire::channel::{PeerInfo, peer_host};
use proto_wire::pool::change_user_request::Change;
use proto_wire::pool::pool_server::Pool as Rpc;
use proto_wire::pool::{
    AuditLines, BackupPart, BackupRequest, ChangeUserReply, ChangeUserRequest, CompactReply, CompactRequest,
    CreateTokenReply, CreateTokenRequest, FollowReply, FollowRequest, ForgetLearnerReply,
    ForgetLearnerRequest, ForwardReply, ForwardRequest, HistoryEntry, HistoryRequest, JoinReply, JoinRequest,
    LeaseReply, LeaseRequest, ListUsersReply, ListUsersRequest, MetricsReply, MetricsRequest,
    ReadAuditRequest, RejoinReply, RejoinRequest, RenewReply, RenewRequest, StatusReply, StatusRequest,
    UndoReply, UndoRequest, User,
};
use sha2::{Digest, Sha256};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::adapters::survival::SurvivalAdapter;
use crate::audit::Trail;
use crate::certificates;
use crate::facts::host_facts;
use crate::lease::Leases;
use crate::redirect::refusal;
use crate::report;

/// The service of one node.
pub struct PoolService {
    /// Operations, for what is decided here.
    pub ops: Ops,
    /// The group.
    pub pool: Pool,
    /// The API, for calls passed on.
    pub api: Arc<Api>,
    /// Where this node keeps its state.
    pub state_dir: PathBuf,
    /// This host's part of the audit trail.
    pub trail: Trail,
    /// What is known of hosts' leases.
    pub leases: Arc<Leases>,
    /// For a pool that has lost its majority.
    pub survival: SurvivalAdapter,
}

/// How long a change of the majority is waited for.
const CHANGE: std::time::Duration = std::time::Duration::from_secs(30);
/// Longest time a token may hold.
const LONGEST_TOKEN: u64 = 30 * 24 * 3600;

impl PoolService {
    /// The member that sent a request.
    #[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
    fn member<T>(&self, request: &Request<T>) -> Result<Uuid, Status> {
        let host = peer_host(request)?;
        if self.pool.counts(host) {
            Ok(host)
        } else {
            Err(sent_away())
        }
    }

    #[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
    async fn leading(&self) -> Result<pool_domain::Database, Status> {
        self.pool.read_barrier().await.map_err(|not| {
            let known = not
                .leader
                .or_else(|| self.pool.leadership().borrow().leader.clone());
            refusal(known.as_ref().filter(|l| l.node_id != self.pool.node_id()))
        })
    }

    /// Takes the member whose place another takes out of the majority: it has forgotten what it once agreed to.
    #[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
    async fn make_way(
        &self,
        db: &pool_domain::Database,
        uuid: &str,
        node_id: u64,
        at: (&str, u16),
    ) -> Result<(), Status> {
        let row = db
            .by_uuid(host_class::CLASS, uuid)
            .ok_or_else(|| Status::failed_precondition("the pool has no such host to replace"))?;
        let members = self.pool.members();
        let member = members.iter().map(|(m, _)| m).find(|m| m.node_id == node_id);
        let same_place = member.is_none_or(|m| (m.address.as_str(), m.port) == at);
        if placement::is_live(db, row) && !same_place {
            return Err(Status::failed_precondition(
                "the host to replace is there: switch it off first",
            ));
        }
        if member.is_none() {
            return Ok(());
        }
        self.pool
            .remove_member(node_id, CHANGE)
            .await
            .map_err(|error| Status::unavailable(format!("the old member still counts: {error}")))
    }

    #[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
    fn not_leading(&self, status: Status) -> Result<Response<JoinReply>, Status> {
        let leader = self.pool.leadership().borrow().leader.clone();
        match leader {
            Some(leader) => Ok(refusal_of(&ApiError::new("HOST_IS_SLAVE", [leader.address]))),
            None => Err(status),
        }
    }

    /// Who vouches for a host that joins: a token, which is returned, or a superuser.
    #[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
    async fn vouched(
        &self,
        db: &pool_domain::Database,
        request: &JoinRequest,
        peer: Peer,
    ) -> Result<Result<Option<Ref>, ApiError>, Status> {
        if request.secret.is_empty() {
            let checked = self
                .api
                .check_password(db, (&request.user, &request.password), peer)
                .await;
            return Ok(checked.map(|()| None));
        }
        let now = pool_ops::core::now();
        let wanted = digest(&request.secret);
        db.rows(tarn_join_token::CLASS)
            .find(|t| {
                t.get(tarn_join_token::HASH).as_str() == wanted
                    && t.get(tarn_join_token::EXPIRES).as_time() > now
            })
            .map(|t| Ok(Some(t.reference)))
            .ok_or_else(|| Status::permission_denied("the token is not valid (any more)"))
    }
}

impl PoolService {
    fn report(&self) -> report::Report {
        report::of(&report::Known {
            db: &self.pool.snapshot(),
            status: &self.pool.status(),
            room: report::room(&self.state_dir),
            state_dir: &self.state_dir,
            now: pool_ops::core::now(),
        })
    }
}

/// The answer to a host that is none of the pool's any more.
pub fn sent_away() -> Status {
    Status::permission_denied("the caller belongs to this pool no more: its certificate is not accepted")
}

/// A refusal in the API's terms.
fn refusal_of(error: &ApiError) -> Response<JoinReply> {
    Response::new(JoinReply {
        refusal: error.description(),
        ..JoinReply::default()
    })
}

/// A secret as it is kept: never itself.
fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Makes a token that admits one host, for so many seconds. On the leader.
///
/// # Errors
/// When this node leads no more, or the pool's authority cannot be read.
pub async fn join_token(ops: &Ops, pool: &Pool, seconds: u64) -> Result<String, ApiError> {
    let seconds = seconds.clamp(1, LONGEST_TOKEN);
    let db = ops.pool.snapshot();
    let signs =
        authority::active(&db).ok_or_else(|| ApiError::internal("the pool has no certificate authority"))?;
    let fingerprint = ca::fingerprint(signs.get(tarn_authority::CERTIFICATE).as_str())
        .map_err(|_| ApiError::internal("the pool's certificate cannot be read"))?;
    let me = pool
        .members()
        .into_iter()
        .map(|(m, _)| m)
        .find(|m| m.node_id == pool.node_id())
        .ok_or_else(|| ApiError::internal("this node is no member"))?;
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let (hash, now) = (digest(&secret), pool_ops::core::now());
    let expires = DateTime(now.0.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX)));
    ops.decide(&history("create token"), |d| {
        d.insert(
            tarn_join_token::CLASS,
            vec![
                (tarn_join_token::HASH, hash.as_str().into()),
                (tarn_join_token::EXPIRES, Value::Time(expires)),
            ],
        );
        Ok(())
    })
    .await?;
    Ok(format!("tarn1:{}:{}:{fingerprint}:{secret}", me.address, me.port))
}

fn history(method: &str) -> Origin {
    Origin {
        user: String::new(),
        method: method.to_owned(),
        trace: String::new(),
    }
}

#[tonic::async_trait]
impl Rpc for PoolService {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let from = request.extensions().get::<PeerInfo>();
        let peer = from.map_or(Peer::Local, |from| {
            Peer::Address(from.address.ip().to_canonical())
        });
        let request = request.into_inner();
        let db = match self.leading().await {
            Ok(db) => db,
            // Whoever joins by a user's word speaks for an API call: it is answered in the API's terms.
            Err(status) if request.secret.is_empty() => return self.not_leading(status),
            Err(status) => return Err(status),
        };
        let token = match self.vouched(&db, &request, peer).await? {
            Ok(token) => token,
            Err(refused) => return Ok(refusal_of(&refused)),
        };
        let host = Uuid::from_slice(&request.host).map_err(|_| Status::invalid_argument("host"))?;
        let address: IpAddr = request
            .address
            .parse()
            .map_err(|_| Status::invalid_argument("the address is no IP address"))?;
        let row = db
            .rows(tarn_authority::CLASS)
            .find(|a| a.get(tarn_authority::ACTIVE).as_bool())
            .ok_or_else(|| Status::internal("the pool has no certificate authority"))?;
        let certificate = row.get(tarn_authority::CERTIFICATE).as_str();
        let authority = Authority::from_pem(certificate, row.get(tarn_authority::KEY).as_str())
            .map_err(|_| Status::internal("the pool's certificate authority cannot be read"))?;
        let certificate_pem = authority
            .issue_for_request(&request.request_pem, host, &[address])
            .map_err(|error| Status::invalid_argument(format!("certificate request: {error}")))?;
        let port = u16::try_from(request.grpc_port).map_err(|_| Status::invalid_argument("port"))?;
        let api_port = u16::try_from(request.api_port).map_err(|_| Status::invalid_argument("port"))?;
        let member = Member::new(host, request.address.clone(), port);
        let place = MemberFacts {
            node_id: member.node_id,
            grpc_port: port,
            api_port,
        };
        let taken_in = JoinReply {
            certificate_pem,
            trust_pem: certificates::trust(&db),
            refusal: Vec::new(),
        };
        if request.learns {
            let learner = (host, request.address.as_str());
            return match self.admit_learner(learner, &place, row.reference, token).await {
                Ok(()) => Ok(Response::new(taken_in)),
                Err(refused) => Ok(refusal_of(&refused)),
            };
        }
        let facts: node_commands::Facts =
            serde_json::from_slice(&request.facts).map_err(|_| Status::invalid_argument("facts"))?;
        let described = host_facts(host, &facts.host.hostname, &request.address, &facts);
        let rows = request
            .rows
            .into_iter()
            .map(|row| row_from_wire(row).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Status::invalid_argument("rows"))?;
        if let Err(refused) = pool_members::may_be_joined(&db, &described.cpu_vendor, request.force) {
            return Ok(refusal_of(&refused));
        }
        if request.replaces {
            self.make_way(&db, &described.uuid, member.node_id, (&request.address, port))
                .await?;
        }
        let joined = self
            .ops
            .decide(&history("join"), |d| {
                // A host that asks again after a lost answer is in the pool already.
                let known = d
                    .db()
                    .by_uuid(host_class::CLASS, &described.uuid)
                    .map(|h| h.reference);
                let reference = match known {
                    Some(known) if request.replaces => {
                        hosts::comes_back(d, known, &described.address, &place);
                        known
                    }
                    Some(known) => known,
                    None => hosts::join(d, &described, &place)?,
                };
                authority::signed(d, &described.uuid, row.reference);
                pool_members::bring(d, reference, &rows);
                if let Some(token) = token {
                    d.note(token);
                    d.delete(token);
                }
                Ok(())
            })
            .await;
        let by = if token.is_some() {
            "a token"
        } else {
            request.user.as_str()
        };
        let note = Note::of_operator("pool join", &[("host", &described.hostname), ("by", by)]);
        let end = joined.as_ref().map_or_else(End::of_error, |_| End::Done(None));
        self.api.audit(&note, &end).await;
        // The leader takes it into the majority once its node has started and caught up.
        match joined {
            Ok(_) => {}
            Err(refused) if token.is_none() => return Ok(refusal_of(&refused)),
            Err(error) => return Err(Status::failed_precondition(error.to_string())),
        }
        Ok(Response::new(taken_in))
    }

    async fn forget_learner(
        &self,
        request: Request<ForgetLearnerRequest>,
    ) -> Result<Response<ForgetLearnerReply>, Status> {
        self.member(&request)?;
        let node =
            Uuid::from_slice(&request.into_inner().node).map_err(|_| Status::invalid_argument("node"))?;
        self.leading().await?;
        let gone = self.send_learner_away(node).await;
        let refusal = gone.err().map(|error| error.description()).unwrap_or_default();
        Ok(Response::new(ForgetLearnerReply { refusal }))
    }

    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenReply>, Status> {
        self.member(&request)?;
        self.leading().await?;
        let token = join_token(&self.ops, &self.pool, request.into_inner().seconds)
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        self.api
            .audit(&Note::of_operator("pool token", &[]), &End::Done(None))
            .await;
        Ok(Response::new(CreateTokenReply { token }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewReply>, Status> {
        let host = peer_host(&request)?;
        self.leading().await?;
        certificates::issue(&self.ops, host, &request.into_inner().request_pem)
            .await
            .map(Response::new)
            .map_err(|error| Status::failed_precondition(error.to_string()))
    }

    async fn change_user(
        &self,
        request: Request<ChangeUserRequest>,
    ) -> Result<Response<ChangeUserReply>, Status> {
        self.member(&request)?;
        let ChangeUserRequest { name, change } = request.into_inner();
        let change = change.ok_or_else(|| Status::invalid_argument("nothing is to be changed"))?;
        self.leading().await?;
        let (verb, role) = match &change {
            Change::Add(new) => ("user add", new.role.as_str()),
            Change::Hash(_) => ("user passwd", ""),
            Change::Role(role) => ("user role", role.as_str()),
            Change::Remove(_) => ("user remove", ""),
        };
        let changed = self
            .ops
            .decide(&history(verb), |d| match &change {
                Change::Add(new) => users::add(d, &name, &new.hash, &new.role).map(|_| ()),
                Change::Hash(hash) => users::set_password(d, &name, hash),
                Change::Role(role) => users::set_role(d, &name, role),
                Change::Remove(_) => users::remove(d, &name),
            })
            .await;
        let note = Note::of_operator(verb, &[("user", &name), ("role", role)]);
        let end = changed.as_ref().map_or_else(End::of_error, |_| End::Done(None));
        self.api.audit(&note, &end).await;
        let refusal = changed.err().map(|error| error.description()).unwrap_or_default();
        Ok(Response::new(ChangeUserReply { refusal }))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersReply>, Status> {
        self.member(&request)?;
        let db = self.leading().await?;
        let users = users::list(&db).into_iter().map(|user| User {
            name: user.name,
            roles: user.roles,
        });
        Ok(Response::new(ListUsersReply {
            users: users.collect(),
        }))
    }

    type ReadAuditStream = BoxStream<'static, Result<AuditLines, Status>>;

    async fn read_audit(
        &self,
        request: Request<ReadAuditRequest>,
    ) -> Result<Response<Self::ReadAuditStream>, Status> {
        self.member(&request)?;
        let lines = self.trail.read(DateTime(request.into_inner().since)).await;
        let lines = lines.map(|piece| match piece {
            Ok(text) => Ok(AuditLines { text }),
            Err(error) => Err(Status::internal(error.to_string())),
        });
        Ok(Response::new(lines.boxed()))
    }

    type ForwardStream = BoxStream<'static, Result<ForwardReply, Status>>;

    async fn forward(
        &self,
        request: Request<ForwardRequest>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        self.member(&request)?;
        let request = request.into_inner();
        let format = if request.json {
            Format::Json
        } else {
            Format::XmlRpc
        };
        let reply = self.api.forwarded(format, request.body).await;
        let pieces = reply.body.pieces().map(|body| Ok(ForwardReply { body }));
        Ok(Response::new(stream::iter(pieces).boxed()))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        peer_host(&request)?;
        let leadership = self.pool.leadership().borrow().clone();
        let digest = self.pool.digest().await;
        let members: Vec<_> = self
            .pool
            .members()
            .into_iter()
            .map(|(m, standing)| {
                serde_json::json!({"host": m.host, "address": m.address, "port": m.port, "standing": format!("{standing:?}")})
            })
            .collect();
        let text = serde_json::json!({
            "node_id": self.pool.node_id(),
            "term": leadership.term,
            "leader": leadership.leader.map(|l| l.host),
            "is_leader": leadership.is_me,
            "applied": self.pool.snapshot().applied(),
            "log_from": self.pool.status().purged.saturating_add(1),
            "digest": digest.map(|d| serde_json::json!({
                "applied": d.applied,
                "rows": d.rows,
                "sha256": d.sha256.iter().map(|b| format!("{b:02x}")).collect::<String>(),
            })),
            "members": members,
            "version": node_commands::release(),
            "report": self.report(),
        });
        Ok(Response::new(StatusReply {
            json: Bytes::from(text.to_string()),
        }))
    }

    type BackupStream = ReceiverStream<Result<BackupPart, Status>>;

    async fn backup(&self, request: Request<BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        self.member(&request)?;
        let BackupRequest { at, own } = request.into_inner();
        Ok(Response::new(self.state_at(DateTime(at), own).await?))
    }

    type HistoryStream = ReceiverStream<Result<HistoryEntry, Status>>;

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        self.member(&request)?;
        Ok(Response::new(self.told(request.into_inner()).await?))
    }

    async fn undo(&self, request: Request<UndoRequest>) -> Result<Response<UndoReply>, Status> {
        self.member(&request)?;
        Ok(Response::new(self.take_back(request.into_inner()).await?))
    }

    async fn metrics(&self, request: Request<MetricsRequest>) -> Result<Response<MetricsReply>, Status> {
        self.member(&request)?;
        Ok(Response::new(MetricsReply {
            text: self.api.metrics().1,
        }))
    }

    async fn renew_lease(&self, request: Request<LeaseRequest>) -> Result<Response<LeaseReply>, Status> {
        let host = peer_host(&request)?;
        if self.pool.cut().is_cut() {
            return Err(Status::unavailable("this node is cut off"));
        }
        let db = self.leading().await?;
        let granted = self
            .leases
            .ask(&db, host, request.into_inner().armed)
            .map_err(|_| Status::permission_denied("the host is none of the pool"))?;
        let length_ms = granted.map_or(0, |length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        Ok(Response::new(LeaseReply { length_ms }))
    }

    async fn rejoin(&self, request: Request<RejoinRequest>) -> Result<Response<RejoinReply>, Status> {
        let host = peer_host(&request)?;
        let request = request.into_inner();
        let db = self.leading().await?;
        let uuid = host.to_string();
        let known = db
            .by_uuid(host_class::CLASS, &uuid)
            .map(|h| h.reference)
            .ok_or_else(|| Status::permission_denied("the host is none of the pool"))?;
        let port = |number| u16::try_from(number).map_err(|_| Status::invalid_argument("port"));
        let place = MemberFacts {
            node_id: Member::new(host, "", 0).node_id,
            grpc_port: port(request.grpc_port)?,
            api_port: port(request.api_port)?,
        };
        let address: IpAddr = request
            .address
            .parse()
            .map_err(|_| Status::invalid_argument("the address is no IP address"))?;
        let address = address.to_string();
        // It gives up what it has once it is taken in, also what it agreed to as one that votes.
        self.make_way(&db, &uuid, place.node_id, (&address, place.grpc_port))
            .await?;
        self.ops
            .decide(&history("rejoin"), |d| {
                d.read(host_class::CLASS, known)?;
                hosts::comes_back(d, known, &address, &place);
                Ok(())
            })
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(RejoinReply {}))
    }

    async fn follow_me(&self, request: Request<FollowRequest>) -> Result<Response<FollowReply>, Status> {
        let caller = self.member(&request)?;
        let request = request.into_inner();
        let port = u16::try_from(request.port).map_err(|_| Status::invalid_argument("port"))?;
        self.survival
            .without_leader()
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        self.survival
            .begin_following(Member::new(caller, request.address, port))
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(FollowReply {}))
    }

    async fn compact(&self, request: Request<CompactRequest>) -> Result<Response<CompactReply>, Status> {
        self.member(&request)?;
        self.pool
            .compact()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(CompactReply {}))
    }
}
