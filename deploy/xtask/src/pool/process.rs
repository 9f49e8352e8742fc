//! A process by its id and start time, so that a reused id is never signalled.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Process {
    /// Id outside all namespaces.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    started: u64,
}

impl Process {
    /// Notes a running process.
    pub fn of(pid: i32) -> Result<Self> {
        let stat = Stat::read(pid).with_context(|| format!("process {pid} is gone"))?;
        Ok(Self {
            pid,
            started: stat.started,
        })
    }

    /// The only child of `parent`, waited for up to `patience`.
    pub fn child_of(parent: i32, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            for entry in fs::read_dir("/proc").context("list processes")?.flatten() {
                let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                if let Some(stat) = Stat::read(pid).filter(|stat| stat.parent == parent) {
                    return Ok(Self {
                        pid,
                        started: stat.started,
                    });
                }
            }
            ensure!(
                Stat::read(parent).is_some_and(Stat::runs),
                "process {parent} ended at once"
            );
            ensure!(Instant::now() < deadline, "process {parent} started no child");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// True while it runs; a zombie does not.
    pub fn alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && stat.runs())
    }

    /// Sends a signal unless the process is gone.
    pub fn signal(self, signal: Signal) -> Result<()> {
        if self.alive() {
            kill(Pid::from_raw(self.pid), signal)
                .with_context(|| format!("send {signal} to process {}", self.pid))?;
        }
        Ok(())
    }

    /// Kills it and waits until it is gone.
    pub fn kill(self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.alive() {
            ensure!(Instant::now() < deadline, "process {} does not die", self.pid);
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Stat {
    state: u8,
    parent: i32,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything, also parentheses.
        let rest = text.rsplit_once(')')?.1;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self {
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn runs(self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_reused_id_counts_as_gone() {
        let me = Process::of(std::process::id().cast_signed()).unwrap();
        assert!(me.alive());
        assert!(
            !Process {
                started: me.started + 1,
                ..me
            }
            .alive()
        );
    }

    #[test]
    fn a_killed_process_is_gone_when_kill_returns() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process::of(child.id().cast_signed()).unwrap();
        process.kill().unwrap();
        assert!(!process.alive());
        child.wait().unwrap();
    }
}
