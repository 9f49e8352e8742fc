//! Turns at rows that many want to write at once.
//!
//! A decision rests on rows as it has read them, and is made again when one has changed. Where many race for the same row
//! only one wins each time, and the others may lose for long. So whoever has lost a race waits for its turn at the row, and
//! so does everybody who comes after it, for as long as there are turns to wait for. Rows without races cost nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_types::Ref;
use tokio::sync::OwnedMutexGuard;

type Queue = Arc<tokio::sync::Mutex<()>>;

/// The rows at which there are turns.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Ref, Queue>>);

/// A turn at one row. The next one's begins when it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    row: Ref,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn locked(&self) -> MutexGuard<'_, HashMap<Ref, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of the rows at which others have a turn or wait for one.
    pub(crate) fn wanted(&self, rows: impl Iterator<Item = Ref>) -> Option<Ref> {
        let queues = self.locked();
        if queues.is_empty() {
            return None;
        }
        rows.into_iter().find(|row| queues.contains_key(row))
    }

    /// Waits for a turn at a row; first come, first served.
    pub(crate) async fn take(self: &Arc<Turns>, row: Ref) -> Turn {
        let queue = Arc::clone(self.locked().entry(row).or_default());
        // Whoever gives up waiting leaves an entry behind only if nobody has the turn; the next one at the row clears it.
        let mut turn = Turn {
            turns: Arc::clone(self),
            row,
            guard: None,
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Turn {
    /// At which row.
    pub(crate) fn row(&self) -> Ref {
        self.row
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.turns.locked();
        drop(self.guard.take());
        // The table's own: nobody else has it or waits for it.
        if queues
            .get(&self.row)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            queues.remove(&self.row);
        }
    }
}

#[cfg(test)]
mod test {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    fn row(number: u128) -> Ref {
        Ref::from_uuid(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn turns_come_one_after_another_and_leave_nothing() {
        let turns = Arc::new(Turns::default());
        assert_eq!(turns.wanted([row(1)].into_iter()), None);
        let first = turns.take(row(1)).await;
        assert_eq!(turns.wanted([row(2), row(1)].into_iter()), Some(row(1)));
        let other = turns.take(row(2)).await;
        assert_eq!(other.row(), row(2));
        let mut waiting: Vec<_> = (0..3)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.take(row(1)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(waiting.iter().all(|w| !w.is_finished()));
        // One gives up.
        waiting.pop().unwrap().abort();
        drop((first, other));
        for next in waiting {
            let turn = tokio::time::timeout(Duration::from_secs(5), next).await;
            drop(turn.unwrap().unwrap());
        }
        assert!(turns.locked().is_empty());
    }
}
