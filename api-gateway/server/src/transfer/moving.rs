//! What the handlers that move disks share: opening them, watching the bytes, naming what fails.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use node_images::nbd::NbdDisk;
use node_images::{Disk, ImageError, Watch};
use pool_domain::decide::task;
use pool_ops::transfer::{Carried, Carries, Work};
use proto_types::ApiError;
use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use tokio_util::io::ReaderStream;

use super::task::HandlerTask;
use crate::api::ports::{HostStreams, VolumeAccess};

/// How often progress is written at most.
const OFTEN: Duration = Duration::from_secs(1);
/// Bytes between the one who makes a stream and the one who sends it.
const BETWEEN: usize = 4 << 20;

/// Opens the volumes of an operation.
///
/// # Errors
/// `SR_BACKEND_FAILURE` if one cannot be opened.
pub async fn open(
    streams: &Arc<dyn HostStreams>,
    carried: &Carried,
    access: VolumeAccess,
) -> Result<Vec<Arc<dyn Disk>>, ApiError> {
    let mut disks: Vec<Arc<dyn Disk>> = Vec::with_capacity(carried.volumes.len());
    for placed in &carried.volumes {
        let failed = |error: io::Error| {
            tracing::info!(host = %placed.host, location = placed.volume.location, %error, "a volume cannot be opened");
            ApiError::new("VDI_NOT_AVAILABLE", [placed.volume.location.clone()])
        };
        let stream = streams.volume(placed, access).await.map_err(failed)?;
        disks.push(Arc::new(NbdDisk::open(stream).await.map_err(failed)?));
    }
    Ok(disks)
}

/// Watches the bytes of an operation: stops them when the client or the pool says so, and tells how far they are.
pub struct Watcher {
    carried: Carried,
    total: u64,
    moved: AtomicU64,
    written: Mutex<(Option<Instant>, u64)>,
    stopped: Mutex<Option<ApiError>>,
}

impl Watcher {
    /// Of so many bytes in all.
    pub fn new(carried: Carried, total: u64) -> Watcher {
        Watcher {
            carried,
            total: total.max(1),
            moved: AtomicU64::new(0),
            written: Mutex::new((None, 0)),
            stopped: Mutex::default(),
        }
    }

    /// Why it stopped, if it did; else what the error is to the API.
    pub fn error(&self, error: ImageError, names: fn(ImageError) -> ApiError) -> ApiError {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take();
        stopped.unwrap_or_else(|| names(error))
    }

    async fn note(&self, percent: u64) {
        let reference = self.carried.task;
        #[allow(clippy::cast_precision_loss, reason = "between 0 and 100")]
        let done = percent as f64 / 100.0;
        let origin = pool_ops::core::own("progress");
        let noted = self.carried.ops.decide(&origin, |d| {
            task::progress(d, reference, done);
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::debug!(%error, "progress was not noted");
        }
    }
}

#[async_trait]
impl Watch for Watcher {
    async fn moved(&self, bytes: u64) -> Result<(), ImageError> {
        if let Err(error) = self.carried.goes_on() {
            *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            return Err(ImageError::Stopped);
        }
        let moved = self
            .moved
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        // All of it is not the end yet.
        let percent = (u128::from(moved) * 100 / u128::from(self.total)).min(99);
        let percent = u64::try_from(percent).unwrap_or(99);
        let due = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let due = percent != written.1 && written.0.is_none_or(|at| at.elapsed() >= OFTEN);
            if due {
                *written = (Some(Instant::now()), percent);
            }
            due
        };
        if due {
            self.note(percent).await;
        }
        Ok(())
    }
}

/// What fails in an import, by the API's names.
pub fn import_error(error: ImageError) -> ApiError {
    match error {
        ImageError::Ended => ApiError::bare("IMPORT_ERROR_PREMATURE_EOF"),
        ImageError::Unexpected { wanted, found } => {
            ApiError::new("IMPORT_ERROR_UNEXPECTED_FILE", [wanted.to_owned(), found])
        }
        ImageError::Table => ApiError::bare("IMPORT_ERROR_SOME_CHECKSUMS_FAILED"),
        ImageError::Disk(source) => {
            tracing::info!(error = %source, "a disk failed in an import");
            ApiError::new("VDI_IO_ERROR", ["Device I/O error"])
        }
        ImageError::TooLarge { size, most } => {
            ApiError::new("VDI_TOO_LARGE", [size.to_string(), most.to_string()])
        }
        other => ApiError::new("IMPORT_ERROR", [other.to_string()]),
    }
}

/// What fails in an export, by the API's names.
pub fn export_error(error: ImageError) -> ApiError {
    match error {
        ImageError::Disk(source) => {
            tracing::info!(error = %source, "a disk failed in an export");
            ApiError::new("VDI_IO_ERROR", ["Device I/O errors"])
        }
        ImageError::TooLarge { size, most } => {
            ApiError::new("VDI_TOO_LARGE", [size.to_string(), most.to_string()])
        }
        other => ApiError::internal(format!("the export was broken off: {other}")),
    }
}

/// A stream to a client that has begun.
pub struct Begun {
    from: DuplexStream,
    ended: oneshot::Receiver<Result<(), ApiError>>,
}

impl Begun {
    /// The bytes. They break off if the work fails.
    pub fn parts(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let ended = self.ended;
        let last = futures::stream::once(async move {
            match ended.await {
                Ok(Ok(())) => Ok(Bytes::new()),
                Ok(Err(error)) => Err(io::Error::other(error)),
                Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        });
        ReaderStream::with_capacity(self.from, 256 << 10).chain(last)
    }
}

/// Runs an operation that sends bytes. Answers once the bytes begin.
///
/// # Errors
/// The refusal of an operation that did not begin; its task has it.
pub async fn send<F>(
    task: HandlerTask,
    operation: impl Carries,
    work: impl FnOnce(Carried, DuplexStream) -> F + Send + 'static,
) -> Result<Begun, ApiError>
where
    F: Future<Output = Result<(), ApiError>> + Send + 'static,
{
    let (to, from) = tokio::io::duplex(BETWEEN);
    let (begun, has_begun) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let work: Work = Box::new(move |carried| {
        let _ = begun.send(());
        Box::pin(async move {
            let outcome = work(carried, to).await;
            let _ = end.send(outcome.clone());
            outcome
        })
    });
    let operation = tokio::spawn(task.carry(operation, work));
    match has_begun.await {
        Ok(()) => Ok(Begun { from, ended }),
        // The work was dropped, so the operation has ended or is about to.
        Err(_) => match operation.await {
            Ok(Err(error)) => Err(error),
            _ => Err(ApiError::internal("the operation did not begin")),
        },
    }
}
