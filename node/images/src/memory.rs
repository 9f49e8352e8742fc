//! A disk in memory, for tests of formats and of those who use them.

use std::io;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::disk::{Disk, Extent, is_zero};

/// A disk in memory.
pub struct MemoryDisk {
    content: Mutex<Vec<u8>>,
    size: u64,
}

/// The grain at which it knows its zeros.
const GRAIN: u64 = 4096;

impl MemoryDisk {
    /// All zeros.
    pub fn new(size: usize) -> MemoryDisk {
        MemoryDisk::with(vec![0; size])
    }

    /// With this content.
    pub fn with(content: Vec<u8>) -> MemoryDisk {
        let size = content.len() as u64;
        MemoryDisk {
            content: Mutex::new(content),
            size,
        }
    }

    /// What is on it.
    pub fn content(&self) -> Vec<u8> {
        self.content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn on<T>(&self, offset: u64, length: u64, work: impl FnOnce(&mut [u8]) -> T) -> io::Result<T> {
        let range = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(offset.saturating_add(length)).ok());
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let found = range.and_then(|(from, to)| content.get_mut(from..to));
        found
            .map(work)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "beyond the end of the disk"))
    }
}

#[async_trait]
impl Disk for MemoryDisk {
    fn size(&self) -> u64 {
        self.size
    }
    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.on(offset, length as u64, |data| Bytes::copy_from_slice(data))
    }
    async fn write(&self, offset: u64, data: Bytes) -> io::Result<()> {
        self.on(offset, data.len() as u64, |there| there.copy_from_slice(&data))
    }
    async fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        self.on(offset, length, |there| there.fill(0))
    }
    async fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        let first = (GRAIN - offset % GRAIN).min(length);
        let zero = self.on(offset, first, |data| is_zero(data))?;
        Ok(vec![Extent { length: first, zero }])
    }
    async fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
