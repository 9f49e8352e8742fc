//! Names of the files in a repository's folder.

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

/// A file of the repository, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A volume that this driver made.
    Volume(Uuid, Format),
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
        }
        (!stem.is_empty()).then(|| Name::Foreign(file.to_owned(), format))
    }

    /// The file's name.
    pub fn file(&self) -> String {
        match self {
            Name::Volume(uuid, format) => format!("{uuid}.{}", format.ending()),
            Name::Base(uuid, format) => format!("{uuid}.base.{}", format.ending()),
            Name::Foreign(file, _) => file.clone(),
        }
    }

    /// `VDI.location`.
    pub fn location(&self) -> String {
        match self {
            Name::Volume(uuid, _) | Name::Base(uuid, _) => uuid.to_string(),
            Name::Foreign(file, _) => file.clone(),
        }
    }

    /// The uuid in the name.
    pub fn uuid(&self) -> Option<Uuid> {
        match self {
            Name::Volume(uuid, _) | Name::Base(uuid, _) => Some(*uuid),
            Name::Foreign(..) => None,
        }
    }

    /// The format the name tells. A raw file is never looked into: its guest could have written any header.
    pub fn format(&self) -> Format {
        match self {
            Name::Volume(_, format) | Name::Base(_, format) | Name::Foreign(_, format) => *format,
        }
    }

    /// Whether it is a hidden parent.
    pub fn is_base(&self) -> bool {
        matches!(self, Name::Base(..))
    }

    /// The names that a location may stand for, the likeliest first.
    pub fn candidates(location: &str) -> Vec<Name> {
        match plain_uuid(location) {
            Some(uuid) => vec![
                Name::Volume(uuid, Format::Qcow2),
                Name::Volume(uuid, Format::Raw),
                Name::Base(uuid, Format::Qcow2),
                Name::Base(uuid, Format::Raw),
            ],
            None => Name::parse(location)
                .filter(|name| matches!(name, Name::Foreign(..)))
                .into_iter()
                .collect(),
        }
    }
}

/// A uuid in the one spelling that we write; others would make two names of one volume.
fn plain_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.to_string() == text).then_some(uuid)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_read_back_and_locations_lead_to_them() {
        let uuid = Uuid::from_u128(7);
        for format in [Format::Qcow2, Format::Raw] {
            for name in [Name::Volume(uuid, format), Name::Base(uuid, format)] {
                assert_eq!(Name::parse(&name.file()), Some(name.clone()));
                assert!(Name::candidates(&name.location()).contains(&name));
            }
        }
        let foreign = Name::Foreign("debian 12.img".to_owned(), Format::Raw);
        assert_eq!(Name::parse("debian 12.img"), Some(foreign.clone()));
        assert_eq!(Name::candidates("debian 12.img"), [foreign]);
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
            assert_eq!(Name::candidates(evil), [], "{evil:?}");
        }
        let base = Name::Base(Uuid::from_u128(7), Format::Raw);
        assert_eq!(
            Name::candidates(&base.file()),
            [],
            "a base is named by its uuid only"
        );
    }
}
