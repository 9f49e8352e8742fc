//! `VUSB.unplug`: takes a host's USB device out of a running VM.

use std::time::Duration;

use node_commands::HostCommand;
use pool_domain::Draft;
use pool_domain::decide::usb;
use pool_saga::Step;
use proto_types::generated::{vm, vusb};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::AgentStep;
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// `VUSB.unplug`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnplugUsb {
    wish: Ref,
    vm_uuid: Uuid,
    host: Uuid,
    path: String,
}

impl UnplugUsb {
    /// Of a VUSB.
    pub fn new(wish: Ref) -> UnplugUsb {
        UnplugUsb {
            wish,
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
            path: String::new(),
        }
    }
}

impl Operation for UnplugUsb {
    const NAME: &'static str = "unplug_usb";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.path = usb::begin_unplug(draft, self.wish, task)?;
        let owner = draft.read(vusb::CLASS, self.wish)?.get(vusb::VM).as_ref();
        let row = draft.read(vm::CLASS, owner)?;
        self.host = uuid_of_host(draft.db(), row.get(vm::RESIDENT_ON).as_ref())?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", owner))?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<UnplugUsb> {
            name: "unplug",
            ask: |cx| {
                let op = &cx.operation;
                let command = HostCommand::DetachUsb {
                    vm: op.vm_uuid,
                    path: op.path.clone(),
                };
                Some((op.host, command))
            },
            undo: |_| None,
            wait: Duration::from_secs(60),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        usb::end_unplug(draft, self.wish, task, true);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        usb::end_unplug(draft, self.wish, task, false);
    }
}
