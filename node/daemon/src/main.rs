//! `tarn`: the node of one host, and the operator's commands.

mod adapters;
mod command;
mod config;
mod facts;
mod identity;
mod leader;
mod parts;
mod pool_service;
mod redirect;
mod telemetry;
mod wiring;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    /// Show how this node stands, as JSON.
    Status {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
}

fn main() -> Result<()> {
    // One provider of cryptography for everything that does TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tarn")
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Node { config } => wiring::run(config::load(&config)?).await,
            Command::Pool { command } => command::run(command).await,
            Command::Status { config } => command::status(&config).await,
        }
    })
}
