//! Names of the files in a repository's folder.

use std::collections::{BTreeMap, BTreeSet};

use node_hypervisor::DiskFormat;
use uuid::Uuid;

/// The folder for everything that is not a volume.
pub const PRIVATE: &str = ".tarn";
/// Whose folder it is, in [`PRIVATE`].
pub const MARKER: &str = "sr.json";
/// The lock, in [`PRIVATE`].
pub const LOCK: &str = "lock";
/// What the folders of operations begin with, in [`PRIVATE`].
pub const OPERATION: &str = "op-";
/// What the notes of volumes begin with that were given up while layers of them are needed, in [`PRIVATE`].
pub const GONE: &str = "gone-";
/// What the files begin with that take the writes of guests whose disks are reset, in [`PRIVATE`].
pub const SCRATCH: &str = "scratch-";
/// What the records of tracked volumes begin with, in [`PRIVATE`].
pub const TRACK: &str = "track-";
/// What the notes of merges begin with, in [`PRIVATE`].
pub const MERGE: &str = "merge-";
/// What the locks of merges begin with that somebody is at, in [`PRIVATE`].
pub const MERGING: &str = "merging-";

/// A file of the repository, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A volume that this driver made.
    Volume(Uuid, Format),
    /// A later layer of such a volume, numbered from 1: what was written since its content was frozen while a domain
    /// had it open. The highest layer is the volume; those below are hidden parents.
    Layer(Uuid, u32),
    /// A hidden parent.
    Base(Uuid, Format),
    /// An image that somebody put there.
    Foreign(String, Format),
}

/// The formats a file can have here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Comes first when both are there; see [`super::tree`].
    Qcow2,
    /// Plain bytes.
    Raw,
}

impl Format {
    /// The ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Qcow2 => "qcow2",
            Format::Raw => "raw",
        }
    }
}

impl From<Format> for DiskFormat {
    fn from(format: Format) -> DiskFormat {
        match format {
            Format::Qcow2 => DiskFormat::Qcow2,
            Format::Raw => DiskFormat::Raw,
        }
    }
}

impl Name {
    /// Reads a file's name; `None` if such a file is none of ours to offer.
    pub fn parse(file: &str) -> Option<Name> {
        if file.starts_with('.') || file.contains('/') || file.len() > 255 {
            return None;
        }
        let (stem, ending) = file.rsplit_once('.')?;
        let format = match ending {
            "qcow2" => Format::Qcow2,
            "raw" | "img" => Format::Raw,
            _ => return None,
        };
        if ending != "img" {
            if let Some(uuid) = stem.strip_suffix(".base").and_then(plain_uuid) {
                return Some(Name::Base(uuid, format));
            }
            if let Some(uuid) = plain_uuid(stem) {
                return Some(Name::Volume(uuid, format));
            }
            if let Some((uuid, number)) = layer(stem) {
                return (format == Format::Qcow2).then_some(Name::Layer(uuid, number));
            }
        }
        (!stem.is_empty()).then(|| Name::Foreign(file.to_owned(), format))
    }

    /// The file's name.
    pub fn file(&self) -> String {
        match self {
            Name::Volume(uuid, format) => format!("{uuid}.{}", format.ending()),
            Name::Base(uuid, format) => format!("{uuid}.base.{}", format.ending()),
            Name::Layer(uuid, number) => format!("{uuid}.{number}.qcow2"),
            Name::Foreign(file, _) => file.clone(),
        }
    }

    /// `VDI.location`.
    pub fn location(&self) -> String {
        match self {
            Name::Volume(uuid, _) | Name::Base(uuid, _) | Name::Layer(uuid, _) => uuid.to_string(),
            Name::Foreign(file, _) => file.clone(),
        }
    }

    /// The uuid in the name.
    pub fn uuid(&self) -> Option<Uuid> {
        match self {
            Name::Volume(uuid, _) | Name::Base(uuid, _) | Name::Layer(uuid, _) => Some(*uuid),
            Name::Foreign(..) => None,
        }
    }

    /// The volume to which the file belongs as a layer, and its number; the first one is 0.
    pub fn layer(&self) -> Option<(Uuid, u32)> {
        match self {
            Name::Volume(uuid, _) => Some((*uuid, 0)),
            Name::Layer(uuid, number) => Some((*uuid, *number)),
            Name::Base(..) | Name::Foreign(..) => None,
        }
    }

    /// How a hidden parent is named where locations are asked for.
    pub fn hidden_location(&self) -> String {
        match self.layer() {
            Some((uuid, number)) => format!("{uuid}.{number}"),
            None => self.location(),
        }
    }

    /// The format the name tells. A raw file is never looked into: its guest could have written any header.
    pub fn format(&self) -> Format {
        match self {
            Name::Volume(_, format) | Name::Base(_, format) | Name::Foreign(_, format) => *format,
            Name::Layer(..) => Format::Qcow2,
        }
    }

    /// Whether it is a hidden parent.
    pub fn is_base(&self) -> bool {
        matches!(self, Name::Base(..))
    }

    /// The image from elsewhere that a location may stand for.
    pub fn foreign(location: &str) -> Option<Name> {
        Name::parse(location).filter(|name| matches!(name, Name::Foreign(..)))
    }
}

/// The names in a folder, and which volumes have been given up though layers of them are parents of others still.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In order.
    pub names: Vec<Name>,
    /// Volumes that are no more.
    pub gone: BTreeSet<Uuid>,
    highest: BTreeMap<Uuid, u32>,
}

impl Listing {
    /// Puts it in order.
    pub fn new(mut names: Vec<Name>, gone: BTreeSet<Uuid>) -> Listing {
        names.sort();
        let mut highest = BTreeMap::new();
        for (uuid, number) in names.iter().filter_map(Name::layer) {
            let top = highest.entry(uuid).or_insert(number);
            *top = number.max(*top);
        }
        Listing { names, gone, highest }
    }

    /// Whether a file exists only as a parent of others.
    pub fn is_hidden(&self, name: &Name) -> bool {
        match name.layer() {
            Some((uuid, number)) => {
                self.gone.contains(&uuid) || self.highest.get(&uuid).is_some_and(|top| *top > number)
            }
            None => name.is_base(),
        }
    }

    /// The file to which a location leads.
    pub fn find(&self, location: &str) -> Option<Name> {
        if let Some((uuid, number)) = layer(location).or_else(|| first_layer(location)) {
            let is_it = |name: &&Name| name.layer() == Some((uuid, number)) && self.is_hidden(name);
            return self.names.iter().find(is_it).cloned();
        }
        let Some(uuid) = plain_uuid(location) else {
            return Name::foreign(location).filter(|name| self.names.contains(name));
        };
        let mut own: Vec<&Name> = self
            .names
            .iter()
            .filter(|name| name.uuid() == Some(uuid))
            .collect();
        // Shown before hidden; among files of one number qcow2 comes first, as the order of names has it.
        own.sort_by_key(|name| self.is_hidden(name));
        own.first()
            .copied()
            .filter(|name| name.is_base() || !self.is_hidden(name))
            .cloned()
    }

    /// Whether a volume has layers below its highest.
    pub fn has_lower_layers(&self, uuid: Uuid) -> bool {
        self.names
            .iter()
            .any(|name| name.layer().is_some_and(|(of, _)| of == uuid) && self.is_hidden(name))
    }
}

/// The first layer of a volume, of which the file's name has no number.
fn first_layer(location: &str) -> Option<(Uuid, u32)> {
    Some((plain_uuid(location.strip_suffix(".0")?)?, 0))
}

fn layer(stem: &str) -> Option<(Uuid, u32)> {
    let (uuid, number) = stem.rsplit_once('.')?;
    let parsed: u32 = number.parse().ok()?;
    // One spelling only, as for uuids.
    (parsed > 0 && parsed.to_string() == number).then_some((plain_uuid(uuid)?, parsed))
}

/// A uuid in the one spelling that we write; others would make two names of one volume.
pub fn plain_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.to_string() == text).then_some(uuid)
}

#[cfg(test)]
mod test {
    use super::*;

    fn listing(names: &[Name]) -> Listing {
        Listing::new(names.to_vec(), BTreeSet::new())
    }

    #[test]
    fn names_read_back_and_locations_lead_to_them() {
        let uuid = Uuid::from_u128(7);
        for format in [Format::Qcow2, Format::Raw] {
            for name in [Name::Volume(uuid, format), Name::Base(uuid, format)] {
                assert_eq!(Name::parse(&name.file()), Some(name.clone()));
                assert_eq!(listing(&[name.clone()]).find(&name.location()), Some(name));
            }
        }
        let layer = Name::Layer(uuid, 12);
        assert_eq!(Name::parse(&layer.file()), Some(layer.clone()));
        assert_eq!(
            Name::parse(&format!("{uuid}.012.qcow2")).and_then(|n| n.layer()),
            None
        );
        let foreign = Name::Foreign("debian 12.img".to_owned(), Format::Raw);
        assert_eq!(Name::parse("debian 12.img"), Some(foreign.clone()));
        assert_eq!(listing(&[foreign.clone()]).find("debian 12.img"), Some(foreign));
    }

    #[test]
    fn the_highest_layer_is_the_volume_until_it_is_gone() {
        let uuid = Uuid::from_u128(7);
        let (first, second) = (Name::Volume(uuid, Format::Raw), Name::Layer(uuid, 2));
        let mut found = listing(&[second.clone(), first.clone()]);
        assert_eq!(found.find(&uuid.to_string()), Some(second.clone()));
        assert!(found.is_hidden(&first) && !found.is_hidden(&second) && found.has_lower_layers(uuid));
        assert_eq!(found.find(&first.hidden_location()), Some(first));
        assert_eq!(found.find(&second.hidden_location()), None, "it is no parent");
        found.gone.insert(uuid);
        assert_eq!(found.find(&uuid.to_string()), None);
        assert!(found.is_hidden(&second));
    }

    #[test]
    fn a_location_never_leads_out_of_the_folder() {
        for evil in [
            "../x.qcow2",
            "/etc/x.raw",
            ".tarn/lock",
            "",
            ".",
            "..",
            ".x.raw",
            "a/b.raw",
            ".qcow2",
            "x.vmdk",
        ] {
            assert_eq!(Name::foreign(evil), None, "{evil:?}");
        }
        let base = Name::Base(Uuid::from_u128(7), Format::Raw);
        assert_eq!(
            listing(&[base.clone()]).find(&base.file()),
            None,
            "a base is named by its uuid only"
        );
    }
}
