//! Turns for clients, so that one of them cannot starve the others.
//!
//! A [`Lane`] lets so many calls run at once. Those that wait come round by peer, and within a peer by session: neither a
//! session with hundreds of calls nor a host with hundreds of sessions gets more than its share. A peer never holds all
//! places of a lane, so that another one finds room at once while the first one's calls take long.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_types::{ApiError, Ref};
use tokio::sync::oneshot;

use crate::service::Origin;

/// Where calls come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A Unix socket, here or on another host.
    #[default]
    Local,
    /// This address.
    Address(IpAddr),
}

impl From<Origin> for Peer {
    fn from(origin: Origin) -> Peer {
        match origin {
            Origin::Tcp(address) => Peer::Address(address.ip().to_canonical()),
            Origin::LocalRoot { .. } => Peer::Local,
        }
    }
}

/// Who wants a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Where from.
    pub peer: Peer,
    /// In which session; null before there is one.
    pub session: Ref,
}

/// How many turns there are.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Calls that run at once.
    pub running: usize,
    /// Of these, most from one peer.
    pub running_per_peer: usize,
    /// Calls of one peer that wait.
    pub waiting_per_peer: usize,
}

/// Calls that compete for the same thing.
pub struct Lane {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    by_peer: HashMap<Peer, usize>,
    /// Peers that have someone waiting, in the order of their next turn.
    ring: VecDeque<Peer>,
    waiting: HashMap<Peer, Waiting>,
}

/// Calls of one peer that wait.
#[derive(Default)]
struct Waiting {
    ring: VecDeque<Ref>,
    sessions: HashMap<Ref, VecDeque<oneshot::Sender<Permit>>>,
    count: usize,
}

/// A turn; it ends when this is dropped.
pub struct Permit {
    lane: Option<Arc<Lane>>,
    peer: Peer,
}

/// A turn that has come or will come. Whoever drops it has given up.
pub enum Turn {
    /// It has come.
    Now(Permit),
    /// It will come.
    Later(oneshot::Receiver<Permit>),
}

impl Turn {
    /// Waits for it. `None` only if the lane is gone.
    pub async fn come(self) -> Option<Permit> {
        match self {
            Turn::Now(permit) => Some(permit),
            Turn::Later(receiver) => receiver.await.ok(),
        }
    }
}

impl Lane {
    /// A lane with nobody in it.
    pub fn new(bounds: Bounds) -> Arc<Lane> {
        Arc::new(Lane {
            bounds,
            state: Mutex::default(),
        })
    }

    /// How many turns there are.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Takes a turn, or a place in the queue.
    ///
    /// # Errors
    /// `TOO_BUSY` if the peer has too many calls waiting.
    pub fn enter(self: &Arc<Self>, client: Client) -> Result<Turn, ApiError> {
        let peer = client.peer;
        let mut state = self.state();
        // Whoever waits while there is room waits for others of the same peer.
        if state.running < self.bounds.running && state.running_of(peer) < self.bounds.running_per_peer {
            return Ok(Turn::Now(self.permit(&mut state, peer)));
        }
        let most = self.bounds.waiting_per_peer;
        let State { ring, waiting, .. } = &mut *state;
        let queues = waiting.entry(peer).or_default();
        if queues.count >= most {
            queues.forget_those_who_left();
        }
        if queues.count >= most {
            return Err(ApiError::bare("TOO_BUSY"));
        }
        if queues.count == 0 && !ring.contains(&peer) {
            ring.push_back(peer);
        }
        Ok(Turn::Later(queues.push(client.session)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(self: &Arc<Self>, state: &mut State, peer: Peer) -> Permit {
        state.running += 1;
        *state.by_peer.entry(peer).or_default() += 1;
        Permit {
            lane: Some(Arc::clone(self)),
            peer,
        }
    }

    fn leave(self: &Arc<Self>, peer: Peer) {
        let mut state = self.state();
        state.end(peer);
        while state.running < self.bounds.running {
            let Some((next, sender)) = state.next(self.bounds.running_per_peer) else {
                break;
            };
            let permit = self.permit(&mut state, next);
            if let Err(mut unwanted) = sender.send(permit) {
                // Its client has gone. Not by `Drop`, which would come here again.
                unwanted.lane = None;
                state.end(next);
            }
        }
    }
}

impl State {
    fn running_of(&self, peer: Peer) -> usize {
        self.by_peer.get(&peer).copied().unwrap_or_default()
    }

    fn end(&mut self, peer: Peer) {
        self.running = self.running.saturating_sub(1);
        if let Some(count) = self.by_peer.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }

    /// Who is next: the first peer in the ring that may run more.
    fn next(&mut self, most_per_peer: usize) -> Option<(Peer, oneshot::Sender<Permit>)> {
        for _ in 0..self.ring.len() {
            let peer = self.ring.pop_front()?;
            if self.running_of(peer) >= most_per_peer {
                self.ring.push_back(peer);
                continue;
            }
            let Some(queues) = self.waiting.get_mut(&peer) else {
                continue;
            };
            let found = queues.pop();
            if queues.count == 0 {
                self.waiting.remove(&peer);
            } else {
                self.ring.push_back(peer);
            }
            if let Some(sender) = found {
                return Some((peer, sender));
            }
        }
        None
    }
}

impl Waiting {
    fn push(&mut self, session: Ref) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        let queue = self.sessions.entry(session).or_default();
        if queue.is_empty() {
            self.ring.push_back(session);
        }
        queue.push_back(sender);
        self.count += 1;
        receiver
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Permit>> {
        let session = self.ring.pop_front()?;
        let queue = self.sessions.get_mut(&session)?;
        let sender = queue.pop_front();
        if queue.is_empty() {
            self.sessions.remove(&session);
        } else {
            self.ring.push_back(session);
        }
        self.count = self.count.saturating_sub(1);
        sender
    }

    fn forget_those_who_left(&mut self) {
        self.sessions.retain(|_, queue| {
            queue.retain(|sender| !sender.is_closed());
            !queue.is_empty()
        });
        let left = &self.sessions;
        self.ring.retain(|session| left.contains_key(session));
        self.count = self.sessions.values().map(VecDeque::len).sum();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            lane.leave(self.peer);
        }
    }
}

/// The lanes of one node.
pub struct Lanes {
    /// Passwords that are looked at, with the wait after a wrong one.
    pub knocking: Arc<Lane>,
    /// Password hashes, slow by intention.
    pub hashing: Arc<Lane>,
    /// Answers with many records.
    pub listing: Arc<Lane>,
    /// Single decisions of the pool.
    pub writing: Arc<Lane>,
    /// Operations on hosts.
    pub working: Arc<Lane>,
}

impl Default for Lanes {
    fn default() -> Lanes {
        let lane = |running, running_per_peer| {
            Lane::new(Bounds {
                running,
                running_per_peer,
                waiting_per_peer: 1024,
            })
        };
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        // One more than one peer may have, everywhere.
        Lanes {
            knocking: lane(4096, 8),
            hashing: lane(3, 2),
            listing: lane(cores + 1, cores),
            writing: lane(128, 96),
            working: lane(128, 96),
        }
    }
}

#[cfg(test)]
mod test;
