//! The guests of this host, as the watchdog knows them: in a file on a tmpfs, each from before it is started until it is
//! gone. What else the node notes of its guests lies on a disk, which may be away when it counts.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The list, and its file.
pub struct KnownGuests {
    file: PathBuf,
    guests: Mutex<BTreeSet<Uuid>>,
}

impl KnownGuests {
    /// Takes over the list of an earlier run of the node, with those that are noted elsewhere. A list that does not read
    /// is made anew from these.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn load(file: PathBuf, noted: impl IntoIterator<Item = Uuid>) -> io::Result<KnownGuests> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut guests = match KnownGuests::read(&file) {
            Ok(guests) => guests,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => {
                tracing::error!(%error, file = %file.display(), "the list of guests for the watchdog does not read");
                BTreeSet::new()
            }
        };
        guests.extend(noted);
        write(&file, &guests)?;
        Ok(KnownGuests {
            file,
            guests: Mutex::new(guests),
        })
    }

    /// Reads a list.
    ///
    /// # Errors
    /// If there is none, or it does not read: then nothing is known of the guests.
    pub fn read(file: &Path) -> io::Result<BTreeSet<Uuid>> {
        let text = std::fs::read_to_string(file)?;
        text.lines()
            .map(|line| {
                Uuid::try_parse(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            })
            .collect()
    }

    /// To be called before a guest is started. Idempotent.
    ///
    /// # Errors
    /// If it cannot be written; the guest must not be started then.
    pub(crate) fn add(&self, vm: Uuid) -> io::Result<()> {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if guests.contains(&vm) {
            return Ok(());
        }
        let mut next = guests.clone();
        next.insert(vm);
        write(&self.file, &next)?;
        *guests = next;
        Ok(())
    }

    /// To be called when a guest is gone. One too many in the list harms nobody.
    pub(crate) fn remove(&self, vm: Uuid) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if guests.remove(&vm)
            && let Err(error) = write(&self.file, &guests)
        {
            tracing::warn!(%vm, %error, "the watchdog was not told that a guest is gone");
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> BTreeSet<Uuid> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whole or not at all.
fn write(file: &Path, guests: &BTreeSet<Uuid>) -> io::Result<()> {
    let text: String = guests.iter().map(|vm| format!("{vm}\n")).collect();
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_list_outlives_the_node_and_a_damaged_one_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run/guests");
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let known = KnownGuests::load(file.clone(), [a]).unwrap();
        known.add(b).unwrap();
        known.add(b).unwrap();
        known.remove(a);
        drop(known);
        let known = KnownGuests::load(file.clone(), [c]).unwrap();
        assert_eq!(known.all(), BTreeSet::from([b, c]));
        assert_eq!(KnownGuests::read(&file).unwrap(), BTreeSet::from([b, c]));
        std::fs::write(&file, format!("{b}\nnot a uuid\n")).unwrap();
        assert!(KnownGuests::read(&file).is_err());
        let known = KnownGuests::load(file.clone(), [c]).unwrap();
        assert_eq!(KnownGuests::read(&file).unwrap(), BTreeSet::from([c]));
        std::fs::remove_dir_all(folder.path().join("run")).unwrap();
        assert!(known.add(a).is_err() && !known.all().contains(&a));
    }
}
