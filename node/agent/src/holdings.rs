//! What each domain of this host holds: its volumes, and the spec it was made from. Kept in files, so that a restart of
//! the node does not forget which repositories are in use.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use node_commands::VolumeRef;
use node_hypervisor::DomainSpec;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use uuid::Uuid;

/// What one domain holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// Open volumes by the disk's number.
    #[serde(default)]
    pub disks: BTreeMap<u16, VolumeRef>,
    /// What it was made from, once it was.
    #[serde(default)]
    pub spec: Option<DomainSpec>,
}

/// What all domains hold.
pub struct Holdings {
    folder: PathBuf,
    table: Mutex<BTreeMap<Uuid, Holding>>,
}

impl Holdings {
    /// Reads what was held when the node stopped; makes the folder if it is missing.
    ///
    /// # Errors
    /// If the folder cannot be read. A file that does not read is skipped with a warning: its domain is found by the
    /// hypervisor, and only its spec is lost.
    pub async fn load(folder: PathBuf) -> io::Result<Holdings> {
        tokio::fs::create_dir_all(&folder).await?;
        let mut table = BTreeMap::new();
        let mut files = tokio::fs::read_dir(&folder).await?;
        while let Some(file) = files.next_entry().await? {
            let path = file.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let vm = path
                .file_stem()
                .and_then(|s| s.to_str())
                .and_then(|s| Uuid::parse_str(s).ok());
            let read = tokio::fs::read(&path).await?;
            match (vm, serde_json::from_slice::<Holding>(&read)) {
                (Some(vm), Ok(holding)) => {
                    table.insert(vm, holding);
                }
                _ => tracing::warn!(path = %path.display(), "what a domain holds does not read"),
            }
        }
        Ok(Holdings {
            folder,
            table: Mutex::new(table),
        })
    }

    /// Notes that a disk of a domain has a volume open.
    pub async fn hold(&self, vm: Uuid, disk: u16, volume: VolumeRef) -> io::Result<()> {
        let mut table = self.table.lock().await;
        let holding = table.entry(vm).or_default();
        holding.disks.insert(disk, volume);
        self.write(vm, holding).await
    }

    /// Notes what a domain was made from.
    pub async fn made_from(&self, vm: Uuid, spec: DomainSpec) -> io::Result<()> {
        let mut table = self.table.lock().await;
        let holding = table.entry(vm).or_default();
        holding.spec = Some(spec);
        self.write(vm, holding).await
    }

    /// Notes that a domain is made another way now. Without a note of what it was made from nothing is noted.
    pub async fn change(&self, vm: Uuid, change: impl FnOnce(&mut DomainSpec) + Send) -> io::Result<()> {
        let mut table = self.table.lock().await;
        let Some(holding) = table.get_mut(&vm) else {
            return Ok(());
        };
        let Some(spec) = &mut holding.spec else {
            return Ok(());
        };
        change(spec);
        self.write(vm, holding).await
    }

    /// Forgets one disk of a domain; the volume is given back if no other disk of this host has it open.
    pub async fn drop_disk(&self, vm: Uuid, disk: u16) -> Option<VolumeRef> {
        let mut table = self.table.lock().await;
        let holding = table.get_mut(&vm)?;
        let volume = holding.disks.remove(&disk)?;
        if let Err(error) = self.write(vm, holding).await {
            tracing::warn!(%vm, %error, "what a domain holds was not written");
        }
        (!held(&table, &volume)).then_some(volume)
    }

    /// Forgets a domain; the volumes are given back that no other domain of this host has open.
    pub async fn drop_domain(&self, vm: Uuid) -> Vec<VolumeRef> {
        let mut table = self.table.lock().await;
        let Some(holding) = table.remove(&vm) else {
            return Vec::new();
        };
        if let Err(error) = tokio::fs::remove_file(self.file(vm)).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%vm, %error, "what a domain held was not removed");
        }
        let volumes: BTreeSet<VolumeRef> = holding.disks.into_values().collect();
        volumes
            .into_iter()
            .filter(|volume| !held(&table, volume))
            .collect()
    }

    /// What a domain holds.
    pub async fn of(&self, vm: Uuid) -> Option<Holding> {
        self.table.lock().await.get(&vm).cloned()
    }

    /// The domains that hold something.
    pub async fn domains(&self) -> Vec<Uuid> {
        self.table.lock().await.keys().copied().collect()
    }

    /// The repository of each disk of each domain.
    pub async fn repositories(&self) -> BTreeMap<(Uuid, u16), Uuid> {
        let table = self.table.lock().await;
        table
            .iter()
            .flat_map(|(vm, holding)| {
                holding
                    .disks
                    .iter()
                    .map(|(disk, volume)| ((*vm, *disk), volume.sr))
            })
            .collect()
    }

    /// A domain that has a volume of the repository open.
    pub async fn user_of_sr(&self, sr: Uuid) -> Option<Uuid> {
        let table = self.table.lock().await;
        table
            .iter()
            .find(|(_, holding)| holding.disks.values().any(|v| v.sr == sr))
            .map(|(vm, _)| *vm)
    }

    /// A domain that has the volume open.
    pub async fn user_of_volume(&self, volume: &VolumeRef) -> Option<Uuid> {
        let table = self.table.lock().await;
        table
            .iter()
            .find(|(_, holding)| holding.disks.values().any(|v| v == volume))
            .map(|(vm, _)| *vm)
    }

    fn file(&self, vm: Uuid) -> PathBuf {
        self.folder.join(format!("{vm}.json"))
    }

    async fn write(&self, vm: Uuid, holding: &Holding) -> io::Result<()> {
        let bytes = serde_json::to_vec(holding).map_err(io::Error::other)?;
        let fresh = self.folder.join(format!("{vm}.new"));
        // A disk may name the password of its server.
        let mut file = tokio::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .await?;
        file.write_all(&bytes).await?;
        file.flush().await?;
        tokio::fs::rename(&fresh, self.file(vm)).await
    }
}

fn held(table: &BTreeMap<Uuid, Holding>, volume: &VolumeRef) -> bool {
    table
        .values()
        .any(|holding| holding.disks.values().any(|v| v == volume))
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_volume_is_given_back_by_its_last_user_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let volume = VolumeRef::new(Uuid::from_u128(3), "iso");
        let holdings = Holdings::load(folder.path().to_owned()).await.unwrap();
        holdings.hold(a, 0, volume.clone()).await.unwrap();
        holdings.hold(b, 3, volume.clone()).await.unwrap();
        assert_eq!(holdings.drop_domain(a).await, []);
        let mode = std::fs::metadata(holdings.file(b)).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
        drop(holdings);
        let holdings = Holdings::load(folder.path().to_owned()).await.unwrap();
        assert_eq!(holdings.user_of_sr(volume.sr).await, Some(b));
        assert_eq!(holdings.drop_disk(b, 3).await, Some(volume));
        assert_eq!(holdings.user_of_sr(Uuid::from_u128(3)).await, None);
    }
}
