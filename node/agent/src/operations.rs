//! Each operation id is carried out once: a repeat joins the call under way or gets its answer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node_commands::{CommandError, CommandErrorKind, HostReply};
use tokio::sync::watch;
use uuid::Uuid;

/// What a command comes to.
pub type Outcome = Result<HostReply, CommandError>;

/// How many ended operations are remembered.
const REMEMBERED: usize = 4096;
/// How many operations may be under way at once.
const UNDER_WAY: usize = 512;

/// The operations of one host since its node's start.
#[derive(Default)]
pub struct Operations {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Uuid, Entry>,
    ended: VecDeque<Uuid>,
    under_way: usize,
}

struct Entry {
    fingerprint: u64,
    outcome: watch::Receiver<Option<Outcome>>,
}

fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Operations {
    /// Carries the work out, unless this id has been given before: then the answer is that of the first time.
    ///
    /// The work goes on when the caller stops waiting. An outcome that is worth repeating is forgotten, so that the same
    /// id may try again.
    ///
    /// # Errors
    /// The work's own; `Busy` if too much is under way; `Internal` if the id was used for something else
    /// (another `fingerprint`), or the work panicked.
    pub async fn run<F>(&self, id: Uuid, fingerprint: u64, work: F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut outcome = {
            let mut table = locked(&self.table);
            if let Some(entry) = table.entries.get(&id) {
                if entry.fingerprint != fingerprint {
                    return Err(CommandError::new(
                        CommandErrorKind::Internal,
                        format!("operation {id} was another command before"),
                    ));
                }
                entry.outcome.clone()
            } else {
                if table.under_way >= UNDER_WAY {
                    return Err(
                        CommandError::new(CommandErrorKind::Busy, "too many operations under way")
                            .retryable(),
                    );
                }
                table.under_way += 1;
                let (sender, receiver) = watch::channel(None);
                table.entries.insert(
                    id,
                    Entry {
                        fingerprint,
                        outcome: receiver.clone(),
                    },
                );
                let keep = Arc::clone(&self.table);
                tokio::spawn(async move {
                    // A task of its own, so that a panic of the work is seen here.
                    let result = tokio::spawn(work).await.unwrap_or_else(|failure| {
                        Err(CommandError::new(
                            CommandErrorKind::Internal,
                            format!("operation {id} broke off: {failure}"),
                        ))
                    });
                    locked(&keep).end(id, &result);
                    sender.send_replace(Some(result));
                });
                receiver
            }
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(value) => value.clone().unwrap_or_else(|| Err(broken(id))),
            Err(_) => Err(broken(id)),
        }
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        locked(&self.table).under_way
    }
}

fn broken(id: Uuid) -> CommandError {
    CommandError::new(CommandErrorKind::Internal, format!("operation {id} was dropped")).retryable()
}

impl Table {
    fn end(&mut self, id: Uuid, outcome: &Outcome) {
        self.under_way = self.under_way.saturating_sub(1);
        if outcome.as_ref().is_err_and(|error| error.retryable) {
            self.entries.remove(&id);
            return;
        }
        self.ended.push_back(id);
        while self.ended.len() > REMEMBERED {
            if let Some(oldest) = self.ended.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod test {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_repeat_joins_and_later_gets_the_same_answer() {
        let operations = Arc::new(Operations::default());
        let runs = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(Notify::new());
        let id = Uuid::new_v4();
        let call = |operations: Arc<Operations>| {
            let (runs, go) = (Arc::clone(&runs), Arc::clone(&go));
            async move {
                operations
                    .run(id, 1, async move {
                        runs.fetch_add(1, Ordering::SeqCst);
                        go.notified().await;
                        Ok(HostReply::Checksum("first".into()))
                    })
                    .await
            }
        };
        let (a, b) = (
            tokio::spawn(call(operations.clone())),
            tokio::spawn(call(operations.clone())),
        );
        while runs.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        assert_eq!(a.await.unwrap(), b.await.unwrap());
        assert_eq!(
            call(operations.clone()).await,
            Ok(HostReply::Checksum("first".into()))
        );
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_work_goes_on_when_nobody_waits() {
        let operations = Operations::default();
        let go = Arc::new(Notify::new());
        let id = Uuid::new_v4();
        {
            let go = Arc::clone(&go);
            let call = operations.run(id, 1, async move {
                go.notified().await;
                Ok(HostReply::Done)
            });
            tokio::select! { biased; _ = call => unreachable!("nobody let it go"), () = tokio::task::yield_now() => {} }
        }
        go.notify_one();
        let again = operations
            .run(id, 1, async { Ok(HostReply::Checksum("second".into())) })
            .await;
        assert_eq!(again, Ok(HostReply::Done));
    }

    #[tokio::test]
    async fn an_id_is_not_used_for_two_commands() {
        let operations = Operations::default();
        let id = Uuid::new_v4();
        operations
            .run(id, 1, async { Ok(HostReply::Done) })
            .await
            .unwrap();
        assert_eq!(
            operations
                .run(id, 2, async { Ok(HostReply::Done) })
                .await
                .unwrap_err()
                .kind,
            CommandErrorKind::Internal
        );
    }

    #[tokio::test]
    async fn a_failure_worth_repeating_is_forgotten_and_another_is_not() {
        let operations = Operations::default();
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        let busy = || CommandError::new(CommandErrorKind::Busy, "later").retryable();
        operations
            .run(a, 1, async move { Err(busy()) })
            .await
            .unwrap_err();
        operations.run(a, 1, async { Ok(HostReply::Done) }).await.unwrap();
        let no = || CommandError::new(CommandErrorKind::Unsupported, "never");
        operations.run(b, 1, async move { Err(no()) }).await.unwrap_err();
        operations
            .run(b, 1, async { Ok(HostReply::Done) })
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let operations = Operations::default();
        for _ in 0..REMEMBERED + 50 {
            operations
                .run(Uuid::new_v4(), 1, async { Ok(HostReply::Done) })
                .await
                .unwrap();
        }
        assert!(locked(&operations.table).entries.len() <= REMEMBERED);
        assert_eq!(operations.under_way(), 0);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let operations = Operations::default();
        let outcome = operations
            .run(Uuid::new_v4(), 1, async { panic!("on purpose") })
            .await;
        assert_eq!(outcome.unwrap_err().kind, CommandErrorKind::Internal);
        assert_eq!(operations.under_way(), 0);
    }
}
