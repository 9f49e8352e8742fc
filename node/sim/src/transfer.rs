//! Migration between simulated hosts: lines of JSON over a Unix socket.
//!
//! ```text
//! source                       destination
//!   Offer {domain} ───────────►  memory and uuid free? keeps it as Paused(Migrating)
//!   ◄─────────────── Accepted | Refused
//!   ... time passes; a cut here makes the destination throw its copy away
//!   pauses its domain
//!   Commit {count} ───────────►  runs it
//!   ◄─────────────── Running
//!   forgets its domain           (a cut here leaves the source paused: ask the destination)
//! ```

use std::sync::Arc;
use std::time::Duration;

use node_hypervisor::{
    Bytes, DomainEventKind, DomainState, HypervisorError, MigrateOptions, MigrateProgress, MigrateTarget,
    PauseReason, ProgressSink, Result, StopReason,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::{Carried, SimDomain};
use crate::faults::Fault;
use crate::host::Shared;

/// No line is longer.
const LONGEST_LINE: u64 = 1024 * 1024;
/// How long the other side may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How many times progress is told.
const STEPS: u32 = 10;

#[derive(Serialize, Deserialize)]
enum Line {
    Offer { domain: Carried },
    Accepted,
    Refused { reason: String, no_memory: bool },
    Alive,
    Commit { count: Duration, paused: bool },
    Running,
}

/// One migration away from here.
pub(crate) struct Journey {
    pub(crate) vm: Uuid,
    pub(crate) target: MigrateTarget,
    pub(crate) options: MigrateOptions,
    pub(crate) fault: Option<Fault>,
}

fn cut(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HypervisorError {
    HypervisorError::Disconnected {
        source: source.into(),
    }
}

async fn write(stream: &mut BufReader<UnixStream>, line: &Line) -> Result<()> {
    let mut bytes = serde_json::to_vec(line).map_err(cut)?;
    bytes.push(b'\n');
    tokio::time::timeout(SILENCE, stream.get_mut().write_all(&bytes))
        .await
        .map_err(cut)?
        .map_err(cut)
}

async fn read(stream: &mut BufReader<UnixStream>) -> Result<Line> {
    let mut text = String::new();
    let mut bounded = stream.take(LONGEST_LINE);
    let read = bounded.read_line(&mut text);
    tokio::time::timeout(SILENCE, read)
        .await
        .map_err(cut)?
        .map_err(cut)?;
    if !text.ends_with('\n') {
        return Err(cut("the line broke off"));
    }
    serde_json::from_str(&text).map_err(cut)
}

/// Carries a domain to another host.
pub(crate) async fn send(
    shared: &Shared,
    journey: Journey,
    deadline: Duration,
    progress: ProgressSink,
) -> Result<()> {
    let vm = journey.vm;
    let calling_off = CancellationToken::new();
    let mut carried = {
        let mut state = shared.state();
        let domain = state.find(vm)?;
        if domain.leaving.is_some() {
            return Err(HypervisorError::Busy { vm });
        }
        if !matches!(
            domain.state,
            DomainState::Running | DomainState::Paused(PauseReason::Requested)
        ) {
            return Err(HypervisorError::WrongState {
                vm,
                operation: "migrate",
                actual: domain.state,
            });
        }
        domain.leaving = Some(calling_off.clone());
        domain.to_carry()
    };
    if let Some(operation) = &journey.options.operation {
        carried.spec.operation.clone_from(operation);
    }
    for disk in &mut carried.spec.disks {
        if let Some(source) = journey.options.destination.disks.get(&disk.index) {
            disk.source = source.clone();
        }
    }
    for nic in &mut carried.spec.nics {
        if let Some(bridge) = journey.options.destination.bridges.get(&nic.index) {
            nic.bridge.clone_from(bridge);
        }
    }
    let _leaving = Leaving { shared, vm };
    let began = Instant::now();
    let copied = calling_off
        .run_until_cancelled(tokio::time::timeout(
            deadline,
            copy(shared, &journey, carried, &progress),
        ))
        .await;
    let outcome = match copied {
        None => Err(HypervisorError::Aborted {
            vm,
            operation: "migrate",
        }),
        Some(Err(_)) => Err(HypervisorError::TimedOut {
            operation: "migrate",
            after: deadline,
        }),
        Some(Ok(copied)) => copied,
    };
    switch_over(shared, vm, outcome?).await?;
    let total = Bytes::mib(64);
    progress(MigrateProgress {
        total,
        processed: total,
        remaining: Bytes(0),
        elapsed: began.elapsed(),
        downtime: Some(Duration::from_millis(1)),
    });
    Ok(())
}

/// The domain is on its way for as long as this lives: also an attempt that is dropped with its node ends.
struct Leaving<'a> {
    shared: &'a Shared,
    vm: Uuid,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Ok(domain) = self.shared.state().find(self.vm) {
            domain.leaving = None;
        }
    }
}

/// The part that may fail at any point without harm.
async fn copy(
    shared: &Shared,
    journey: &Journey,
    carried: Carried,
    progress: &ProgressSink,
) -> Result<BufReader<UnixStream>> {
    let socket = UnixStream::connect(&journey.target.control_socket)
        .await
        .map_err(cut)?;
    let mut stream = BufReader::new(socket);
    let total = carried.memory_target;
    write(&mut stream, &Line::Offer { domain: carried }).await?;
    match read(&mut stream).await? {
        Line::Accepted => {}
        Line::Refused {
            reason,
            no_memory: true,
        } => {
            return Err(HypervisorError::NoMemory {
                source: reason.into(),
            });
        }
        Line::Refused { reason, .. } => {
            return Err(HypervisorError::Failed {
                operation: "migrate",
                source: reason.into(),
            });
        }
        _ => return Err(cut("the destination speaks something else")),
    }
    let began = Instant::now();
    for step in 1..=STEPS {
        tokio::time::sleep(shared.settings.migration_time / STEPS).await;
        if step == STEPS / 2 && journey.fault == Some(Fault::CutHalfway) {
            return Err(cut("cut on purpose"));
        }
        write(&mut stream, &Line::Alive).await?;
        let processed = Bytes(total.0 / u64::from(STEPS) * u64::from(step));
        progress(MigrateProgress {
            total,
            processed,
            remaining: Bytes(total.0.saturating_sub(processed.0)),
            elapsed: began.elapsed(),
            downtime: None,
        });
    }
    Ok(stream)
}

/// The last step: after `Commit` the source never runs the domain again by itself.
async fn switch_over(shared: &Shared, vm: Uuid, mut stream: BufReader<UnixStream>) -> Result<()> {
    let commit = {
        let mut state = shared.state();
        let domain = state.find(vm)?;
        let paused = domain.state != DomainState::Running;
        domain.set_state(DomainState::Paused(PauseReason::Migrating));
        domain.leaving = None;
        shared.tell(vm, DomainEventKind::Paused);
        Line::Commit {
            count: domain.count(),
            paused,
        }
    };
    write(&mut stream, &commit).await?;
    match read(&mut stream).await? {
        Line::Running => {
            shared.remove(&mut shared.state(), vm, StopReason::Migrated);
            Ok(())
        }
        _ => Err(cut("the destination speaks something else")),
    }
}

/// Takes in what other hosts send, for ever.
pub(crate) async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = receive(&shared, BufReader::new(stream)).await {
                        tracing::info!(error = error.chain(), "an incoming simulated domain was given up");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn receive(shared: &Shared, mut stream: BufReader<UnixStream>) -> Result<()> {
    let Line::Offer { domain } = read(&mut stream).await? else {
        return Err(cut("no offer"));
    };
    let vm = domain.spec.uuid;
    let free = shared.memory_free();
    let refused = {
        let mut state = shared.state();
        if state.domains.contains_key(&vm) {
            Some(Line::Refused {
                reason: format!("{vm} is here already"),
                no_memory: false,
            })
        } else if domain.spec.memory.maximum > free {
            Some(Line::Refused {
                reason: format!("only {free} free"),
                no_memory: true,
            })
        } else {
            let id = state.next_id();
            let waiting = DomainState::Paused(PauseReason::Migrating);
            state.domains.insert(vm, SimDomain::new(id, domain, waiting));
            shared.tell(vm, DomainEventKind::Started);
            None
        }
    };
    if let Some(line) = refused {
        return write(&mut stream, &line).await;
    }
    let committed = wait_for_commit(&mut stream).await;
    {
        let mut state = shared.state();
        match committed {
            Ok((count, paused)) => {
                let domain = state.find(vm)?;
                domain.carried.count = count;
                if paused {
                    domain.set_state(DomainState::Paused(PauseReason::Requested));
                } else {
                    domain.set_state(DomainState::Running);
                    shared.tell(vm, DomainEventKind::Resumed);
                }
            }
            Err(error) => {
                shared.remove(&mut state, vm, StopReason::Failed);
                return Err(error);
            }
        }
    }
    write(&mut stream, &Line::Running).await
}

async fn wait_for_commit(stream: &mut BufReader<UnixStream>) -> Result<(Duration, bool)> {
    write(stream, &Line::Accepted).await?;
    loop {
        match read(stream).await? {
            Line::Alive => {}
            Line::Commit { count, paused } => return Ok((count, paused)),
            _ => return Err(cut("neither alive nor commit")),
        }
    }
}
