//! Operations whose work is commands on hosts, known when they begin: on several hosts at once, on one in order.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use node_commands::{CommandErrorKind, HostCommand, HostReply};
use pool_domain::Database;
use pool_domain::decide::host::NicFacts;
use pool_domain::decide::pif::FoundLink;
use pool_saga::{Step, StepError};
use proto_types::generated::pif;
use proto_types::{ApiError, Ref};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::core::uuid_of_host;
use crate::network::request::plug_request;
use crate::operation::{Cx, Operation, Outputs};
use crate::ports::AgentFailure;

/// Longest wait for one answer: an address by DHCP may take half a minute.
const WAIT: Duration = Duration::from_secs(60);
/// How long an unreachable host is asked to undo something before it is left to reconciliation.
const UNDO_WAIT: Duration = Duration::from_secs(20);

/// A host, what it is asked, and what the API's error names if the host cannot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostAsk {
    /// The host's uuid.
    pub host: Uuid,
    /// What is asked.
    pub command: HostCommand,
    /// What it is about.
    pub about: About,
    /// Whether it matters if it fails.
    pub weight: Weight,
}

/// What a command is about, to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// An interface of a host.
    Card(Ref),
    /// An interface of a VM.
    Nic(Ref),
    /// A part of a tunnel, on an interface.
    Tunnel(Ref),
}

/// Whether a failure of one command fails the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weight {
    /// It does.
    Must,
    /// It is only tidier with it; reconciliation does it later.
    May,
}

impl HostAsk {
    /// The same, as something that may fail.
    #[must_use]
    pub fn optional(mut self) -> HostAsk {
        self.weight = Weight::May;
        self
    }
}

/// What hosts are asked for an operation, and what takes it back; both noted when the operation begins, so that a later
/// leader asks exactly the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// What is asked: of one host in this order, of several at once.
    pub asks: Vec<HostAsk>,
    /// What takes it back.
    pub undo: Vec<HostAsk>,
}

/// An operation whose work on hosts is a plan.
pub trait Planned {
    /// The plan.
    fn plan(&self) -> &Plan;
}

/// The only step of a planned operation. The replies are left under its name, in order.
pub struct PlanStep;

/// The name of [`PlanStep`] in the log.
pub const STEP: &str = "on_hosts";

/// The steps of a planned operation.
pub fn steps<O: Operation + Planned>() -> Vec<Box<dyn Step<Cx<O>>>> {
    vec![Box::new(PlanStep)]
}

async fn ask_all<O: Operation>(
    cx: &Cx<O>,
    name: &str,
    asks: &[HostAsk],
    wait: Duration,
) -> Vec<Result<HostReply, AgentFailure>> {
    let mut hosts: Vec<Uuid> = Vec::new();
    for ask in asks {
        if !hosts.contains(&ask.host) {
            hosts.push(ask.host);
        }
    }
    let per_host = hosts.into_iter().map(|host| async move {
        let mut answers = Vec::new();
        for (number, ask) in asks.iter().enumerate().filter(|(_, ask)| ask.host == host) {
            let id = cx.command_id(&format!("{name} {number}"));
            let answer = cx.ops.agents.call(ask.host, id, ask.command.clone(), wait).await;
            let answer = match answer {
                Err(failure) if ask.weight == Weight::May && !failure.is_fenced => {
                    tracing::debug!(%host, error = %failure.text, "left for later");
                    Ok(HostReply::Done)
                }
                other => other.map_err(|failure| explained(failure, ask.about)),
            };
            let failed = answer.is_err();
            answers.push((number, answer));
            if failed {
                break;
            }
        }
        answers
    });
    let mut all: Vec<_> = join_all(per_host).await.into_iter().flatten().collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, answer)| answer).collect()
}

#[async_trait]
impl<O: Operation + Planned> Step<Cx<O>> for PlanStep {
    fn name(&self) -> &'static str {
        STEP
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let answers = ask_all(cx, STEP, &cx.operation.plan().asks, WAIT).await;
        let replies: Result<Vec<HostReply>, AgentFailure> = answers.into_iter().collect();
        match replies {
            Ok(replies) => {
                cx.leave(STEP, &replies);
                Ok(())
            }
            Err(failure) => Err(step_error(failure)),
        }
    }

    async fn undo(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let answers = ask_all(cx, "undo on_hosts", &cx.operation.plan().undo, UNDO_WAIT).await;
        match answers.into_iter().find_map(Result::err) {
            Some(failure) => Err(step_error(failure)),
            None => Ok(()),
        }
    }
}

/// A host's failure in the API's terms: what its network cannot do is a fault of the interface.
fn explained(mut failure: AgentFailure, about: About) -> AgentFailure {
    let kind = failure.kind;
    let about_network = matches!(
        kind,
        Some(CommandErrorKind::Unsupported | CommandErrorKind::Network)
    );
    if !about_network || failure.api.code == "BRIDGE_NOT_AVAILABLE" {
        return failure;
    }
    failure.api = match about {
        // XenServer's tunnels need its virtual switch; here they need the kernel's, and it is as absent.
        About::Tunnel(_) if kind == Some(CommandErrorKind::Unsupported) => {
            ApiError::bare("OPENVSWITCH_NOT_ACTIVE")
        }
        About::Card(card) | About::Tunnel(card) => ApiError::new(
            "PIF_CONFIGURATION_ERROR",
            [card.to_string(), failure.text.clone()],
        ),
        About::Nic(nic) => ApiError::new("CANNOT_PLUG_VIF", [nic.to_string()]),
    };
    failure
}

/// Has an interface's host make its network.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn plug_ask(db: &Database, reference: Ref) -> Result<HostAsk, ApiError> {
    let (host, request) = described(db, reference)?;
    Ok(HostAsk {
        host,
        command: HostCommand::EnsureBridge {
            bridge: Box::new(request),
        },
        about: about(db, reference),
        weight: Weight::Must,
    })
}

/// Has an interface's host take its network away. Addresses of the host on it go with it.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn unplug_ask(db: &Database, reference: Ref) -> Result<HostAsk, ApiError> {
    use node_commands::IpRequest;
    let (host, mut request) = described(db, reference)?;
    if !request.ip.is_empty() {
        request.ip = vec![
            IpRequest::V4 {
                addresses: Vec::new(),
                gateway: None,
            },
            IpRequest::V6 {
                addresses: Vec::new(),
                gateway: None,
            },
        ];
    }
    Ok(HostAsk {
        host,
        command: HostCommand::RemoveBridge {
            bridge: Box::new(request),
        },
        about: about(db, reference),
        weight: Weight::Must,
    })
}

fn about(db: &Database, reference: Ref) -> About {
    let is_tunnel = db
        .of_class(pif::CLASS, reference)
        .is_some_and(|row| pool_domain::decide::pif::tunnel_of(row).is_some());
    if is_tunnel {
        About::Tunnel(reference)
    } else {
        About::Card(reference)
    }
}

fn described(db: &Database, reference: Ref) -> Result<(Uuid, node_commands::BridgeRequest), ApiError> {
    let row = pool_domain::query::find(db, pif::CLASS, reference)?;
    let host = uuid_of_host(db, row.get(pif::HOST).as_ref())?;
    let request = plug_request(db, row)
        .ok_or_else(|| ApiError::handle_invalid("network", row.get(pif::NETWORK).as_ref()))?;
    Ok((host, request))
}

/// A bridge as its host told of it.
pub fn found_link(reply: Option<&HostReply>) -> FoundLink {
    let Some(HostReply::Bridge(facts)) = reply else {
        return FoundLink::default();
    };
    let four = facts.addresses.iter().find_map(|a| split_v4(a));
    let (ip, netmask) = four.unwrap_or_default();
    FoundLink {
        mtu: i64::from(facts.mtu),
        ip,
        netmask,
        ipv6: facts
            .addresses
            .iter()
            .filter(|a| a.contains(':'))
            .cloned()
            .collect(),
    }
}

/// An IPv4 address and netmask out of `address/prefix`.
fn split_v4(text: &str) -> Option<(String, String)> {
    let (ip, prefix) = text.split_once('/')?;
    let ip: std::net::Ipv4Addr = ip.parse().ok()?;
    let prefix: u32 = prefix.parse().ok()?;
    let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix)).unwrap_or(0);
    Some((ip.to_string(), std::net::Ipv4Addr::from(mask).to_string()))
}

/// A host's network card as decisions take it.
pub fn card_facts(nic: &node_commands::NicFacts) -> NicFacts {
    let own = nic.addresses.iter().find_map(|a| split_v4(a));
    let (ip, netmask) = own.unwrap_or_default();
    NicFacts {
        device: nic.device.clone(),
        mac: nic.mac.clone(),
        mtu: i64::from(nic.mtu),
        carrier: nic.carrier,
        speed: i64::from(nic.speed),
        duplex: nic.duplex,
        driver: nic.driver.clone(),
        pci_path: nic.pci_path.clone(),
        ip,
        netmask,
        gateway: nic.gateway.clone().unwrap_or_default(),
    }
}

/// The replies that [`PlanStep`] left.
pub fn replies(outputs: &Outputs) -> Vec<HostReply> {
    crate::operation::read_output(outputs, STEP).unwrap_or_default()
}
