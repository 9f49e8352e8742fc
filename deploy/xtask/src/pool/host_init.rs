//! The first process of a host's namespaces.
//!
//! It mounts the host's private folders, starts libvirtd and, once the host belongs to a pool,
//! the node; then it reaps orphans for ever. It restarts nothing: a host whose node died is
//! what the tests want to see. Its death is the host's power failure.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::sys::wait::{WaitPidFlag, waitpid};

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
}

/// Runs as process 1 until killed.
pub fn run(args: &HostInit) -> Result<()> {
    ensure!(
        std::process::id() == 1,
        "host-init must be the first process of its own namespace"
    );
    nix::unistd::sethostname(&args.host).context("set the host name")?;
    let dir = args.dir.join("hosts").join(&args.host);
    let logs = open_logs(&dir)?;
    mounts(args, &dir)?;
    if args.libvirt {
        start_libvirt(&logs)?;
    }
    await_node_start(args, &logs)
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
    spawn(&mut Command::new("libvirtd"), &logs.libvirtd).context("start libvirtd")
}

/// Starts a child that `waitpid` below will reap.
fn spawn(command: &mut Command, log: &File) -> Result<()> {
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()?;
    Ok(())
}

/// Reaps, and starts the node once its host is in a pool and libvirtd answers.
fn await_node_start(args: &HostInit, logs: &Logs) -> Result<()> {
    let ready = Path::new("/etc/tarn/.ready");
    let socket = Path::new("/run/libvirt/libvirt-sock");
    let patience = Instant::now() + Duration::from_secs(60);
    let mut started = false;
    loop {
        if !started && ready.exists() {
            // A libvirtd that never comes must not keep the node from saying so itself.
            if !args.libvirt || socket.exists() || Instant::now() > patience {
                let node = node_cli::node(&args.binary, Path::new("/etc/tarn/tarn.toml"));
                let (program, rest) = node.split_first().context("empty node command")?;
                spawn(Command::new(program).args(rest), &logs.node).context("start the node")?;
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
