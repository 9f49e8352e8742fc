//! A long operation as its caller sees it: progress, and a way to call it off.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Progress and cancellation of one long operation. Clones share both.
#[derive(Clone, Debug)]
pub struct Job {
    permille: Arc<watch::Sender<u32>>,
    cancel: CancellationToken,
}

impl Job {
    /// A job of which nothing is done yet.
    pub fn new() -> Job {
        Job::with_cancel(CancellationToken::new())
    }

    /// A job that a given token calls off.
    pub fn with_cancel(cancel: CancellationToken) -> Job {
        Job {
            permille: Arc::new(watch::Sender::new(0)),
            cancel,
        }
    }

    /// How much is done, in thousandths.
    pub fn permille(&self) -> u32 {
        *self.permille.borrow()
    }

    /// Sees every change of the progress.
    pub fn watch(&self) -> watch::Receiver<u32> {
        self.permille.subscribe()
    }

    /// Notes progress, in thousandths; it never goes back.
    pub fn advance(&self, permille: u32) {
        let permille = permille.min(1000);
        self.permille.send_if_modified(|now| {
            let more = permille > *now;
            if more {
                *now = permille;
            }
            more
        });
    }

    /// Calls the operation off. It answers [`crate::StorageError::Cancelled`] unless it was done already.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether it was called off.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Returns once the operation has been called off.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}

impl Default for Job {
    fn default() -> Job {
        Job::new()
    }
}
