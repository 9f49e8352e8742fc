//! `cargo xtask pool …`: several real hosts on one machine, each a set of Linux namespaces with
//! a libvirtd and a node of its own.
//!
//! Several pools live side by side when each has its own `--dir`. Every command reads and
//! writes `testbed.json` there; `pool.json` beside it is for clients.

mod content;
mod down;
mod host_files;
pub mod host_init;
mod mount_points;
mod network;
mod node_cli;
pub mod power;
mod process;
mod report;
pub mod serial;
pub mod state;
pub mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

pub use content::TEMPLATE;
pub use host_files::SHARED;
use network::Cable;
pub use network::is_possible as root_is_here;
pub use report::master_seen_by as master_address;
use state::Testbed;

/// A pool of several hosts on this machine.
#[derive(Args)]
pub struct Pool {
    /// Where the pool lives; target/pool of this clone when not given.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring a pool up.
    Up(up::Up),
    /// Run a command inside a host: `pool exec h1 virsh list`.
    Exec {
        /// The host.
        host: String,
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Cut a host's power: its node, libvirtd and guests die at once.
    Kill {
        /// The host.
        host: String,
    },
    /// Pull a host's network cables.
    Cut {
        /// The host.
        host: String,
    },
    /// Plug a host's network cables again.
    Heal {
        /// The host.
        host: String,
    },
    /// Switch a host on again after `kill`.
    Start {
        /// The host.
        host: String,
        /// Return at once instead of when its API answers.
        #[arg(long)]
        no_wait: bool,
    },
    /// Show what a guest said on its serial port.
    Serial {
        /// The VM's name or uuid.
        vm: String,
        /// Only the last lines.
        #[arg(long, default_value_t = 20)]
        lines: usize,
    },
    /// Show the hosts and VMs.
    Status,
    /// Take the pool down and remove all it made.
    Down,
    /// Take the pool down once the owner ends.
    #[command(hide = true)]
    Watch {
        #[arg(long)]
        owner: String,
    },
}

/// Folder of the pool that no `--dir` names.
pub fn default_dir() -> Result<PathBuf> {
    Ok(crate::paths::repo()?.join("target/pool"))
}

/// Runs a pool command.
pub fn run(pool: &Pool) -> Result<ExitCode> {
    let dir = match &pool.dir {
        Some(dir) => std::path::absolute(dir).context("resolve --dir")?,
        None => default_dir()?,
    };
    match &pool.command {
        Command::Up(args) => up::up(&dir, args)?,
        Command::Exec { host, command } => {
            let status = power::inside(&Testbed::load(&dir)?, host, command)?
                .status()
                .context("run the command")?;
            return Ok(ExitCode::from(
                status
                    .code()
                    .and_then(|code| u8::try_from(code).ok())
                    .unwrap_or(1),
            ));
        }
        Command::Kill { host } => switch_off(&dir, host)?,
        Command::Cut { host } => cable(&dir, host, Cable::Pulled)?,
        Command::Heal { host } => cable(&dir, host, Cable::Plugged)?,
        Command::Start { host, no_wait: true } => {
            let _lock = Testbed::lock(&dir)?;
            let mut testbed = Testbed::load(&dir)?;
            power::on(&mut testbed, host)?;
            report::refresh(&testbed)?;
        }
        Command::Start { host, no_wait: false } => switch_on(&dir, host)?,
        Command::Serial { vm, lines } => report::serial(&Testbed::load(&dir)?, vm, *lines)?,
        Command::Status => report::status(&Testbed::load(&dir)?)?,
        Command::Down => down::down(&dir)?,
        Command::Watch { owner } => {
            down::watch(&dir, serde_json::from_str(owner).context("read the owner")?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Cuts a host's power.
pub fn switch_off(dir: &Path, name: &str) -> Result<()> {
    let _lock = Testbed::lock(dir)?;
    let mut testbed = Testbed::load(dir)?;
    power::off(&mut testbed, name)?;
    report::refresh(&testbed)
}

/// Switches a host on and waits for its API.
pub fn switch_on(dir: &Path, name: &str) -> Result<()> {
    let lock = Testbed::lock(dir)?;
    let mut testbed = Testbed::load(dir)?;
    power::on(&mut testbed, name)?;
    report::refresh(&testbed)?;
    // Others may be switched on while this one's API is waited for: alone it has no quorum.
    drop(lock);
    up::await_api(&testbed, testbed.host(name)?, Duration::from_secs(60))
}

/// Removes the pool in `dir`, if there is one.
pub fn take_down(dir: &Path) -> Result<()> {
    down::down(dir)
}

fn cable(dir: &Path, name: &str, state: Cable) -> Result<()> {
    let _lock = Testbed::lock(dir)?;
    let mut testbed = Testbed::load(dir)?;
    let index = testbed.index(name)?;
    network::plug(&testbed, testbed.host(name)?, state)?;
    if let Some(host) = testbed.hosts.get_mut(index) {
        host.cut = state == Cable::Pulled;
    }
    testbed.save()
}
