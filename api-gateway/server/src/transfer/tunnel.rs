//! A connection that outlives HTTP.

use std::any::Any;
use std::future::Future;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The connection of a request, to be used for something else once the answer has said so.
pub struct Tunnel {
    upgrade: OnUpgrade,
    workers: TaskTracker,
    shutdown: CancellationToken,
    held: Option<Box<dyn Any + Send + Sync>>,
}

/// The connection itself.
pub type Connection = TokioIo<Upgraded>;

/// Buffer for each direction.
const BUFFER: usize = 64 << 10;

impl Tunnel {
    pub(crate) fn new(upgrade: OnUpgrade, workers: TaskTracker, shutdown: CancellationToken) -> Tunnel {
        Tunnel {
            upgrade,
            workers,
            shutdown,
            held: None,
        }
    }

    /// Drops something when the tunnel has ended.
    pub fn hold(&mut self, what: impl Send + Sync + 'static) {
        self.held = Some(Box::new(what));
    }

    /// Hands the connection over when the answer is out. It is cut when the server stops.
    pub fn run<F: Future<Output = ()> + Send>(self, work: impl FnOnce(Connection) -> F + Send + 'static) {
        let Tunnel {
            upgrade,
            workers,
            shutdown,
            held,
        } = self;
        workers.spawn(async move {
            let all = async {
                match upgrade.await {
                    Ok(connection) => work(TokioIo::new(connection)).await,
                    Err(error) => tracing::debug!(%error, "the connection did not become a tunnel"),
                }
            };
            shutdown.run_until_cancelled(all).await;
            drop(held);
        });
    }

    /// Carries bytes both ways until either side ends.
    pub fn carry(self, far: impl AsyncRead + AsyncWrite + Send + 'static) {
        self.run(|near| async move {
            let (mut from_near, mut to_near) = tokio::io::split(near);
            let (mut from_far, mut to_far) = tokio::io::split(far);
            let out = copy(&mut from_near, &mut to_far);
            let back = copy(&mut from_far, &mut to_near);
            // A screen nobody looks at, or one that is gone: either way it is over.
            let ended = tokio::select! {
                ended = out => ended,
                ended = back => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a tunnel broke");
            }
        });
    }
}

async fn copy<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(from: &mut R, to: &mut W) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..count).unwrap_or_default()).await?;
        to.flush().await?;
    }
}
