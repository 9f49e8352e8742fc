//! Hot plug: `VBD.plug`, `VBD.unplug`, `VIF.plug`, `VIF.unplug`.

use std::time::Duration;

use node_commands::{DiskRequest, HostCommand, NicRequest};
use pool_domain::Draft;
use pool_domain::decide::{vbd as drives, vif as nics};
use pool_saga::Step;
use proto_types::generated::{vbd, vif, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::AgentStep;
use crate::core::uuid_of_host;
use crate::domain_request::{disk_request, nic_request};
use crate::operation::{Cx, Operation, Outputs};

/// Plugs a drive or interface into a running VM, or takes it out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlugDevice {
    device: Ref,
    #[serde(default)]
    is_nic: bool,
    name: String,
    vm_uuid: Uuid,
    host: Uuid,
    what: Option<What>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum What {
    Disk(DiskRequest),
    Nic(NicRequest),
}

impl PlugDevice {
    /// `plug`, `unplug` or `unplug_force` of a VBD.
    pub fn new(device: Ref, name: &str) -> PlugDevice {
        PlugDevice {
            device,
            is_nic: false,
            name: name.to_owned(),
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
            what: None,
        }
    }

    /// The same of a VIF.
    pub fn nic(device: Ref, name: &str) -> PlugDevice {
        PlugDevice {
            is_nic: true,
            ..PlugDevice::new(device, name)
        }
    }

    fn plugs(&self) -> bool {
        self.name == "plug"
    }

    fn attach(&self) -> Option<HostCommand> {
        Some(match self.what.clone()? {
            What::Disk(disk) => HostCommand::AttachDisk {
                vm: self.vm_uuid,
                disk,
            },
            What::Nic(nic) => HostCommand::AttachNic {
                vm: self.vm_uuid,
                nic,
            },
        })
    }

    fn detach(&self) -> Option<HostCommand> {
        Some(match self.what.as_ref()? {
            What::Disk(disk) => HostCommand::DetachDisk {
                vm: self.vm_uuid,
                userdevice: disk.userdevice,
            },
            What::Nic(nic) => HostCommand::DetachNic {
                vm: self.vm_uuid,
                device: nic.device,
            },
        })
    }

    fn end(&self, draft: &mut Draft<'_>, task: Ref, attached: bool) {
        match self.what {
            Some(What::Nic(_)) => nics::end_plug(draft, self.device, task, attached),
            Some(What::Disk(_)) | None => drives::commit_plug(draft, self.device, task, attached),
        }
    }
}

impl Operation for PlugDevice {
    const NAME: &'static str = "plug_device";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let is_nic = self.is_nic;
        let owner = if is_nic {
            nics::begin_plug(draft, self.device, task, &self.name)?;
            draft.read(vif::CLASS, self.device)?.get(vif::VM).as_ref()
        } else {
            if self.plugs() {
                drives::begin_plug(draft, self.device, task)?;
            } else {
                drives::begin_unplug(draft, self.device, task, &self.name)?;
            }
            draft.read(vbd::CLASS, self.device)?.get(vbd::VM).as_ref()
        };
        let row = draft.read(vm::CLASS, owner)?;
        let on = row.get(vm::RESIDENT_ON).as_ref();
        self.host = uuid_of_host(draft.db(), on)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", owner))?;
        self.what = if is_nic {
            let nic = draft.read(vif::CLASS, self.device)?;
            Some(What::Nic(nic_request(draft.db(), &nic, on)?))
        } else {
            let disk = draft.read(vbd::CLASS, self.device)?;
            disk_request(draft.db(), &disk)?.map(What::Disk)
        };
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<PlugDevice> {
            name: "plug",
            ask: |cx| {
                let op = &cx.operation;
                Some((op.host, if op.plugs() { op.attach()? } else { op.detach()? }))
            },
            undo: |cx| {
                let op = &cx.operation;
                // A detach that the guest refused leaves the device in it: nothing is to be put back.
                if op.plugs() {
                    Some((op.host, op.detach()?))
                } else {
                    None
                }
            },
            wait: Duration::from_secs(60),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        self.end(draft, task, self.plugs());
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        self.end(draft, task, !self.plugs());
    }
}
