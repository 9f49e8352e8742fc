//! Keeps this host from running guests without a lease while high availability is on: no start, and an end to what runs.
//!
//! The state is pure ([`node_commands::lease`]); here are the clock, the file that the watchdog reads, and the end.
//! The clock is the kernel's that counts on through suspends of the machine. The file lies on a tmpfs: it is gone after a
//! reboot, as are the guests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::join_all;
use node_commands::lease::{HostLease, Margins};
use node_commands::{CommandError, CommandErrorKind, HostCommand, HostReply};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::{Agent, Inner};
use crate::operations::Outcome;

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks for guests once the lease is over: one may have been on its way up.
const AGAIN: Duration = Duration::from_millis(500);
/// libvirt may hang; the next look tries again, and the watchdog does not ask libvirt.
const PATIENCE: Duration = Duration::from_secs(2);
/// A watchdog that has not been heard for so long is none. It tells every half second.
const WATCHDOG_SILENCE: Duration = Duration::from_secs(3);

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// Where the lease is written for the watchdog. On a tmpfs.
    pub lease_file: PathBuf,
    /// Where the watchdog writes that it lives; `None` if the guests end with the node and need none.
    pub watchdog_file: Option<PathBuf>,
    /// When to act.
    pub margins: Margins,
}

/// What the watchdog reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The lease.
    pub lease: HostLease,
    /// When the watchdog kills.
    pub margins: Margins,
}

impl Written {
    /// Reads the file; `None` if there is no lease to watch.
    ///
    /// # Errors
    /// If it cannot be read, or not understood.
    pub fn read(file: &Path) -> io::Result<Option<Written>> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The clock by which leases are counted on this host.
pub fn clock() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanos)
}

/// The lease of this host.
pub struct Guard {
    settings: GuardSettings,
    lease: Mutex<HostLease>,
    /// How often the lease has run out in this run of the node.
    lapses: AtomicU64,
}

impl Guard {
    /// Takes over the lease that an earlier run of the node held.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn load(settings: GuardSettings) -> io::Result<Guard> {
        if let Some(folder) = settings.lease_file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let lease = Written::read(&settings.lease_file)?.map_or_else(HostLease::default, |w| w.lease);
        Ok(Guard {
            settings,
            lease: Mutex::new(lease),
            lapses: AtomicU64::new(0),
        })
    }

    fn now(&self) -> HostLease {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether guests run here by a lease only.
    pub fn is_armed(&self) -> bool {
        self.now().is_armed()
    }

    /// Notes the answer to a question asked at a moment of [`clock`].
    ///
    /// # Errors
    /// If the watchdog cannot be told; a longer lease is not taken then.
    pub fn answered(&self, asked: Duration, granted: Option<Duration>) -> io::Result<()> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = *lease;
        next.answered(asked, granted);
        if next == *lease {
            return Ok(());
        }
        self.write(next)?;
        *lease = next;
        Ok(())
    }

    fn write(&self, lease: HostLease) -> io::Result<()> {
        let file = &self.settings.lease_file;
        if !lease.is_armed() {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let written = Written {
            lease,
            margins: self.settings.margins,
        };
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&written).map_err(io::Error::other)?)?;
        std::fs::rename(&fresh, file)
    }

    /// Whether guests may be started and run now.
    pub fn admits(&self) -> bool {
        self.now().admits(clock(), self.settings.margins)
    }

    /// Changes whenever the lease runs out.
    pub(crate) fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::SeqCst)
    }

    /// `Busy` for what would bring a guest to life here without a lease.
    pub(crate) fn check(&self, command: &HostCommand) -> Result<(), CommandError> {
        let brings = matches!(
            command,
            HostCommand::StartDomain { .. }
                | HostCommand::ResumeDomain { .. }
                | HostCommand::PrepareIncoming { .. }
        );
        if brings && !self.admits() {
            return Err(without_lease());
        }
        Ok(())
    }

    pub(crate) fn arm(&self, length: u64) -> Outcome {
        if let Some(file) = &self.settings.watchdog_file
            && !is_heard(file, clock())
        {
            return Err(CommandError::new(
                CommandErrorKind::Unsupported,
                format!("no watchdog has written to {} lately", file.display()),
            ));
        }
        self.told(Some(Duration::from_millis(length)))
    }

    pub(crate) fn disarm(&self) -> Outcome {
        self.told(None)
    }

    fn told(&self, granted: Option<Duration>) -> Outcome {
        match self.answered(clock(), granted) {
            Ok(()) => Ok(HostReply::Done),
            Err(error) => Err(CommandError::new(
                CommandErrorKind::Internal,
                format!("the lease was not written: {error}"),
            )),
        }
    }
}

fn without_lease() -> CommandError {
    CommandError::new(CommandErrorKind::Busy, "this host has no lease to run guests by").retryable()
}

/// Says whether a watchdog wrote its moment to a file lately.
fn is_heard(file: &Path, now: Duration) -> bool {
    let told = std::fs::read_to_string(file)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    told.is_some_and(|at| now.saturating_sub(Duration::from_millis(at)) < WATCHDOG_SILENCE)
}

/// Watches the clock until stopped.
pub(crate) fn spawn(agent: &Agent, stop: &CancellationToken) {
    let work = watch(Arc::downgrade(&agent.inner));
    tokio::spawn(stop.clone().run_until_cancelled_owned(work));
}

async fn watch(inner: Weak<Inner>) {
    let mut ended = false;
    loop {
        tokio::time::sleep(if ended { AGAIN } else { LOOK }).await;
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        if agent.inner.guard.admits() {
            ended = false;
            continue;
        }
        if !ended {
            agent.inner.guard.lapses.fetch_add(1, Ordering::SeqCst);
            tracing::error!("the lease is over: this host ends its guests");
        }
        ended = matches!(tokio::time::timeout(PATIENCE, agent.end_guests()).await, Ok(true));
    }
}

impl Agent {
    /// This host's lease.
    pub fn guard(&self) -> &Guard {
        &self.inner.guard
    }

    /// Takes a guest away again that came to life while the lease ran out: by now it may be another host's.
    pub(crate) async fn unless_lapsed(&self, before: u64, vm: Uuid, outcome: Outcome) -> Outcome {
        if outcome.is_err() || (self.inner.guard.lapses() == before && self.inner.guard.admits()) {
            return outcome;
        }
        self.destroy_domain(vm).await?;
        Err(without_lease())
    }

    /// Ends every guest at once; true if none is left.
    async fn end_guests(&self) -> bool {
        let hypervisor = &self.inner.hypervisor;
        let domains = match hypervisor.list().await {
            Ok(domains) => domains,
            Err(error) => {
                tracing::error!(error = error.chain(), "the hypervisor does not say what to end");
                return false;
            }
        };
        // No turn is taken: whoever has it may wait for a network that is away.
        let ends = join_all(domains.iter().filter(|d| d.state.is_live()).map(|d| async {
            let _ = hypervisor.migrate_abort(d.uuid).await;
            (d.uuid, hypervisor.destroy(d.uuid).await)
        }));
        let mut all = true;
        for (vm, end) in ends.await {
            match end {
                Ok(()) => tracing::warn!(%vm, "ended, since the lease is over"),
                Err(error) => {
                    all = false;
                    tracing::error!(%vm, error = error.chain(), "not ended");
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn guard(folder: &Path, watchdog: bool) -> Guard {
        Guard::load(GuardSettings {
            lease_file: folder.join("lease"),
            watchdog_file: watchdog.then(|| folder.join("watchdog")),
            margins: Margins::default(),
        })
        .unwrap()
    }

    #[test]
    fn a_lease_outlives_the_node_and_its_end_refuses_starts() {
        let folder = tempfile::tempdir().unwrap();
        let first = guard(folder.path(), false);
        assert!(first.admits() && !first.is_armed());
        first.arm(20_000).unwrap();
        assert!(first.admits() && first.is_armed());
        drop(first);
        let second = guard(folder.path(), false);
        assert!(second.is_armed() && second.admits());
        let old = clock().saturating_sub(Duration::from_secs(600));
        second.disarm().unwrap();
        assert_eq!(Written::read(&folder.path().join("lease")).unwrap(), None);
        second.answered(old, Some(Duration::from_secs(20))).unwrap();
        assert!(!second.admits());
        let command = HostCommand::PrepareIncoming {
            request: Box::new(node_commands::DomainRequest::new(
                Uuid::nil(),
                Uuid::nil(),
                "a",
                proto_types::Bytes::mib(1),
            )),
        };
        assert_eq!(second.check(&command).unwrap_err().kind, CommandErrorKind::Busy);
        assert!(second.check(&HostCommand::Facts).is_ok());
    }

    #[test]
    fn without_a_watchdog_no_host_is_armed() {
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(folder.path(), true);
        assert_eq!(guard.arm(20_000).unwrap_err().kind, CommandErrorKind::Unsupported);
        let told = |at: Duration| std::fs::write(folder.path().join("watchdog"), at.as_millis().to_string());
        told(clock().saturating_sub(Duration::from_secs(9))).unwrap();
        assert!(guard.arm(20_000).is_err() && !guard.is_armed());
        told(clock()).unwrap();
        guard.arm(20_000).unwrap();
    }
}
