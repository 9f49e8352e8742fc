//! The project's own commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stdout, reason = "a command-line tool talks on its standard output")]

mod building;
mod cached;
mod guest;
mod install;
mod paths;
mod pool;
mod rocksdb;
mod run;
mod steps;
mod test;
mod tidy;
mod xmlrpc;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Commands of the project.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, check the house rules, run every test.
    Test,
    /// Check the house rules.
    Tidy,
    /// Write the code derived from the data model, or check that it is up to date.
    Codegen {
        /// Change nothing; fail if something would change.
        #[arg(long)]
        check: bool,
    },
    /// A pool of several hosts on this machine.
    Pool(pool::Pool),
    /// Build RocksDB into the cache, once for all later builds.
    Rocksdb,
    /// Build the test guest: kernel, initramfs and a disk that boots.
    Guest,
    /// The first process of a testbed host.
    #[command(hide = true)]
    HostInit(pool::host_init::HostInit),
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Test => test::run_all()?,
        Command::Tidy => tidy::check(&paths::repo()?)?,
        Command::Codegen { check } => {
            let mut words = vec!["run", "--quiet", "--package", "proto-codegen", "--"];
            if check {
                words.push("--check");
            }
            run::visibly(run::command("cargo", words).current_dir(paths::repo()?))?;
        }
        Command::Pool(args) => return pool::run(&args),
        Command::Rocksdb => {
            for (name, value) in rocksdb::ensure_built()?.env() {
                println!("export {name}={value}");
            }
        }
        Command::Guest => {
            let guest = guest::ensure_built()?;
            for path in [guest.kernel(), guest.initramfs(), guest.disk()] {
                println!("{}", path.display());
            }
        }
        Command::HostInit(args) => pool::host_init::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
