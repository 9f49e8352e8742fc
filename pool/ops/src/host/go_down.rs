//! `host.reboot` and `host.shutdown`: the guests leave or are shut down, then the host goes.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use node_commands::{HostCommand, MachineVerb};
use pool_domain::Draft;
use pool_domain::decide::host_life;
use pool_domain::evacuation;
use pool_saga::{Step, StepError};
use proto_types::generated::host;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::evacuate::move_off;
use crate::agent_step::{AgentStep, nothing};
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};
use crate::parts::{is_down, run_part};
use crate::vm::stop::{CleanShutdown, HardShutdown};

/// How long a guest that cannot move is given to go down by itself.
const GUEST_SECONDS: u64 = 60;

/// Takes a disabled host down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GoDown {
    host: Ref,
    name: String,
    uuid: Uuid,
    /// When the host's node had started: a reboot that has happened is not to happen again under another leader.
    of_start: i64,
    guests: Vec<Ref>,
}

impl GoDown {
    /// By the operation's name: `reboot` or `shutdown`.
    pub fn new(host: Ref, name: &str) -> GoDown {
        GoDown {
            host,
            name: name.to_owned(),
            uuid: Uuid::nil(),
            of_start: 0,
            guests: Vec::new(),
        }
    }
}

impl Operation for GoDown {
    const NAME: &'static str = "host_go_down";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.guests = host_life::begin_going_down(draft, self.host, task, &self.name)?;
        self.uuid = uuid_of_host(draft.db(), self.host)?;
        let row = draft.read(host::CLASS, self.host)?;
        self.of_start = host_life::node_start(&row);
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(ClearGuests),
            Box::new(AgentStep::<GoDown> {
                name: "go_down",
                // The host waits a moment before it goes, so that this answer and the commit are out by then: it may be
                // the leader's own.
                ask: |cx| {
                    let of_start = cx.operation.of_start;
                    let verb = if cx.operation.name == "reboot" {
                        MachineVerb::Reboot { of_start }
                    } else {
                        MachineVerb::PowerOff { of_start }
                    };
                    Some((cx.operation.uuid, HostCommand::Machine { verb }))
                },
                undo: nothing,
                wait: Duration::from_secs(20),
            }),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        host_life::commit_going_down(draft, self.host, task);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        host_life::end(draft, self.host, task);
    }
}

/// Guests that have a place elsewhere move there; the others are asked to go down, and ended if they do not.
struct ClearGuests;

impl ClearGuests {
    async fn one(cx: &Cx<GoDown>, guest: Ref, place: Option<Ref>) -> Result<(), ApiError> {
        if let Some(target) = place
            && move_off(cx, cx.operation.host, guest, target).await.is_ok()
        {
            return Ok(());
        }
        if is_down(cx, guest) {
            return Ok(());
        }
        let gently = CleanShutdown::new(guest, GUEST_SECONDS);
        if run_part(cx, "VM.clean_shutdown", gently).await.is_err() && !is_down(cx, guest) {
            run_part(cx, "VM.hard_shutdown", HardShutdown::new(guest)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Step<Cx<GoDown>> for ClearGuests {
    fn name(&self) -> &'static str {
        "clear_guests"
    }

    async fn run(&self, cx: &Cx<GoDown>) -> Result<(), StepError> {
        let op = &cx.operation;
        if op.guests.is_empty() {
            return Ok(());
        }
        let db = cx.ops.pool.snapshot();
        let plan = db
            .of_class(host::CLASS, op.host)
            .map(|row| evacuation::plan(&db, row))
            .unwrap_or_default();
        let place = |guest: Ref| {
            plan.iter()
                .find(|(r, _)| *r == guest)
                .and_then(|(_, fate)| fate.clone().ok())
        };
        let ends = join_all(
            op.guests
                .iter()
                .map(|guest| ClearGuests::one(cx, *guest, place(*guest))),
        )
        .await;
        for end in ends {
            if let Err(error) = end {
                return Err(if error.code == "HOST_STILL_BOOTING" {
                    StepError::LeadershipLost
                } else {
                    StepError::Failed(error)
                });
            }
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<GoDown>) -> Result<(), StepError> {
        Ok(())
    }
}
