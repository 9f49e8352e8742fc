//! `PIF.scan` and `PIF.introduce`: the host tells its cards, the pool makes rows of them.

use std::time::Duration;

use node_commands::{HostCommand, HostReply};
use pool_domain::Draft;
use pool_domain::decide::host::NicFacts;
use pool_domain::decide::pif_hardware as hardware;
use pool_saga::Step;
use proto_types::generated::host;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::uuid_of_host;
use crate::network::on_hosts::card_facts;
use crate::operation::{Cx, Operation, Outputs};

/// Looks for cards on a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookForCards {
    host: Ref,
    host_uuid: Uuid,
    wanted: Option<Wanted>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wanted {
    mac: String,
    device: String,
    managed: bool,
}

impl LookForCards {
    /// `PIF.scan`.
    pub fn scan(host: Ref) -> LookForCards {
        LookForCards {
            host,
            host_uuid: Uuid::nil(),
            wanted: None,
        }
    }

    /// `PIF.introduce`.
    pub fn introduce(host: Ref, mac: &str, device: &str, managed: bool) -> LookForCards {
        LookForCards {
            wanted: Some(Wanted {
                mac: mac.to_owned(),
                device: device.to_owned(),
                managed,
            }),
            ..LookForCards::scan(host)
        }
    }
}

impl Operation for LookForCards {
    const NAME: &'static str = "pif_look";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        draft.read(host::CLASS, self.host)?;
        self.host_uuid = uuid_of_host(draft.db(), self.host)?;
        if let Some(wanted) = &self.wanted {
            hardware::check_introduce(draft, self.host, &wanted.mac, &wanted.device)?;
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<LookForCards> {
            name: "list_nics",
            ask: |cx| Some((cx.operation.host_uuid, HostCommand::ListNics)),
            undo: nothing,
            wait: Duration::from_secs(30),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let HostReply::Nics(nics) = reply(outputs, "list_nics")? else {
            return Err(ApiError::internal("the host did not tell its cards"));
        };
        let found: Vec<NicFacts> = nics.iter().map(card_facts).collect();
        match &self.wanted {
            None => hardware::scanned(draft, self.host, &found).map(|()| Value::Void),
            Some(wanted) => {
                let names = (wanted.mac.as_str(), wanted.device.as_str());
                hardware::introduce(draft, self.host, names, wanted.managed, &found).map(Value::from)
            }
        }
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}
}
