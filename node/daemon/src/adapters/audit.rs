//! The audit trail of the whole pool: this host's part, and those of the others, as one.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use gateway_server::api::ports::AuditTrail;
use pool_raft::{Member, Pool};
use proto_types::DateTime;
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::ReadAuditRequest;
use proto_wire::pool::pool_client::PoolClient;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::audit::Trail;

/// A host that says nothing for so long is left out.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes handed on at once.
const PIECE: usize = 64 << 10;

/// Lines of one host.
pub type Lines = BoxStream<'static, io::Result<Bytes>>;

/// The trail.
pub struct AuditAdapter {
    /// This host's part.
    pub own: Trail,
    /// This host.
    pub host: Uuid,
    /// Where the others are.
    pub pool: Pool,
    /// The way to them.
    pub peers: Peers,
}

impl AuditAdapter {
    async fn of_member(&self, member: &Member, since: DateTime) -> Result<Lines, tonic::Status> {
        let channel = self
            .peers
            .channel(member.host, &member.address, member.port, Lane::Agent);
        let mut client = PoolClient::new(channel);
        let asked = client.read_audit(ReadAuditRequest { since: since.0 });
        let silent = |_| tonic::Status::deadline_exceeded("no answer");
        let lines = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(silent)??
            .into_inner();
        let next = |mut lines: tonic::Streaming<_>| async move {
            let item = match tokio::time::timeout(PATIENCE, lines.message()).await {
                Ok(Ok(None)) => return None,
                Ok(Ok(Some(proto_wire::pool::AuditLines { text }))) => Ok(text),
                Ok(Err(status)) => Err(io::Error::other(status.to_string())),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            Some((item, lines))
        };
        Ok(stream::unfold(lines, next).boxed())
    }
}

#[async_trait]
impl AuditTrail for AuditAdapter {
    async fn append(&self, line: String) {
        self.own.append(line).await;
    }

    async fn read(&self, since: DateTime) -> Lines {
        let (own, others): (Vec<_>, Vec<_>) = self
            .pool
            .members()
            .into_iter()
            .map(|(member, _)| member)
            .partition(|member| member.host == self.host);
        let address = own.into_iter().next().map(|member| member.address);
        let mut parts = vec![(address.unwrap_or_default(), self.own.read(since).await)];
        for member in others {
            let lines = match self.of_member(&member, since).await {
                Ok(lines) => lines,
                Err(status) => {
                    tracing::info!(host = %member.host, code = %status.code(), "a part of the audit trail is missing");
                    missing(&member.address)
                }
            };
            parts.push((member.address, lines));
        }
        merge(parts)
    }
}

/// What stands for the part of a host that does not answer.
fn missing(address: &str) -> Lines {
    let line = notice(address, "this host does not answer; its part is missing");
    stream::iter([Ok(line)]).boxed()
}

/// A line about the trail itself, as of now.
fn notice(address: &str, text: &str) -> Bytes {
    let now = pool_ops::core::now().to_string();
    let now = now.trim_end_matches('Z');
    Bytes::from(format!("[{now}.000Z|warn|{address}|||audit] ({text})\n"))
}

/// One of the streams that are merged.
struct Part {
    address: String,
    rest: Lines,
    lines: VecDeque<Bytes>,
}

impl Part {
    /// Whether there is a next line. Of a part that breaks off the last line says so: it must not pass for whole.
    async fn next(&mut self) -> bool {
        match self.fill().await {
            Ok(there_is) => there_is,
            Err(error) => {
                tracing::info!(address = self.address, %error, "a part of the audit trail broke off");
                self.rest = stream::empty().boxed();
                let line = notice(&self.address, "this part broke off; what is newer is missing");
                self.lines.push_back(line);
                true
            }
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        while self.lines.is_empty() {
            let Some(piece) = self.rest.next().await else {
                return Ok(false);
            };
            let piece = piece?;
            let mut from = 0;
            for (at, byte) in piece.iter().enumerate() {
                if *byte == b'\n' {
                    self.lines.push_back(piece.slice(from..=at));
                    from = at + 1;
                }
            }
        }
        Ok(true)
    }

    /// The moment of the next line, in a form that sorts.
    fn moment(&self) -> &[u8] {
        let line = self.lines.front().map_or(&[][..], |line| line);
        line.split(|b| *b == b'|').next().unwrap_or_default()
    }
}

/// Lines of several hosts, each with its address, in the order of their moments.
pub fn merge(parts: Vec<(String, Lines)>) -> Lines {
    let (send, pieces) = mpsc::channel(2);
    let parts = parts
        .into_iter()
        .map(|(address, rest)| Part {
            address,
            rest,
            lines: VecDeque::new(),
        })
        .collect();
    tokio::spawn(async move {
        if let Err(error) = hand_on(parts, &send).await {
            let _ = send.send(Err(error)).await;
        }
    });
    stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|p| (p, pieces))
    })
    .boxed()
}

async fn hand_on(mut parts: Vec<Part>, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut piece = BytesMut::with_capacity(PIECE);
    loop {
        let mut open = Vec::with_capacity(parts.len());
        for mut part in parts {
            if part.next().await {
                open.push(part);
            }
        }
        parts = open;
        let first = parts.iter_mut().min_by(|a, b| a.moment().cmp(b.moment()));
        let Some(line) = first.and_then(|part| part.lines.pop_front()) else {
            break;
        };
        piece.extend_from_slice(&line);
        if piece.len() >= PIECE && to.send(Ok(piece.split().freeze())).await.is_err() {
            return Ok(());
        }
    }
    if !piece.is_empty() {
        let _ = to.send(Ok(piece.freeze())).await;
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    fn part(pieces: &[&'static str]) -> (String, Lines) {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|p| Ok(Bytes::from_static(p.as_bytes())))
            .collect();
        ("192.0.2.1".to_owned(), stream::iter(pieces).boxed())
    }

    #[tokio::test]
    async fn lines_of_several_hosts_come_in_the_order_of_time() {
        let broken = stream::iter([
            Ok(Bytes::from_static(b"[20260102T|b\n")),
            Err(io::ErrorKind::TimedOut.into()),
        ]);
        let parts = vec![
            part(&["[20260101T|a\n[20260104T|a\n", "[20260105T|a\n"]),
            part(&[]),
            ("192.0.2.2".to_owned(), broken.boxed()),
            part(&["[20260103T|c\n"]),
        ];
        let pieces: Vec<_> = merge(parts).collect().await;
        let text: Vec<u8> = pieces.into_iter().flat_map(|p| p.unwrap().to_vec()).collect();
        let text = String::from_utf8(text).unwrap();
        let mut order: Vec<&str> = text.lines().collect();
        let last = order.pop().unwrap();
        assert_eq!(
            order,
            [
                "[20260101T|a",
                "[20260102T|b",
                "[20260103T|c",
                "[20260104T|a",
                "[20260105T|a",
            ]
        );
        assert!(
            last.contains("|192.0.2.2|") && last.contains("broke off"),
            "a part that broke off passed for whole: {last}"
        );
    }
}
