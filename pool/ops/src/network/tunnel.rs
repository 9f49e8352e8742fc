//! `tunnel.create` and `tunnel.destroy`: a host joins or leaves a tunnelled network, and the others learn of it.

use pool_domain::decide::pif as cards;
use pool_domain::decide::tunnel::{self as tunnels, Made};
use pool_domain::{Database, Draft};
use pool_saga::Step;
use proto_types::generated::{pif, tunnel};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::network::on_hosts::{HostAsk, Plan, Planned, found_link, plug_ask, replies, steps, unplug_ask};
use crate::operation::{Cx, Operation, Outputs};

/// Has the other hosts of a tunnelled network reach who is part of it now. A host that is away learns of it when it comes
/// back.
pub(crate) fn tell_others(db: &Database, net: Ref, except: Ref) -> Vec<HostAsk> {
    let access = |part: Ref| {
        let row = db.of_class(tunnel::CLASS, part)?;
        let card = db.of_class(pif::CLASS, row.get(tunnel::ACCESS_PIF).as_ref())?;
        card.get(pif::CURRENTLY_ATTACHED)
            .as_bool()
            .then_some(card.reference)
    };
    tunnels::parts(db, net)
        .into_iter()
        .filter(|part| *part != except)
        .filter_map(access)
        .filter_map(|card| plug_ask(db, card).ok())
        .map(HostAsk::optional)
        .collect()
}

/// Has all hosts learn of a new address of an interface that carries tunnels.
pub(crate) fn tell_of_transport(db: &Database, transport: Ref) -> Vec<HostAsk> {
    let carried = db
        .of_class(pif::CLASS, transport)
        .map(|row| row.get(pif::TUNNEL_TRANSPORT_PIF_OF).as_refs())
        .unwrap_or_default();
    carried
        .into_iter()
        .filter_map(|part| db.of_class(tunnel::CLASS, part))
        .filter_map(|row| db.of_class(pif::CLASS, row.get(tunnel::ACCESS_PIF).as_ref()))
        .flat_map(|card| tell_others(db, card.get(pif::NETWORK).as_ref(), Ref::NULL))
        .collect()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    tunnel: Ref,
    access: Ref,
    network: Ref,
    host: Ref,
}

impl From<Made> for Part {
    fn from(made: Made) -> Part {
        let Made {
            tunnel,
            access,
            network,
            host,
        } = made;
        Part {
            tunnel,
            access,
            network,
            host,
        }
    }
}

impl From<&Part> for Made {
    fn from(part: &Part) -> Made {
        Made {
            tunnel: part.tunnel,
            access: part.access,
            network: part.network,
            host: part.host,
        }
    }
}

/// Makes a host part of a tunnelled network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeTunnel {
    transport: Ref,
    network: Ref,
    protocol: String,
    part: Option<Part>,
    plan: Plan,
}

impl MakeTunnel {
    /// `tunnel.create`.
    pub fn new(transport: Ref, network: Ref, protocol: &str) -> MakeTunnel {
        MakeTunnel {
            transport,
            network,
            protocol: protocol.to_owned(),
            part: None,
            plan: Plan::default(),
        }
    }
}

impl Planned for MakeTunnel {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for MakeTunnel {
    const NAME: &'static str = "tunnel_create";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let before = draft.db().clone();
        let made = tunnels::begin(draft, self.transport, self.network, &self.protocol)?;
        self.plan.asks.push(plug_ask(draft.db(), made.access)?);
        self.plan
            .asks
            .extend(tell_others(draft.db(), self.network, made.tunnel));
        self.plan.undo.push(unplug_ask(draft.db(), made.access)?);
        self.plan
            .undo
            .extend(tell_others(&before, self.network, made.tunnel));
        self.part = Some(made.into());
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let part = self
            .part
            .as_ref()
            .ok_or_else(|| ApiError::internal("the tunnel was not begun"))?;
        tunnels::commit(draft, &part.into())?;
        cards::plugged(draft, part.access, &found_link(replies(outputs).first()));
        Ok(part.tunnel.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let Some(part) = &self.part {
            tunnels::remove(draft, &part.into());
        }
    }
}

/// Takes a host out of a tunnelled network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestroyTunnel {
    tunnel: Ref,
    part: Option<Part>,
    was_up: bool,
    plan: Plan,
}

impl DestroyTunnel {
    /// `tunnel.destroy`.
    pub fn new(tunnel: Ref) -> DestroyTunnel {
        DestroyTunnel {
            tunnel,
            part: None,
            was_up: false,
            plan: Plan::default(),
        }
    }
}

impl Planned for DestroyTunnel {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Operation for DestroyTunnel {
    const NAME: &'static str = "tunnel_destroy";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let before = draft.db().clone();
        let made = tunnels::begin_destroy(draft, self.tunnel)?;
        self.was_up = before
            .of_class(pif::CLASS, made.access)
            .is_some_and(|row| row.get(pif::CURRENTLY_ATTACHED).as_bool());
        self.plan.asks.push(unplug_ask(draft.db(), made.access)?);
        let without = {
            let facts = pool_domain::Facts::new(draft.facts().now, uuid::Uuid::new_v4);
            let mut scratch = Draft::new(draft.db(), &facts);
            tunnels::remove(&mut scratch, &made);
            scratch.db().clone()
        };
        self.plan
            .asks
            .extend(tell_others(&without, made.network, made.tunnel));
        if self.was_up {
            self.plan.undo.push(plug_ask(&before, made.access)?);
            self.plan
                .undo
                .extend(tell_others(&before, made.network, made.tunnel));
        }
        self.part = Some(made.into());
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        if let Some(part) = &self.part {
            tunnels::remove(draft, &part.into());
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        if let (Some(part), true) = (&self.part, self.was_up) {
            cards::plugged(draft, part.access, &Default::default());
        }
    }
}
