//! A disk behind an NBD server. Requests run side by side over one connection.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::handshake::negotiate;
use super::messages::{
    CHUNK_DATA, CHUNK_ERROR, CHUNK_HOLE, CHUNK_NONE, CHUNK_STATUS, Command, DONE, READS_ZERO, SIMPLE_REPLY,
    STRUCTURED_REPLY, fault, request,
};
use crate::disk::{Disk, Extent};

/// How long the negotiation may take.
const OPENING: Duration = Duration::from_secs(15);
/// How long one request may take: a disk that is slower is taken for broken.
const LONGEST: Duration = Duration::from_secs(120);
/// Largest request.
const LARGEST: usize = 8 << 20;
/// Largest range whose state is asked for, or that is zeroed at once.
const WIDEST: u64 = 1 << 30;
/// No chunk other than data is longer.
const LONGEST_CHUNK: u32 = 1 << 20;

/// A disk behind an NBD server. The connection ends when this is dropped.
pub struct NbdDisk {
    size: u64,
    has_allocation: bool,
    next: AtomicU64,
    waiting: Arc<Waiting>,
    requests: mpsc::Sender<Outgoing>,
    workers: [JoinHandle<()>; 2],
}

struct Outgoing {
    head: [u8; 28],
    data: Bytes,
}

#[derive(Default)]
struct Waiting {
    requests: Mutex<Option<HashMap<u64, Pending>>>,
}

/// A request that waits for its reply.
struct Pending {
    offset: u64,
    /// How many bytes are read.
    length: usize,
    data: Vec<u8>,
    extents: Vec<Extent>,
    failed: Option<io::Error>,
    reply: oneshot::Sender<io::Result<Answer>>,
}

struct Answer {
    data: Bytes,
    extents: Vec<Extent>,
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the NBD server has gone")
}

impl Waiting {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<u64, Pending>) -> T) -> Option<T> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.as_mut().map(work)
    }

    fn take(&self, cookie: u64) -> io::Result<Pending> {
        self.with(|all| all.remove(&cookie)).flatten().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "NBD server: answers what was not asked",
            )
        })
    }

    /// Nothing waits any more, nor can begin to.
    fn close(&self) {
        let all = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        for (_, pending) in all.into_iter().flatten() {
            let _ = pending.reply.send(Err(gone()));
        }
    }
}

impl Drop for NbdDisk {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.abort();
        }
        self.waiting.close();
    }
}

impl NbdDisk {
    /// Opens the default export of the server at the other end of a stream.
    ///
    /// # Errors
    /// If the server does not answer in time or is no such server.
    pub async fn open<S>(mut stream: S) -> io::Result<NbdDisk>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let export = timeout(OPENING, negotiate(&mut stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let (from, to) = tokio::io::split(stream);
        let waiting = Arc::new(Waiting {
            requests: Mutex::new(Some(HashMap::new())),
        });
        let (requests, queue) = mpsc::channel(4);
        let writer = tokio::spawn(write_all(to, queue));
        let reader = {
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move {
                let mut from = BufReader::with_capacity(64 << 10, from);
                // Until the server goes, or says what cannot be read.
                while read_one(&mut from, &waiting).await.is_ok() {}
                waiting.close();
            })
        };
        Ok(NbdDisk {
            size: export.size,
            has_allocation: export.allocation.is_some(),
            next: AtomicU64::new(1),
            waiting,
            requests,
            workers: [writer, reader],
        })
    }

    async fn ask(&self, command: Command, offset: u64, length: u32, data: Bytes) -> io::Result<Answer> {
        let cookie = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let reads = if command == Command::Read {
            usize::try_from(length).unwrap_or(0)
        } else {
            0
        };
        let pending = Pending {
            offset,
            length: reads,
            data: Vec::new(),
            extents: Vec::new(),
            failed: None,
            reply,
        };
        self.waiting
            .with(|all| all.insert(cookie, pending))
            .ok_or_else(gone)?;
        let head = request(command, cookie, offset, length);
        let whole = async {
            self.requests
                .send(Outgoing { head, data })
                .await
                .map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        // A request that is given up stays in the table: its reply is read and thrown away.
        timeout(LONGEST, whole).await.unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the disk does not answer",
            ))
        })
    }
}

async fn write_all(mut to: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = queue.recv().await {
        let sent = async {
            to.write_all(&outgoing.head).await?;
            to.write_all(&outgoing.data).await?;
            to.flush().await
        };
        if sent.await.is_err() {
            // The reader hears of it too, and tells those who wait.
            return;
        }
    }
    let _ = to.write_all(&request(Command::Disconnect, 0, 0, 0)).await;
    let _ = to.shutdown().await;
}

async fn read_one(from: &mut (impl AsyncRead + Unpin), waiting: &Waiting) -> io::Result<()> {
    match from.read_u32().await? {
        SIMPLE_REPLY => {
            let error = from.read_u32().await?;
            let mut pending = waiting.take(from.read_u64().await?)?;
            if error == 0 && pending.length > 0 {
                pending.data = vec![0; pending.length];
                from.read_exact(&mut pending.data).await?;
            }
            if error != 0 {
                pending.failed = Some(fault(error));
            }
            pending.end();
        }
        STRUCTURED_REPLY => {
            let flags = from.read_u16().await?;
            let kind = from.read_u16().await?;
            let cookie = from.read_u64().await?;
            let length = from.read_u32().await?;
            let mut pending = waiting.take(cookie)?;
            pending.take_chunk(from, kind, length).await?;
            if flags & DONE != 0 {
                pending.end();
            } else {
                waiting.with(|all| all.insert(cookie, pending));
            }
        }
        _ => return Err(bad("answers something else")),
    }
    Ok(())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("NBD server: {what}"))
}

impl Pending {
    fn end(self) {
        let answer = match self.failed {
            Some(error) => Err(error),
            None if self.data.len() < self.length => Err(bad("leaves out a part")),
            None => Ok(Answer {
                data: self.data.into(),
                extents: self.extents,
            }),
        };
        // Whoever asked may have given up.
        let _ = self.reply.send(answer);
    }

    /// The part of the buffer for a stretch of the disk.
    fn place(&mut self, offset: u64, length: usize) -> io::Result<&mut [u8]> {
        if self.data.is_empty() {
            self.data = vec![0; self.length];
        }
        let from = offset
            .checked_sub(self.offset)
            .and_then(|at| usize::try_from(at).ok());
        from.and_then(|from| self.data.get_mut(from..from.checked_add(length)?))
            .ok_or_else(|| bad("answers beyond what was asked"))
    }

    async fn take_chunk(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        kind: u16,
        length: u32,
    ) -> io::Result<()> {
        if kind == CHUNK_DATA {
            let offset = from.read_u64().await?;
            let length = length.checked_sub(8).and_then(|l| usize::try_from(l).ok());
            let length = length.ok_or_else(|| bad("sends a chunk too short"))?;
            from.read_exact(self.place(offset, length)?).await?;
            return Ok(());
        }
        if length > LONGEST_CHUNK {
            return Err(bad("sends a chunk too long"));
        }
        let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
        from.read_exact(&mut body).await?;
        let short = || bad("sends a chunk too short");
        match kind {
            CHUNK_NONE => {}
            CHUNK_HOLE => {
                let (offset, rest) = body.split_first_chunk::<8>().ok_or_else(short)?;
                let length = u32::from_be_bytes(*rest.first_chunk::<4>().ok_or_else(short)?);
                let length = usize::try_from(length).map_err(|_| short())?;
                self.place(u64::from_be_bytes(*offset), length)?.fill(0);
            }
            CHUNK_STATUS => {
                // One kind of state was asked for, so its number needs no look.
                let (pairs, _) = body.get(4..).ok_or_else(short)?.as_chunks::<8>();
                for [l0, l1, l2, l3, s0, s1, s2, s3] in pairs {
                    let length = u64::from(u32::from_be_bytes([*l0, *l1, *l2, *l3]));
                    let zero = u32::from_be_bytes([*s0, *s1, *s2, *s3]) & READS_ZERO != 0;
                    if length > 0 {
                        self.extents.push(Extent { length, zero });
                    }
                }
            }
            error if error & CHUNK_ERROR != 0 => {
                let number = body.first_chunk::<4>().ok_or_else(short)?;
                self.failed = Some(fault(u32::from_be_bytes(*number)));
            }
            _ => return Err(bad("sends a chunk of an unknown kind")),
        }
        Ok(())
    }
}

#[async_trait]
impl Disk for NbdDisk {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        if length > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too much at once"));
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Ok(self.ask(Command::Read, offset, length, Bytes::new()).await?.data)
    }

    async fn write(&self, mut offset: u64, mut data: Bytes) -> io::Result<()> {
        while !data.is_empty() {
            let part = data.split_to(data.len().min(LARGEST));
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.ask(Command::Write, offset, length, part).await?;
            offset += u64::from(length);
        }
        Ok(())
    }

    async fn zero(&self, mut offset: u64, mut length: u64) -> io::Result<()> {
        while length > 0 {
            let part = length.min(WIDEST);
            let number = u32::try_from(part).unwrap_or(u32::MAX);
            self.ask(Command::WriteZeroes, offset, number, Bytes::new())
                .await?;
            offset += part;
            length -= part;
        }
        Ok(())
    }

    async fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        if !self.has_allocation {
            return Ok(vec![Extent { length, zero: false }]);
        }
        let asked = length.min(WIDEST);
        let number = u32::try_from(asked).unwrap_or(u32::MAX);
        let mut extents = self
            .ask(Command::BlockStatus, offset, number, Bytes::new())
            .await?
            .extents;
        // The last may reach further than was asked.
        let mut left = asked;
        extents.retain_mut(|extent| {
            extent.length = extent.length.min(left);
            left -= extent.length;
            extent.length > 0
        });
        if extents.is_empty() {
            return Err(bad("says nothing of the disk"));
        }
        Ok(extents)
    }

    async fn flush(&self) -> io::Result<()> {
        self.ask(Command::Flush, 0, 0, Bytes::new()).await.map(drop)
    }
}
