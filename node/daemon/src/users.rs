//! `tarn user`: the pool's own users. On a member of the pool, whose certificate is the right to do so.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use proto_wire::channel::Lane;
use proto_wire::pool::change_user_request::Change;
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{ChangeUserRequest, ListUsersRequest, NewUser, User};

use crate::redirect::follow;
use crate::{command, config};

/// Users and their roles.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make a user.
    Add {
        /// Name.
        name: String,
        /// pool-admin, pool-operator, vm-power-admin, vm-admin, vm-operator or read-only.
        #[arg(long)]
        role: String,
        /// File with the password; `-` reads it from standard input.
        #[arg(long)]
        password_file: PathBuf,
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Set a password, the superuser's too. The user's sessions end.
    Passwd {
        /// Name.
        name: String,
        /// File with the password; `-` reads it from standard input.
        #[arg(long)]
        password_file: PathBuf,
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Give a user another role.
    Role {
        /// Name.
        name: String,
        /// As for `add`.
        #[arg(long)]
        role: String,
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Remove a user. The user's sessions end.
    Remove {
        /// Name.
        name: String,
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
    /// Print all users with their roles.
    List {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
}

/// Runs one.
///
/// # Errors
/// When no leader answers, or the pool refuses.
pub async fn run(command: UserCommand) -> Result<()> {
    let (name, change, config) = match command {
        UserCommand::Add {
            name,
            role,
            password_file,
            config,
        } => {
            let hash = hashed(&password_file)?;
            (name, Change::Add(NewUser { role, hash }), config)
        }
        UserCommand::Passwd {
            name,
            password_file,
            config,
        } => (name, Change::Hash(hashed(&password_file)?), config),
        UserCommand::Role { name, role, config } => (name, Change::Role(role), config),
        UserCommand::Remove { name, config } => (name, Change::Remove(true), config),
        UserCommand::List { config } => return list(&config).await,
    };
    let request = ChangeUserRequest {
        name,
        change: Some(change),
    };
    let reply = with_leader(&config, |mut client| {
        let request = request.clone();
        async move { Ok(client.change_user(request).await?.into_inner()) }
    })
    .await?;
    if !reply.refusal.is_empty() {
        bail!("the pool refuses: {}", reply.refusal.join(" "));
    }
    Ok(())
}

async fn list(config: &Path) -> Result<()> {
    let reply = with_leader(config, |mut client| async move {
        Ok(client.list_users(ListUsersRequest {}).await?.into_inner())
    })
    .await?;
    print(&reply.users);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the answer of a command")]
fn print(users: &[User]) {
    let width = users
        .iter()
        .map(|u| u.name.chars().count())
        .max()
        .unwrap_or_default();
    for user in users {
        println!("{:width$}  {}", user.name, user.roles.join(", "));
    }
}

/// The password never leaves this command: the pool gets its hash.
fn hashed(file: &Path) -> Result<String> {
    let text = command::given(file).context("read the password")?;
    let password = text.trim_end_matches('\n');
    if password.is_empty() || password.contains('\0') {
        bail!("the password is empty or holds a NUL");
    }
    gateway_server::api::login::hash(password).context("hash the password")
}

async fn with_leader<T, F>(
    config: &Path,
    call: impl Fn(PoolClient<tonic::transport::Channel>) -> F,
) -> Result<T>
where
    F: Future<Output = Result<T, tonic::Status>>,
{
    let (peers, first) = command::way_in(&config::load(config)?)?;
    follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        call(PoolClient::new(channel))
    })
    .await
}
