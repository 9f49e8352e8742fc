//! `Bond.create`, `destroy`, `set_mode`, `set_property`.

use node_commands::{BridgeRequest, HostCommand};
use pool_domain::decide::bond::{self as bonds, Made, NewBond, Settings};
use pool_domain::decide::pif as cards;
use pool_domain::{Database, Draft, Facts};
use pool_saga::Step;
use proto_types::generated::{bond, network, pif, vif, vlan, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain_request::nic_request;
use crate::network::on_hosts::{About, HostAsk, Plan, Planned, Weight, plug_ask, steps};
use crate::operation::{Cx, Operation, Outputs};

/// The database as it will be once a decision has been made.
fn foreseen(
    draft: &Draft<'_>,
    decision: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>,
) -> Result<Database, ApiError> {
    let facts = Facts::new(draft.facts().now, Uuid::new_v4);
    let mut scratch = Draft::new(draft.db(), &facts);
    decision(&mut scratch)?;
    Ok(scratch.db().clone())
}

/// Has the host of a running VM put one of its interfaces onto the bridge of its network.
pub(crate) fn move_ask(db: &Database, nic: Ref) -> Result<HostAsk, ApiError> {
    let row = pool_domain::query::find(db, vif::CLASS, nic)?;
    let owner = pool_domain::query::find(db, vm::CLASS, row.get(vif::VM).as_ref())?;
    let on = owner.get(vm::RESIDENT_ON).as_ref();
    Ok(HostAsk {
        host: crate::core::uuid_of_host(db, on)?,
        command: HostCommand::MoveNic {
            vm: Uuid::try_parse(owner.uuid()).map_err(|_| ApiError::handle_invalid("VM", owner.reference))?,
            nic: nic_request(db, row, on)?,
        },
        about: About::Nic(nic),
        weight: Weight::Must,
    })
}

/// The same onto the bare bridge, whose uplink is not free yet.
fn park_ask(db: &Database, nic: Ref) -> Result<HostAsk, ApiError> {
    let mut ask = move_ask(db, nic)?;
    if let HostCommand::MoveNic { nic, .. } = &mut ask.command {
        nic.bridge = BridgeRequest {
            mtu: nic.bridge.mtu,
            ..BridgeRequest::internal(nic.bridge.name.clone())
        };
    }
    Ok(ask)
}

/// Asks for the networks of VLANs on an interface, those that work.
fn vlan_asks(db: &Database, card: Ref) -> Result<Vec<HostAsk>, ApiError> {
    let vlans = db
        .of_class(pif::CLASS, card)
        .map(|row| row.get(pif::VLAN_SLAVE_OF).as_refs())
        .unwrap_or_default();
    let stands = vlans
        .into_iter()
        .filter_map(|v| db.of_class(vlan::CLASS, v))
        .map(|v| v.get(vlan::UNTAGGED_PIF).as_ref());
    stands
        .filter(|untagged| {
            db.of_class(pif::CLASS, *untagged)
                .is_some_and(|row| row.get(pif::CURRENTLY_ATTACHED).as_bool())
        })
        .map(|untagged| plug_ask(db, untagged))
        .collect()
}

/// From members to bond.
fn joining(before: &Database, after: &Database, made: &Made) -> Result<Vec<HostAsk>, ApiError> {
    let mut asks = vec![plug_ask(after, made.master)?];
    asks.extend(vlan_asks(after, made.master)?);
    for guest in &made.guests {
        asks.push(move_ask(after, *guest)?);
    }
    // The bridges of the members stand without uplink now; those that nobody uses go.
    for member in members(after, made.bond) {
        let net = before
            .of_class(pif::CLASS, member)
            .and_then(|p| before.of_class(network::CLASS, p.get(pif::NETWORK).as_ref()));
        if let Some(net) = net {
            asks.push(bare_bridge(after, made, net.get(network::BRIDGE).as_str())?.optional());
        }
    }
    Ok(asks)
}

fn bare_bridge(db: &Database, made: &Made, name: &str) -> Result<HostAsk, ApiError> {
    Ok(HostAsk {
        host: crate::core::uuid_of_host(db, made.host)?,
        command: HostCommand::RemoveBridge {
            bridge: Box::new(BridgeRequest::internal(name)),
        },
        about: About::Card(made.master),
        weight: Weight::Must,
    })
}

fn members(db: &Database, of: Ref) -> Vec<Ref> {
    db.of_class(bond::CLASS, of)
        .map(|row| row.get(bond::SLAVES).as_refs())
        .unwrap_or_default()
}

/// From bond to members. `bonded` is the pool with the bond, `apart` without it.
fn parting(bonded: &Database, apart: &Database, made: &Made) -> Result<Vec<HostAsk>, ApiError> {
    let mut asks = Vec::new();
    for guest in &made.guests {
        asks.push(park_ask(apart, *guest)?);
    }
    let ask = plug_ask(bonded, made.master)?;
    let HostCommand::EnsureBridge { mut bridge } = ask.command else {
        return Err(ApiError::internal("a network is asked for otherwise"));
    };
    // Its addresses go to the first member.
    bridge.ip = Vec::new();
    asks.push(HostAsk {
        command: HostCommand::RemoveBridge { bridge },
        ..ask
    });
    for member in members(bonded, made.bond) {
        let was_up = apart
            .of_class(pif::CLASS, member)
            .is_some_and(|row| row.get(pif::CURRENTLY_ATTACHED).as_bool());
        if was_up {
            asks.push(plug_ask(apart, member)?);
        }
        asks.extend(vlan_asks(apart, member)?);
    }
    Ok(asks)
}

/// Makes a bond.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeBond {
    network: Ref,
    members: Vec<Ref>,
    mac: String,
    mode: String,
    properties: Vec<(String, String)>,
    made: Option<Found>,
    plan: Plan,
}

/// [`Made`] as a saga keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    bond: Ref,
    master: Ref,
    host: Ref,
    guests: Vec<Ref>,
}

impl From<Made> for Found {
    fn from(made: Made) -> Found {
        let Made {
            bond,
            master,
            host,
            guests,
        } = made;
        Found {
            bond,
            master,
            host,
            guests,
        }
    }
}

impl From<&Found> for Made {
    fn from(found: &Found) -> Made {
        Made {
            bond: found.bond,
            master: found.master,
            host: found.host,
            guests: found.guests.clone(),
        }
    }
}

impl MakeBond {
    /// `Bond.create`.
    pub fn new(new: NewBond) -> MakeBond {
        let properties = new.properties.as_map().into_iter().flatten();
        MakeBond {
            network: new.network,
            members: new.members,
            mac: new.mac,
            mode: new.mode,
            properties: properties
                .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
                .collect(),
            made: None,
            plan: Plan::default(),
        }
    }
}

impl Planned for MakeBond {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for MakeBond {
    const NAME: &'static str = "bond_create";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let before = draft.db().clone();
        let new = NewBond {
            network: self.network,
            members: self.members.clone(),
            mac: self.mac.clone(),
            mode: self.mode.clone(),
            properties: Value::string_map(self.properties.iter().map(|(k, v)| (k, v))),
        };
        let made = bonds::begin(draft, &new)?;
        let after = foreseen(draft, |d| bonds::commit(d, &made))?;
        self.plan.asks = joining(&before, &after, &made)?;
        self.plan.undo = parting(&after, &before, &made)?;
        self.made = Some(made.into());
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        let made = self
            .made
            .as_ref()
            .ok_or_else(|| ApiError::internal("the bond was not begun"))?;
        bonds::commit(draft, &made.into())?;
        Ok(made.bond.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let Some(made) = &self.made {
            bonds::remove(draft, made.bond);
        }
    }
}

/// Takes a bond apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestroyBond {
    bond: Ref,
    made: Option<Found>,
    was_up: bool,
    plan: Plan,
}

impl DestroyBond {
    /// `Bond.destroy`.
    pub fn new(bond: Ref) -> DestroyBond {
        DestroyBond {
            bond,
            made: None,
            was_up: true,
            plan: Plan::default(),
        }
    }
}

impl Planned for DestroyBond {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for DestroyBond {
    const NAME: &'static str = "bond_destroy";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let before = draft.db().clone();
        let made = bonds::begin_destroy(draft, self.bond)?;
        self.was_up = before
            .of_class(pif::CLASS, made.master)
            .is_some_and(|row| row.get(pif::CURRENTLY_ATTACHED).as_bool());
        let after = foreseen(draft, |d| bonds::commit_destroy(d, &made))?;
        self.plan.asks = parting(&before, &after, &made)?;
        if self.was_up {
            self.plan.undo = joining(&after, &before, &made)?;
        }
        self.made = Some(made.into());
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        let made = self
            .made
            .as_ref()
            .ok_or_else(|| ApiError::internal("nothing was begun"))?;
        bonds::commit_destroy(draft, &made.into())?;
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let Some(made) = &self.made {
            draft.set(made.master, pif::CURRENTLY_ATTACHED, self.was_up);
        }
    }
}

/// Changes mode or properties of a bond.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeBond {
    bond: Ref,
    change: Change,
    before: Option<(String, Vec<(String, String)>)>,
    plan: Plan,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Change {
    Mode(String),
    Property(String, String),
}

impl ChangeBond {
    /// `Bond.set_mode`.
    pub fn mode(bond: Ref, mode: &str) -> ChangeBond {
        ChangeBond {
            bond,
            change: Change::Mode(mode.to_owned()),
            before: None,
            plan: Plan::default(),
        }
    }

    /// `Bond.set_property`.
    pub fn property(bond: Ref, name: &str, value: &str) -> ChangeBond {
        ChangeBond {
            change: Change::Property(name.to_owned(), value.to_owned()),
            ..ChangeBond::mode(bond, "")
        }
    }
}

impl Planned for ChangeBond {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for ChangeBond {
    const NAME: &'static str = "bond_change";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let before_all = draft.db().clone();
        let before = match &self.change {
            Change::Mode(mode) => bonds::set_mode(draft, self.bond, mode)?,
            Change::Property(name, value) => bonds::set_property(draft, self.bond, name, value)?,
        };
        let properties = before.properties.as_map().into_iter().flatten();
        self.before = Some((
            before.mode.clone(),
            properties
                .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
                .collect(),
        ));
        let master = draft.read(bond::CLASS, self.bond)?.get(bond::MASTER).as_ref();
        let row = draft.read(pif::CLASS, master)?;
        if row.get(pif::CURRENTLY_ATTACHED).as_bool() {
            self.plan.asks.push(plug_ask(draft.db(), master)?);
            self.plan.undo.push(plug_ask(&before_all, master)?);
        }
        debug_assert!(cards::bond_of(&row) == Some(self.bond));
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let Some((mode, properties)) = &self.before {
            let before = Settings {
                mode: mode.clone(),
                properties: Value::string_map(properties.iter().map(|(k, v)| (k, v))),
            };
            before.write(draft, self.bond);
        }
    }
}
