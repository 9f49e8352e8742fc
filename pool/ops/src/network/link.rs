//! `PIF.plug`, `unplug`, `reconfigure_ip`, `reconfigure_ipv6`; `network.attach` and its kin.

use node_commands::{BridgeRequest, HostCommand};
use pool_domain::decide::pif as cards;
use pool_domain::decide::pif_address::{self as addresses, Ipv4Settings, Ipv6Settings};
use pool_domain::decide::{network as networks, pif::FoundLink};
use pool_domain::{Database, Draft, query};
use pool_saga::Step;
use proto_types::generated::{network, pif, vif, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::core::uuid_of_host;
use crate::network::on_hosts::{
    About, HostAsk, Plan, Planned, Weight, found_link, plug_ask, replies, steps, unplug_ask,
};
use crate::network::request::bridge_request;
use crate::network::tunnel::{tell_of_transport, tell_others};
use crate::operation::{Cx, Operation, Outputs};

/// Brings an interface of a host up or down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlugCard {
    card: Ref,
    plugs: bool,
    was_up: bool,
    plan: Plan,
}

impl PlugCard {
    /// `PIF.plug`.
    pub fn plug(card: Ref) -> PlugCard {
        PlugCard {
            card,
            plugs: true,
            was_up: false,
            plan: Plan::default(),
        }
    }

    /// `PIF.unplug`.
    pub fn unplug(card: Ref) -> PlugCard {
        PlugCard {
            plugs: false,
            ..PlugCard::plug(card)
        }
    }
}

impl Planned for PlugCard {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for PlugCard {
    const NAME: &'static str = "pif_plug";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let row = draft.read(pif::CLASS, self.card)?;
        self.was_up = row.get(pif::CURRENTLY_ATTACHED).as_bool();
        let (up, down) = (
            plug_ask(draft.db(), self.card)?,
            unplug_ask(draft.db(), self.card)?,
        );
        if self.plugs {
            cards::check_plug(draft, self.card)?;
            self.plan.asks.push(up);
            if !self.was_up {
                self.plan.undo.push(down);
            }
            if let Some(access) = cards::tunnel_of(&row) {
                let net = row.get(pif::NETWORK).as_ref();
                self.plan.asks.extend(tell_others(draft.db(), net, access));
            }
        } else {
            cards::begin_unplug(draft, self.card)?;
            self.plan.asks.push(without_bond(&row, down));
            if self.was_up {
                self.plan.undo.push(up);
            }
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        if self.plugs {
            cards::plugged(draft, self.card, &found_link(replies(outputs).first()));
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if !self.plugs && self.was_up {
            draft.set(self.card, pif::CURRENTLY_ATTACHED, true);
        }
    }
}

/// A bond that carries VLANs stays when its own network goes down.
fn without_bond(row: &pool_domain::Row, mut ask: HostAsk) -> HostAsk {
    if let HostCommand::RemoveBridge { bridge } = &mut ask.command
        && !row.get(pif::VLAN_SLAVE_OF).as_refs().is_empty()
    {
        bridge.bond = None;
    }
    ask
}

/// Changes how an interface of a host gets its addresses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconfigureIp {
    card: Ref,
    new: Settings,
    before: Option<Settings>,
    plan: Plan,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Settings {
    /// Mode, address, netmask, gateway, name servers.
    V4([String; 5]),
    /// Mode, address, gateway, name servers.
    V6([String; 4]),
}

impl From<Ipv4Settings> for Settings {
    fn from(s: Ipv4Settings) -> Settings {
        Settings::V4([s.mode, s.ip, s.netmask, s.gateway, s.dns])
    }
}

impl From<Ipv6Settings> for Settings {
    fn from(s: Ipv6Settings) -> Settings {
        Settings::V6([s.mode, s.ipv6, s.gateway, s.dns])
    }
}

fn four([mode, ip, netmask, gateway, dns]: [String; 5]) -> Ipv4Settings {
    Ipv4Settings {
        mode,
        ip,
        netmask,
        gateway,
        dns,
    }
}

fn six([mode, ipv6, gateway, dns]: [String; 4]) -> Ipv6Settings {
    Ipv6Settings {
        mode,
        ipv6,
        gateway,
        dns,
    }
}

impl ReconfigureIp {
    /// `PIF.reconfigure_ip`.
    pub fn v4(card: Ref, new: Ipv4Settings) -> ReconfigureIp {
        ReconfigureIp {
            card,
            new: new.into(),
            before: None,
            plan: Plan::default(),
        }
    }

    /// `PIF.reconfigure_ipv6`.
    pub fn v6(card: Ref, new: Ipv6Settings) -> ReconfigureIp {
        ReconfigureIp {
            card,
            new: new.into(),
            before: None,
            plan: Plan::default(),
        }
    }
}

impl Planned for ReconfigureIp {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for ReconfigureIp {
    const NAME: &'static str = "pif_reconfigure_ip";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let old = draft.db().clone();
        self.before = Some(match self.new.clone() {
            Settings::V4(new) => {
                let new = four(new);
                check_management(&old, self.card, &new)?;
                addresses::reconfigure_ip(draft, self.card, &new)?.into()
            }
            Settings::V6(new) => addresses::reconfigure_ipv6(draft, self.card, &six(new))?.into(),
        });
        let row = draft.read(pif::CLASS, self.card)?;
        // One that is down gets its addresses when it is plugged.
        if row.get(pif::CURRENTLY_ATTACHED).as_bool() {
            self.plan.asks.push(plug_ask(draft.db(), self.card)?);
            self.plan.asks.extend(tell_of_transport(draft.db(), self.card));
            self.plan.undo.push(plug_ask(&old, self.card)?);
            self.plan.undo.extend(tell_of_transport(&old, self.card));
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let replies = replies(outputs);
        if !replies.is_empty() {
            cards::plugged(draft, self.card, &found_link(replies.first()));
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        match self.before.clone() {
            Some(Settings::V4(before)) => addresses::write_ip(draft, self.card, &four(before)),
            Some(Settings::V6(before)) => addresses::write_ipv6(draft, self.card, &six(before)),
            None => {}
        }
    }
}

/// The address by which the pool knows a host is not moved under it: that is `host.management_reconfigure`, to another
/// interface.
fn check_management(db: &Database, card: Ref, new: &Ipv4Settings) -> Result<(), ApiError> {
    let row = query::find(db, pif::CLASS, card)?;
    let moves = new.mode != "Static" || new.ip != row.get(pif::IP).as_str();
    if row.get(pif::MANAGEMENT).as_bool() && moves && new.mode != "None" {
        return Err(ApiError::new("PIF_IS_MANAGEMENT_INTERFACE", [card.to_string()]));
    }
    Ok(())
}

/// Makes networks on a host, as a VM there needs them, or takes down what only it needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttachNetworks {
    wish: Wish,
    host: Ref,
    plan: Plan,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wish {
    Network(Ref),
    ForVm(Ref),
    NoLongerForVm(Ref),
}

impl AttachNetworks {
    fn new(host: Ref, wish: Wish) -> AttachNetworks {
        AttachNetworks {
            wish,
            host,
            plan: Plan::default(),
        }
    }

    /// `network.attach`.
    pub fn network(network: Ref, host: Ref) -> AttachNetworks {
        AttachNetworks::new(host, Wish::Network(network))
    }

    /// `network.attach_for_vm`.
    pub fn for_vm(vm: Ref, host: Ref) -> AttachNetworks {
        AttachNetworks::new(host, Wish::ForVm(vm))
    }

    /// `network.detach_for_vm`.
    pub fn no_longer_for_vm(vm: Ref, host: Ref) -> AttachNetworks {
        AttachNetworks::new(host, Wish::NoLongerForVm(vm))
    }
}

impl Planned for AttachNetworks {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The networks of a VM, each once.
fn networks_of(db: &Database, owner: Ref) -> Result<Vec<Ref>, ApiError> {
    let row = query::find(db, vm::CLASS, owner)?;
    let mut all: Vec<Ref> = Vec::new();
    for nic in row.get(vm::VIFS).as_refs() {
        let net = query::find(db, vif::CLASS, nic)?.get(vif::NETWORK).as_ref();
        if !all.contains(&net) {
            all.push(net);
        }
    }
    Ok(all)
}

impl Operation for AttachNetworks {
    const NAME: &'static str = "network_attach";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let db = draft.db();
        if let Wish::Network(net) = &self.wish {
            query::find(db, network::CLASS, *net)?;
        }
        let host = uuid_of_host(db, self.host)?;
        let (nets, takes_down) = match &self.wish {
            Wish::Network(net) => (vec![*net], false),
            Wish::ForVm(owner) => (networks_of(db, *owner)?, false),
            Wish::NoLongerForVm(owner) => (networks_of(db, *owner)?, true),
        };
        for net in nets {
            let row = query::find(db, network::CLASS, net)?;
            let card = cards::on_host(db, net, self.host).map_or(Ref::NULL, |card| card.reference);
            let about = About::Card(card);
            if takes_down {
                // Only networks within the host come and go with their guests.
                if card.is_null() && cards::guest_on(db, net, self.host).is_none() {
                    let bridge = BridgeRequest::internal(row.get(network::BRIDGE).as_str());
                    self.plan.asks.push(HostAsk {
                        host,
                        command: HostCommand::RemoveBridge {
                            bridge: Box::new(bridge),
                        },
                        about,
                        weight: Weight::May,
                    });
                }
                continue;
            }
            networks::check_attach(db, net, self.host)?;
            self.plan.asks.push(HostAsk {
                host,
                command: HostCommand::EnsureBridge {
                    bridge: Box::new(bridge_request(db, row, self.host)),
                },
                about,
                weight: Weight::Must,
            });
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        if let Wish::Network(net) = &self.wish
            && let Some(card) = cards::on_host(draft.db(), *net, self.host)
        {
            let found: FoundLink = found_link(replies(outputs).first());
            cards::plugged(draft, card.reference, &found);
        }
        Ok(Value::Void)
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}
}
