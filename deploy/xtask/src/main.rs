//! The project's own commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stdout, reason = "a command-line tool talks on its standard output")]

mod cached;
mod guest;
mod paths;
mod rocksdb;
mod run;

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
    /// Build RocksDB into the cache, once for all later builds.
    Rocksdb,
    /// Build the test guest: kernel, initramfs and a disk that boots.
    Guest,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Rocksdb => {
            for (name, value) in rocksdb::ensure_built()?.env() {
                println!("export {name}={value}");
            }
            Ok(())
        }
        Command::Guest => {
            let guest = guest::ensure_built()?;
            for path in [guest.kernel(), guest.initramfs(), guest.disk()] {
                println!("{}", path.display());
            }
            Ok(())
        }
    }
}
