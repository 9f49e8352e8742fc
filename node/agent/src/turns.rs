//! Commands on one VM take turns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use node_commands::HostCommand;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use uuid::Uuid;

/// What a command waits for. The two do not wait for each other: a domain can be ended while its guest ponders whether to
/// give up a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Whether the domain is here at all.
    Life(Uuid),
    /// Its devices and CPUs.
    Devices(Uuid),
}

/// The turn that a command needs; `None` if it needs none.
pub fn turn_of(command: &HostCommand) -> Option<Turn> {
    match command {
        HostCommand::StartDomain { .. }
        | HostCommand::ResumeDomain { .. }
        | HostCommand::SuspendDomain { .. }
        | HostCommand::DestroyDomain { .. }
        | HostCommand::SettleLeftover { .. }
        | HostCommand::PrepareIncoming { .. }
        | HostCommand::CancelIncoming { .. }
        | HostCommand::ReviveDomain { .. }
        | HostCommand::MigrateOut { .. } => command.vm().map(Turn::Life),
        HostCommand::PauseDomain { .. }
        | HostCommand::UnpauseDomain { .. }
        | HostCommand::AttachDisk { .. }
        | HostCommand::DetachDisk { .. }
        | HostCommand::ChangeMedia { .. }
        | HostCommand::FreezeDisks { .. }
        | HostCommand::ResizeDisk { .. }
        | HostCommand::PivotDisk { .. }
        | HostCommand::EndMirror { .. }
        | HostCommand::AttachNic { .. }
        | HostCommand::DetachNic { .. }
        | HostCommand::DetachUsb { .. }
        | HostCommand::MoveNic { .. }
        | HostCommand::SetNicPolicy { .. }
        | HostCommand::SetMemoryTarget { .. }
        | HostCommand::SetVcpus { .. }
        | HostCommand::SetCpuTuning { .. } => command.vm().map(Turn::Devices),
        _ => None,
    }
}

/// Who has which turn.
#[derive(Default)]
pub struct Turns {
    places: Mutex<HashMap<Turn, Weak<AsyncMutex<()>>>>,
}

impl Turns {
    /// Waits for a turn, first come first served; it ends when the result is dropped.
    pub async fn take(&self, turn: Turn) -> OwnedMutexGuard<()> {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = places.get(&turn).and_then(Weak::upgrade) {
                place
            } else {
                // Whoever makes one clears away those that nobody waits for.
                places.retain(|_, place| place.strong_count() > 0);
                let place = Arc::new(AsyncMutex::new(()));
                places.insert(turn, Arc::downgrade(&place));
                place
            }
        };
        place.lock_owned().await
    }
}

#[cfg(test)]
mod test {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn turns_of_one_vm_exclude_each_other_and_those_of_two_do_not() {
        let turns = Turns::default();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = turns.take(Turn::Life(a)).await;
        assert!(turns.take(Turn::Life(a)).now_or_never().is_none());
        assert!(turns.take(Turn::Life(b)).now_or_never().is_some());
        assert!(turns.take(Turn::Devices(a)).now_or_never().is_some());
        drop(first);
        assert!(turns.take(Turn::Life(a)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn unused_places_are_cleared_away() {
        let turns = Turns::default();
        for number in 0..100 {
            drop(turns.take(Turn::Life(Uuid::from_u128(number))).await);
        }
        assert!(turns.places.lock().unwrap().len() <= 2);
    }
}
