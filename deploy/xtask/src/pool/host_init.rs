//! The first process of a host's namespaces.
//!
//! It mounts the host's private folders, starts libvirtd and, once the host belongs to a pool,
//! the node; then it reaps orphans for ever. It restarts nothing by itself: a host whose node died is
//! what the tests want to see. Its death is the host's power failure; it ends itself when it is told
//! that the host goes off (SIGTERM) or reboots (SIGHUP), and starts the node anew on SIGUSR1.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::host_files::{PRIVATE, SHARED};
use super::node_cli;

/// What the first process is told.
#[derive(clap::Args)]
pub struct HostInit {
    /// The testbed's folder.
    #[arg(long)]
    dir: PathBuf,
    /// The host's name.
    #[arg(long)]
    host: String,
    /// The node program.
    #[arg(long)]
    binary: PathBuf,
    /// Whether to start a libvirtd.
    #[arg(long)]
    libvirt: bool,
    /// Whether QEMU may see /dev/kvm.
    #[arg(long)]
    kvm: bool,
    /// Whether what is installed on the host stays on it.
    #[arg(long)]
    own_system: bool,
}

/// Runs as process 1 until killed.
pub fn run(args: &HostInit) -> Result<()> {
    ensure!(
        std::process::id() == 1,
        "host-init must be the first process of its own namespace"
    );
    let wishes = wishes();
    // Before there is any other thread, so that all of them leave these to the one that waits.
    wishes.thread_block().context("keep signals")?;
    nix::unistd::sethostname(&args.host).context("set the host name")?;
    let dir = args.dir.join("hosts").join(&args.host);
    let logs = open_logs(&dir)?;
    mounts(args, &dir)?;
    if args.libvirt {
        start_libvirt(&logs)?;
    }
    let node = Arc::new(Node {
        words: node_cli::node(&args.binary, Path::new(SETTINGS)),
        // Simulated guests end with the node and need none.
        watchdog: args
            .libvirt
            .then(|| node_cli::watchdog(&args.binary, Path::new(SETTINGS))),
        log: logs.node,
        pid: Mutex::new(None),
    });
    let listener = Arc::clone(&node);
    std::thread::spawn(move || listen(&wishes, &listener));
    await_node_start(args, &node)
}

/// What the host can be asked for from inside. A first process gets no signal that it does not wait for.
fn wishes() -> SigSet {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1])
}

/// The node's process.
struct Node {
    words: Vec<String>,
    watchdog: Option<Vec<String>>,
    log: File,
    pid: Mutex<Option<i32>>,
}

const SETTINGS: &str = "/etc/tarn/tarn.toml";

impl Node {
    fn start(&self) -> Result<()> {
        let pid = spawn(&self.words, &self.log).context("start the node")?;
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
        Ok(())
    }

    /// The watchdog is nobody's child but the first process's: it outlives the node.
    fn start_watchdog(&self) -> Result<()> {
        if let Some(words) = &self.watchdog {
            spawn(words, &self.log).context("start the watchdog")?;
        }
        Ok(())
    }

    /// Ends it, waits until it has been reaped, and starts it again.
    fn restart(&self) -> Result<()> {
        let pid = *self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pid) = pid else { return Ok(()) };
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let patience = Instant::now() + Duration::from_secs(20);
        while Path::new(&format!("/proc/{pid}")).exists() {
            if Instant::now() > patience {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.start()
    }
}

/// Does what the host is asked for.
fn listen(wishes: &SigSet, node: &Node) {
    loop {
        match wishes.wait() {
            // The end of the first process is the end of all others.
            Ok(Signal::SIGTERM | Signal::SIGHUP) => std::process::exit(0),
            Ok(Signal::SIGUSR1) => {
                if let Err(error) = node.restart() {
                    eprintln!("the node was not started anew: {error:#}");
                }
            }
            _ => {}
        }
    }
}

/// Log files stay open from before the mounts, as these may hide their folder.
struct Logs {
    libvirtd: File,
    node: File,
}

fn open_logs(dir: &Path) -> Result<Logs> {
    let open = |name: &str| {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("log").join(name))
            .with_context(|| format!("open log {name}"))
    };
    Ok(Logs {
        libvirtd: open("libvirtd.log")?,
        node: open("node.log")?,
    })
}

fn mounts(args: &HostInit, dir: &Path) -> Result<()> {
    // The shared folder first: some private mount might hide where it lies.
    if args.own_system {
        own_system(&dir.join("system"))?;
    }
    bind(&args.dir.join("shared"), Path::new(SHARED))?;
    bind(&dir.join("hosts"), Path::new("/etc/hosts"))?;
    for (folder, target) in PRIVATE {
        bind(&dir.join(folder), Path::new(target))?;
    }
    if !args.kvm && Path::new("/dev/kvm").exists() {
        devices_without_kvm(&dir.join("dev"))?;
    }
    Ok(())
}

/// What packages change.
const SYSTEM: &[&str] = &["/usr", "/etc", "/var/lib/dpkg", "/var/cache"];

/// Lays a layer of the host's own over what packages change; below it is this machine's.
fn own_system(folder: &Path) -> Result<()> {
    for below in SYSTEM {
        let own = folder.join(below.trim_start_matches('/').replace('/', "-"));
        let (upper, work) = (own.join("upper"), own.join("work"));
        for part in [&upper, &work] {
            fs::create_dir_all(part).with_context(|| format!("create {}", part.display()))?;
        }
        let layers = format!(
            "lowerdir={below},upperdir={},workdir={}",
            upper.display(),
            work.display()
        );
        mount(
            Some("overlay"),
            *below,
            Some("overlay"),
            MsFlags::empty(),
            Some(layers.as_str()),
        )
        .with_context(|| format!("lay a layer over {below}"))?;
    }
    Ok(())
}

/// Devices that libvirt and QEMU use, as far as the machine has them.
const DEVICES: &[&str] = &[
    "ptmx",
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "net/tun",
    "fuse",
    "loop-control",
    "vhost-net",
];

/// Gives the host a /dev of its own that has no kvm.
///
/// A /dev/kvm can be there and hang QEMU. Something else mounted over it will not do: libvirt then finds a usable
/// /dev/kvm and a QEMU that knows of none, and asks QEMU anew at every turn, which costs 15 s a start.
fn devices_without_kvm(staging: &Path) -> Result<()> {
    fs::create_dir_all(staging).context("create a folder for devices")?;
    let tmpfs = Some("tmpfs");
    mount(
        tmpfs,
        staging,
        tmpfs,
        MsFlags::MS_NOSUID,
        Some("mode=755,size=64k"),
    )
    .context("mount a /dev")?;
    for name in ["pts", "shm", "net"] {
        fs::create_dir_all(staging.join(name)).context("create a folder for devices")?;
    }
    for name in DEVICES {
        let Ok(real) = fs::metadata(Path::new("/dev").join(name)) else {
            continue;
        };
        mknod(
            &staging.join(name),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(0o666),
            real.rdev(),
        )
        .with_context(|| format!("make device {name}"))?;
    }
    bind(Path::new("/dev/pts"), &staging.join("pts"))?;
    mount(
        tmpfs,
        &staging.join("shm"),
        tmpfs,
        MsFlags::MS_NOSUID,
        None::<&str>,
    )
    .context("mount /dev/shm")?;
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, staging.join(name)).context("link a device")?;
    }
    mount(
        Some(staging),
        Path::new("/dev"),
        None::<&str>,
        MsFlags::MS_MOVE,
        None::<&str>,
    )
    .context("move /dev in place")
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("mount {} over {}", from.display(), to.display()))
}

fn start_libvirt(logs: &Logs) -> Result<()> {
    let status = Command::new("virtlogd")
        .arg("-d")
        .stdin(Stdio::null())
        .stdout(logs.libvirtd.try_clone()?)
        .stderr(logs.libvirtd.try_clone()?)
        .status()
        .context("start virtlogd")?;
    ensure!(status.success(), "virtlogd failed");
    spawn(&["libvirtd".to_owned()], &logs.libvirtd).context("start libvirtd")?;
    Ok(())
}

/// Starts a child that `waitpid` below will reap.
fn spawn(words: &[String], log: &File) -> Result<i32> {
    let words: Vec<CString> = words
        .iter()
        .map(|word| CString::new(word.as_str()))
        .collect::<Result<_, _>>()?;
    let environment: Vec<CString> = std::env::vars_os()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<_, _>>()?;
    let program = words.first().context("empty command")?;
    let mut files = PosixSpawnFileActions::init()?;
    let nothing = File::open("/dev/null").context("open /dev/null")?;
    files.add_dup2(nothing.as_raw_fd(), 0)?;
    files.add_dup2(log.as_raw_fd(), 1)?;
    files.add_dup2(log.as_raw_fd(), 2)?;
    // What the first process waits for is blocked in it, and a child takes the mask along: it would not hear SIGTERM.
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE]))?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    let child = posix_spawnp(program, &files, &attributes, &words, &environment)?;
    Ok(child.as_raw())
}

/// Reaps, and starts the node once its host is in a pool and libvirtd answers.
fn await_node_start(args: &HostInit, node: &Node) -> Result<()> {
    let ready = Path::new("/etc/tarn/.ready");
    let socket = Path::new("/run/libvirt/libvirt-sock");
    let patience = Instant::now() + Duration::from_secs(60);
    let mut started = false;
    loop {
        if !started && ready.exists() {
            // A libvirtd that never comes must not keep the node from saying so itself.
            if !args.libvirt || socket.exists() || Instant::now() > patience {
                node.start_watchdog()?;
                node.start()?;
                started = true;
            }
        }
        let flags = if started {
            WaitPidFlag::empty()
        } else {
            WaitPidFlag::WNOHANG
        };
        match waitpid(None, Some(flags)) {
            Ok(nix::sys::wait::WaitStatus::StillAlive) | Err(Errno::ECHILD) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait for children"),
        }
    }
}

#[cfg(test)]
mod test {
    use nix::sys::wait::WaitStatus;

    use super::*;

    #[test]
    fn a_child_hears_what_the_first_process_waits_for() {
        wishes().thread_block().unwrap();
        let log = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        let words = ["sleep", "60"].map(str::to_owned);
        let child = Pid::from_raw(spawn(&words, &log).unwrap());
        kill(child, Signal::SIGTERM).unwrap();
        let ended = waitpid(child, None).unwrap();
        assert_eq!(ended, WaitStatus::Signaled(child, Signal::SIGTERM, false));
    }
}
