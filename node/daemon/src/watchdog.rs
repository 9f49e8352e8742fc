//! The watchdog: kills this host's guests when its lease is over and they are still there, whatever has become of the
//! node and of libvirt.
//!
//! It reads the lease that the node writes at each renewal and asks nobody. A guest is a process of QEMU whose `-uuid` is
//! a VM that the node started, as its notes on disk say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node_agent::guard::{Written, clock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use uuid::Uuid;

use crate::config::Config;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Between two signs of life.
const SIGN: Duration = Duration::from_millis(500);
/// Guests that live on so long after they were killed hang in the kernel.
const STUCK: Duration = Duration::from_secs(1);

/// Runs until it is ended.
///
/// # Errors
/// If it cannot say that it lives.
#[allow(clippy::print_stderr, reason = "its supervisor keeps what it says")]
pub fn run(config: &Config) -> Result<()> {
    let (lease, sign) = (config.lease_file(), config.watchdog_file());
    let notes = config.node.state_dir.join("agent").join("domains");
    std::fs::create_dir_all(config.run_dir()).context("create the folder shared with the node")?;
    // Pages that are not in memory when they are needed may be on a disk that is away.
    if let Err(error) = rustix::mm::mlockall(rustix::mm::MlockAllFlags::CURRENT) {
        eprintln!("the watchdog is not kept in memory: {error}");
    }
    let mut signed: Option<Instant> = None;
    let mut killing: Option<Instant> = None;
    let mut resorted = false;
    loop {
        if signed.is_none_or(|at| at.elapsed() >= SIGN) {
            write_sign(&sign).context("write that the watchdog lives")?;
            signed = Some(Instant::now());
        }
        if !is_over(&lease) {
            (killing, resorted) = (None, false);
        } else if kill_guests(&notes) {
            let since = *killing.get_or_insert_with(|| {
                eprintln!("the lease is over and guests are still there: they are killed");
                Instant::now()
            });
            if since.elapsed() >= STUCK && !resorted {
                resorted = true;
                last_resort(&config.ha.last_resort);
            }
        }
        std::thread::sleep(LOOK);
    }
}

fn write_sign(file: &Path) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, clock().as_millis().to_string())?;
    std::fs::rename(&fresh, file)
}

/// A lease that cannot be read is over: the node writes it whole or not at all.
fn is_over(file: &Path) -> bool {
    match Written::read(file) {
        Ok(None) => false,
        Ok(Some(written)) => written
            .lease
            .watchdog_acts(written.margins)
            .is_some_and(|at| clock() >= at),
        Err(_) => true,
    }
}

#[allow(clippy::print_stderr, reason = "its supervisor keeps what it says")]
fn last_resort(words: &[String]) {
    let Some((program, args)) = words.split_first() else {
        eprintln!("guests do not die, and no last resort is set");
        return;
    };
    eprintln!("guests do not die: runs {program}");
    if let Err(error) = Command::new(program).args(args).spawn() {
        eprintln!("the last resort did not start: {error}");
    }
}

/// Kills every guest of the node; true if there was one.
#[allow(clippy::print_stderr, reason = "its supervisor keeps what it says")]
fn kill_guests(notes: &Path) -> bool {
    let known = known_guests(notes);
    let mut any = false;
    for pid in processes() {
        // Held before it is looked at, so that a reused number is not killed.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        let Some(vm) = guest_of(&command_line(pid)) else {
            continue;
        };
        if known.contains(&vm) {
            any = true;
            if let Err(error) = pidfd_send_signal(&handle, Signal::KILL) {
                eprintln!("guest {vm} was not killed: {error}");
            }
        }
    }
    any
}

/// The VMs that the node has started here.
fn known_guests(notes: &Path) -> BTreeSet<Uuid> {
    let Ok(files) = std::fs::read_dir(notes) else {
        return BTreeSet::new();
    };
    files
        .flatten()
        .filter_map(|file| {
            PathBuf::from(file.file_name())
                .file_stem()?
                .to_str()?
                .parse()
                .ok()
        })
        .collect()
}

fn processes() -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn command_line(pid: Pid) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default()
}

/// The VM that a process runs, by its command line.
fn guest_of(command_line: &[u8]) -> Option<Uuid> {
    let mut words = command_line.split(|byte| *byte == 0);
    let program = std::str::from_utf8(words.next()?).ok()?;
    let name = Path::new(program).file_name()?.to_str()?;
    if !(name.starts_with("qemu") || name == "kvm") {
        return None;
    }
    words.find(|word| *word == b"-uuid")?;
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_guest_is_known_by_the_command_line_of_qemu_only() {
        let vm = Uuid::from_u128(5);
        let line = |program: &str| format!("{program}\0-name\0guest=a\0-uuid\0{vm}\0-m\01\0").into_bytes();
        assert_eq!(guest_of(&line("/usr/bin/qemu-system-x86_64")), Some(vm));
        assert_eq!(guest_of(&line("/usr/libexec/qemu-kvm")), Some(vm));
        assert_eq!(guest_of(&line("/usr/bin/vim")), None);
        assert_eq!(guest_of(b"/usr/bin/qemu-system-x86_64\0-uuid"), None);
        assert_eq!(guest_of(b""), None);
    }

    #[test]
    fn only_guests_that_the_node_noted_are_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let vm = Uuid::from_u128(6);
        std::fs::write(folder.path().join(format!("{vm}.json")), "{}").unwrap();
        std::fs::write(folder.path().join("other"), "").unwrap();
        assert_eq!(known_guests(folder.path()), BTreeSet::from([vm]));
        assert_eq!(known_guests(&folder.path().join("gone")), BTreeSet::new());
    }

    #[test]
    fn a_lease_is_over_by_its_moment_or_when_it_is_damaged() {
        use node_commands::lease::{HostLease, Margins};
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lease");
        assert!(!is_over(&file));
        let mut lease = HostLease::default();
        lease.answered(clock(), Some(Duration::from_secs(20)));
        let write = |lease| {
            let written = Written {
                lease,
                margins: Margins::default(),
            };
            std::fs::write(&file, serde_json::to_vec(&written).unwrap()).unwrap();
        };
        write(lease);
        assert!(!is_over(&file));
        let mut old = HostLease::default();
        old.answered(
            clock().saturating_sub(Duration::from_secs(19)),
            Some(Duration::from_secs(20)),
        );
        write(old);
        assert!(is_over(&file));
        std::fs::write(&file, "{").unwrap();
        assert!(is_over(&file));
    }
}
