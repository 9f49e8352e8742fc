//! `tarn`: the node of one host, and the operator's commands.

mod adapters;
mod audit;
mod certificates;
mod command;
mod config;
mod departure;
mod facts;
mod identity;
mod leader;
mod members;
mod parts;
mod pool_service;
mod redirect;
mod telemetry;
mod users;
mod wiring;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command as Process;

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

fn main() -> Result<()> {
    // One provider of cryptography for everything that does TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tarn")
        .build()?;
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Node { config } => return wiring::run(config::load(&config)?).await,
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
