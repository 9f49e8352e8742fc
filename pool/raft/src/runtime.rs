//! Threads of their own for consensus, which go before others.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that carry consensus and its traffic.
const THREADS: usize = 2;
/// How much they go before others (nice value). Needs CAP_SYS_NICE; without it they run as any other.
const NICE: i32 = -10;

/// The runtime; ends, without waiting, when the last copy goes.
#[derive(Clone)]
pub(crate) struct Threads(Arc<Owned>);

struct Owned {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    pub(crate) fn start() -> io::Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("pool-raft")
            .enable_all()
            .on_thread_start(go_before_others)
            .build()?;
        Ok(Threads(Arc::new(Owned {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })))
    }

    pub(crate) fn handle(&self) -> Handle {
        self.0.handle.clone()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A runtime must not be waited for inside another; what is still to do is not worth waiting for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Raises the priority of the calling thread; Linux keeps nice values by thread.
pub(crate) fn go_before_others() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "consensus runs at common priority");
    }
}
