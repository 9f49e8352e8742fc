//! `VM.migrate_send` within the pool: the VM's disks go to other repositories, and it goes to another host.
//!
//! What goes first is what the hosts allow: the disks, if the host where it runs sees the repositories they go to; else the
//! guest, if the other host sees those they are on.

use async_trait::async_trait;
use pool_domain::decide::vm_move::{self, Journey};
use pool_domain::{Database, Draft, placement, query};
use pool_saga::{Step, StepError};
use proto_types::generated::{vdi, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use super::migrate::Migrate;
use crate::operation::{Cx, Operation, Outputs};
use crate::parts::{go_on, run_part, whereabouts};
use crate::storage::vdi_move::RelocateVdi;

/// Moves a VM with its disks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MigrateSend {
    vm: Ref,
    to: Ref,
    /// Which disk goes to which repository, those that stay left out.
    disks: Vec<(Ref, Ref)>,
    #[serde(default)]
    guest_first: bool,
}

impl MigrateSend {
    /// As the journey says.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn new(db: &Database, journey: Journey<'_>) -> Result<MigrateSend, ApiError> {
        vm_move::check(db, journey)?;
        let disks: Vec<(Ref, Ref)> = journey
            .disks
            .as_map()
            .into_iter()
            .flatten()
            .map(|(disk, repository)| (disk.as_ref(), repository.as_ref()))
            .filter(|(disk, repository)| {
                db.of_class(vdi::CLASS, *disk)
                    .is_some_and(|row| row.get(vdi::SR).as_ref() != *repository)
            })
            .collect();
        let row = query::find(db, vm::CLASS, journey.vm)?;
        let home = row.get(vm::RESIDENT_ON).as_ref();
        let unseen = |on: Ref| disks.iter().find(|(_, sr)| !placement::has_plugged(db, *sr, on));
        let guest_first = !home.is_null() && unseen(home).is_some();
        if guest_first {
            // The guest goes with the disks it has, which the other host must see then.
            let there = query::find(db, proto_types::generated::host::CLASS, journey.to)?;
            placement::can_reach(db, row, there)?;
        }
        Ok(MigrateSend {
            vm: journey.vm,
            to: journey.to,
            disks,
            guest_first,
        })
    }
}

impl Operation for MigrateSend {
    const NAME: &'static str = "vm_migrate_send";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        // Each part marks what it works on.
        draft.read(vm::CLASS, self.vm).map(|_| ())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Parts)]
    }

    fn commit(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        Ok(self.vm.into())
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}

    fn is_cancellable() -> bool {
        true
    }
}

/// One after another. What has moved stays where it went: each part is whole in itself.
struct Parts;

impl Parts {
    async fn move_guest(cx: &Cx<MigrateSend>) -> Result<(), ApiError> {
        let op = &cx.operation;
        let is_live = whereabouts(cx, op.vm).is_some_and(|(_, on)| !on.is_null() && on != op.to);
        if is_live {
            let part = Migrate::by_default(&cx.ops.pool.snapshot(), op.vm, op.to);
            run_part(cx, "VM.pool_migrate", part).await?;
        }
        Ok(())
    }

    async fn move_disks(cx: &Cx<MigrateSend>) -> Result<(), ApiError> {
        let all = u32::try_from(cx.operation.disks.len()).unwrap_or(u32::MAX).max(1);
        for (position, (disk, sr)) in (1_u32..).zip(&cx.operation.disks) {
            go_on(cx)?;
            // An earlier leader may have moved it: its row is another one then.
            if cx.ops.pool.snapshot().of_class(vdi::CLASS, *disk).is_some() {
                run_part(cx, "VDI.pool_migrate", RelocateVdi::new(*disk, *sr)).await?;
            }
            cx.progress(f64::from(position) / f64::from(all) * 0.9).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Step<Cx<MigrateSend>> for Parts {
    fn name(&self) -> &'static str {
        "parts"
    }

    async fn run(&self, cx: &Cx<MigrateSend>) -> Result<(), StepError> {
        let moved = async {
            if cx.operation.guest_first {
                Parts::move_guest(cx).await?;
                Parts::move_disks(cx).await
            } else {
                Parts::move_disks(cx).await?;
                go_on(cx)?;
                Parts::move_guest(cx).await
            }
        };
        moved.await.map_err(|error| match error.code.as_ref() {
            "HOST_STILL_BOOTING" => StepError::LeadershipLost,
            _ => StepError::Failed(error),
        })
    }

    async fn undo(&self, _: &Cx<MigrateSend>) -> Result<(), StepError> {
        Ok(())
    }
}
