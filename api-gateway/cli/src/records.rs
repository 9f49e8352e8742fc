//! The fields of each kind of object as `xe` names, prints and sets them.
//!
//! Names, order, tags and defaults are those of XenServer's xe; what is not written down here follows from the data
//! model: underscores become hyphens.

pub mod field;
mod gpu;
mod hosts;
mod kinds;
mod misc;
mod networks;
mod pools;
mod print;
mod shown;
mod storage;
mod vms;
pub mod write;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proto_types::ClassId;
use proto_types::schema::{FieldDef, Qualifier, Type};

pub use field::{Field, Tag};
pub use kinds::KINDS;
pub use print::{prepare_for, printed};
pub use shown::{Shown, shown};

/// A kind of object with its generated commands.
#[derive(Debug)]
pub struct Kind {
    /// What its commands begin with, such as `vm`.
    pub name: &'static str,
    /// The class of the API.
    pub class: &'static str,
    /// Its fields in the order they are printed in; empty: those of the data model.
    written: &'static [Field],
    /// What `list` selects beyond what the user asks for.
    pub filters: &'static [(&'static str, &'static str)],
    /// What `list` shows when not told; empty: everything.
    pub listed: &'static [&'static str],
}

impl Kind {
    const fn new(
        name: &'static str,
        class: &'static str,
        written: &'static [Field],
        listed: &'static [&'static str],
    ) -> Kind {
        Kind {
            name,
            class,
            written,
            filters: &[],
            listed,
        }
    }

    const fn only(mut self, filters: &'static [(&'static str, &'static str)]) -> Kind {
        self.filters = filters;
        self
    }

    /// The fields.
    pub fn fields(&self) -> &'static [Field] {
        if self.written.is_empty() {
            derived(self.class)
        } else {
            self.written
        }
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// Fields that are shown without being asked for by name.
    pub fn visible(&self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(|field| !field.hidden)
    }
}

/// Kinds that no generated command is for.
const SILENT: &[&str] = &["crashdump"];

/// The kinds that have generated commands.
pub fn commanded() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| !SILENT.contains(&kind.name))
}

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The kind that prints objects of a class; one that this program knows must be named.
///
/// # Panics
/// Never with a class of [`KINDS`].
pub fn of_class(class: &str) -> &'static Kind {
    static NONE: Kind = Kind::new("", "", &[], &[]);
    KINDS.iter().find(|kind| kind.class == class).unwrap_or(&NONE)
}

/// Fields of a class that is not written down here, made when first asked for.
fn derived(class: &str) -> &'static [Field] {
    static ALL: OnceLock<BTreeMap<&'static str, Vec<Field>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let unwritten = KINDS.iter().filter(|kind| kind.written.is_empty());
        unwritten.map(|kind| (kind.class, derive(kind.class))).collect()
    });
    all.get(class).map(Vec::as_slice).unwrap_or_default()
}

/// Fields as the data model has them.
fn derive(class: &str) -> Vec<Field> {
    let Some(class) = ClassId::by_name(class) else {
        return Vec::new();
    };
    let shown = class
        .def()
        .fields
        .iter()
        .filter(|field| !field.internal && field.removed.is_none());
    shown.map(derive_field).collect()
}

fn derive_field(def: &'static FieldDef) -> Field {
    let writable = def.qualifier == Qualifier::ReadWrite;
    let name: &'static str = Box::leak(def.name.replace('_', "-").into_boxed_str());
    match (&def.ty, writable) {
        (Type::Map(..), true) => field::mrw(name, def.name),
        (Type::Map(..), false) => field::mro(name, def.name),
        (Type::Set(_), true) => field::srw(name, def.name),
        (Type::Set(_), false) => field::sro(name, def.name),
        (_, true) => field::rw(name, def.name),
        (_, false) => field::ro(name, def.name),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The class that a field is read from.
    fn source_class(kind: &Kind, field: &Field) -> ClassId {
        ClassId::by_name(field.via.map_or(kind.class, |(_, class)| class)).unwrap()
    }

    #[test]
    fn every_field_is_one_of_the_data_model() {
        for kind in KINDS {
            let class = ClassId::by_name(kind.class).unwrap();
            for field in kind.fields() {
                if let Some((reference, _)) = field.via {
                    assert!(
                        class.def().field(reference).is_some(),
                        "{}: {reference}",
                        kind.name
                    );
                }
                let found = source_class(kind, field).def().field(field.column).is_some();
                assert!(found || field.is_computed(), "{}: {}", kind.name, field.name);
            }
        }
    }

    #[test]
    fn every_setter_is_a_message() {
        for kind in KINDS {
            for field in kind.fields() {
                for message in write::messages(kind, field) {
                    assert!(
                        proto_types::generated::find(&message).is_some(),
                        "{}: {message}",
                        kind.name
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_unique_within_a_kind() {
        for kind in KINDS {
            let mut names: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", kind.name);
        }
    }

    #[test]
    fn defaults_of_kinds_without_fields_of_their_own_exist() {
        for kind in KINDS.iter().filter(|kind| kind.written.is_empty()) {
            for name in kind.listed {
                assert!(kind.field(name).is_some(), "{}: {name}", kind.name);
            }
        }
    }
}
