//! A stream that fails when its client is too slow.
//!
//! ```text
//!            first byte                 headers complete
//!  Waiting -------------> Reading head ------------------> Busy --- answer handed over ---> Waiting
//!     | idle                  | header                       |  (no limit here: bodies have their own)
//!     v                       v                              v stream or tunnel begun
//!   closed                  closed                        Transfer, to the connection's end
//!
//!   in any state: no byte of the answer taken for write_stall (in Transfer: transfer_stall) -> closed
//! ```
//! hyper's own header timer cannot tell a client that waits between requests from one that dribbles headers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::TransportLimits;

const WAITING: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const TRANSFER: u8 = 3;

/// Tells the stream how far its connection has come.
#[derive(Clone)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// A request's headers are complete.
    pub(crate) fn request_began(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// The rest of the connection is one transfer.
    pub(crate) fn transfer_began(&self) {
        self.0.store(TRANSFER, Ordering::Relaxed);
    }

    /// The answer has been handed over.
    pub(crate) fn request_ended(&self) {
        self.0.store(WAITING, Ordering::Relaxed);
    }
}

/// See the file's description.
pub(crate) struct TimedIo<S> {
    inner: S,
    progress: Progress,
    limits: TransportLimits,
    /// The state at the last read, and when it ends.
    seen: u8,
    read_until: Option<Instant>,
    /// Fires at or before `read_until`: it is moved only when it fires too early or would fire too late.
    read_timer: Timer,
    write_until: Option<Instant>,
    write_timer: Timer,
}

/// A timer that is moved as rarely as possible.
struct Timer(Pin<Box<Sleep>>);

impl Timer {
    fn new() -> Timer {
        Timer(Box::pin(tokio::time::sleep(std::time::Duration::ZERO)))
    }

    /// Ready when the deadline has passed; otherwise wakes the task at it or before.
    fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.0.deadline() > until {
                self.0.as_mut().reset(until);
            }
            if self.0.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(until);
        }
    }
}

impl<S> TimedIo<S> {
    pub(crate) fn new(inner: S, limits: TransportLimits) -> (TimedIo<S>, Progress) {
        let progress = Progress(Arc::new(AtomicU8::new(HEAD)));
        let io = TimedIo {
            inner,
            progress: progress.clone(),
            limits,
            seen: HEAD,
            read_until: Some(Instant::now() + limits.header),
            read_timer: Timer::new(),
            write_until: None,
            write_timer: Timer::new(),
        };
        (io, progress)
    }

    /// When the present state must end; looked at only when there is nothing to read.
    fn deadline(&mut self) -> Option<Instant> {
        let now = self.progress.0.load(Ordering::Relaxed);
        if now != self.seen || (now < BUSY && self.read_until.is_none()) {
            self.seen = now;
            self.read_until = match now {
                WAITING => Some(Instant::now() + self.limits.idle),
                HEAD => Some(Instant::now() + self.limits.header),
                _ => None,
            };
        }
        self.read_until
    }

    fn after_write<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_until = None;
            return result;
        }
        let stall = match self.progress.0.load(Ordering::Relaxed) {
            TRANSFER => self.limits.transfer_stall,
            _ => self.limits.write_stall,
        };
        let until = *self.write_until.get_or_insert_with(|| Instant::now() + stall);
        match self.write_timer.poll(until, cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.inner).poll_read(cx, buf) {
            // A first byte after a pause begins the next head; the time for it runs from here.
            if this
                .progress
                .0
                .compare_exchange(WAITING, HEAD, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                this.read_until = None;
            }
            return Poll::Ready(result);
        }
        let Some(until) = this.deadline() else {
            return Poll::Pending;
        };
        match this.read_timer.poll(until, cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.after_write(result, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.after_write(result, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.after_write(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.after_write(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
