//! `tarn`: the node of one host, and the operator's commands.

mod adapters;
mod audit;
mod backups;
mod bundle;
mod certificates;
mod command;
mod config;
mod departure;
mod facts;
mod history;
mod identity;
mod joining;
mod keeper;
mod leader;
mod lease;
mod members;
mod memory;
mod pages;
mod parts;
mod past;
mod pool_figures;
mod pool_service;
mod redirect;
mod report;
mod status_page;
mod supervisor;
mod survival;
mod telemetry;
mod users;
mod watchdog;
mod wiring;
mod withheld;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use uuid::Uuid;

/// A XenAPI pool on plain Linux/KVM hosts.
#[derive(Parser)]
#[command(name = "tarn", version = node_commands::release())]
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
    /// List domains that hosts of the pool run and the pool did not start, or take one over as it runs:
    /// `tarn adopt uuid=UUID`. The same as `xe host-adopt`.
    Adopt {
        /// `uuid=`, `host-uuid=`.
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
    /// Show how this host and its pool stand, what is wrong and what to do.
    Status {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// What this node knows, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the whole pool database to a file, while the pool works, and check that it can be restored. The file holds
    /// keys and password hashes.
    Backup {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// The pool as it was at a time such as 20261130T14:00:00Z, or so long ago: 90s, 5m, 2h, 1d.
        #[arg(long)]
        at: Option<String>,
        /// As this machine's node knows it, whoever leads: when no master is to be had any more, or on a machine that only
        /// learns.
        #[arg(long)]
        own: bool,
        /// The file. One that is there is replaced once the new one is whole.
        file: PathBuf,
    },
    /// Tell what was written into the pool's database: when, by whom, through which call; and take one entry back.
    #[command(args_conflicts_with_subcommands = true)]
    History {
        #[command(subcommand)]
        command: Option<history::HistoryCommand>,
        #[command(flatten)]
        asked: history::Asked,
    },
    /// Bring a pool back from a backup, on this host. Before its node starts, and while no host of the old pool runs.
    Restore {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// The backup.
        file: PathBuf,
        /// The uuid of the host of the backup that this one becomes; the one that was the master if not given.
        #[arg(long)]
        host: Option<Uuid>,
        /// Only say what is in the backup, and whether it is whole.
        #[arg(long)]
        dry_run: bool,
    },
    /// Gather what helps to find a fault: how the pool stands, its objects, figures, settings and logs, without secrets.
    SupportBundle {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// The file, a packed tar.
        file: PathBuf,
    },
    /// Look at the settings.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Write the pages of the manual and the completion for bash into a folder; for packages.
    #[command(hide = true)]
    Pages {
        /// The folder.
        folder: PathBuf,
    },
    /// Take a snapshot of this node's pool database now and cut off the log behind it.
    Compact {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the settings; fail if anything is.
    Check {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Print the settings in force: the file, the environment, and the defaults of the rest.
    Show {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Print a file of settings with every key and what it means.
    Example,
}

/// How a node that was told to run ended.
pub enum Ended {
    /// It was told to stop, or one of the operator's commands is done.
    Stopped,
    /// It is to start anew, as a member of another pool or alone.
    StartsAnew,
}

fn configuration(command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check { config } => {
            config::load(&config)?;
            command::print(&format!("{}: nothing is wrong", config.display()))
        }
        ConfigCommand::Show { config } => command::print(config::shown(&config::load(&config)?)?.trim_end()),
        ConfigCommand::Example => command::print(config::commented_file().trim_end()),
    }
}

/// `xe` has it all; it lies beside this program, or where programs are looked for.
fn through_xe(command: &str, args: &[String]) -> Result<()> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join("xe")))
        .filter(|xe| xe.exists());
    let xe = beside.unwrap_or_else(|| PathBuf::from("xe"));
    let error = Process::new(&xe).arg(command).args(args).exec();
    Err(error).with_context(|| format!("run {}", xe.display()))
}

fn main() -> Result<()> {
    // One provider of cryptography for everything that does TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    // Those that need no runtime, or must not have one.
    match &cli.command {
        Command::Watchdog { config } => return watchdog::run(&config::load(config)?),
        Command::Drill { args } => return through_xe("pool-drill", args),
        Command::Adopt { args } => return through_xe("host-adopt", args),
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
            Command::Node { config } => return Box::pin(wiring::run(&config)).await,
            Command::Pool { command } => command::run(command).await?,
            Command::Status { config, json } => command::status(&config, json).await?,
            Command::Backup {
                config,
                at,
                own,
                file,
            } => {
                let teller = if own {
                    backups::Teller::Own
                } else {
                    backups::Teller::Leader
                };
                backups::take(&config, at.as_deref(), teller, &file).await?;
            }
            Command::History {
                command: Some(command),
                ..
            } => history::run(command).await?,
            Command::History { command: None, asked } => history::tell(asked).await?,
            Command::Restore {
                config,
                file,
                host,
                dry_run: false,
            } => backups::restore(&config, &file, host).await?,
            Command::Restore {
                file, dry_run: true, ..
            } => backups::show(&file)?,
            Command::SupportBundle { config, file } => bundle::write(&config, &file).await?,
            Command::Config { command } => configuration(command)?,
            Command::Pages { folder } => pages::write::<Cli>(&folder)?,
            Command::Watchdog { .. }
            | Command::Drill { .. }
            | Command::Adopt { .. }
            | Command::DrillAway { .. }
            | Command::DrillWake { .. } => {}
            Command::User { command } => users::run(command).await?,
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
