//! Plays failures of this node, each of which ends by itself.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use node_agent::Drills;
use node_commands::Failure;
use pool_raft::Pool;

/// Between the answer and the failure.
const GRACE: Duration = Duration::from_millis(300);

/// This node.
pub struct DrillAdapter {
    pool: Pool,
    playing: Arc<AtomicBool>,
}

impl DrillAdapter {
    /// For a node.
    pub fn new(pool: Pool) -> DrillAdapter {
        DrillAdapter {
            pool,
            playing: Arc::default(),
        }
    }
}

impl Drills for DrillAdapter {
    fn begin(&self, failure: Failure, time: Duration) -> Result<(), String> {
        if self.playing.swap(true, Ordering::SeqCst) {
            return Err("a failure is being played already".to_owned());
        }
        let (pool, playing) = (self.pool.clone(), Arc::clone(&self.playing));
        match failure {
            Failure::Cut => {
                self.pool.runtime().spawn(async move {
                    tokio::time::sleep(GRACE).await;
                    pool.cut().cut();
                    tokio::time::sleep(time).await;
                    pool.cut().heal();
                    playing.store(false, Ordering::SeqCst);
                });
            }
            // A thread of its own: what follows stops the process or replaces it.
            Failure::Kill => {
                std::thread::spawn(move || {
                    std::thread::sleep(GRACE);
                    let error = instead(time).exec();
                    tracing::error!(%error, "the node does not play dead");
                    playing.store(false, Ordering::SeqCst);
                });
            }
            Failure::Pause => {
                std::thread::spawn(move || {
                    std::thread::sleep(GRACE);
                    if let Err(error) = stand_still(time) {
                        tracing::error!(%error, "the node does not stand still");
                    }
                    playing.store(false, Ordering::SeqCst);
                });
            }
        }
        Ok(())
    }
}

fn itself() -> Command {
    Command::new("/proc/self/exe")
}

/// What takes the node's place, under the same process id: it waits and becomes the node again. What the node had in
/// memory, its connections and its locks are gone as if it had been killed.
fn instead(time: Duration) -> Command {
    let mut command = itself();
    command
        .args(["drill-away", "--millis", &time.as_millis().to_string(), "--"])
        .args(std::env::args_os().skip(1));
    command
}

/// Stops this process until a helper wakes it. The helper is there before the process stops.
fn stand_still(time: Duration) -> std::io::Result<()> {
    let own = rustix::process::getpid();
    let mut helper = itself()
        .args(["drill-wake", "--millis", &time.as_millis().to_string()])
        .args(["--pid", &own.as_raw_nonzero().to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    rustix::process::kill_process(own, rustix::process::Signal::STOP)?;
    helper.wait().map(|_| ())
}
