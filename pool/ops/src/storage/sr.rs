//! `SR.create`, `SR.scan`, `SR.destroy`.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
pub use node_commands::FoundSr;
use node_commands::{HostCommand, HostReply, ProbeRequest, SrSpec};
use pool_domain::Draft;
use pool_domain::decide::storage::{self as repositories, NewSr, Scanned};
use pool_saga::{Step, StepError};
use proto_types::generated::{host, pbd, sm, sr, vdi};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply, step_error};
use crate::core::{Ops, uuid_of_host};
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::pbd::spec_of;
use crate::storage::vdi::uuid_of_sr;

/// Makes an SR, with a plug on every host if it is shared, and plugs it in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateSr {
    host: Ref,
    config: Value,
    new: Option<SrParams>,
    sr: Ref,
    first: Uuid,
    spec: Option<SrSpec>,
    /// Plug, host's uuid; the first is the one that makes it.
    plugs: Vec<(Ref, Uuid)>,
}

/// What the caller gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SrParams {
    /// Label.
    pub name_label: String,
    /// Description.
    pub name_description: String,
    /// Driver.
    pub kind: String,
    /// Content type.
    pub content_type: String,
    /// Whether all hosts plug it.
    pub shared: bool,
    /// Driver's own settings.
    pub sm_config: Value,
}

impl CreateSr {
    /// On this host, with this device configuration.
    pub fn new(host: Ref, config: Value, params: SrParams) -> CreateSr {
        CreateSr {
            host,
            config,
            new: Some(params),
            sr: Ref::NULL,
            first: Uuid::nil(),
            spec: None,
            plugs: Vec::new(),
        }
    }
}

impl Operation for CreateSr {
    const NAME: &'static str = "sr_create";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let Some(params) = self.new.clone() else {
            return Err(ApiError::internal("no parameters"));
        };
        draft.read(host::CLASS, self.host)?;
        let kind = params.kind.to_lowercase();
        let known = draft
            .db()
            .rows(sm::CLASS)
            .any(|s| s.get(sm::TYPE).as_str() == kind);
        if !known {
            return Err(ApiError::new("SR_UNKNOWN_DRIVER", [kind]));
        }
        self.sr = repositories::introduce(
            draft,
            &NewSr {
                uuid: String::new(),
                name_label: params.name_label,
                name_description: params.name_description,
                kind,
                content_type: params.content_type,
                shared: params.shared,
                sm_config: params.sm_config,
            },
        )?;
        let config = repositories::hide_passwords(draft, &self.config);
        self.config = Value::empty_map();
        let made = repositories::make_pbds(draft, self.sr, self.host, params.shared, &config);
        for (plug, on) in made {
            self.plugs.push((plug, uuid_of_host(draft.db(), on)?));
        }
        self.first = uuid_of_host(draft.db(), self.host)?;
        let plug = self.plugs.first().map(|(p, _)| *p).unwrap_or_default();
        self.spec = Some(spec_of(draft.db(), plug)?);
        repositories::begin(draft, self.sr, task, "plug")
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(AgentStep::<CreateSr> {
                name: "create",
                ask: |cx| {
                    Some((
                        cx.operation.first,
                        HostCommand::SrCreate {
                            sr: cx.operation.spec.clone()?,
                        },
                    ))
                },
                undo: nothing,
                wait: Duration::from_secs(300),
            }),
            Box::new(PlugAll),
            Box::new(AgentStep::<CreateSr> {
                name: "scan",
                ask: |cx| {
                    Some((
                        cx.operation.first,
                        HostCommand::SrScan {
                            sr: cx.operation.spec.as_ref()?.uuid,
                        },
                    ))
                },
                undo: nothing,
                wait: Duration::from_secs(120),
            }),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let plugged: Vec<Ref> = crate::operation::read_output(outputs, "plugged").unwrap_or_default();
        for plug in plugged {
            draft.update(
                plug,
                vec![(pbd::CURRENTLY_ATTACHED, true.into()), (pbd::WANTED, true.into())],
            );
        }
        note_scan(draft, self.sr, &BTreeSet::new(), outputs)?;
        repositories::end(draft, self.sr, task);
        Ok(self.sr.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) {
        repositories::forget(draft, self.sr);
    }
}

/// Plugs on all hosts at once. The maker must succeed; another host that cannot is left unplugged and plugged by its
/// reconciler later.
struct PlugAll;

#[async_trait]
impl Step<Cx<CreateSr>> for PlugAll {
    fn name(&self) -> &'static str {
        "plug_all"
    }

    async fn run(&self, cx: &Cx<CreateSr>) -> Result<(), StepError> {
        let db = cx.ops.pool.snapshot();
        let calls = cx.operation.plugs.iter().filter_map(|(plug, on)| {
            let sr = spec_of(&db, *plug).ok()?;
            let id = cx.command_id(&format!("plug {on}"));
            Some(async move {
                let answer = cx
                    .ops
                    .agents
                    .call(*on, id, HostCommand::SrPlug { sr }, Duration::from_secs(90))
                    .await;
                (*plug, *on, answer)
            })
        });
        let mut plugged = Vec::new();
        for (plug, on, answer) in join_all(calls).await {
            match answer {
                Ok(_) => plugged.push(plug),
                Err(failure) if failure.is_fenced || on == cx.operation.first => {
                    return Err(step_error(failure));
                }
                Err(failure) => {
                    tracing::warn!(host = %on, error = %failure.text, "a host did not plug a new SR")
                }
            }
        }
        cx.leave("plugged", &plugged);
        Ok(())
    }

    async fn undo(&self, cx: &Cx<CreateSr>) -> Result<(), StepError> {
        let Some(sr) = cx.operation.spec.as_ref().map(|s| s.uuid) else {
            return Ok(());
        };
        let calls = cx.operation.plugs.iter().map(|(_, on)| {
            let id = cx.command_id(&format!("unplug {on}"));
            cx.ops
                .agents
                .call(*on, id, HostCommand::SrUnplug { sr }, Duration::from_secs(20))
        });
        for answer in join_all(calls).await {
            if let Err(failure) = answer
                && failure.is_fenced
            {
                return Err(StepError::LeadershipLost);
            }
        }
        Ok(())
    }
}

fn note_scan(
    draft: &mut Draft<'_>,
    storage: Ref,
    unborn: &BTreeSet<String>,
    outputs: &Outputs,
) -> Result<(), ApiError> {
    let HostReply::Scan { sr: facts, volumes } = reply(outputs, "scan")? else {
        return Err(ApiError::internal("the scan said nothing"));
    };
    let found: Vec<Scanned> = volumes
        .into_iter()
        .filter(|v| !v.hidden)
        .map(|v| Scanned {
            location: v.location,
            virtual_size: v.virtual_size.as_i64(),
            utilisation: v.physical_utilisation.as_i64(),
            read_only: v.read_only,
            without_data: v.without_data,
        })
        .collect();
    let sizes = (facts.physical_size.as_i64(), facts.physical_utilisation.as_i64());
    repositories::scanned(draft, storage, &found, unborn, sizes);
    Ok(())
}

/// Reads what is on an SR, or takes everything off it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkOnSr {
    sr: Ref,
    destroy: bool,
    /// Only the sizes are read.
    #[serde(default)]
    update: bool,
    host: Uuid,
    sr_uuid: Uuid,
    spec: Option<SrSpec>,
    /// Images that others were making when this began; who gave up since has taken his away.
    #[serde(default)]
    unborn: BTreeSet<String>,
}

impl WorkOnSr {
    /// `SR.scan`.
    pub fn scan(sr: Ref) -> WorkOnSr {
        WorkOnSr {
            sr,
            destroy: false,
            update: false,
            host: Uuid::nil(),
            sr_uuid: Uuid::nil(),
            spec: None,
            unborn: BTreeSet::new(),
        }
    }

    /// `SR.update`: brings the sizes up to date.
    pub fn update(sr: Ref) -> WorkOnSr {
        WorkOnSr {
            update: true,
            ..WorkOnSr::scan(sr)
        }
    }

    /// `SR.destroy`: wipes the medium.
    pub fn destroy(sr: Ref) -> WorkOnSr {
        WorkOnSr {
            destroy: true,
            ..WorkOnSr::scan(sr)
        }
    }
}

impl Operation for WorkOnSr {
    const NAME: &'static str = "sr_work";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.sr_uuid = uuid_of_sr(draft.db(), self.sr)?;
        if self.destroy {
            repositories::check_detached(draft, self.sr)?;
            let row = draft.read(sr::CLASS, self.sr)?;
            let managed = row.get(sr::VDIS).as_refs().into_iter().any(|r| {
                draft
                    .db()
                    .of_class(vdi::CLASS, r)
                    .is_some_and(|v| v.get(vdi::MANAGED).as_bool() && v.get(vdi::TYPE).as_str() != "rrd")
            });
            if managed {
                return Err(ApiError::bare("SR_NOT_EMPTY"));
            }
            let plug = row
                .get(sr::PBDS)
                .as_refs()
                .into_iter()
                .find_map(|r| draft.db().of_class(pbd::CLASS, r).cloned());
            let Some(plug) = plug else {
                return Err(ApiError::new("SR_HAS_NO_PBDS", [self.sr.to_string()]));
            };
            self.host = uuid_of_host(draft.db(), plug.get(pbd::HOST).as_ref())?;
            self.spec = Some(spec_of(draft.db(), plug.reference)?);
            repositories::begin(draft, self.sr, task, "destroy")
        } else {
            self.host = uuid_of_host(draft.db(), repositories::host_for(draft.db(), self.sr)?)?;
            self.unborn = repositories::in_the_making(draft.db());
            let name = if self.update { "update" } else { "scan" };
            repositories::begin(draft, self.sr, task, name)
        }
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<WorkOnSr> {
            name: "scan",
            ask: |cx| {
                let op = &cx.operation;
                let command = match op.spec.clone() {
                    Some(sr) => HostCommand::SrDestroy { sr },
                    None => HostCommand::SrScan { sr: op.sr_uuid },
                };
                Some((op.host, command))
            },
            undo: nothing,
            wait: Duration::from_secs(300),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        repositories::end(draft, self.sr, task);
        if self.destroy {
            repositories::forget(draft, self.sr);
        } else if self.update {
            let HostReply::Scan { sr: facts, .. } = reply(outputs, "scan")? else {
                return Err(ApiError::internal("the scan said nothing"));
            };
            let (size, used) = (facts.physical_size.as_i64(), facts.physical_utilisation.as_i64());
            repositories::refresh_sizes(draft, self.sr, size, used);
        } else {
            note_scan(draft, self.sr, &self.unborn, outputs)?;
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        repositories::end(draft, self.sr, task);
    }
}

/// What a host finds at a place where repositories may be.
///
/// # Errors
/// `SR_UNKNOWN_DRIVER [type]`; `HANDLE_INVALID`; `HOST_OFFLINE [host]`; the driver's own.
pub async fn probe(
    ops: &Ops,
    on: Ref,
    config: &Value,
    kind: &str,
    sm_config: &Value,
) -> Result<Vec<FoundSr>, ApiError> {
    let db = ops.pool.snapshot();
    let row = pool_domain::query::find(&db, host::CLASS, on)?;
    if !pool_domain::placement::is_live(&db, row) {
        return Err(ApiError::new("HOST_OFFLINE", [on.to_string()]));
    }
    let kind = kind.to_lowercase();
    if !db.rows(sm::CLASS).any(|s| s.get(sm::TYPE).as_str() == kind) {
        return Err(ApiError::new("SR_UNKNOWN_DRIVER", [kind]));
    }
    let plain = |map: &Value| {
        map.as_map()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
            .collect()
    };
    let probe = ProbeRequest {
        kind,
        device_config: repositories::reveal_passwords(&db, config),
        sm_config: plain(sm_config),
    };
    let answer = ops
        .agents
        .call(
            uuid_of_host(&db, on)?,
            Uuid::new_v4(),
            HostCommand::SrProbe { probe },
            Duration::from_secs(150),
        )
        .await
        .map_err(|failure| failure.api)?;
    match answer {
        HostReply::Found(found) => Ok(found),
        _ => Err(ApiError::internal("the host did not say what it found")),
    }
}

/// The list that `SR.probe` answers.
pub fn probe_xml(found: &[FoundSr]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" ?>\n<SRlist>\n");
    for sr in found {
        let Some(uuid) = sr.uuid else { continue };
        text.push_str(&format!(
            "\t<SR>\n\t\t<UUID>{uuid}</UUID>\n\t\t<size>{}</size>\n\t\t<utilisation>{}</utilisation>\n\t</SR>\n",
            sr.facts.physical_size.get(),
            sr.facts.physical_utilisation.get(),
        ));
    }
    text.push_str("</SRlist>\n");
    text
}

/// Brings the sizes of every plugged SR up to date. Plugging what is plugged only measures it.
pub async fn refresh_sizes(ops: Ops) {
    let db = ops.pool.snapshot();
    for storage in db.rows(sr::CLASS) {
        let Ok(on) = repositories::host_for(&db, storage.reference) else {
            continue;
        };
        let plug = storage.get(sr::PBDS).as_refs().into_iter().find(|r| {
            db.of_class(pbd::CLASS, *r)
                .is_some_and(|p| p.get(pbd::HOST).as_ref() == on)
        });
        let (Some(plug), Ok(uuid)) = (plug, uuid_of_host(&db, on)) else {
            continue;
        };
        let Ok(spec) = spec_of(&db, plug) else { continue };
        let measured = ops
            .agents
            .call(
                uuid,
                Uuid::new_v4(),
                HostCommand::SrPlug { sr: spec },
                Duration::from_secs(60),
            )
            .await;
        let facts = match measured {
            Ok(HostReply::Sr(facts)) => facts,
            Ok(_) => continue,
            Err(failure) => {
                tracing::debug!(sr = %storage.reference, error = %failure.text, "an SR was not measured");
                continue;
            }
        };
        let reference = storage.reference;
        let (size, used) = (facts.physical_size.as_i64(), facts.physical_utilisation.as_i64());
        let noted = ops
            .decide(&crate::core::own("sizes of SRs"), move |d| {
                repositories::refresh_sizes(d, reference, size, used);
                Ok(())
            })
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the size of an SR was not noted");
        }
    }
}
