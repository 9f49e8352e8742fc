//! Keeps the records true to what hosts tell, while this node leads.

mod halves;
mod later;
mod strays;

use std::collections::BTreeMap;
use std::time::Duration;

use node_commands::{GuestReport, HostCommand, HostEvent};
use node_hypervisor::{Domain, DomainEventKind, DomainState, StopReason};
use pool_domain::decide::figures::{self, HostFigures};
use pool_domain::decide::guest::{self, GuestFacts};
use pool_domain::decide::vm_power::{self, GuestEnd};
use pool_domain::decide::{drift, host as hosts, message};
use pool_domain::{placement, vm_rules};
use proto_types::generated::{host, pbd, vm};
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::core::{Ops, own};
use crate::network::reconcile as networks;
use crate::operation::Call;
use crate::storage::pbd::spec_of;
use crate::vm::start::StartVm;
use later::Ending;

/// Takes in one message of a host's stream.
///
/// # Errors
/// If this node no longer leads.
pub async fn take(ops: &Ops, on: Ref, event: HostEvent) -> Result<(), ApiError> {
    match event {
        HostEvent::Snapshot { domains, plugged, .. } => {
            set_live(ops, on, Liveness::Live).await?;
            strays::clear(ops, on, &domains).await;
            domains_are(ops, on, &domains).await?;
            networks::restore(ops, on).await?;
            plug_missing(ops, on, &plugged).await
        }
        HostEvent::Domain { vm, kind, now } => domain_changed(ops, on, vm, kind, now).await,
        HostEvent::Guest { vm, report } => guest_told(ops, on, vm, report.as_deref()).await,
        HostEvent::Drift { domains } => drifted(ops, on, domains).await,
        HostEvent::Heartbeat { .. } => set_live(ops, on, Liveness::Live).await,
        HostEvent::Figures {
            memory_total,
            memory_free,
            domains,
        } => {
            let domains = domains.iter().map(|d| (d.vm.to_string(), d.memory)).collect();
            counted(
                ops,
                on,
                HostFigures {
                    memory_total,
                    memory_free,
                    domains,
                },
            )
            .await
        }
    }
}

/// Notes what a host counted, if the records differ noticeably.
async fn counted(ops: &Ops, on: Ref, figures: HostFigures) -> Result<(), ApiError> {
    ops.decide(&own("figures"), |d| {
        figures::note(d, on, &figures);
        Ok(())
    })
    .await
    .map(|_| ())
}

/// What others have changed about a host's domains.
async fn drifted(ops: &Ops, on: Ref, domains: BTreeMap<Uuid, Vec<String>>) -> Result<(), ApiError> {
    let domains: BTreeMap<String, Vec<String>> = domains
        .into_iter()
        .map(|(vm, texts)| (vm.to_string(), texts))
        .collect();
    ops.decide(&own("changes from outside"), |d| {
        drift::note(d, on, &domains);
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Whether a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It does.
    Live,
    /// It has been silent for too long.
    Silent,
}

/// Notes a change of liveness.
///
/// # Errors
/// If this node no longer leads.
pub async fn set_live(ops: &Ops, on: Ref, liveness: Liveness) -> Result<(), ApiError> {
    let live = liveness == Liveness::Live;
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(host::CLASS, on) else {
        return Ok(());
    };
    if placement::is_live(&db, row) == live {
        return Ok(());
    }
    tracing::info!(host = row.get(host::NAME_LABEL).as_str(), live, "host");
    ops.decide(&own("host liveness"), |d| {
        hosts::set_live(d, on, live);
        Ok(())
    })
    .await
    .map(|_| ())
}

/// The records follow the host's list: what it does not have does not run there.
async fn domains_are(ops: &Ops, on: Ref, domains: &[Domain]) -> Result<(), ApiError> {
    let reported: Vec<(String, bool)> = domains
        .iter()
        .filter(|d| d.state.is_live())
        .map(|d| (d.uuid.to_string(), matches!(d.state, DomainState::Paused(_))))
        .collect();
    let gone = later::gone(ops, on, &reported).await;
    let (ended, db) = ops
        .decide(&own("host report"), |d| {
            Ok(hosts::reconcile_domains(d, on, &reported, &gone))
        })
        .await?;
    for (reference, _) in gone.iter().filter(|(r, _)| !ended.contains(r)) {
        later::look(ops, on, *reference, Ending::Lost);
    }
    for reference in ended {
        // A guest whose host went down with it is not started again by itself; that is for high availability.
        tracing::info!(vm = %reference, "no longer runs on its host");
    }
    for reference in hosts::missing_but_busy(&db, on, &reported) {
        later::look(ops, on, reference, Ending::Lost);
    }
    halves::settle(ops, on, domains).await;
    Ok(())
}

/// The agent inside a guest said something, or fell silent.
async fn guest_told(ops: &Ops, on: Ref, uuid: Uuid, report: Option<&GuestReport>) -> Result<(), ApiError> {
    let db = ops.pool.snapshot();
    let Some(reference) = db.by_uuid(vm::CLASS, &uuid.to_string()).map(|v| v.reference) else {
        return Ok(());
    };
    let facts = report.map(guest_facts);
    ops.decide(&own("guest agent"), |d| {
        let resident = d
            .db()
            .of_class(vm::CLASS, reference)
            .map_or(Ref::NULL, |v| v.get(vm::RESIDENT_ON).as_ref());
        // Word of a guest that has left for another host since, or of one that is only arriving, is another host's.
        if resident == on {
            match &facts {
                Some(facts) => guest::told(d, reference, facts),
                None => guest::silent(d, reference),
            }
        }
        Ok(())
    })
    .await
    .map(|_| ())
}

/// What the guest's agent can do, by the names under which clients look for it.
const FEATURES: &[(&str, &[&str])] = &[
    (
        "guest-shutdown",
        &["feature-shutdown", "feature-poweroff", "feature-reboot"],
    ),
    ("guest-set-vcpus", &["feature-vcpu-hotplug"]),
    ("guest-fsfreeze-freeze", &["feature-snapshot"]),
];

fn guest_facts(report: &GuestReport) -> GuestFacts {
    GuestFacts {
        agent_version: report.agent_version.clone(),
        os_name: report.os_name.clone(),
        distro: report.distro.clone(),
        os_version: report.os_version.clone(),
        kernel: report.kernel.clone(),
        hostname: report.hostname.clone(),
        interfaces: report.interfaces.clone(),
        features: FEATURES
            .iter()
            .filter(|(command, _)| report.commands.iter().any(|c| c == command))
            .flat_map(|(_, features)| features.iter().map(|f| (*f).to_owned()))
            // The balloon and suspension need no agent.
            .chain(["feature-balloon", "feature-suspend"].map(str::to_owned))
            .collect(),
    }
}

async fn domain_changed(
    ops: &Ops,
    on: Ref,
    uuid: Uuid,
    kind: DomainEventKind,
    now: Option<Domain>,
) -> Result<(), ApiError> {
    let db = ops.pool.snapshot();
    let Some(row) = db.by_uuid(vm::CLASS, &uuid.to_string()) else {
        return Ok(());
    };
    let reference = row.reference;
    if row.get(vm::RESIDENT_ON).as_ref() != on {
        // It is another host's by now; or it is about to be this one's, and has ended before the records say so.
        let is_coming = row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() == on;
        if is_coming
            && let DomainEventKind::Stopped(reason) = kind
            && now.is_none()
        {
            later::look(ops, on, reference, Ending::of(reason));
        } else if let Some(domain) = now {
            strays::clear(ops, on, &[domain]).await;
        }
        return Ok(());
    }
    if vm_rules::is_busy(row) {
        // Someone is at work on it and knows better; but if it ended, what that comes to must be seen to.
        if let DomainEventKind::Stopped(reason) = kind
            && now.is_none()
        {
            later::look(ops, on, reference, Ending::of(reason));
        }
        return Ok(());
    }
    match kind {
        DomainEventKind::Stopped(reason) if now.is_none() => {
            let ending = Ending::of(reason);
            let follows = vm_power::after(row, ending == Ending::Crashed);
            // Word of an end may come after the guest's next start, above all when the leader is busy.
            let Some(asked_at) = later::is_gone(ops, on, reference).await else {
                later::look(ops, on, reference, ending);
                return Ok(());
            };
            let (still_ours, _) = ops
                .decide(&own("guest ended"), |d| {
                    let row = d.read(vm::CLASS, reference)?;
                    let ours = row.get(vm::RESIDENT_ON).as_ref() == on
                        && row.version == asked_at
                        && !vm_rules::is_busy(&row);
                    if ours {
                        ending.write(d, reference);
                    }
                    Ok(ours)
                })
                .await?;
            if !still_ours {
                later::look(ops, on, reference, ending);
            }
            let by_hand = matches!(
                reason,
                StopReason::Destroyed | StopReason::Saved | StopReason::Migrated
            );
            if still_ours && follows == GuestEnd::Restart && !by_hand {
                restart(ops, reference, on);
            }
            Ok(())
        }
        DomainEventKind::Paused | DomainEventKind::Resumed => {
            let paused = matches!(now.map(|d| d.state), Some(DomainState::Paused(_)));
            ops.decide(&own("guest changed"), |d| {
                let row = d.read(vm::CLASS, reference)?;
                if row.get(vm::RESIDENT_ON).as_ref() == on && !vm_rules::is_busy(&row) {
                    let state = if paused {
                        vm_rules::PAUSED
                    } else {
                        vm_rules::RUNNING
                    };
                    d.set(reference, vm::POWER_STATE, state);
                }
                Ok(())
            })
            .await
            .map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Starts a guest anew on the host where it ended, because its settings say so.
fn restart(ops: &Ops, reference: Ref, on: Ref) {
    let ops = ops.clone();
    tokio::spawn(async move {
        let call = Call {
            label: "VM.start".to_owned(),
            host: on,
            origin: own("restart"),
            ..Call::default()
        };
        let started =
            crate::operation::run(&ops, StartVm::new(reference, "start", Some(on), false), call).await;
        if let Err(error) = started {
            tracing::warn!(vm = %reference, %error, "could not be started again");
        }
    });
}

/// Plugs what the records say should be plugged on a host that has come back or has just joined.
async fn plug_missing(ops: &Ops, on: Ref, plugged: &[Uuid]) -> Result<(), ApiError> {
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(host::CLASS, on) else {
        return Ok(());
    };
    let Ok(host_uuid) = Uuid::try_parse(row.uuid()) else {
        return Ok(());
    };
    for plug in row.get(host::PBDS).as_refs() {
        let Some(record) = db.of_class(pbd::CLASS, plug) else {
            continue;
        };
        let Ok(spec) = spec_of(&db, plug) else { continue };
        let is_done = plugged.contains(&spec.uuid) && record.get(pbd::CURRENTLY_ATTACHED).as_bool();
        if is_done || !record.get(pbd::WANTED).as_bool() {
            continue;
        }
        let command = HostCommand::SrPlug { sr: spec };
        let answer = ops
            .agents
            .call(host_uuid, Uuid::new_v4(), command, Duration::from_secs(90))
            .await;
        let attached = answer.is_ok();
        if let Err(failure) = answer {
            tracing::warn!(host = %host_uuid, error = %failure.text, "an SR could not be plugged");
        }
        ops.decide(&own("plug at start"), |d| {
            let was = d.read(pbd::CLASS, plug)?.get(pbd::CURRENTLY_ATTACHED).as_bool();
            d.set(plug, pbd::CURRENTLY_ATTACHED, attached);
            if was && !attached {
                let object = host_uuid.to_string();
                let notice = message::Notice {
                    name: "PBD_PLUG_FAILED_ON_SERVER_START",
                    priority: 3,
                    cls: "Host",
                    object: &object,
                    body: String::new(),
                };
                message::add(d, &notice);
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}
