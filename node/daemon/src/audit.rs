//! This host's part of the audit trail: files that rotate, written by a thread of their own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use proto_types::DateTime;
use tokio::sync::{mpsc, oneshot};

/// Lines that wait to be written; whoever makes more waits.
const QUEUE: usize = 1024;
/// Bytes handed on at once to a reader.
const CHUNK: usize = 64 << 10;
/// No line is longer; what is, is damage.
const LONGEST_LINE: u64 = 64 << 10;

/// How much of the trail is kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files, the one that is written to included.
    pub files: usize,
}

/// The files.
pub struct Store {
    dir: PathBuf,
    kept: Kept,
    current: Mutex<Current>,
}

struct Current {
    file: File,
    length: u64,
}

impl Store {
    /// Opens the folder and goes on with the newest file. A line that a crash cut off is ended.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn open(dir: &Path, kept: Kept) -> io::Result<Store> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        let mut current = current(dir)?;
        if current.length > 0 {
            let mut last = [0];
            current.file.seek(SeekFrom::End(-1))?;
            current.file.read_exact(&mut last)?;
            if last != *b"\n" {
                current.file.write_all(b"\n")?;
                current.length += 1;
            }
        }
        Ok(Store {
            dir: dir.to_owned(),
            kept,
            current: Mutex::new(current),
        })
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends whole lines, in a new file if the old one is full.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&self, lines: &str) -> io::Result<()> {
        let mut now = self.current();
        let more = lines.len() as u64;
        if now.length > 0 && now.length.saturating_add(more) > self.kept.file_bytes {
            self.rotate()?;
            *now = current(&self.dir)?;
        }
        now.file.write_all(lines.as_bytes())?;
        now.length = now.length.saturating_add(more);
        Ok(())
    }

    /// `audit.log` becomes `audit.log.1`, that `audit.log.2`; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        let oldest = self.kept.files.saturating_sub(1);
        if oldest == 0 {
            return std::fs::remove_file(name(&self.dir, 0));
        }
        for number in (0..oldest).rev() {
            match std::fs::rename(name(&self.dir, number), name(&self.dir, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files as they are now, oldest first.
    fn files(&self) -> io::Result<Vec<File>> {
        // Nothing is renamed meanwhile.
        let _now = self.current();
        let mut files = Vec::new();
        for number in (0..self.kept.files.max(1)).rev() {
            match File::open(name(&self.dir, number)) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Reads lines since a moment and hands them on in pieces, until nobody takes them.
    fn read(&self, since: DateTime, mut take: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
        let from = format!("[{}", since.to_string().trim_end_matches('Z'));
        let mut piece = Vec::with_capacity(CHUNK);
        let mut line = Vec::new();
        for file in self.files()? {
            let mut reader = BufReader::new(file);
            loop {
                line.clear();
                if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                    break;
                }
                // What a crash has left of a line tells nothing.
                let is_whole = line.len() > from.len() && line.last() == Some(&b'\n');
                if !is_whole || line.as_slice() < from.as_bytes() {
                    continue;
                }
                piece.extend_from_slice(&line);
                if piece.len() >= CHUNK && !take(std::mem::replace(&mut piece, Vec::with_capacity(CHUNK))) {
                    return Ok(());
                }
            }
        }
        if !piece.is_empty() {
            take(piece);
        }
        Ok(())
    }
}

fn name(dir: &Path, number: usize) -> PathBuf {
    match number {
        0 => dir.join("audit.log"),
        number => dir.join(format!("audit.log.{number}")),
    }
}

fn current(dir: &Path) -> io::Result<Current> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(name(dir, 0))?;
    let length = file.metadata()?.len();
    Ok(Current { file, length })
}

enum Item {
    Line(String),
    /// Told when all before is written.
    Written(oneshot::Sender<()>),
}

/// The trail of this host. Cheap to copy.
#[derive(Clone)]
pub struct Trail {
    store: Arc<Store>,
    queue: mpsc::Sender<Item>,
}

impl Trail {
    /// Opens the files and starts the thread that writes.
    ///
    /// # Errors
    /// If they cannot be written to.
    pub fn start(dir: &Path, kept: Kept) -> io::Result<Trail> {
        let store = Arc::new(Store::open(dir, kept)?);
        let (queue, items) = mpsc::channel(QUEUE);
        let writes = Arc::clone(&store);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write(&writes, items))?;
        Ok(Trail { store, queue })
    }

    /// Appends a line.
    pub async fn append(&self, line: String) {
        let _ = self.queue.send(Item::Line(line)).await;
    }

    /// Returns when all lines before are written.
    pub async fn written(&self) {
        let (tell, told) = oneshot::channel();
        if self.queue.send(Item::Written(tell)).await.is_ok() {
            let _ = told.await;
        }
    }

    /// This host's lines since a moment, oldest first.
    pub async fn read(&self, since: DateTime) -> BoxStream<'static, io::Result<Bytes>> {
        self.written().await;
        let (send, pieces) = mpsc::channel(2);
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let read = store.read(since, |piece| send.blocking_send(Ok(Bytes::from(piece))).is_ok());
            if let Err(error) = read {
                let _ = send.blocking_send(Err(error));
            }
        });
        stream::unfold(pieces, |mut pieces| async move {
            pieces.recv().await.map(|p| (p, pieces))
        })
        .boxed()
    }
}

fn write(store: &Store, mut items: mpsc::Receiver<Item>) {
    let mut fails = false;
    while let Some(first) = items.blocking_recv() {
        let (mut lines, mut waiting, mut next) = (String::new(), Vec::new(), Some(first));
        while let Some(item) = next {
            match item {
                Item::Line(line) => lines.push_str(&line),
                Item::Written(tell) => waiting.push(tell),
            }
            next = if lines.len() < CHUNK {
                items.try_recv().ok()
            } else {
                None
            };
        }
        match store.append(&lines) {
            Ok(()) => fails = false,
            // Said once; the calls themselves go on.
            Err(error) if !fails => {
                fails = true;
                tracing::error!(%error, "the audit trail cannot be written");
            }
            Err(_) => {}
        }
        for tell in waiting {
            let _ = tell.send(());
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn line(second: i64, text: &str) -> String {
        format!(
            "[{}.000Z|info|one|local||audit] ({text})\n",
            DateTime(second).to_string().trim_end_matches('Z')
        )
    }

    async fn all(trail: &Trail, since: i64) -> String {
        let pieces: Vec<_> = trail.read(DateTime(since)).await.collect().await;
        let bytes: Vec<u8> = pieces.into_iter().flat_map(|p| p.unwrap().to_vec()).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn a_restart_goes_on_and_a_line_cut_off_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept {
            file_bytes: 1 << 20,
            files: 3,
        };
        let trail = Trail::start(dir.path(), kept).unwrap();
        trail.append(line(1, "a")).await;
        assert_eq!(all(&trail, 0).await, line(1, "a"));
        drop(trail);
        let mut file = OpenOptions::new().append(true).open(name(dir.path(), 0)).unwrap();
        file.write_all(b"[20").unwrap();
        let trail = Trail::start(dir.path(), kept).unwrap();
        trail.append(line(2, "b")).await;
        trail.append(line(3, "c")).await;
        let text = all(&trail, 2).await;
        assert_eq!(text, format!("{}{}", line(2, "b"), line(3, "c")));
        assert!(all(&trail, 0).await.starts_with(&line(1, "a")));
    }

    #[tokio::test]
    async fn old_files_go_and_what_is_kept_is_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept {
            file_bytes: 1000,
            files: 3,
        };
        let trail = Trail::start(dir.path(), kept).unwrap();
        for second in 0..200 {
            trail.append(line(second, "x")).await;
            trail.written().await;
        }
        let text = all(&trail, 0).await;
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 20 && text.len() <= 3000, "{}", text.len());
        assert!(lines.is_sorted());
        assert_eq!(format!("{}\n", lines.last().unwrap()), line(199, "x"));
        let files = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(files, 3);
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
