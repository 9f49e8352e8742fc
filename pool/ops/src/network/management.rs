//! `host.management_reconfigure`, `pool.management_reconfigure`, `host.local_management_reconfigure`.
//!
//! The records change only once the node answers at the new address, so that no host is lost by a slip.

use node_commands::HostCommand;
use pool_domain::decide::management::{self, Move};
use pool_domain::{Database, Draft};
use pool_saga::Step;
use proto_types::generated::host;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::uuid_of_host;
use crate::network::on_hosts::{About, HostAsk, Plan, Planned, Weight, steps};
use crate::operation::{Cx, Operation, Outputs};

/// Moves the management of one host or of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MoveManagement {
    to: Target,
    moves: Vec<(Ref, Ref, String)>,
    plan: Plan,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Target {
    Card(Ref),
    Network(Ref),
}

impl MoveManagement {
    /// To an interface.
    pub fn to_card(card: Ref) -> MoveManagement {
        MoveManagement {
            to: Target::Card(card),
            moves: Vec::new(),
            plan: Plan::default(),
        }
    }

    /// Of all hosts to a network.
    pub fn to_network(network: Ref) -> MoveManagement {
        MoveManagement {
            to: Target::Network(network),
            ..MoveManagement::to_card(Ref::NULL)
        }
    }
}

impl Planned for MoveManagement {
    fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Has another live host see whether a node answers at its new address; of a host that is alone itself.
fn asks(db: &Database, to: &Move) -> Result<Vec<HostAsk>, ApiError> {
    let witness = db
        .rows(host::CLASS)
        .find(|h| h.reference != to.host && pool_domain::placement::is_live(db, h))
        .map_or(to.host, |h| h.reference);
    let from: Uuid = uuid_of_host(db, witness)?;
    let address = to
        .address
        .parse()
        .map_err(|_| ApiError::new("INTERFACE_HAS_NO_IP", [to.card.to_string()]))?;
    Ok(to
        .ports
        .iter()
        .map(|port| HostAsk {
            host: from,
            command: HostCommand::Reach { address, port: *port },
            about: About::Card(to.card),
            weight: Weight::Must,
        })
        .collect())
}

impl Operation for MoveManagement {
    const NAME: &'static str = "management_reconfigure";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let moves = match &self.to {
            Target::Card(card) => vec![management::check(draft, *card)?],
            Target::Network(net) => management::check_pool(draft, *net)?,
        };
        for to in &moves {
            self.plan.asks.extend(asks(draft.db(), to)?);
        }
        self.moves = moves
            .into_iter()
            .map(|to| (to.host, to.card, to.address))
            .collect();
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        steps()
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        for (on, card, address) in &self.moves {
            let now = management::check(draft, *card)?;
            // Somebody may have given it another address meanwhile, at which nobody has looked.
            if now.address != *address || now.host != *on {
                return Err(ApiError::new("INTERFACE_HAS_NO_IP", [card.to_string()]));
            }
            management::moved(draft, &now);
        }
        Ok(Value::Void)
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}
}
