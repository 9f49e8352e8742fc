//! `PBD.plug` and `PBD.unplug`: carried out on the host that the plug is of.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, SrSpec};
use pool_domain::Draft;
use pool_domain::decide::storage as repositories;
use pool_saga::Step;
use proto_types::generated::pbd;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::uuid_of_host;
use crate::domain_request::sr_spec;
use crate::operation::{Cx, Operation, Outputs};

/// Plugs an SR in on a host, or pulls it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plug {
    pbd: Ref,
    plug: bool,
    sr: Ref,
    host: Uuid,
    spec: Option<SrSpec>,
}

impl Plug {
    /// `PBD.plug`.
    pub fn plug(pbd: Ref) -> Plug {
        Plug {
            pbd,
            plug: true,
            sr: Ref::NULL,
            host: Uuid::nil(),
            spec: None,
        }
    }

    /// `PBD.unplug`.
    pub fn unplug(pbd: Ref) -> Plug {
        Plug {
            plug: false,
            ..Plug::plug(pbd)
        }
    }

    fn name(&self) -> &'static str {
        if self.plug { "plug" } else { "unplug" }
    }
}

/// How a plug reaches its SR, passwords included.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn spec_of(db: &pool_domain::Database, plug: Ref) -> Result<SrSpec, ApiError> {
    let row = pool_domain::query::find(db, pbd::CLASS, plug)?;
    let config = repositories::reveal_passwords(db, row.get(pbd::DEVICE_CONFIG));
    sr_spec(db, row.get(pbd::SR).as_ref(), config)
}

impl Operation for Plug {
    const NAME: &'static str = "pbd_plug";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        if !self.plug {
            repositories::check_unplug(draft, self.pbd)?;
        }
        let row = draft.read(pbd::CLASS, self.pbd)?;
        self.sr = row.get(pbd::SR).as_ref();
        self.host = uuid_of_host(draft.db(), row.get(pbd::HOST).as_ref())?;
        self.spec = Some(spec_of(draft.db(), self.pbd)?);
        repositories::begin(draft, self.sr, task, self.name())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<Plug> {
            name: "plug",
            ask: |cx| {
                let sr = cx.operation.spec.clone()?;
                let command = if cx.operation.plug {
                    HostCommand::SrPlug { sr }
                } else {
                    HostCommand::SrUnplug { sr: sr.uuid }
                };
                Some((cx.operation.host, command))
            },
            undo: nothing,
            wait: Duration::from_secs(90),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        repositories::end(draft, self.sr, task);
        draft.read(pbd::CLASS, self.pbd)?;
        draft.update(
            self.pbd,
            vec![
                (pbd::CURRENTLY_ATTACHED, self.plug.into()),
                (pbd::WANTED, self.plug.into()),
            ],
        );
        if let HostReply::Sr(facts) = reply(outputs, "plug")? {
            let (size, used) = (facts.physical_size.as_i64(), facts.physical_utilisation.as_i64());
            repositories::refresh_sizes(draft, self.sr, size, used);
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        repositories::end(draft, self.sr, task);
    }
}
