//! Tells systemd, where it started the node, that it serves, lives, reloads and ends.
//!
//! Source: `sd_notify(3)`, `systemd.service(5)`: datagrams to the socket named in the environment.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use pool_raft::{Pool, Role};
use tokio_util::sync::CancellationToken;

/// The way to whoever supervises this process; silent if nobody does.
#[derive(Debug)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// By what the environment says. It stays as it is: the node may start anew under the same process id.
    pub fn from_environment() -> Supervisor {
        let own = std::process::id().to_string();
        let meant = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == own);
        let limit = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|text| text.parse().ok());
        Supervisor {
            socket: std::env::var("NOTIFY_SOCKET").ok().and_then(|path| open(&path)),
            watchdog: limit.filter(|_| meant).map(Duration::from_micros),
        }
    }

    /// Says something; losing it costs nothing but what is shown.
    pub fn say(&self, words: &str) {
        if let Some((socket, to)) = &self.socket
            && let Err(error) = socket.send_to_addr(words.as_bytes(), to)
        {
            tracing::debug!(%error, "the supervisor was not told");
        }
    }

    /// Says, for as long as the node is well, that it lives, and what it does. Well means: the consensus has not stopped,
    /// its threads and the others get to run, and the store takes writes.
    pub async fn watch(&self, pool: &Pool, stop: &CancellationToken) {
        let every = self.watchdog.map_or(Duration::from_secs(10), |limit| limit / 3);
        let mut tick = tokio::time::interval(every.max(Duration::from_millis(10)));
        let mut said = String::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            // On the threads of the consensus: if those hang, nothing comes back.
            let asked = pool.clone();
            let look = pool.runtime().spawn(async move { asked.status() });
            let Ok(Ok(status)) = tokio::time::timeout(every, look).await else {
                tracing::error!("the consensus does not get to run");
                continue;
            };
            if status.failure.is_none() && status.role != Role::Stopped {
                self.say("WATCHDOG=1");
            }
            let leader = status
                .leader
                .filter(|_| status.in_touch)
                .map(|leader| leader.address);
            let now = match (status.role, leader) {
                (Role::Leader, _) => format!("leads the pool in term {}", status.term),
                (_, Some(leader)) => format!("follows {leader} in term {}", status.term),
                (_, None) => "knows no leader".to_owned(),
            };
            if now != said {
                self.say(&format!("STATUS={now}"));
                said = now;
            }
        }
    }
}

fn open(path: &str) -> Option<(UnixDatagram, SocketAddr)> {
    let to = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, to.ok()?))
}

/// Microseconds of the monotonic clock, which systemd wants beside the word that the node reloads.
pub fn monotonic() -> u128 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |time| Duration::from(time).as_micros())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_said_reaches_the_socket_and_nobody_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor {
            socket: open(path.to_str().unwrap()),
            watchdog: None,
        };
        supervisor.say("READY=1");
        let mut buffer = [0; 64];
        let length = heard.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        drop(heard);
        supervisor.say("WATCHDOG=1");
        Supervisor {
            socket: None,
            watchdog: None,
        }
        .say("READY=1");
    }

    #[test]
    fn an_abstract_name_is_a_socket_too() {
        let name = format!("tarn-test-{}", std::process::id());
        let heard = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let (socket, to) = open(&format!("@{name}")).unwrap();
        socket.send_to_addr(b"STOPPING=1", &to).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(heard.recv(&mut buffer).unwrap(), 10);
    }
}
