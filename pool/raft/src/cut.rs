//! A switch that cuts a node off: for tests of partitions.

use std::sync::Arc;

use tokio::sync::watch;

/// Drops all Raft traffic of a node, both ways, while on. Cheap to copy; copies are one switch.
#[derive(Clone)]
pub struct Cut(Arc<watch::Sender<bool>>);

impl Cut {
    pub(crate) fn new() -> Cut {
        Cut(Arc::new(watch::Sender::new(false)))
    }

    /// Cuts the node off.
    pub fn cut(&self) {
        self.0.send_replace(true);
    }

    /// Lets traffic through again.
    pub fn heal(&self) {
        self.0.send_replace(false);
    }

    /// Whether the node is cut off.
    pub fn is_cut(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the node is cut off.
    pub(crate) fn when_cut(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.0.subscribe();
        async move {
            if receiver.wait_for(|cut| *cut).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
