//! Blocking calls on a medium that may be dead: bounded in time and in number.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::error::{Result, StorageError};

/// Runs blocking calls of one repository on threads of their own.
///
/// A call on a hung NFS mount cannot be interrupted: its thread stays until the server is back. So each repository
/// has its own few, none of them is the runtime's (whose end would wait for it), and callers wait no longer than
/// the deadline.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    deadline: Duration,
}

impl Gate {
    /// At most `threads` calls at a time, each at most `deadline` long for its caller.
    pub fn new(threads: usize, deadline: Duration) -> Gate {
        Gate {
            permits: Arc::new(Semaphore::new(threads)),
            deadline,
        }
    }

    /// How long a caller waits at most.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Runs `work`. When the deadline has passed or the future is dropped it may still take effect.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`], or what `work` answers.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let late = || StorageError::TimedOut {
            operation,
            after: self.deadline,
        };
        let until = Instant::now() + self.deadline;
        let permit = match timeout_at(until, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            // The semaphore is never closed; if it were, nothing could run any more.
            Ok(Err(_)) | Err(_) => return Err(late()),
        };
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("sr-io".to_owned())
            .spawn(move || {
                // Nobody listens any more after the deadline.
                let _ = answer.send(work());
                drop(permit);
            })
            .map_err(|source| StorageError::ToolMissing {
                tool: "thread",
                source,
            })?;
        match timeout_at(until, answered).await {
            Ok(Ok(result)) => result,
            // The thread died of a panic, which it has reported itself.
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_hung_call_costs_its_caller_only_the_deadline() {
        let gate = Gate::new(1, Duration::from_millis(50));
        let (release, hung) = std::sync::mpsc::channel::<()>();
        let first = gate
            .run("hang", move || {
                let _ = hung.recv();
                Ok(())
            })
            .await;
        assert!(matches!(
            first,
            Err(StorageError::TimedOut {
                operation: "hang",
                ..
            })
        ));
        // The only thread is still taken: the next one waits no longer either.
        let second = gate.run("wait", || Ok(())).await;
        assert!(second.is_err_and(|e| e.is_retryable()));
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(5);
        while gate.run("again", || Ok(())).await.is_err() {
            assert!(Instant::now() < deadline, "the thread was never given back");
        }
    }
}
