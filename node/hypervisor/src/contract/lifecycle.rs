//! Start, pause, shut down, destroy.

use std::path::Path;

use uuid::Uuid;

use super::{Fixture, Verdict, ensure, said, wait_for, wait_for_absence};
use crate::domain::{DomainSpec, DomainState, PauseReason, StartMode};
use crate::error::ErrorKind;
use crate::event::{DomainEventKind, StopReason};
use crate::{Hypervisor, HypervisorError};

/// Starts a domain that runs.
pub(super) async fn running(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
    name: &str,
) -> Result<DomainSpec, String> {
    let spec = fixture.spec(name).await;
    let domain = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    ensure!(
        domain.uuid == spec.uuid,
        "started {} and got {}",
        spec.uuid,
        domain.uuid
    );
    Ok(spec)
}

/// The state of a domain that must be there.
pub(super) async fn state(hypervisor: &dyn Hypervisor, vm: Uuid) -> Result<DomainState, String> {
    match hypervisor.state(vm).await.map_err(said)? {
        Some(domain) => Ok(domain.state),
        None => Err(format!("{vm} is not there")),
    }
}

/// Whether the answer is an error of that kind.
pub(super) fn refused<T>(answer: Result<T, HypervisorError>, kind: ErrorKind, what: &str) -> Verdict {
    match answer {
        Ok(_) => Err(format!("{what} succeeded and should be {kind:?}")),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(format!("{what} should be {kind:?} and was: {}", error.chain())),
    }
}

pub(super) async fn an_absent_domain_has_no_state(_: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let found = hypervisor.state(Uuid::new_v4()).await.map_err(said)?;
    ensure!(found.is_none(), "found {found:?}");
    Ok(())
}

pub(super) async fn operations_on_an_absent_domain_say_so(
    _: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = Uuid::new_v4();
    let kind = ErrorKind::NoSuchDomain;
    refused(hypervisor.pause(vm).await, kind, "pause")?;
    refused(hypervisor.unpause(vm).await, kind, "unpause")?;
    refused(hypervisor.shutdown(vm).await, kind, "shutdown")?;
    refused(hypervisor.reboot(vm).await, kind, "reboot")?;
    refused(hypervisor.reset(vm).await, kind, "reset")?;
    refused(
        hypervisor.suspend_to(vm, Path::new("/nonexistent")).await,
        kind,
        "suspend",
    )?;
    refused(hypervisor.statistics(vm).await, kind, "statistics")?;
    refused(hypervisor.consoles(vm).await, kind, "consoles")?;
    Ok(())
}

pub(super) async fn a_started_domain_runs_and_is_listed(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "listed").await?;
    let listed = hypervisor.list().await.map_err(said)?;
    let Some(domain) = listed.iter().find(|d| d.uuid == spec.uuid) else {
        return Err("it is not listed".into());
    };
    ensure!(domain.state == DomainState::Running, "it is {:?}", domain.state);
    ensure!(domain.id >= 0, "a live domain has the id {}", domain.id);
    let alone = hypervisor.state(spec.uuid).await.map_err(said)?;
    ensure!(
        alone.as_ref().and_then(|d| d.operation.as_deref()) == Some(spec.operation.as_str()),
        "the operation is not remembered: {alone:?}"
    );
    Ok(())
}

pub(super) async fn starting_twice_by_one_operation_is_one_start(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = fixture.spec("twice").await;
    let first = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    let second = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    ensure!(first.id == second.id, "ids {} and {}", first.id, second.id);
    Ok(())
}

pub(super) async fn starting_twice_by_two_operations_is_refused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let mut spec = running(fixture, hypervisor, "rival").await?;
    spec.operation.push_str("-other");
    refused(
        hypervisor.start(&spec, StartMode::Running).await,
        ErrorKind::AlreadyExists,
        "the second start",
    )?;
    ensure!(
        state(hypervisor, spec.uuid).await? == DomainState::Running,
        "the first one suffered"
    );
    Ok(())
}

pub(super) async fn a_domain_can_start_paused(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let spec = fixture.spec("paused").await;
    hypervisor.start(&spec, StartMode::Paused).await.map_err(said)?;
    let found = state(hypervisor, spec.uuid).await?;
    ensure!(matches!(found, DomainState::Paused(_)), "it is {found:?}");
    hypervisor.unpause(spec.uuid).await.map_err(said)?;
    ensure!(
        state(hypervisor, spec.uuid).await? == DomainState::Running,
        "it does not go on"
    );
    Ok(())
}

pub(super) async fn pausing_twice_and_unpausing_twice_succeed(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "pauses").await?.uuid;
    for _ in 0..2 {
        hypervisor.pause(vm).await.map_err(said)?;
        let found = state(hypervisor, vm).await?;
        ensure!(
            found == DomainState::Paused(PauseReason::Requested),
            "paused, it is {found:?}"
        );
    }
    for _ in 0..2 {
        hypervisor.unpause(vm).await.map_err(said)?;
        let found = state(hypervisor, vm).await?;
        ensure!(found == DomainState::Running, "unpaused, it is {found:?}");
    }
    Ok(())
}

pub(super) async fn destroying_twice_succeeds(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let vm = running(fixture, hypervisor, "destroyed").await?.uuid;
    hypervisor.destroy(vm).await.map_err(said)?;
    let found = hypervisor.state(vm).await.map_err(said)?;
    ensure!(found.is_none(), "after destroy: {found:?}");
    hypervisor.destroy(vm).await.map_err(said)
}

pub(super) async fn a_domain_can_start_again_after_its_end(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = fixture.spec("again").await;
    let first = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    hypervisor.destroy(spec.uuid).await.map_err(said)?;
    let second = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    ensure!(first.id != second.id, "both times the id {}", first.id);
    Ok(())
}

pub(super) async fn a_reset_keeps_the_domain(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let spec = fixture.spec("reset").await;
    let before = hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    hypervisor.reset(spec.uuid).await.map_err(said)?;
    let after = hypervisor.state(spec.uuid).await.map_err(said)?;
    ensure!(
        after.as_ref().map(|d| d.id) == Some(before.id),
        "before {before:?}, after {after:?}"
    );
    Ok(())
}

pub(super) async fn a_guest_powers_off_when_asked(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "off").await?.uuid;
    fixture.guest_is_up(vm).await;
    let mut events = super::watch::Watch::new(hypervisor, vm);
    hypervisor.shutdown(vm).await.map_err(said)?;
    events
        .until(fixture.limit(), |kind| {
            *kind == DomainEventKind::Stopped(StopReason::Shutdown)
        })
        .await?;
    wait_for_absence(hypervisor, vm, fixture.limit()).await
}

pub(super) async fn a_guest_reboots_when_asked(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "reboots").await?.uuid;
    fixture.guest_is_up(vm).await;
    let mut events = super::watch::Watch::new(hypervisor, vm);
    hypervisor.reboot(vm).await.map_err(said)?;
    events
        .until(fixture.limit(), |kind| *kind == DomainEventKind::Rebooted)
        .await?;
    wait_for("it runs again", fixture.limit(), async || {
        Ok(state(hypervisor, vm).await? == DomainState::Running)
    })
    .await
}

pub(super) async fn facts_are_plausible(_: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let facts = hypervisor.host_facts().await.map_err(said)?;
    ensure!(
        facts.cpus > 0 && facts.sockets > 0,
        "{} processors, {} sockets",
        facts.cpus,
        facts.sockets
    );
    ensure!(facts.memory_total.0 > 0, "no memory at all");
    ensure!(
        facts.memory_free <= facts.memory_total,
        "free {} of {}",
        facts.memory_free,
        facts.memory_total
    );
    ensure!(!facts.hostname.is_empty(), "the host has no name");
    Ok(())
}
