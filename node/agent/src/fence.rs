//! Refuses callers that no longer lead: a term older than the highest seen is turned away, also after a restart.

use std::io;
use std::path::PathBuf;

use node_commands::{CommandError, CommandErrorKind};
use tokio::sync::{Mutex, watch};

use crate::durable;

/// The highest term seen, kept in a file.
pub struct Fence {
    file: PathBuf,
    /// Raising waits for the disk; one at a time.
    raising: Mutex<()>,
    seen: watch::Sender<u64>,
}

impl Fence {
    /// Reads the highest term seen from `file`; zero if there is none yet.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else: a host that has forgotten what it saw must not go on.
    pub async fn load(file: PathBuf) -> io::Result<Fence> {
        let seen = match tokio::fs::read_to_string(&file).await {
            Ok(text) => text.trim().parse().map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} holds no term", file.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Fence {
            file,
            raising: Mutex::new(()),
            seen: watch::Sender::new(seen),
        })
    }

    /// The highest term seen.
    pub fn seen(&self) -> u64 {
        *self.seen.borrow()
    }

    /// Admits a caller, and from then on nobody of an older term.
    ///
    /// # Errors
    /// `Fenced` for an older term; `Internal` if a newer one could not be written down, so that nothing was done.
    pub async fn admit(&self, term: u64) -> Result<(), CommandError> {
        if term > self.seen() {
            let _raising = self.raising.lock().await;
            if term > self.seen() {
                durable::replace(&self.file, format!("{term}\n").as_bytes())
                    .await
                    .map_err(|error| {
                        CommandError::new(
                            CommandErrorKind::Internal,
                            format!("the term was not written: {error}"),
                        )
                        .retryable()
                    })?;
                self.seen.send_replace(term);
            }
        }
        self.still(term)
    }

    /// Says whether a caller admitted before is still admitted.
    ///
    /// # Errors
    /// `Fenced`.
    pub fn still(&self, term: u64) -> Result<(), CommandError> {
        let seen = self.seen();
        if term < seen {
            return Err(CommandError::new(
                CommandErrorKind::Fenced,
                format!("term {term} is over: this host has seen term {seen}"),
            ));
        }
        Ok(())
    }

    /// Returns once a term newer than this has been seen.
    pub async fn outdated(&self, term: u64) {
        let mut seen = self.seen.subscribe();
        // The sender lives as long as this does.
        let _ = seen.wait_for(|seen| *seen > term).await;
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn an_older_term_is_refused_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("term");
        let fence = Fence::load(file.clone()).await.unwrap();
        fence.admit(3).await.unwrap();
        fence.admit(3).await.unwrap();
        fence.admit(7).await.unwrap();
        assert_eq!(fence.admit(6).await.unwrap_err().kind, CommandErrorKind::Fenced);
        drop(fence);
        let fence = Fence::load(file).await.unwrap();
        assert_eq!(fence.seen(), 7);
        assert_eq!(fence.admit(6).await.unwrap_err().kind, CommandErrorKind::Fenced);
        fence.admit(7).await.unwrap();
    }

    #[tokio::test]
    async fn a_term_that_finds_no_room_is_not_admitted_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("term");
        let fence = Fence::load(file.clone()).await.unwrap();
        fence.admit(3).await.unwrap();
        std::os::unix::fs::symlink("/dev/full", file.with_extension("new")).unwrap();
        let refused = fence.admit(4).await.unwrap_err();
        assert!(
            refused.retryable && refused.text.contains("No space left"),
            "{refused:?}"
        );
        assert_eq!((fence.seen(), Fence::load(file).await.unwrap().seen()), (3, 3));
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("term");
        std::fs::write(&file, "seven").unwrap();
        assert!(Fence::load(file).await.is_err());
    }

    #[tokio::test]
    async fn a_term_that_cannot_be_written_admits_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let fence = Fence::load(folder.path().join("gone/term")).await.unwrap();
        assert_eq!(fence.admit(1).await.unwrap_err().kind, CommandErrorKind::Internal);
        assert_eq!(fence.seen(), 0);
    }
}
