//! `VIF.move`, and changes of what an interface lets through.

use node_commands::HostCommand;
use pool_domain::decide::vif::{self as nics, Moving};
use pool_domain::decide::vif_settings::{self as settings, Before, Change, Kind};
use pool_domain::{Database, Draft};
use pool_saga::Step;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::network::bond::move_ask;
use crate::network::on_hosts::{HostAsk, Plan, Planned, steps};
use crate::operation::{Cx, Operation, Outputs};

/// Moves an interface of a VM to another network, under the running guest if there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MoveVif {
    nic: Ref,
    network: Ref,
    before: Option<Ref>,
    plan: Plan,
}

impl MoveVif {
    /// `VIF.move`.
    pub fn new(nic: Ref, network: Ref) -> MoveVif {
        MoveVif {
            nic,
            network,
            before: None,
            plan: Plan::default(),
        }
    }
}

impl Planned for MoveVif {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for MoveVif {
    const NAME: &'static str = "vif_move";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let old = draft.db().clone();
        if let Moving::OnHost { before } = nics::begin_move(draft, self.nic, self.network, task)? {
            self.before = Some(before);
            self.plan.asks.push(move_ask(draft.db(), self.nic)?);
            self.plan.undo.push(move_ask(&old, self.nic)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        nics::end_move(draft, self.nic, task, None);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        nics::end_move(draft, self.nic, task, self.before);
    }
}

/// Has the host of a running VM hold one of its interfaces to its policy.
fn policy_ask(db: &Database, nic: Ref) -> Result<HostAsk, ApiError> {
    let mut ask = move_ask(db, nic)?;
    if let HostCommand::MoveNic { vm, nic } = ask.command {
        ask.command = HostCommand::SetNicPolicy { vm, nic };
    }
    Ok(ask)
}

/// Changes what an interface lets through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeVif {
    nic: Ref,
    change: Wish,
    before: Option<(String, Vec<String>, Vec<String>)>,
    plan: Plan,
}

/// [`Change`] as a saga keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wish {
    Mode(String),
    Allow(Family, Vec<String>),
    Add(Family, String),
    Remove(Family, String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Family {
    V4,
    V6,
}

impl From<Kind> for Family {
    fn from(kind: Kind) -> Family {
        match kind {
            Kind::V4 => Family::V4,
            Kind::V6 => Family::V6,
        }
    }
}

impl From<Family> for Kind {
    fn from(family: Family) -> Kind {
        match family {
            Family::V4 => Kind::V4,
            Family::V6 => Kind::V6,
        }
    }
}

impl ChangeVif {
    /// `set_locking_mode` and the families of `ipv4_allowed` and `ipv6_allowed`.
    pub fn new(nic: Ref, change: Change) -> ChangeVif {
        ChangeVif {
            nic,
            change: match change {
                Change::Mode(mode) => Wish::Mode(mode),
                Change::Allow(kind, addresses) => Wish::Allow(kind.into(), addresses),
                Change::Add(kind, address) => Wish::Add(kind.into(), address),
                Change::Remove(kind, address) => Wish::Remove(kind.into(), address),
            },
            before: None,
            plan: Plan::default(),
        }
    }

    fn change(&self) -> Change {
        match self.change.clone() {
            Wish::Mode(mode) => Change::Mode(mode),
            Wish::Allow(kind, addresses) => Change::Allow(kind.into(), addresses),
            Wish::Add(kind, address) => Change::Add(kind.into(), address),
            Wish::Remove(kind, address) => Change::Remove(kind.into(), address),
        }
    }
}

impl Planned for ChangeVif {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for ChangeVif {
    const NAME: &'static str = "vif_change";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let old = draft.db().clone();
        let (before, on) = settings::change(draft, self.nic, &self.change())?;
        self.before = Some(before.mode_and_addresses());
        if on.is_some() {
            self.plan.asks.push(policy_ask(draft.db(), self.nic)?);
            self.plan.undo.push(policy_ask(&old, self.nic)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let Some(before) = self.before.clone() {
            Before::read(before).restore(draft, self.nic);
        }
    }
}
