//! Archives on disk: a file per owner, written whole and renamed, read only up to a bound, the oldest thrown away.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use node_metrics::{Owner, Rrd, stored};
use tokio::fs;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

/// Files kept of VMs that are not here any more.
const MOST_FILES: usize = 1000;

/// The folder.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Makes the folder if it is missing.
    pub(crate) async fn open(folder: PathBuf) -> io::Result<Files> {
        fs::create_dir_all(&folder).await?;
        Ok(Files { folder })
    }

    fn path(&self, owner: Owner) -> PathBuf {
        self.folder.join(match owner {
            Owner::Host => "host.rrd".to_owned(),
            Owner::Vm(vm) => format!("{vm}.rrd"),
        })
    }

    /// Reads an owner's archives. What does not read is as good as not there: figures begin anew.
    pub(crate) async fn read(&self, owner: Owner) -> Option<Rrd> {
        let path = self.path(owner);
        let bytes = match self.bytes(&path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "archives were not read");
                return None;
            }
        };
        match stored::decode(&bytes) {
            Ok(rrd) => Some(rrd),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "archives do not read; they begin anew");
                None
            }
        }
    }

    async fn bytes(&self, path: &PathBuf) -> io::Result<Vec<u8>> {
        let most = u64::try_from(stored::LARGEST_FILE).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        // One byte more than there may be, so that a longer file is refused rather than cut.
        let file = fs::File::open(path).await?;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    /// Writes an owner's archives. Not forced to disk: after a power cut the figures of some minutes are no loss that
    /// would be worth the wait.
    pub(crate) async fn write(&self, owner: Owner, bytes: Vec<u8>) {
        let path = self.path(owner);
        let fresh = self.folder.join(format!("{}.new", Uuid::new_v4()));
        let written = async {
            fs::write(&fresh, bytes).await?;
            fs::rename(&fresh, &path).await
        };
        if let Err(error) = written.await {
            tracing::warn!(path = %path.display(), %error, "archives were not written");
            // It may not be there.
            let _ = fs::remove_file(&fresh).await;
        }
    }

    /// Throws away the oldest files beyond the bound, and what an interrupted write left.
    pub(crate) async fn tidy(&self) {
        if let Err(error) = self.throw_away_oldest(MOST_FILES).await {
            tracing::warn!(path = %self.folder.display(), %error, "old archives were not removed");
        }
    }

    async fn throw_away_oldest(&self, most: usize) -> io::Result<()> {
        let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
        let mut entries = fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            let Ok(changed) = entry.metadata().await.and_then(|m| m.modified()) else {
                continue;
            };
            let age = changed.elapsed().unwrap_or_default();
            if path.extension().is_some_and(|e| e == "new") {
                if age.as_secs() > 60 {
                    fs::remove_file(&path).await?;
                }
            } else if path != self.path(Owner::Host) {
                found.push((changed, path));
            }
        }
        let surplus = found.len().saturating_sub(most);
        found.sort();
        for (_, path) in found.into_iter().take(surplus) {
            fs::remove_file(&path).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use node_metrics::Moment;
    use node_metrics::rrd::Detail;

    #[tokio::test]
    async fn archives_are_found_again_and_damage_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path().join("rrd")).await.unwrap();
        let owner = Owner::Vm(Uuid::from_u128(1));
        assert!(files.read(owner).await.is_none());
        let rrd = Rrd::new(Moment::seconds(5), Detail::Averages);
        files.write(owner, stored::encode(&rrd)).await;
        assert_eq!(files.read(owner).await, Some(rrd));
        std::fs::write(files.path(owner), b"no archives").unwrap();
        assert!(files.read(owner).await.is_none());
    }

    #[tokio::test]
    async fn the_oldest_files_go_and_the_hosts_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path().to_owned()).await.unwrap();
        files.write(Owner::Host, vec![1]).await;
        for number in 0..5 {
            let owner = Owner::Vm(Uuid::from_u128(number));
            files.write(owner, vec![1]).await;
            let seconds = u64::try_from(number).unwrap() + 1000;
            let when = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = std::fs::File::options()
                .write(true)
                .open(files.path(owner))
                .unwrap();
            file.set_modified(when).unwrap();
        }
        files.throw_away_oldest(2).await.unwrap();
        let left: Vec<bool> = (0..5)
            .map(|number| files.path(Owner::Vm(Uuid::from_u128(number))).exists())
            .collect();
        assert_eq!(left, [false, false, false, true, true]);
        assert!(files.path(Owner::Host).exists());
    }
}
