//! What the folder's files are, remembered as long as they do not change.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};

use proto_types::Bytes;

use super::layout::{Format, Name};
use crate::driver::Volume;
use crate::medium::{ReadAt, Site};
use crate::qcow2::Header;

/// Longest chain of parents that is followed.
pub const DEEPEST: usize = 512;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub name: Name,
    /// Size the guest sees.
    pub virtual_size: Bytes,
    /// What it takes on the medium.
    pub utilisation: Bytes,
    /// The hidden parent it builds on.
    pub parent: Option<Name>,
    /// Why it is never opened.
    pub problem: Option<String>,
    /// Whether it could not be read at all, so that nobody knows on what it builds.
    pub unknown: bool,
    /// Number of its inode.
    pub inode: u64,
    /// Whether it exists only as a parent of others.
    pub hidden: bool,
}

impl Image {
    /// As the driver's callers see it.
    pub fn volume(&self) -> Volume {
        let layer_below = self.hidden && !self.name.is_base();
        Volume {
            location: if layer_below {
                self.name.hidden_location()
            } else {
                self.name.location()
            },
            // The uuid is the volume's, whose highest layer has it.
            uuid: self.name.uuid().filter(|_| !layer_below),
            name: match &self.name {
                Name::Foreign(file, _) => Some(
                    file.rsplit_once('.')
                        .map_or(file.as_str(), |(stem, _)| stem)
                        .to_owned(),
                ),
                Name::Volume(..) | Name::Base(..) | Name::Layer(..) => None,
            },
            virtual_size: self.virtual_size,
            utilisation: self.utilisation,
            parent: self.parent.as_ref().map(Name::hidden_location),
            format: self.name.format().into(),
            read_only: self.hidden,
            hidden: self.hidden,
        }
    }
}

/// What changes whenever a header is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Headers by name.
pub type Cache = HashMap<String, (Stamp, Read)>;

/// What was read in a header.
#[derive(Clone)]
pub struct Read {
    virtual_size: u64,
    parent: Option<Name>,
    problem: Option<String>,
    unknown: bool,
}

/// Looks at a file.
pub fn inspect(site: &Site, name: &Name, cache: &Mutex<Cache>) -> io::Result<Image> {
    let path = site.path.join(name.file());
    let entry = site.medium.entry(&path)?;
    let stamp = Stamp {
        inode: entry.inode,
        size: entry.length,
        modified: entry.modified,
        changed: entry.changed,
    };
    let read = if !entry.is_file {
        refuse("it is not a plain file")
    } else if name.format() == Format::Raw {
        Read {
            virtual_size: entry.length,
            parent: None,
            problem: None,
            unknown: false,
        }
    } else {
        let known = cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name.file())
            .cloned();
        match known {
            Some((then, read)) if then == stamp => read,
            _ => {
                let read = read_header(site, &*site.medium.open(&path)?)?;
                let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
                cache.insert(name.file(), (stamp, read.clone()));
                read
            }
        }
    };
    Ok(Image {
        name: name.clone(),
        virtual_size: Bytes(read.virtual_size),
        utilisation: Bytes(entry.taken),
        parent: read.parent,
        problem: read.problem,
        unknown: read.unknown,
        inode: entry.inode,
        hidden: name.is_base(),
    })
}

/// Forgets one file, whose header has just been written.
pub fn forget(cache: &Mutex<Cache>, name: &Name) {
    cache
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&name.file());
}

/// Forgets files that are gone.
pub fn forget_others(cache: &Mutex<Cache>, names: &[Name]) {
    let names: BTreeSet<String> = names.iter().map(Name::file).collect();
    cache
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|file, _| names.contains(file));
}

fn refuse(problem: &str) -> Read {
    Read {
        virtual_size: 0,
        parent: None,
        problem: Some(problem.to_owned()),
        unknown: false,
    }
}

fn read_header(site: &Site, file: &dyn ReadAt) -> io::Result<Read> {
    let header = match Header::read(file) {
        Ok(header) => header,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Read {
                unknown: true,
                ..refuse(&error.to_string())
            });
        }
        Err(error) => return Err(error),
    };
    let mut read = Read {
        virtual_size: header.virtual_size,
        parent: None,
        problem: None,
        unknown: false,
    };
    if let Some(backing) = &header.backing {
        // An image that somebody put here could name any file of the host, or a server.
        let file = site.medium.parent_file(&site.path, backing);
        match file.as_deref().and_then(Name::parse) {
            // Whether a layer is a parent and no volume of its own shows only beside the other names.
            Some(name) if name.is_base() || name.layer().is_some() => {
                if header.backing_format.as_deref() != Some(name.format().ending()) {
                    read.problem = Some("it does not tell the format of its parent".to_owned());
                }
                read.parent = Some(name);
            }
            _ => {
                read.problem = Some(format!(
                    "its backing file {backing:?} is no parent of this repository"
                ))
            }
        }
    }
    if header.external_data {
        read.problem = Some("its data lies in another file".to_owned());
    } else if header.encrypted {
        read.problem = Some("it is encrypted".to_owned());
    } else if header.corrupt {
        read.problem = Some("QEMU has marked it as corrupt".to_owned());
    }
    Ok(read)
}
