//! Save images.

use super::lifecycle::{refused, running, state};
use super::{Fixture, Verdict, ensure, said};
use crate::Hypervisor;
use crate::domain::{DomainState, StartMode};
use crate::error::ErrorKind;
use crate::event::{DomainEventKind, StopReason};

pub(super) async fn a_saved_domain_comes_back(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let mut spec = running(fixture, hypervisor, "saved").await?;
    let image = fixture.image_path(spec.uuid);
    let mut watch = super::watch::Watch::new(hypervisor, spec.uuid);
    hypervisor.suspend_to(spec.uuid, &image).await.map_err(said)?;
    ensure!(
        hypervisor.state(spec.uuid).await.map_err(said)?.is_none(),
        "it is still there after the save"
    );
    ensure!(image.exists(), "there is no image");
    watch
        .until(fixture.limit(), |kind| {
            *kind == DomainEventKind::Stopped(StopReason::Saved)
        })
        .await?;
    spec.operation.push_str("-resume");
    let domain = hypervisor
        .resume_from(&spec, &image, StartMode::Running)
        .await
        .map_err(said)?;
    ensure!(
        domain.state == DomainState::Running,
        "it comes back as {:?}",
        domain.state
    );
    ensure!(
        domain.operation.as_deref() == Some(spec.operation.as_str()),
        "by {:?}",
        domain.operation
    );
    ensure!(image.exists(), "the image vanished");
    Ok(())
}

pub(super) async fn a_saved_domain_can_come_back_paused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "saved-paused").await?;
    let image = fixture.image_path(spec.uuid);
    hypervisor.suspend_to(spec.uuid, &image).await.map_err(said)?;
    hypervisor
        .resume_from(&spec, &image, StartMode::Paused)
        .await
        .map_err(said)?;
    let found = state(hypervisor, spec.uuid).await?;
    ensure!(
        matches!(found, DomainState::Paused(_)),
        "it comes back as {found:?}"
    );
    Ok(())
}

pub(super) async fn resuming_twice_by_one_operation_is_one_resume(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let mut spec = running(fixture, hypervisor, "resumed-twice").await?;
    let image = fixture.image_path(spec.uuid);
    hypervisor.suspend_to(spec.uuid, &image).await.map_err(said)?;
    spec.operation.push_str("-resume");
    let first = hypervisor
        .resume_from(&spec, &image, StartMode::Running)
        .await
        .map_err(said)?;
    let second = hypervisor
        .resume_from(&spec, &image, StartMode::Running)
        .await
        .map_err(said)?;
    ensure!(first.id == second.id, "ids {} and {}", first.id, second.id);
    Ok(())
}

pub(super) async fn a_missing_image_is_refused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = fixture.spec("imageless").await;
    let image = fixture.image_path(spec.uuid);
    let answer = hypervisor.resume_from(&spec, &image, StartMode::Running).await;
    refused(answer, ErrorKind::BadImage, "resume from nothing")?;
    ensure!(
        hypervisor.state(spec.uuid).await.map_err(said)?.is_none(),
        "something was left behind"
    );
    Ok(())
}

pub(super) async fn an_image_of_another_domain_is_refused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "owner").await?;
    let image = fixture.image_path(spec.uuid);
    hypervisor.suspend_to(spec.uuid, &image).await.map_err(said)?;
    let stranger = fixture.spec("stranger").await;
    let answer = hypervisor
        .resume_from(&stranger, &image, StartMode::Running)
        .await;
    refused(answer, ErrorKind::BadImage, "resume from another's image")
}
