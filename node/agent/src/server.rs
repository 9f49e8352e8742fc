//! The agent on gRPC: only hosts whose certificate is of the pool are answered.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use node_commands::{CommandError, CommandErrorKind, HostCommand};
use proto_wire::agent::agent_server::{Agent as Rpc, AgentServer};
use proto_wire::agent::{
    ArchivesReply, ArchivesRequest, CallReply, CallRequest, TunnelOpened, TunnelPart, WatchEvent,
    WatchRequest, call_reply, tunnel_part,
};
use proto_wire::channel::peer_host;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;
use uuid::Uuid;

use crate::agent::Agent;
use crate::client::{PARTS, open_of, parts_to_stream};

/// No caller waits longer for one answer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// No command is larger.
const LARGEST_COMMAND: usize = 4 * 1024 * 1024;

/// How traces are carried from host to host; does nothing unless the node is wired to do so.
#[derive(Clone, Copy)]
pub struct TraceHooks {
    /// The W3C trace context of the current span, or an empty text.
    pub inject: fn() -> String,
    /// Makes a span a child of the caller's context.
    pub extract: fn(&tracing::Span, &str),
}

impl Default for TraceHooks {
    fn default() -> Self {
        TraceHooks {
            inject: String::new,
            extract: |_, _| {},
        }
    }
}

/// The gRPC service of an agent.
pub struct AgentService {
    agent: Agent,
    hooks: TraceHooks,
}

impl AgentService {
    /// The service, to be added to the node's server, whose connections must come from `proto_wire::channel::accept`.
    /// That server should allow streams of several MiB in flight, or migrations are slow.
    pub fn server(agent: Agent, hooks: TraceHooks) -> AgentServer<AgentService> {
        AgentServer::new(AgentService { agent, hooks }).max_decoding_message_size(LARGEST_COMMAND)
    }
}

fn fenced_or(error: CommandError) -> Status {
    match error.kind {
        CommandErrorKind::Fenced => Status::failed_precondition(error.text),
        _ => Status::internal(error.text),
    }
}

fn uuid_of(bytes: &Bytes) -> Result<Uuid, Box<Status>> {
    Uuid::from_slice(bytes).map_err(|_| Box::new(Status::invalid_argument("a uuid has 16 bytes")))
}

type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Rpc for AgentService {
    async fn call(&self, request: Request<CallRequest>) -> Result<Response<CallReply>, Status> {
        let caller = peer_host(&request)?;
        let request = request.into_inner();
        let operation = uuid_of(&request.operation_id).map_err(|status| *status)?;
        let span = tracing::info_span!("call", %caller, %operation);
        (self.hooks.extract)(&span, &request.traceparent);
        let wait = Duration::from_millis(u64::from(request.deadline_ms)).min(LONGEST_WAIT);
        let work = async {
            match serde_json::from_slice::<HostCommand>(&request.command) {
                Ok(command) => self.agent.execute(request.term, operation, command).await,
                Err(error) => Err(CommandError::new(CommandErrorKind::Unreadable, error.to_string())),
            }
        };
        // The work goes on when the caller has stopped waiting; it will ask again.
        let outcome = tokio::time::timeout(wait, work.instrument(span))
            .await
            .map_err(|_| Status::deadline_exceeded("the command is still under way"))?;
        let write = |error: serde_json::Error| Status::internal(error.to_string());
        let result = match outcome {
            Ok(reply) => call_reply::Result::Reply(serde_json::to_vec(&reply).map_err(write)?.into()),
            Err(error) => call_reply::Result::Error(serde_json::to_vec(&error).map_err(write)?.into()),
        };
        Ok(Response::new(CallReply { result: Some(result) }))
    }

    type WatchStream = BoxStream<WatchEvent>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        peer_host(&request)?;
        let events = self
            .agent
            .watch(request.into_inner().term)
            .await
            .map_err(fenced_or)?;
        let stream = events.into_stream().map(|event| {
            let event = serde_json::to_vec(&event).map_err(|error| Status::internal(error.to_string()))?;
            Ok(WatchEvent { event: event.into() })
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn archives(&self, request: Request<ArchivesRequest>) -> Result<Response<ArchivesReply>, Status> {
        peer_host(&request)?;
        let vm = uuid_of(&request.into_inner().vm).map_err(|status| *status)?;
        let archives = self.agent.metrics().stored(vm).await.unwrap_or_default();
        Ok(Response::new(ArchivesReply {
            archives: archives.into(),
        }))
    }

    type TunnelStream = ReceiverStream<Result<TunnelPart, Status>>;

    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelPart>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        let caller = peer_host(&request)?;
        let mut parts = request.into_inner();
        let first = tokio::time::timeout(Duration::from_secs(10), parts.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no opening came"))??;
        let (vm, target) = first
            .as_ref()
            .and_then(open_of)
            .ok_or_else(|| Status::invalid_argument("the first part must open the tunnel"))?;
        tracing::debug!(%caller, %vm, ?target, "tunnel asked for");
        let near = self
            .agent
            .open_tunnel(vm, target)
            .await
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Status::not_found(error.to_string()),
                _ => Status::unavailable(error.to_string()),
            })?;
        let (sender, receiver) = mpsc::channel(PARTS);
        let opened = TunnelPart {
            part: Some(tunnel_part::Part::Opened(TunnelOpened {})),
        };
        // The receiver is in this very function, so there is room.
        let _ = sender.try_send(Ok(opened));
        let far = parts_to_stream(parts, sender, Ok);
        let agent = self.agent.clone();
        tokio::spawn(async move { agent.carry_tunnel(near, far).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
