//! Devices, memory, counters and consoles of a live domain.

use super::lifecycle::{refused, running};
use super::{Capability, Fixture, Verdict, ensure, said};
use crate::Hypervisor;
use crate::device::DiskSource;
use crate::error::ErrorKind;
use proto_types::Bytes;

pub(super) async fn a_disk_comes_and_goes(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let vm = running(fixture, hypervisor, "disk").await?.uuid;
    fixture.guest_is_up(vm).await;
    let disk = fixture.spare_disk().await;
    // Twice: a repeated call whose first answer was lost must find things as it wants them.
    for _ in 0..2 {
        hypervisor.attach_disk(vm, &disk).await.map_err(said)?;
    }
    if !fixture.lacks().contains(&Capability::DeviceStatistics) {
        let seen = hypervisor.statistics(vm).await.map_err(said)?;
        ensure!(
            seen.disks.iter().any(|d| d.index == disk.index),
            "no counters for {}",
            disk.index
        );
    }
    for _ in 0..2 {
        hypervisor.detach_disk(vm, disk.index).await.map_err(said)?;
    }
    hypervisor.attach_disk(vm, &disk).await.map_err(said)
}

pub(super) async fn another_disk_with_the_same_index_is_refused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "disk-rival").await?.uuid;
    fixture.guest_is_up(vm).await;
    let disk = fixture.spare_disk().await;
    hypervisor.attach_disk(vm, &disk).await.map_err(said)?;
    let mut rival = disk.clone();
    if let DiskSource::File { path, .. } = &mut rival.source {
        path.set_extension("other");
    }
    refused(
        hypervisor.attach_disk(vm, &rival).await,
        ErrorKind::DeviceExists,
        "the rival",
    )
}

pub(super) async fn a_disk_that_is_not_there_cannot_be_frozen_or_grown(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "frozen").await?.uuid;
    let spare = fixture.spare_disk().await;
    refused(
        hypervisor.switch_disks(vm, &[(spare.index, spare.source)]).await,
        ErrorKind::NoSuchDevice,
        "the freezing",
    )?;
    refused(
        hypervisor.resize_disk(vm, spare.index, Bytes::gib(1)).await,
        ErrorKind::NoSuchDevice,
        "the growing",
    )
}

pub(super) async fn an_interface_comes_and_goes(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "nic").await?.uuid;
    fixture.guest_is_up(vm).await;
    let nic = fixture.spare_nic().await;
    for _ in 0..2 {
        hypervisor.attach_nic(vm, &nic).await.map_err(said)?;
    }
    for _ in 0..2 {
        hypervisor.detach_nic(vm, nic.index).await.map_err(said)?;
    }
    Ok(())
}

pub(super) async fn detaching_what_is_not_there_succeeds(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let vm = running(fixture, hypervisor, "bare").await?.uuid;
    hypervisor
        .detach_disk(vm, fixture.spare_disk().await.index)
        .await
        .map_err(said)?;
    hypervisor
        .detach_nic(vm, fixture.spare_nic().await.index)
        .await
        .map_err(said)
}

pub(super) async fn memory_above_the_maximum_is_refused(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "balloon").await?;
    let most = spec.memory.maximum;
    let answer = hypervisor
        .set_memory_target(spec.uuid, Bytes(most.0 + Bytes::MIB))
        .await;
    refused(answer, ErrorKind::OutOfRange, "more than the maximum")?;
    for _ in 0..2 {
        hypervisor
            .set_memory_target(spec.uuid, Bytes(most.0 / 2))
            .await
            .map_err(said)?;
    }
    hypervisor.set_memory_target(spec.uuid, most).await.map_err(said)
}

pub(super) async fn counters_of_a_live_domain_are_there(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "counted").await?;
    let seen = hypervisor.statistics(spec.uuid).await.map_err(said)?;
    ensure!(
        seen.memory.maximum == spec.memory.maximum,
        "maximum {} instead of {}",
        seen.memory.maximum,
        spec.memory.maximum
    );
    let all = hypervisor.all_statistics().await.map_err(said)?;
    let Some(counted) = all.get(&spec.uuid) else {
        return Err("the domain is not among all".to_owned());
    };
    ensure!(counted.running, "it runs, and is counted as one that does not");
    ensure!(
        fixture.lacks().contains(&Capability::DeviceStatistics)
            || counted.statistics.memory.maximum == spec.memory.maximum,
        "maximum {} among all instead of {}",
        counted.statistics.memory.maximum,
        spec.memory.maximum
    );
    let host = hypervisor.host_statistics().await.map_err(said)?;
    ensure!(!host.cpu_times.is_empty(), "the host has no processor");
    ensure!(
        host.memory_free <= host.memory_total && host.memory_total > Bytes(0),
        "the host has {} of {} free",
        host.memory_free,
        host.memory_total
    );
    Ok(())
}

pub(super) async fn consoles_are_where_the_spec_wanted_them(
    fixture: &dyn Fixture,
    hypervisor: &dyn Hypervisor,
) -> Verdict {
    let spec = running(fixture, hypervisor, "console").await?;
    let found = hypervisor.consoles(spec.uuid).await.map_err(said)?;
    ensure!(
        found.vnc_socket == spec.vnc_socket,
        "graphical console at {:?}",
        found.vnc_socket
    );
    ensure!(
        found.serial_log == spec.serial_log,
        "serial log at {:?}",
        found.serial_log
    );
    Ok(())
}
