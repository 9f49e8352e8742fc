//! The project's own commands, run as `cargo xtask COMMAND`.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool talks on its standard output"
)]

mod bench;
mod building;
mod cached;
mod codegen;
mod demo;
mod fix;
mod guest;
mod install;
mod package;
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
    /// The tour: three hosts, a guest, its life, its moves, and the death of the master.
    Demo(demo::Demo),
    /// Install what is missing, check the house rules, run every test.
    Test(test::Test),
    /// Make the packages.
    Package(package::Package),
    /// A pool of several hosts on this machine.
    Pool(pool::Pool),
    /// Write what is derived from the data model.
    Codegen {
        /// Write nothing; fail when something is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Check the house rules.
    Tidy,
    /// Generate, apply clippy's suggestions, format.
    Fix,
    /// Measure against the tools we are compared with.
    Bench {
        /// Which ones; all when none is given.
        names: Vec<String>,
    },
    /// Install the packages that building, the testbed and the tests need.
    Install,
    /// Build RocksDB into the cache, once for all later builds.
    Rocksdb,
    /// Build the test guest: kernel, initramfs and a disk that boots.
    Guest,
    /// The first process of a testbed host.
    #[command(hide = true)]
    HostInit(pool::host_init::HostInit),
}

fn main() -> ExitCode {
    run_command().unwrap_or_else(|error| {
        // The chain reads as one sentence; a backtrace would bury it.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run_command() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args)?,
        Command::Test(args) => test::run(&args)?,
        Command::Package(args) => package::run(&args)?,
        Command::Pool(args) => return pool::run(&args),
        Command::Codegen { check } => codegen::run(check)?,
        Command::Tidy => tidy::check(&paths::repo()?)?,
        Command::Fix => fix::run()?,
        Command::Bench { names } => bench::run(&names)?,
        Command::Install => {
            install::packages(&[install::BUILD, install::TESTBED, install::JUDGES].concat())?;
            println!("Python with XenAPI: {}", install::python_client()?.display());
            println!("Ansible: {}", install::ansible()?.programs.display());
        }
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
