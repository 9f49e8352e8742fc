//! The operator's commands.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use clap::Subcommand;
use node_agent::TunnelDialer;
use node_commands::{Facts, HostCommand, HostReply, MigrationDestination};
use pool_domain::decide::host::MemberFacts;
use pool_domain::decide::pool::{DriverFacts, NewPool};
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts as DecisionFacts};
use pool_raft::{Member, RaftConfig, start};
use proto_types::DateTime;
use proto_wire::ca::{self, Authority};
use proto_wire::channel::{Credentials, Identity, Lane, Peers, Pinned};
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{CompactRequest, CreateTokenRequest, JoinRequest, StatusRequest};
use uuid::Uuid;

use crate::config::{self, Config};
use crate::facts::host_facts;
use crate::redirect::{Elsewhere, follow};
use crate::{identity, parts};

/// Make or join a pool.
#[derive(Subcommand)]
pub enum PoolCommand {
    /// Make a pool of this host. Before its node starts.
    Create {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// Name of the pool.
        #[arg(long, default_value = "")]
        name: String,
        /// Address of this host, if not the one in the settings.
        #[arg(long)]
        address: Option<String>,
        /// The superuser of the API.
        #[arg(long, default_value = "root")]
        username: String,
        /// File with the superuser's password.
        #[arg(long)]
        password_file: PathBuf,
    },
    /// Print a token with which another host can join. On a running member.
    Token {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// How long it holds.
        #[arg(long, default_value_t = 3600)]
        seconds: u64,
    },
    /// Go on alone after the majority is lost for good. On one host only, whose node does not run; see the warning it
    /// prints.
    Recover {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// Do it.
        #[arg(long)]
        i_know_what_this_risks: bool,
    },
    /// Join a pool. Before this host's node starts.
    Join {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// The token.
        #[arg(long)]
        token: String,
        /// Address of this host, if not the one in the settings.
        #[arg(long)]
        address: Option<String>,
    },
}

/// Runs one.
///
/// # Errors
/// As the command says.
pub async fn run(command: PoolCommand) -> Result<()> {
    match command {
        PoolCommand::Create {
            config,
            name,
            address,
            username,
            password_file,
        } => {
            let config = settings(&config, address)?;
            let password = std::fs::read_to_string(&password_file).context("read the password file")?;
            create(&config, &name, &username, password.trim_end_matches('\n')).await
        }
        PoolCommand::Recover {
            config,
            i_know_what_this_risks: certain,
        } => recover(&config::load(&config)?, certain).await,
        PoolCommand::Token { config, seconds } => token(&config::load(&config)?, seconds).await,
        PoolCommand::Join {
            config,
            token,
            address,
        } => join(&settings(&config, address)?, &token).await,
    }
}

fn settings(path: &Path, address: Option<String>) -> Result<Config> {
    let mut config = config::load(path)?;
    if let Some(address) = address {
        config.node.address = address;
    }
    Ok(config)
}

/// No other host is reached while a host is not in a pool.
struct NoDialer;

#[async_trait]
impl TunnelDialer for NoDialer {
    async fn dial(
        &self,
        _: &MigrationDestination,
        _: Uuid,
        _: node_agent::TunnelTarget,
    ) -> std::io::Result<node_agent::tunnel::TunnelStream> {
        Err(std::io::Error::other("the host is in no pool yet"))
    }
}

async fn own_facts(config: &Config, host: Uuid) -> Result<Facts> {
    let agent = parts::agent(config, host, None, Arc::new(NoDialer)).await?;
    match agent.execute(0, Uuid::new_v4(), HostCommand::Facts).await {
        Ok(HostReply::Facts(facts)) => Ok(*facts),
        Ok(_) => bail!("the agent did not say what this host is"),
        Err(error) => bail!("the agent cannot say what this host is: {}", error.text),
    }
}

async fn create(config: &Config, name: &str, user: &str, password: &str) -> Result<()> {
    let dir = &config.node.state_dir;
    if identity::load(dir).is_ok() {
        bail!("this host is in a pool already");
    }
    if password.is_empty() {
        bail!("the password is empty");
    }
    let hash = gateway_server::api::login::hash(password).context("hash the password")?;
    create_with(config, name, (user, &hash)).await
}

/// Makes a pool of this host, with a superuser whose password's hash is known.
///
/// # Errors
/// When the host cannot say what it is, or a file cannot be written.
pub async fn create_with(config: &Config, name: &str, superuser: (&str, &str)) -> Result<()> {
    let dir = &config.node.state_dir;
    let host = identity::host_uuid(dir)?;
    let address: IpAddr = config
        .node
        .address
        .parse()
        .context("node.address is no IP address")?;
    let facts = own_facts(config, host).await?;
    let authority = Authority::create(Uuid::new_v4()).context("make the certificate authority")?;
    let key_pem = ca::make_key().context("make a key")?;
    let certificate_pem = authority
        .issue_for_key(&key_pem, host, &[address])
        .context("issue a certificate")?;
    let who = Identity {
        host,
        certificate_pem,
        key_pem,
        trust_pem: authority.certificate_pem().to_owned(),
    };
    let member = Member::new(host, config.node.address.clone(), config.listen.grpc.port());
    let new = NewPool {
        name: name.to_owned(),
        host: host_facts(host, &config.node.name, &config.node.address, &facts),
        member: MemberFacts {
            node_id: member.node_id,
            grpc_port: config.listen.grpc.port(),
            api_port: config.listen.https.port(),
        },
        user: superuser.0.to_owned(),
        password_hash: superuser.1.to_owned(),
        authority: (authority.certificate_pem().to_owned(), authority.key_pem()),
        authority_ends: DateTime(pool_ops::core::now().0.saturating_add(10 * 365 * 86_400)),
        drivers: drivers(),
    };
    let transaction = {
        let facts = DecisionFacts::new(pool_ops::core::now(), Uuid::new_v4);
        let mut draft = Draft::new(&Database::default(), &facts);
        pool_domain::decide::pool::create(&mut draft, &new)?;
        draft.finish(
            Uuid::new_v4(),
            Origin {
                method: "pool create".to_owned(),
                ..Origin::default()
            },
        )
    };
    let credentials = Credentials::new(&who).context("use the certificates")?;
    let pool = start(
        RaftConfig::new(member.node_id, dir.join("raft")),
        Peers::new(credentials),
    )
    .await?;
    let made = pool.initialise(member, vec![transaction]).await;
    pool.shutdown().await;
    made.context("write the first rows")?;
    identity::save(dir, &who)
}

fn drivers() -> Vec<DriverFacts> {
    let table = node_storage::SrTable::new(node_storage::drivers());
    table
        .descriptions()
        .map(|d| DriverFacts {
            kind: d.kind.to_owned(),
            label: d.label.to_owned(),
            description: d.description.to_owned(),
            capabilities: d.features.iter().map(|(name, _)| (*name).to_owned()).collect(),
            configuration: d
                .configuration
                .iter()
                .map(|k| (k.name.to_owned(), k.description.to_owned()))
                .collect(),
        })
        .collect()
}

async fn token(config: &Config, seconds: u64) -> Result<()> {
    let who = identity::load(&config.node.state_dir)?;
    let peers = Peers::new(Credentials::new(&who).context("load certificates")?);
    let first = Elsewhere {
        host: who.host,
        address: config.node.address.clone(),
        port: config.listen.grpc.port(),
    };
    let token = follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        async move {
            let mut client = PoolClient::new(channel);
            Ok(client
                .create_token(CreateTokenRequest { seconds })
                .await?
                .into_inner()
                .token)
        }
    })
    .await?;
    print(&token)
}

async fn join(config: &Config, token: &str) -> Result<()> {
    let dir = &config.node.state_dir;
    if identity::load(dir).is_ok() {
        bail!("this host is in a pool already");
    }
    // tarn1:ADDRESS:PORT:FINGERPRINT:SECRET; an IPv6 address has colons of its own.
    let parts: Vec<&str> = token.trim().rsplitn(4, ':').collect();
    let [secret, fingerprint, port, front] = parts.as_slice() else {
        bail!("this is no join token")
    };
    let address = front.strip_prefix("tarn1:").context("this is no join token")?;
    let port: u16 = port.parse().context("this is no join token")?;
    let host = identity::host_uuid(dir)?;
    let facts = own_facts(config, host).await?;
    let facts =
        Bytes::from(serde_json::to_vec(&with_name(facts, &config.node.name)).context("encode facts")?);
    let key_pem = ca::make_key().context("make a key")?;
    let request_pem = ca::make_request(&key_pem, host).context("make a certificate request")?;
    let request = JoinRequest {
        secret: (*secret).to_owned(),
        host: Bytes::copy_from_slice(host.as_bytes()),
        request_pem,
        facts,
        address: config.node.address.clone(),
        grpc_port: u32::from(config.listen.grpc.port()),
        api_port: u32::from(config.listen.https.port()),
        ..JoinRequest::default()
    };
    let first = Elsewhere {
        host: Uuid::nil(),
        address: address.to_owned(),
        port,
    };
    let reply = follow(first, |at| {
        let request = request.clone();
        let channel = Pinned::channel(&at.address, at.port, fingerprint);
        async move {
            let channel = channel.map_err(|e| tonic::Status::internal(e.to_string()))?;
            let call = tokio::time::timeout(Duration::from_secs(20), async move {
                PoolClient::new(channel).join(request).await
            });
            match call.await {
                Ok(answer) => answer.map(tonic::Response::into_inner),
                Err(_) => Err(tonic::Status::unavailable("no answer")),
            }
        }
    })
    .await
    .context("join")?;
    if !reply.refusal.is_empty() {
        bail!("the pool refuses: {}", reply.refusal.join(" "));
    }
    let who = Identity {
        host,
        certificate_pem: reply.certificate_pem,
        key_pem,
        trust_pem: reply.trust_pem,
    };
    identity::save(dir, &who)
}

/// The name in the settings is the host's name in the pool.
fn with_name(mut facts: Facts, name: &str) -> Facts {
    facts.host.hostname = name.to_owned();
    facts
}

/// What an operator must have read.
const RISKS: &str = "\
This makes this host the only one of its pool that votes. It is for a pool whose majority is lost for good.

 1. What the others have acknowledged and this host has not heard of is LOST: changes, sessions, tasks.
 2. If a majority of the others still runs, there are TWO POOLS afterwards, and either may start a VM that runs in
    the other: its disks can be destroyed. Make sure that the others are off, or will be told to follow this one.
 3. Of several hosts that are left choose the one with the highest \"applied\" in `tarn status`, and no other.

Afterwards start this host's node. Then `xe pool-recover-slaves` tells those that are left to follow; `xe
host-declare-dead` and `xe host-forget` give up those that never come back.";

async fn recover(config: &Config, certain: bool) -> Result<()> {
    print(RISKS)?;
    if !certain {
        bail!("nothing was done: say --i-know-what-this-risks to do it");
    }
    let survived = crate::survival::go_on_alone(config)
        .await
        .context("go on alone; is the node of this host stopped?")?;
    print(&format!(
        "\nThis host votes alone now. Entry {} is the last that counts. Left behind:",
        survived.last
    ))?;
    for member in survived.barred {
        print(&format!("  {} at {}", member.host, member.address))?;
    }
    Ok(())
}

/// This host's own node, as another caller reaches it.
fn own_node(path: &Path) -> Result<PoolClient<tonic::transport::Channel>> {
    let config = config::load(path)?;
    let who = identity::load(&config.node.state_dir)?;
    let peers = Peers::new(Credentials::new(&who).context("load certificates")?);
    let channel = peers.channel(
        who.host,
        &config.node.address,
        config.listen.grpc.port(),
        Lane::Agent,
    );
    Ok(PoolClient::new(channel))
}

fn told(status: &tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", status.code(), status.message())
}

/// Prints how this node stands.
///
/// # Errors
/// When the node does not answer.
pub async fn status(path: &Path) -> Result<()> {
    let reply = own_node(path)?.status(StatusRequest {}).await;
    let reply = reply.map_err(|status| told(&status))?;
    print(&String::from_utf8_lossy(&reply.into_inner().json))
}

/// Has this node take a snapshot and cut off its log.
///
/// # Errors
/// When the node does not answer.
pub async fn compact(path: &Path) -> Result<()> {
    let reply = own_node(path)?.compact(CompactRequest {}).await;
    reply.map(|_| ()).map_err(|status| told(&status))
}

#[allow(clippy::print_stdout, reason = "the answer of a command")]
fn print(text: &str) -> Result<()> {
    println!("{text}");
    Ok(())
}
