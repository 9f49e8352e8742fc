//! Keeps this host from running guests without a lease while high availability is on: no start, and an end to what runs.
//!
//! The state is pure ([`node_commands::lease`]); here are the clock, the file that the watchdog reads, and the end.
//! The clock is the kernel's that counts on through suspends of the machine. The file lies on a tmpfs: it is gone after a
//! reboot, as are the guests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::join_all;
use node_commands::lease::{HostLease, Margins};
use node_commands::{CommandError, CommandErrorKind, HostCommand, HostReply};
use proto_types::ApiError;
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
    /// Where the guests of this host are written for the watchdog, each before it is started. On a tmpfs.
    pub guests_file: PathBuf,
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

/// An answer of the leader that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Whoever asks again after that is answered as if it were armed anew.
    #[error("the lease has run out, and the guests that ran by it are still being ended")]
    Lapsed,
    /// A longer lease than the watchdog knows of is none.
    #[error("the lease was not written for the watchdog")]
    NotWritten(#[source] io::Error),
}

/// How the guests of this host stand.
///
/// ```text
///   Fresh ──the lease runs out──► Ending ──none is left──► Ended
///     ▲                             ▲                       │ │
///     │                             └──one has come up late─┘ │
///     └──────────────────an answer is taken───────────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// They run by the lease, or need none.
    #[default]
    Fresh,
    /// They are being ended. Nothing that the leader says saves them: by now they may be another host's.
    Ending,
    /// The lease is over and none is left.
    Ended,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    lease: HostLease,
    standing: Standing,
    /// How often the lease has run out in this run of the node.
    lapses: u64,
}

impl State {
    /// Notes that the lease has run out, if it has: whoever comes first, the clock's watch or an answer.
    fn look(&mut self, now: Duration, margins: Margins) {
        if self.standing == Standing::Fresh && !self.lease.admits(now, margins) {
            self.standing = Standing::Ending;
            self.lapses = self.lapses.saturating_add(1);
            tracing::error!("the lease is over: this host ends its guests");
        }
    }
}

/// The lease of this host.
pub struct Guard {
    settings: GuardSettings,
    state: Mutex<State>,
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
        let state = State {
            lease,
            ..State::default()
        };
        Ok(Guard {
            settings,
            state: Mutex::new(state),
        })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether guests run here by a lease only.
    pub fn is_armed(&self) -> bool {
        self.locked().lease.is_armed()
    }

    /// Whether somebody would end the guests if this node could not: always while they run by no lease, or end with the
    /// node. Else a watchdog must have been heard lately; without one the lease must not be renewed.
    pub fn is_watched(&self) -> bool {
        match &self.settings.watchdog_file {
            Some(file) if self.is_armed() => is_heard(file, clock()),
            _ => true,
        }
    }

    /// Whether guests may be brought here by a lease now.
    pub fn holds_lease(&self) -> bool {
        self.is_armed() && self.admits() && self.is_watched()
    }

    /// Notes the answer to a question asked at a moment of [`clock`].
    ///
    /// # Errors
    /// [`NotTaken`]: the lease stays as it was.
    pub fn answered(&self, asked: Duration, granted: Option<Duration>) -> Result<(), NotTaken> {
        let mut state = self.locked();
        // The answer may have come first to a node that was stopped for a while.
        state.look(clock(), self.settings.margins);
        if state.standing == Standing::Ending {
            return Err(NotTaken::Lapsed);
        }
        let mut next = state.lease;
        next.answered(asked, granted);
        if next == state.lease {
            return Ok(());
        }
        self.write(next).map_err(NotTaken::NotWritten)?;
        state.lease = next;
        state.standing = Standing::Fresh;
        Ok(())
    }

    /// Whether the lease is over, or has been since guests were ended last.
    fn is_over(&self) -> bool {
        let mut state = self.locked();
        state.look(clock(), self.settings.margins);
        state.standing != Standing::Fresh
    }

    /// Whether guests that were found are to be ended. Until [`Guard::ended`] says that none is left no answer is taken.
    fn is_to_end(&self) -> bool {
        let mut state = self.locked();
        state.look(clock(), self.settings.margins);
        if state.standing == Standing::Fresh {
            return false;
        }
        state.standing = Standing::Ending;
        true
    }

    fn ended(&self) {
        let mut state = self.locked();
        if state.standing == Standing::Ending {
            state.standing = Standing::Ended;
        }
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
        let state = self.locked();
        state.standing == Standing::Fresh && state.lease.admits(clock(), self.settings.margins)
    }

    /// Changes whenever the lease runs out.
    pub(crate) fn lapses(&self) -> u64 {
        self.locked().lapses
    }

    /// `Busy` for what would bring a guest to life here without a lease, or while nobody would end it if this node could
    /// not.
    pub(crate) fn check(&self, command: &HostCommand) -> Result<(), CommandError> {
        if !command.brings_a_guest() {
            Ok(())
        } else if !self.admits() {
            Err(without_lease())
        } else if !self.is_watched() {
            Err(unwatched())
        } else {
            Ok(())
        }
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
            Err(NotTaken::Lapsed) => {
                Err(CommandError::new(CommandErrorKind::Busy, NotTaken::Lapsed.to_string()).retryable())
            }
            Err(NotTaken::NotWritten(error)) => Err(CommandError::new(
                CommandErrorKind::Internal,
                format!("the lease was not written: {error}"),
            )),
        }
    }
}

fn without_lease() -> CommandError {
    CommandError::api(
        CommandErrorKind::Busy,
        ApiError::bare("HOST_NOT_LIVE"),
        "this host has no lease to run guests by",
    )
    .retryable()
}

fn unwatched() -> CommandError {
    CommandError::api(
        CommandErrorKind::Busy,
        ApiError::bare("HOST_NOT_LIVE"),
        "this host's watchdog is away",
    )
    .retryable()
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
    let mut rest = LOOK;
    loop {
        tokio::time::sleep(rest).await;
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        let guard = &agent.inner.guard;
        rest = LOOK;
        if !guard.is_over() {
            continue;
        }
        if matches!(tokio::time::timeout(PATIENCE, agent.end_guests()).await, Ok(true)) {
            guard.ended();
            rest = AGAIN;
        }
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
        let live: Vec<_> = domains.iter().filter(|d| d.state.is_live()).collect();
        // A lease that was taken since they were listed is theirs too.
        if live.is_empty() || !self.inner.guard.is_to_end() {
            return true;
        }
        // No turn is taken: whoever has it may wait for a network that is away.
        let ends = join_all(live.into_iter().map(|d| async {
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
            guests_file: folder.join("guests"),
            watchdog_file: watchdog.then(|| folder.join("watchdog")),
            margins: Margins::default(),
        })
        .unwrap()
    }

    fn incoming() -> HostCommand {
        HostCommand::PrepareIncoming {
            request: Box::new(node_commands::DomainRequest::new(
                Uuid::nil(),
                Uuid::nil(),
                "a",
                proto_types::Bytes::mib(1),
            )),
        }
    }

    #[test]
    fn a_lease_that_ran_out_is_not_renewed_before_its_guests_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(folder.path(), false);
        let (length, lapses) = (Some(Duration::from_secs(20)), guard.lapses());
        let old = clock().saturating_sub(Duration::from_secs(60));
        guard.answered(old, length).unwrap();
        let written = Written::read(&folder.path().join("lease")).unwrap();
        // Before the clock's watch has looked, while it ends guests, and after it could not end all.
        for round in 0..3 {
            let answer = guard.answered(clock(), length);
            assert!(matches!(answer, Err(NotTaken::Lapsed)), "round {round}");
            assert!(guard.answered(clock(), None).is_err() && guard.is_armed());
            assert_eq!(guard.disarm().unwrap_err().kind, CommandErrorKind::Busy);
            assert!(guard.is_to_end() && !guard.admits());
        }
        // The watchdog goes on killing meanwhile.
        assert_eq!(Written::read(&folder.path().join("lease")).unwrap(), written);
        assert_eq!(guard.lapses(), lapses + 1);
        guard.ended();
        assert!(!guard.admits());
        assert!(guard.is_armed() && !guard.holds_lease());
        guard.answered(clock(), length).unwrap();
        assert!(guard.admits() && !guard.is_to_end() && guard.holds_lease());
    }

    #[test]
    fn no_answer_is_taken_while_a_guest_that_came_up_late_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(folder.path(), false);
        let old = clock().saturating_sub(Duration::from_secs(60));
        guard.answered(old, Some(Duration::from_secs(20))).unwrap();
        assert!(guard.is_over() && guard.answered(clock(), None).is_err());
        guard.ended();
        assert!(guard.is_to_end());
        assert!(guard.answered(clock(), None).is_err());
        guard.ended();
        assert!(guard.is_over());
        guard.answered(clock(), None).unwrap();
        // Guests that are found from here on run as they should.
        assert!(guard.admits() && !guard.is_over() && !guard.is_to_end());
    }

    #[test]
    fn a_watchdog_that_goes_away_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(folder.path(), true);
        let told = |at: Duration| std::fs::write(folder.path().join("watchdog"), at.as_millis().to_string());
        assert!(guard.is_watched(), "nothing runs by a lease yet");
        told(clock()).unwrap();
        guard.arm(20_000).unwrap();
        assert!(guard.is_watched());
        guard.check(&incoming()).unwrap();
        told(clock().saturating_sub(Duration::from_secs(4))).unwrap();
        assert!(!guard.is_watched() && guard.admits());
        assert_eq!(guard.check(&incoming()).unwrap_err().kind, CommandErrorKind::Busy);
        std::fs::remove_file(folder.path().join("watchdog")).unwrap();
        assert!(!guard.is_watched());
        told(clock()).unwrap();
        assert!(guard.is_watched());
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
        assert_eq!(
            second.check(&incoming()).unwrap_err().kind,
            CommandErrorKind::Busy
        );
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
