//! The calling side: commands with deadlines, repeated until they are answered; events; tunnels.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use node_commands::{CommandError, CommandErrorKind, HostCommand, HostEvent, HostReply, VolumeRef};
use proto_wire::agent::agent_client::AgentClient as Rpc;
use proto_wire::agent::{
    ArchivesRequest, CallRequest, TunnelEnd, TunnelOpen, TunnelPart, WatchRequest, call_reply, tunnel_part,
};
use proto_wire::channel::{Lane, Peers};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;
use tokio_util::sync::PollSender;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::server::TraceHooks;
use crate::tunnel::{TunnelStream, TunnelTarget, VolumeTunnel};

/// Parts of a tunnel that wait to be sent.
pub(crate) const PARTS: usize = 8;
/// Largest part of a tunnel.
const LARGEST_PART: usize = 256 * 1024;
/// How long a tunnel may take to open.
const OPENING: Duration = Duration::from_secs(15);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(1000));

/// Why a call to a host brought no reply.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The call may still take effect; ask again with the same operation id.
    #[error("host {host} did not answer within {after:?}")]
    TimedOut {
        /// The host.
        host: Uuid,
        /// How long was waited.
        after: Duration,
    },
    /// The host was not reached, or the connection broke, until the deadline. The call may have taken effect.
    #[error("host {host} is not reached")]
    Unreachable {
        /// The host.
        host: Uuid,
        /// What the channel said last.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The host has seen a newer leader; this one must stop.
    #[error("host {host} refuses: {text}")]
    Fenced {
        /// The host.
        host: Uuid,
        /// What it said.
        text: String,
    },
    /// The host answered something that cannot be read: it is of another release.
    #[error("host {host} answers what cannot be read")]
    Unreadable {
        /// The host.
        host: Uuid,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The host refused or failed.
    #[error("the host could not do it")]
    Command(#[from] CommandError),
}

impl AgentError {
    /// Whether the command may or may not have taken effect.
    pub fn is_unknown(&self) -> bool {
        match self {
            AgentError::TimedOut { .. } | AgentError::Unreachable { .. } => true,
            AgentError::Command(error) => error.is_unknown(),
            AgentError::Fenced { .. } | AgentError::Unreadable { .. } => false,
        }
    }

    /// Whether the same command may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            AgentError::TimedOut { .. } | AgentError::Unreachable { .. } => true,
            AgentError::Command(error) => error.retryable,
            AgentError::Fenced { .. } | AgentError::Unreadable { .. } => false,
        }
    }
}

/// One host's agent, reached over the nodes' channel. Cheap to copy.
#[derive(Clone)]
pub struct AgentClient {
    host: Uuid,
    rpc: Rpc<Channel>,
    hooks: TraceHooks,
}

impl AgentClient {
    /// The agent of a host. Connects at the first call.
    pub fn new(peers: &Peers, host: Uuid, address: &str, port: u16, hooks: TraceHooks) -> AgentClient {
        let channel = peers.channel(host, address, port, Lane::Agent);
        let rpc = Rpc::new(channel).max_decoding_message_size(proto_wire::LARGEST_MESSAGE);
        AgentClient { host, rpc, hooks }
    }

    /// The host.
    pub fn host(&self) -> Uuid {
        self.host
    }

    /// Has a command carried out. While the host is not reached it is asked again, with the same operation id, until
    /// the deadline, `wait` from now.
    ///
    /// Dropping the future leaves it open whether the command is carried out.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn call(
        &self,
        term: u64,
        operation: Uuid,
        command: &HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentError> {
        let host = self.host;
        let unreadable = |error: serde_json::Error| AgentError::Unreadable {
            host,
            source: error.into(),
        };
        let command = Bytes::from(serde_json::to_vec(command).map_err(unreadable)?);
        let traceparent = (self.hooks.inject)();
        let deadline = Instant::now() + wait;
        let mut pause = PAUSES.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let request = CallRequest {
                term,
                operation_id: Bytes::copy_from_slice(operation.as_bytes()),
                deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
                traceparent: traceparent.clone(),
                command: command.clone(),
            };
            let mut rpc = self.rpc.clone();
            let timed_out = || AgentError::TimedOut { host, after: wait };
            let status = match tokio::time::timeout_at(deadline, rpc.call(request)).await {
                Err(_) => return Err(timed_out()),
                Ok(Ok(reply)) => return read_reply(host, reply.into_inner().result),
                Ok(Err(status)) => status,
            };
            match status.code() {
                // What a broken connection looks like, besides what it should.
                Code::Unavailable | Code::Cancelled | Code::Unknown => {
                    let next = Instant::now() + pause;
                    if next >= deadline {
                        return Err(AgentError::Unreachable {
                            host,
                            source: status.into(),
                        });
                    }
                    tokio::time::sleep_until(next).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Code::DeadlineExceeded => return Err(timed_out()),
                Code::FailedPrecondition => {
                    return Err(AgentError::Fenced {
                        host,
                        text: status.message().to_owned(),
                    });
                }
                _ => {
                    return Err(AgentError::Unreachable {
                        host,
                        source: status.into(),
                    });
                }
            }
        }
    }

    /// The archives of a VM's figures that the host has, if it has any and answers within `wait`.
    ///
    /// # Errors
    /// The host is not reached, or is too slow.
    pub async fn archives(&self, vm: Uuid, wait: Duration) -> Result<Option<Bytes>, AgentError> {
        let host = self.host;
        let request = ArchivesRequest {
            vm: Bytes::copy_from_slice(vm.as_bytes()),
        };
        let mut rpc = self.rpc.clone();
        match tokio::time::timeout(wait, rpc.archives(request)).await {
            Err(_) => Err(AgentError::TimedOut { host, after: wait }),
            Ok(Err(status)) => Err(AgentError::Unreachable {
                host,
                source: status.into(),
            }),
            Ok(Ok(reply)) => {
                let archives = reply.into_inner().archives;
                Ok((!archives.is_empty()).then_some(archives))
            }
        }
    }

    /// All that happens on the host, beginning with its present state. When the stream ends or fails, watch again.
    ///
    /// # Errors
    /// [`AgentError::Fenced`], or the host is not reached within `wait`. Once it stands, a silence of several heartbeats
    /// means that the host is gone: the caller measures that.
    pub async fn watch(
        &self,
        term: u64,
        wait: Duration,
    ) -> Result<impl Stream<Item = Result<HostEvent, AgentError>> + Send + use<>, AgentError> {
        let host = self.host;
        let mut rpc = self.rpc.clone();
        let answer = tokio::time::timeout(wait, rpc.watch(WatchRequest { term }))
            .await
            .map_err(|_| AgentError::TimedOut { host, after: wait })?;
        let stream = match answer {
            Ok(stream) => stream.into_inner(),
            Err(status) if status.code() == Code::FailedPrecondition => {
                return Err(AgentError::Fenced {
                    host,
                    text: status.message().to_owned(),
                });
            }
            Err(status) => {
                return Err(AgentError::Unreachable {
                    host,
                    source: status.into(),
                });
            }
        };
        Ok(stream.filter_map(move |item| {
            let read = match item {
                Ok(event) => read_event(&event.event).map_err(|error| AgentError::Unreadable {
                    host,
                    source: error.into(),
                }),
                Err(status) => Err(AgentError::Unreachable {
                    host,
                    source: status.into(),
                }),
            };
            std::future::ready(read.transpose())
        }))
    }
}

/// Reads an event; nothing for one of a kind that only a later release knows. One of a known kind that holds something unknown
/// is not passed over: the listener would not know what it lacks.
fn read_event(bytes: &[u8]) -> serde_json::Result<Option<HostEvent>> {
    let error = match serde_json::from_slice(bytes) {
        Ok(event) => return Ok(Some(event)),
        Err(error) => error,
    };
    let whole: serde_json::Value = serde_json::from_slice(bytes)?;
    let kind = whole.as_object().and_then(|event| event.keys().next());
    match kind {
        Some(kind)
            if error
                .to_string()
                .starts_with(&format!("unknown variant `{kind}`")) =>
        {
            Ok(None)
        }
        _ => Err(error),
    }
}

fn read_reply(host: Uuid, result: Option<call_reply::Result>) -> Result<HostReply, AgentError> {
    let unreadable = |error: serde_json::Error| AgentError::Unreadable {
        host,
        source: error.into(),
    };
    match result {
        Some(call_reply::Result::Reply(bytes)) => serde_json::from_slice(&bytes).map_err(unreadable),
        Some(call_reply::Result::Error(bytes)) => {
            let error: CommandError = serde_json::from_slice(&bytes).map_err(unreadable)?;
            Err(match error.kind {
                CommandErrorKind::Fenced => AgentError::Fenced {
                    host,
                    text: error.text,
                },
                _ => AgentError::Command(error),
            })
        }
        None => Err(AgentError::Unreadable {
            host,
            source: "an empty answer".into(),
        }),
    }
}

/// Opens a tunnel to the host at the other end of a channel.
pub(crate) async fn open_tunnel(
    channel: Channel,
    vm: Uuid,
    target: TunnelTarget,
) -> io::Result<TunnelStream> {
    let (sender, receiver) = mpsc::channel(PARTS);
    let _ = sender.try_send(open_part(vm, target));
    let open = async move {
        let mut parts = Rpc::new(channel)
            .tunnel(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        match parts.message().await? {
            Some(TunnelPart {
                part: Some(tunnel_part::Part::Opened(_)),
            }) => Ok(parts),
            _ => Err(Status::internal("the tunnel was not opened")),
        }
    };
    let parts = tokio::time::timeout(OPENING, open)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        .map_err(|status| match status.code() {
            Code::NotFound => io::Error::new(io::ErrorKind::NotFound, status),
            _ => io::Error::other(status),
        })?;
    Ok(parts_to_stream(parts, sender, |part| part))
}

fn open_part(vm: Uuid, target: TunnelTarget) -> TunnelPart {
    use proto_wire::agent::TunnelTarget as Wire;
    let mut open = TunnelOpen {
        vm: Bytes::copy_from_slice(vm.as_bytes()),
        ..TunnelOpen::default()
    };
    open.target = match target {
        TunnelTarget::Control => Wire::Control,
        TunnelTarget::Memory => Wire::Memory,
        TunnelTarget::Screen => Wire::Screen,
        TunnelTarget::Serial => Wire::Serial,
        TunnelTarget::Volume(volume) => {
            open.term = volume.term;
            open.sr = Bytes::copy_from_slice(volume.volume.sr.as_bytes());
            open.location = volume.volume.location;
            open.write = volume.writable;
            Wire::Volume
        }
    }
    .into();
    TunnelPart {
        part: Some(tunnel_part::Part::Open(open)),
    }
}

/// What a first part asks for.
pub(crate) fn open_of(part: &TunnelPart) -> Option<(Uuid, TunnelTarget)> {
    use proto_wire::agent::TunnelTarget as Wire;
    let Some(tunnel_part::Part::Open(open)) = &part.part else {
        return None;
    };
    let target = match open.target() {
        Wire::Control => TunnelTarget::Control,
        Wire::Memory => TunnelTarget::Memory,
        Wire::Screen => TunnelTarget::Screen,
        Wire::Serial => TunnelTarget::Serial,
        Wire::Volume => TunnelTarget::Volume(VolumeTunnel {
            volume: VolumeRef::new(Uuid::from_slice(&open.sr).ok()?, open.location.clone()),
            writable: open.write,
            term: open.term,
        }),
        Wire::Unspecified => return None,
    };
    Some((Uuid::from_slice(&open.vm).ok()?, target))
}

/// Makes one connection of the parts that come and those that go.
pub(crate) fn parts_to_stream<T: Send + 'static>(
    parts: Streaming<TunnelPart>,
    sender: mpsc::Sender<T>,
    wrap: fn(TunnelPart) -> T,
) -> TunnelStream {
    // Only an End ends a direction in order; a stream that stops without one was cut.
    let bytes = futures::stream::try_unfold(parts, |mut parts| async move {
        loop {
            match parts.message().await.map_err(io::Error::other)? {
                Some(TunnelPart {
                    part: Some(tunnel_part::Part::Data(data)),
                }) if data.is_empty() => {}
                Some(TunnelPart {
                    part: Some(tunnel_part::Part::Data(data)),
                }) => return Ok(Some((data, parts))),
                Some(TunnelPart {
                    part: Some(tunnel_part::Part::End(_)),
                }) => return Ok(None),
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "a part out of order")),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        }
    });
    let reader = StreamReader::new(Box::pin(bytes));
    Box::pin(tokio::io::join(
        reader,
        PartWriter {
            sender: PollSender::new(sender),
            wrap,
        },
    ))
}

/// Writes bytes as parts.
struct PartWriter<T> {
    sender: PollSender<T>,
    wrap: fn(TunnelPart) -> T,
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

impl<T: Send + 'static> AsyncWrite for PartWriter<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        futures::ready!(self.sender.poll_reserve(cx)).map_err(|_| broken())?;
        let bytes = bytes.get(..LARGEST_PART).unwrap_or(bytes);
        let part = TunnelPart {
            part: Some(tunnel_part::Part::Data(Bytes::copy_from_slice(bytes))),
        };
        let part = (self.wrap)(part);
        self.sender.send_item(part).map_err(|_| broken())?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sender.is_closed() {
            return Poll::Ready(Ok(()));
        }
        futures::ready!(self.sender.poll_reserve(cx)).map_err(|_| broken())?;
        let end = (self.wrap)(TunnelPart {
            part: Some(tunnel_part::Part::End(TunnelEnd {})),
        });
        self.sender.send_item(end).map_err(|_| broken())?;
        self.sender.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_event_of_a_later_release_is_passed_over() {
        let event = HostEvent::Drift {
            domains: Default::default(),
        };
        let bytes = serde_json::to_vec(&event).unwrap();
        assert_eq!(read_event(&bytes).unwrap(), Some(event));
        assert_eq!(read_event(br#"{"Eclipse":{"of":"the moon"}}"#).unwrap(), None);
        let within =
            br#"{"Domain":{"vm":"00000000-0000-0000-0000-000000000001","kind":"Eclipse","now":null}}"#;
        for bad in [&b"{"[..], b"7", br#"{"Drift":{}}"#, within] {
            assert!(read_event(bad).is_err());
        }
    }
}
