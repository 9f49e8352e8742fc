//! What guests do by themselves is learnt by events.

use node_hypervisor::{DomainEventKind, EndAction, Hypervisor, StartMode, StopReason};

use super::guest::{Live, counts_on, event};

#[tokio::test(flavor = "multi_thread")]
async fn live_a_killed_emulator_is_a_failure() {
    let Some(live) = Live::new().await else { return };
    let spec = live.spec("killed");
    let mut events = live.hypervisor.events();
    live.hypervisor.start(&spec, StartMode::Running).await.unwrap();
    let mark = spec.uuid.to_string();
    // Only the emulator of this very domain has its uuid on its command line.
    let process = std::fs::read_dir("/proc").unwrap().flatten().find(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.starts_with("/usr/bin/qemu") && line.contains(&mark)
    });
    let Some(process) = process else {
        println!("skipped: the emulator cannot be seen from here");
        live.hypervisor.destroy(spec.uuid).await.unwrap();
        return;
    };
    let pid = process.file_name().to_string_lossy().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    event(
        &mut events,
        spec.uuid,
        &DomainEventKind::Stopped(StopReason::Failed),
    )
    .await;
    assert!(live.hypervisor.state(spec.uuid).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn live_a_wanted_shutdown_ends_a_guest_that_would_restart() {
    let Some(live) = Live::new().await else { return };
    let mut spec = live.spec("restless");
    spec.end_actions.on_poweroff = EndAction::Restart;
    let mut events = live.hypervisor.events();
    live.hypervisor.start(&spec, StartMode::Running).await.unwrap();
    counts_on(spec.serial_log.as_ref().unwrap(), 0, 1).await;
    live.hypervisor.shutdown(spec.uuid).await.unwrap();
    let seen = event(
        &mut events,
        spec.uuid,
        &DomainEventKind::Stopped(StopReason::Shutdown),
    )
    .await;
    assert!(!seen.contains(&DomainEventKind::Rebooted), "{seen:?}");
}
