//! The operator's commands.

use std::io::Read;
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
use pool_domain::{Database, Draft, Facts as DecisionFacts, Transaction};
use pool_raft::{Member, RaftConfig, start};
use proto_types::DateTime;
use proto_wire::ca::{self, Authority};
use proto_wire::channel::{Credentials, Identity, Lane, Peers, distrust};
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{
    CompactRequest, CreateTokenRequest, ForgetLearnerRequest, MetricsRequest, StatusRequest,
};
use uuid::Uuid;

use crate::config::{self, Config};
use crate::facts::host_facts;
use crate::joining::{self, JoinAs};
use crate::redirect::{Elsewhere, follow};
use crate::report::Report;
use crate::{identity, parts, status_page};

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
        /// File with the superuser's password; `-` reads it from standard input.
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
        /// The token; `-` reads it from standard input.
        #[arg(long)]
        token: String,
        /// Address of this host, if not the one in the settings.
        #[arg(long)]
        address: Option<String>,
        /// Take the place of a host of the pool that is lost, given by its uuid: its storage, networks and VMs are then
        /// this host's.
        #[arg(long)]
        replaces: Option<Uuid>,
        /// Come back into the pool after this host's database was lost or damaged. What is left of it is set aside.
        #[arg(long, conflicts_with = "replaces")]
        again: bool,
    },
    /// Have this machine take the pool's log in, at another site perhaps, without being one of its hosts. Before its node
    /// starts.
    Learn {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// The token; `-` reads it from standard input.
        #[arg(long)]
        token: String,
        /// Address of this machine, if not the one in the settings.
        #[arg(long)]
        address: Option<String>,
    },
    /// Send a machine away that only learns. On a running member.
    ForgetLearner {
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
        /// Its uuid, as `tarn status` shows it.
        uuid: Uuid,
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
            let password = given(&password_file).context("read the password file")?;
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
            replaces,
            again,
        } => {
            let who = match replaces {
                Some(lost) => JoinAs::Lost(lost),
                None if again => JoinAs::Itself,
                None => JoinAs::New,
            };
            let token = if token == "-" {
                given(Path::new("-"))?
            } else {
                token
            };
            joining::join(&settings(&config, address)?, &token, who).await
        }
        PoolCommand::Learn {
            config,
            token,
            address,
        } => {
            let token = if token == "-" {
                given(Path::new("-"))?
            } else {
                token
            };
            joining::learn(&settings(&config, address)?, &token).await
        }
        PoolCommand::ForgetLearner { config, uuid } => forget_learner(&config::load(&config)?, uuid).await,
    }
}

/// Longest secret that is read.
const LONGEST: u64 = 4096;

/// What a file holds, or standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn given(file: &Path) -> Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    }
    .with_context(|| format!("read {}", file.display()))?;
    Ok(text)
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

/// What this host is and has.
///
/// # Errors
/// When its agent cannot say.
pub async fn own_facts(config: &Config, host: Uuid) -> Result<Facts> {
    let agent = parts::agent(config, host, None, Arc::new(NoDialer)).await?;
    match agent
        .execute(agent.term(), Uuid::new_v4(), HostCommand::Facts)
        .await
    {
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
    begin_log(config, &authority, &member, address, vec![transaction]).await
}

/// Begins the log of a pool of one, this host, with its first entries, and gives the host its certificate.
///
/// # Errors
/// When a file cannot be written; the host then belongs to no pool.
pub async fn begin_log(
    config: &Config,
    authority: &Authority,
    member: &Member,
    address: IpAddr,
    entries: Vec<Transaction>,
) -> Result<()> {
    let dir = &config.node.state_dir;
    let key_pem = ca::make_key().context("make a key")?;
    let certificate_pem = authority
        .issue_for_key(&key_pem, member.host, &[address])
        .context("issue a certificate")?;
    let who = Identity {
        host: member.host,
        certificate_pem,
        key_pem,
        trust_pem: authority.certificate_pem().to_owned(),
    };
    let credentials = Credentials::new(&who).context("use the certificates")?;
    let pool = start(
        RaftConfig::new(member.node_id, dir.join("raft")),
        Peers::new(credentials),
    )
    .await?;
    let made = pool.initialise(member.clone(), entries).await;
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

/// Channels with this host's certificate, and where to begin to look for the leader.
///
/// # Errors
/// When the host belongs to no pool.
pub fn way_in(config: &Config) -> Result<(Peers, Elsewhere)> {
    let who = identity::load(&config.node.state_dir)?;
    let peers = Peers::new(Credentials::new(&who).context("load certificates")?);
    let first = Elsewhere {
        host: who.host,
        address: config.node.address.clone(),
        port: config.listen.grpc.port(),
    };
    Ok((peers, first))
}

async fn token(config: &Config, seconds: u64) -> Result<()> {
    let (peers, first) = way_in(config)?;
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
    if identity::is_learner(&config.node.state_dir) {
        bail!(
            "this machine only learns: `tarn backup --own` writes what it knows, for `tarn restore` on a host"
        );
    }
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

/// Has the leader send a node away that only learns.
async fn forget_learner(config: &Config, uuid: Uuid) -> Result<()> {
    let (peers, first) = way_in(config)?;
    let reply = follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        let node = Bytes::copy_from_slice(uuid.as_bytes());
        async move {
            PoolClient::new(channel)
                .forget_learner(ForgetLearnerRequest { node })
                .await
        }
    })
    .await?;
    match reply.into_inner().refusal.as_slice() {
        [] => Ok(()),
        refusal => bail!("the pool refuses: {}", refusal.join(" ")),
    }
}

/// This host's own node, as another caller reaches it.
pub fn own_node(config: &Config) -> Result<PoolClient<tonic::transport::Channel>> {
    let (peers, own) = way_in(config)?;
    Ok(PoolClient::new(peers.channel(
        own.host,
        &own.address,
        own.port,
        Lane::Agent,
    )))
}

/// How this host's node stands, by its own word.
///
/// # Errors
/// When it does not answer.
pub async fn own_status(config: &Config) -> Result<serde_json::Value> {
    status_of(&mut own_node(config)?).await
}

/// What this host's node counts, in Prometheus' text form.
///
/// # Errors
/// When it does not answer.
pub async fn own_metrics(config: &Config) -> Result<String> {
    let mut node = own_node(config)?;
    let reply = tokio::time::timeout(ANSWER, node.metrics(MetricsRequest {})).await;
    let reply = reply
        .context("the node did not answer in time")?
        .map_err(|status| told(&status))?;
    Ok(reply.into_inner().text)
}

fn told(status: &tonic::Status) -> anyhow::Error {
    match distrust(status) {
        Some(why) => anyhow::anyhow!("{why}"),
        None => anyhow::anyhow!("{}: {}", status.code(), status.message()),
    }
}

async fn status_of(node: &mut PoolClient<tonic::transport::Channel>) -> Result<serde_json::Value> {
    let reply = tokio::time::timeout(ANSWER, node.status(StatusRequest {})).await;
    let reply = reply
        .context("the node did not answer in time")?
        .map_err(|status| told(&status))?;
    serde_json::from_slice(&reply.into_inner().json).context("read what the node answers")
}

/// How long a node may take to say how it stands.
const ANSWER: Duration = Duration::from_secs(10);

/// Prints how this node and its pool stand: as JSON what this node says, else a page. The master knows most, so the page
/// is by what it says, where it can be asked.
///
/// # Errors
/// When this host's node does not answer.
pub async fn status(path: &Path, json: bool) -> Result<()> {
    let config = config::load(path)?;
    let own = own_status(&config)
        .await
        .context("this host's node does not answer: see `systemctl status tarn` and `journalctl -u tarn`")?;
    if json {
        return print(&own.to_string());
    }
    print(page_of(&config, &own).await?.trim_end())
}

/// The page, from what this node says and, where it can be asked, the master.
///
/// # Errors
/// When what a node says does not read.
pub async fn page_of(config: &Config, own: &serde_json::Value) -> Result<String> {
    let read = |status: &serde_json::Value| -> Result<Report> {
        serde_json::from_value(status["report"].clone()).context("read the node's report")
    };
    let mut report = read(own)?;
    if let Some(leader) = leader_elsewhere(config, own)
        && let Ok(theirs) = status_of(&mut leader?).await
    {
        // What is wrong with this node only this node knows.
        let mut all = read(&theirs)?;
        let more = report
            .troubles
            .into_iter()
            .filter(|t| !all.troubles.contains(t))
            .collect::<Vec<_>>();
        all.troubles.extend(more);
        report = all;
    }
    let number = |name: &str| own[name].as_u64().unwrap_or(0);
    Ok(status_page::page(&report, number("term"), number("applied")))
}

/// The way to the master's node, if that is another one.
fn leader_elsewhere(
    config: &Config,
    own: &serde_json::Value,
) -> Option<Result<PoolClient<tonic::transport::Channel>>> {
    let leader = own["leader"].as_str().filter(|_| own["is_leader"] != true)?;
    let member = own["members"].as_array()?.iter().find(|m| m["host"] == leader)?;
    let host = leader.parse().ok()?;
    let (address, port) = (
        member["address"].as_str()?,
        u16::try_from(member["port"].as_u64()?).ok()?,
    );
    Some(way_in(config).map(|(peers, _)| PoolClient::new(peers.channel(host, address, port, Lane::Agent))))
}

/// Has this node take a snapshot and cut off its log.
///
/// # Errors
/// When the node does not answer.
pub async fn compact(path: &Path) -> Result<()> {
    let reply = own_node(&config::load(path)?)?.compact(CompactRequest {}).await;
    reply.map(|_| ()).map_err(|status| told(&status))
}

#[allow(clippy::print_stdout, reason = "the answer of a command")]
pub fn print(text: &str) -> Result<()> {
    println!("{text}");
    Ok(())
}
