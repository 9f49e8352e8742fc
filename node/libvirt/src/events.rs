//! What libvirt's events mean.

use node_hypervisor::{DomainEvent, DomainEventKind, StopReason};
use tokio::sync::broadcast;
use uuid::Uuid;
use virt_sys as sys;

use crate::bridge::Removal;
use crate::ffi::RawEvent;
use crate::xml::devices;

/// Hands an event to those who listen. Called on libvirt's thread, so it must not block.
pub(crate) fn pass_on(
    events: &broadcast::Sender<DomainEvent>,
    removals: &broadcast::Sender<Removal>,
    vm: Uuid,
    raw: RawEvent,
) {
    match &raw {
        RawEvent::DeviceRemoved { alias } => {
            let _ = removals.send(Removal {
                vm,
                alias: alias.clone(),
                refused: false,
            });
        }
        RawEvent::DeviceRemovalFailed { alias } => {
            let _ = removals.send(Removal {
                vm,
                alias: alias.clone(),
                refused: true,
            });
        }
        _ => {}
    }
    tracing::debug!(%vm, ?raw, "event of libvirt");
    if let Some(kind) = understand(&raw) {
        // Nobody listening is no fault.
        let _ = events.send(DomainEvent { vm, kind });
    }
}

/// The event that says: events may have been lost.
pub(crate) fn resync() -> DomainEvent {
    DomainEvent {
        vm: Uuid::nil(),
        kind: DomainEventKind::Resync,
    }
}

fn understand(raw: &RawEvent) -> Option<DomainEventKind> {
    Some(match raw {
        RawEvent::Lifecycle { event, detail } => match *event {
            sys::VIR_DOMAIN_EVENT_STARTED => DomainEventKind::Started,
            sys::VIR_DOMAIN_EVENT_SUSPENDED => DomainEventKind::Paused,
            sys::VIR_DOMAIN_EVENT_RESUMED => DomainEventKind::Resumed,
            sys::VIR_DOMAIN_EVENT_STOPPED => DomainEventKind::Stopped(stop_reason(*detail)),
            sys::VIR_DOMAIN_EVENT_CRASHED => DomainEventKind::Crashed,
            // Definitions, power management within the guest, and "is powering off", which a stop follows.
            _ => return None,
        },
        RawEvent::Reboot => DomainEventKind::Rebooted,
        RawEvent::DeviceRemoved { alias } => {
            match (devices::disk_of_alias(alias), devices::nic_of_alias(alias)) {
                (Some(disk), _) => DomainEventKind::DiskRemoved(disk),
                (None, Some(nic)) => DomainEventKind::NicRemoved(nic),
                (None, None) => return None,
            }
        }
        RawEvent::DeviceRemovalFailed { .. } => return None,
        RawEvent::Agent { state } => match *state {
            sys::VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED => DomainEventKind::AgentConnected,
            _ => DomainEventKind::AgentDisconnected,
        },
        RawEvent::IoError => DomainEventKind::DiskError,
    })
}

fn stop_reason(detail: u32) -> StopReason {
    match detail {
        sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN => StopReason::Shutdown,
        sys::VIR_DOMAIN_EVENT_STOPPED_DESTROYED => StopReason::Destroyed,
        sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED => StopReason::Crashed,
        sys::VIR_DOMAIN_EVENT_STOPPED_MIGRATED => StopReason::Migrated,
        sys::VIR_DOMAIN_EVENT_STOPPED_SAVED => StopReason::Saved,
        _ => StopReason::Failed,
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{DiskIndex, NicIndex};

    #[test]
    fn only_devices_of_the_pool_are_told_of() {
        let removed = |alias: &str| understand(&RawEvent::DeviceRemoved { alias: alias.into() });
        assert_eq!(
            removed("ua-tarn-disk-3"),
            Some(DomainEventKind::DiskRemoved(DiskIndex(3)))
        );
        assert_eq!(
            removed("ua-tarn-nic-0"),
            Some(DomainEventKind::NicRemoved(NicIndex(0)))
        );
        assert_eq!(removed("virtio-disk3"), None);
    }

    #[test]
    fn a_killed_emulator_is_a_failure() {
        let stopped = |detail| {
            understand(&RawEvent::Lifecycle {
                event: sys::VIR_DOMAIN_EVENT_STOPPED,
                detail,
            })
        };
        let failed = stopped(sys::VIR_DOMAIN_EVENT_STOPPED_FAILED);
        assert_eq!(failed, Some(DomainEventKind::Stopped(StopReason::Failed)));
        assert_eq!(
            stopped(u32::MAX),
            Some(DomainEventKind::Stopped(StopReason::Failed))
        );
    }
}
