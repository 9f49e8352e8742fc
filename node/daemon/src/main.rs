//! `tarn`: the node of one host, and the operator's commands.

mod adapters;
mod audit;
mod certificates;
mod command;
mod config;
mod departure;
mod facts;
mod identity;
mod keeper;
mod leader;
mod lease;
mod members;
mod parts;
mod pool_service;
mod redirect;
mod survival;
mod telemetry;
mod users;
mod watchdog;
mod wiring;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// A call of the API is thousands of small allocations, and a password hash one of 19 MiB, which goes back to the
/// system at once; glibc's own allocator kept that for every thread (`cargo xtask bench writes`, `idle`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A XenAPI pool on plain Linux/KVM hosts.
#[derive(Parser)]
#[command(name = "tarn", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run this host's node.
    Node {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// End this host's guests when its node no longer holds a lease, be it dead or stuck. Runs beside the node, under
    /// the same supervisor but not as its child.
    Watchdog {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Play a failure in a guarded way and report what it cost: `tarn drill what=kill`. The same as `xe pool-drill`.
    Drill {
        /// `what=kill|cut|pause`, `host-uuid=`, `seconds=`, `vm-uuid=`.
        args: Vec<String>,
    },
    /// Wait in the place of a node that plays dead, and become it again.
    #[command(hide = true)]
    DrillAway {
        /// How long.
        #[arg(long)]
        millis: u64,
        /// What the node was called with.
        #[arg(last = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Wake a node that stands still.
    #[command(hide = true)]
    DrillWake {
        /// How long it stands still.
        #[arg(long)]
        millis: u64,
        /// Its process.
        #[arg(long)]
        pid: i32,
    },
    /// Make or join a pool.
    Pool {
        #[command(subcommand)]
        command: command::PoolCommand,
    },
    /// Make, change, remove or list the pool's users.
    User {
        #[command(subcommand)]
        command: users::UserCommand,
    },
    /// Show how this node stands, as JSON.
    Status {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Take a snapshot of this node's pool database now and cut off the log behind it.
    Compact {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
}

/// How a node that was told to run ended.
pub enum Ended {
    /// It was told to stop, or one of the operator's commands is done.
    Stopped,
    /// It is to start anew, as a member of another pool or alone.
    StartsAnew,
}

/// `xe` has it all; it lies beside this program, or where programs are looked for.
fn drill(args: &[String]) -> Result<()> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join("xe")))
        .filter(|xe| xe.exists());
    let xe = beside.unwrap_or_else(|| PathBuf::from("xe"));
    let error = Process::new(&xe).arg("pool-drill").args(args).exec();
    Err(error).with_context(|| format!("run {}", xe.display()))
}

fn main() -> Result<()> {
    // One provider of cryptography for everything that does TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    // Those that need no runtime, or must not have one.
    match &cli.command {
        Command::Watchdog { config } => return watchdog::run(&config::load(config)?),
        Command::Drill { args } => return drill(args),
        Command::DrillAway { millis, args } => {
            std::thread::sleep(Duration::from_millis(*millis));
            return Err(Process::new("/proc/self/exe").args(args).exec()).context("become the node again");
        }
        Command::DrillWake { millis, pid } => {
            std::thread::sleep(Duration::from_millis(*millis));
            let pid = rustix::process::Pid::from_raw(*pid).context("no process")?;
            return rustix::process::kill_process(pid, rustix::process::Signal::CONT)
                .context("wake the node");
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tarn")
        .build()?;
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Node { config } => return wiring::run(config::load(&config)?).await,
            Command::Watchdog { .. }
            | Command::Drill { .. }
            | Command::DrillAway { .. }
            | Command::DrillWake { .. } => {}
            Command::Pool { command } => command::run(command).await?,
            Command::User { command } => users::run(command).await?,
            Command::Status { config } => command::status(&config).await?,
            Command::Compact { config } => command::compact(&config).await?,
        }
        Ok::<Ended, anyhow::Error>(Ended::Stopped)
    })?;
    match ended {
        Ended::Stopped => Ok(()),
        Ended::StartsAnew => {
            // Under the same process id: whoever supervises it sees no end.
            drop(runtime);
            let mut args = std::env::args_os();
            let _ = args.next();
            let failure = Process::new("/proc/self/exe").args(args).exec();
            Err(failure).context("start anew")
        }
    }
}
