//! The watchdog: kills this host's guests when its lease is over and they are still there, whatever has become of the
//! node and of libvirt.
//!
//! It reads the lease that the node writes at each renewal and asks nobody. A guest is a process of QEMU whose `-uuid` is
//! a VM that the node has written down before it started it. Both lie on a tmpfs: a disk that is away delays nothing. Where
//! the list of guests cannot be read every guest of QEMU is taken for one of them, and where processes cannot be seen
//! guests are taken to be left.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node_agent::KnownGuests;
use node_agent::guard::{Written, clock};
use rustix::io::Errno;
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
/// If the folder shared with the node cannot be made.
#[allow(clippy::print_stderr, reason = "its supervisor keeps what it says")]
pub fn run(config: &Config) -> Result<()> {
    let (lease, sign, guests) = (config.lease_file(), config.watchdog_file(), config.guests_file());
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
            // The node that does not hear it renews no lease; guests must be ended all the same.
            if let Err(error) = write_sign(&sign) {
                eprintln!("it was not written that the watchdog lives: {error}");
            }
            signed = Some(Instant::now());
        }
        if !is_over(&lease) {
            (killing, resorted) = (None, false);
        } else if end_guests(&KnownGuests::read(&guests), killing.is_none()) {
            let since = *killing.get_or_insert_with(Instant::now);
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

/// Kills the guests of the node and says so at first; true if there may have been one.
#[allow(clippy::print_stderr, reason = "its supervisor keeps what it says")]
fn end_guests(known: &io::Result<BTreeSet<Uuid>>, first: bool) -> bool {
    let say = |text: &str| {
        if first {
            eprintln!("{text}");
        }
    };
    let processes = match processes() {
        Ok(processes) => processes,
        Err(error) => {
            say(&format!(
                "the lease is over and processes cannot be seen: {error}"
            ));
            return true;
        }
    };
    let mut any = false;
    for pid in processes {
        let Some(vm) = guest_of(&command_line(pid)).filter(|vm| is_ours(known, *vm)) else {
            continue;
        };
        if !any {
            say("the lease is over and guests are still there: they are killed");
            if let Err(error) = known {
                say(&format!(
                    "the list of guests does not read, so all are killed: {error}"
                ));
            }
        }
        any = true;
        if let Err(error) = kill(pid, vm) {
            eprintln!("guest {vm} was not killed: {error}");
        }
    }
    any
}

/// Kills a process if it is still that guest: its number may have been given to another.
fn kill(pid: Pid, vm: Uuid) -> Result<(), Errno> {
    let killed = pidfd_open(pid, PidfdFlags::empty()).and_then(|handle| {
        if guest_of(&command_line(pid)) == Some(vm) {
            pidfd_send_signal(&handle, Signal::KILL)
        } else {
            Ok(())
        }
    });
    match killed {
        Err(Errno::SRCH) => Ok(()),
        other => other,
    }
}

/// Whether a guest is one of the node's; without a list any may be.
fn is_ours(known: &io::Result<BTreeSet<Uuid>>, vm: Uuid) -> bool {
    known.as_ref().map_or(true, |known| known.contains(&vm))
}

fn processes() -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(number.and_then(Pid::from_raw));
    }
    Ok(found)
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

    /// A process that looks like a guest, for as long as a test may take.
    fn pretended(vm: Uuid) -> std::process::Child {
        use std::os::unix::process::CommandExt;
        Command::new("sh")
            .arg0("qemu-pretended")
            .args(["-c", "read nothing", "x", "-uuid", &vm.to_string()])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn guests_that_the_node_noted_are_killed_and_no_others() {
        let (ours, foreign) = (Uuid::new_v4(), Uuid::new_v4());
        let (mut one, mut two) = (pretended(ours), pretended(foreign));
        let known = Ok(BTreeSet::from([ours]));
        let deadline = Instant::now() + Duration::from_secs(20);
        // Until it is executed it has no such command line.
        let killed = loop {
            end_guests(&known, true);
            if let Some(status) = one.try_wait().unwrap() {
                break std::os::unix::process::ExitStatusExt::signal(&status);
            }
            assert!(Instant::now() < deadline, "a guest was not killed");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(killed, Some(9));
        assert!(!end_guests(&known, true));
        assert!(two.try_wait().unwrap().is_none());
        two.kill().unwrap();
        two.wait().unwrap();
    }

    #[test]
    fn without_a_list_every_guest_is_taken_for_the_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("guests");
        let (ours, other) = (Uuid::from_u128(6), Uuid::from_u128(7));
        assert!(is_ours(&KnownGuests::read(&file), other));
        std::fs::write(&file, format!("{ours}\n")).unwrap();
        let known = KnownGuests::read(&file);
        assert!(is_ours(&known, ours) && !is_ours(&known, other));
        std::fs::write(&file, "damage").unwrap();
        assert!(is_ours(&KnownGuests::read(&file), other));
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
