//! How much of the server one client may take, and for how long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bounds of the transport.
#[derive(Clone, Copy, Debug)]
pub struct TransportLimits {
    /// Connections in all, handshakes included; more are closed at once.
    pub connections: usize,
    /// Connections from one address; more are closed at once.
    pub connections_per_peer: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request, or from the handshake, to the end of its headers.
    pub header: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// A client that takes no byte of its answer for so long is cut off.
    pub write_stall: Duration,
    /// A client that neither sends nor takes a byte of a transfer for so long is cut off.
    pub transfer_stall: Duration,
    /// Between two requests of one connection.
    pub idle: Duration,
    /// Bytes of a body; more are answered with 500.
    pub body_bytes: usize,
    /// Bytes of all headers of a request together.
    pub header_bytes: usize,
    /// At shutdown, for calls in progress to end.
    pub drain: Duration,
}

impl Default for TransportLimits {
    fn default() -> Self {
        TransportLimits {
            connections: 4096,
            connections_per_peer: 512,
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(15),
            body: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            transfer_stall: Duration::from_secs(600),
            idle: Duration::from_secs(900),
            body_bytes: 307_200,
            header_bytes: 32 << 10,
            drain: Duration::from_secs(5),
        }
    }
}

/// Counts the open connections.
#[derive(Clone)]
pub(crate) struct ConnectionCounter {
    most: usize,
    most_per_peer: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// One counted connection; the count falls when it is dropped.
pub(crate) struct Counted {
    open: Arc<Mutex<Open>>,
    peer: Option<IpAddr>,
}

impl ConnectionCounter {
    pub(crate) fn new(limits: &TransportLimits) -> ConnectionCounter {
        ConnectionCounter {
            most: limits.connections,
            most_per_peer: limits.connections_per_peer,
            open: Arc::default(),
        }
    }

    /// Counts one more connection, unless a limit is reached. Unix sockets have no peer address.
    pub(crate) fn enter(&self, peer: Option<IpAddr>) -> Option<Counted> {
        let peer = peer.map(|address| address.to_canonical());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return None;
        }
        if let Some(peer) = peer {
            let count = open.by_peer.entry(peer).or_default();
            if *count >= self.most_per_peer {
                return None;
            }
            *count += 1;
        }
        open.all += 1;
        drop(open);
        Some(Counted {
            open: Arc::clone(&self.open),
            peer,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(peer) = self.peer
            && let Some(count) = open.by_peer.get_mut(&peer)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_peer.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_closed_connection_makes_room_for_another() {
        let limits = TransportLimits {
            connections: 3,
            connections_per_peer: 2,
            ..TransportLimits::default()
        };
        let counter = ConnectionCounter::new(&limits);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let same: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let first = counter.enter(Some(one)).unwrap();
        let _second = counter.enter(Some(same)).unwrap();
        assert!(counter.enter(Some(one)).is_none(), "per peer");
        let _third = counter.enter(Some(other)).unwrap();
        assert!(counter.enter(None).is_none(), "in all");
        drop(first);
        assert!(counter.enter(Some(one)).is_some());
    }
}
