//! `VLAN.create`, `pool.create_VLAN`, `pool.create_VLAN_from_PIF`, `PIF.create_VLAN`, `VLAN.destroy`.

use pool_domain::Draft;
use pool_domain::decide::{pif as cards, vlan as vlans};
use pool_saga::Step;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::network::on_hosts::{Plan, Planned, found_link, plug_ask, replies, steps, unplug_ask};
use crate::operation::{Cx, Operation, Outputs};

/// Makes a VLAN on interfaces of one host or several at once; where one fails none stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeVlans {
    bases: Vec<Ref>,
    tag: i64,
    network: Ref,
    answer: Answer,
    made: Vec<(Ref, Ref)>,
    plan: Plan,
}

/// What the call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The VLAN.
    Vlan,
    /// The interface that stands for it.
    Card,
    /// The interfaces that stand for all of them.
    Cards,
}

impl MakeVlans {
    /// A VLAN on each of these interfaces.
    pub fn new(bases: Vec<Ref>, tag: i64, network: Ref, answer: Answer) -> MakeVlans {
        MakeVlans {
            bases,
            tag,
            network,
            answer,
            made: Vec::new(),
            plan: Plan::default(),
        }
    }
}

impl Planned for MakeVlans {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for MakeVlans {
    const NAME: &'static str = "vlans_create";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        for base in &self.bases {
            let made = vlans::begin(draft, *base, self.tag, self.network)?;
            self.made.push((made.vlan, made.untagged));
        }
        for (_, untagged) in &self.made {
            self.plan.asks.push(plug_ask(draft.db(), *untagged)?);
            self.plan.undo.push(unplug_ask(draft.db(), *untagged)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let replies = replies(outputs);
        for (number, (_, untagged)) in self.made.iter().enumerate() {
            cards::plugged(draft, *untagged, &found_link(replies.get(number)));
        }
        let first = self.made.first().copied().unwrap_or_default();
        Ok(match self.answer {
            Answer::Vlan => first.0.into(),
            Answer::Card => first.1.into(),
            Answer::Cards => Value::refs(self.made.iter().map(|(_, untagged)| *untagged)),
        })
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        for (vlan, _) in &self.made {
            vlans::remove(draft, *vlan);
        }
    }
}

/// Destroys a VLAN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestroyVlan {
    vlan: Ref,
    untagged: Ref,
    was_up: bool,
    plan: Plan,
}

impl DestroyVlan {
    /// `VLAN.destroy`.
    pub fn new(vlan: Ref) -> DestroyVlan {
        DestroyVlan {
            vlan,
            untagged: Ref::NULL,
            was_up: false,
            plan: Plan::default(),
        }
    }
}

impl Planned for DestroyVlan {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for DestroyVlan {
    const NAME: &'static str = "vlan_destroy";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        use proto_types::generated::{pif, vlan};
        let untagged = draft
            .read(vlan::CLASS, self.vlan)?
            .get(vlan::UNTAGGED_PIF)
            .as_ref();
        self.was_up = draft
            .read(pif::CLASS, untagged)?
            .get(pif::CURRENTLY_ATTACHED)
            .as_bool();
        self.untagged = vlans::begin_destroy(draft, self.vlan)?;
        self.plan.asks.push(unplug_ask(draft.db(), self.untagged)?);
        if self.was_up {
            self.plan.undo.push(plug_ask(draft.db(), self.untagged)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vlans::remove(draft, self.vlan);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        use proto_types::generated::pif;
        draft.set(self.untagged, pif::CURRENTLY_ATTACHED, self.was_up);
    }
}
