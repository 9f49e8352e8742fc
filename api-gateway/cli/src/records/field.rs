//! How one field is described. Everything is `const`, built up by functions that name what deviates.

use super::shown::Shown;
use crate::client::{Client, Object};
use crate::failure::Failure;

/// What a field is to clients, as the tag behind its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A value to read.
    Ro,
    /// A value to read and set.
    Rw,
    /// A set to read.
    Sro,
    /// A set whose members can be added and removed.
    Srw,
    /// A map to read.
    Mro,
    /// A map whose keys can be added and removed.
    Mrw,
}

impl Tag {
    /// As printed behind the name.
    pub fn text(self) -> &'static str {
        match self {
            Tag::Ro => " ( RO)",
            Tag::Rw => " ( RW)",
            Tag::Sro => " (SRO)",
            Tag::Srw => " (SRW)",
            Tag::Mro => " (MRO)",
            Tag::Mrw => " (MRW)",
        }
    }

    /// Whether members can be told apart.
    pub fn is_set(self) -> bool {
        matches!(self, Tag::Sro | Tag::Srw)
    }

    /// Whether there are keys.
    pub fn is_map(self) -> bool {
        matches!(self, Tag::Mro | Tag::Mrw)
    }
}

/// Computes a value that is no field of the record.
pub type Compute = fn(&Client, &Object) -> Result<Shown, Failure>;

/// Where the value comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The field, printed by its type; references as uuids.
    Field,
    /// The name of what the field refers to.
    Label,
    /// Only the values of a map: operations under way.
    Values,
    /// Texts that are references in truth.
    HiddenRefs(&'static str),
    /// Something else.
    Computed(Compute),
}

/// How it is set.
#[derive(Clone, Copy, Debug)]
pub enum Setter {
    /// As the tag says, by the messages named after the field.
    ByTag,
    /// A size in bytes that may have a suffix.
    Bytes,
    /// Each key by this message.
    Keys(&'static str),
    /// The whole map at once, of these keys only.
    Whole(&'static [&'static str]),
    /// A set that can also be set as a whole, with commas.
    Members,
    /// Keys of these names only.
    OnlyKeys(&'static [&'static str]),
    /// Members by these messages, given as uuids.
    AddRemove(&'static str, &'static str),
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As typed and printed.
    pub name: &'static str,
    /// As in the record.
    pub column: &'static str,
    /// The record is another one: the field that refers to it, and its class.
    pub via: Option<(&'static str, &'static str)>,
    /// Tag.
    pub tag: Tag,
    /// Source.
    pub source: Source,
    /// Setter.
    pub setter: Setter,
    /// Parted by commas instead of semicolons.
    pub commas: bool,
    /// Shown only when asked for.
    pub hidden: bool,
    /// Costs a call of its own, so that lists leave it out.
    pub expensive: bool,
    /// Advised against.
    pub deprecated: bool,
    /// Compared in whatever case.
    pub any_case: bool,
    /// What stands where there is no record to read it from.
    pub absent: &'static str,
}

/// What stands for an object that is not there.
pub const NOT_IN_DATABASE: &str = "<not in database>";

const fn new(name: &'static str, column: &'static str, tag: Tag) -> Field {
    Field {
        name,
        column,
        via: None,
        tag,
        source: Source::Field,
        setter: Setter::ByTag,
        commas: false,
        hidden: false,
        expensive: false,
        deprecated: false,
        any_case: false,
        absent: NOT_IN_DATABASE,
    }
}

/// A value to read.
pub const fn ro(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Ro)
}

/// A value to read and set.
pub const fn rw(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Rw)
}

/// A set to read.
pub const fn sro(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Sro)
}

/// A set to change.
pub const fn srw(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Srw)
}

/// A map to read.
pub const fn mro(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Mro)
}

/// A map to change.
pub const fn mrw(name: &'static str, column: &'static str) -> Field {
    new(name, column, Tag::Mrw)
}

/// A value that must be asked for.
pub const fn computed(name: &'static str, tag: Tag, compute: Compute) -> Field {
    let mut field = new(name, "", tag);
    field.source = Source::Computed(compute);
    field
}

/// The uuid of a VM, host and so on.
pub const fn current_operations(name: &'static str, tag: Tag) -> Field {
    let mut field = new(name, "current_operations", tag);
    field.source = Source::Values;
    field
}

impl Field {
    /// The name of what it refers to, not its uuid.
    pub const fn label(mut self) -> Field {
        self.source = Source::Label;
        self
    }

    /// Read from the record that another field refers to.
    pub const fn of(mut self, reference: &'static str, class: &'static str) -> Field {
        self.via = Some((reference, class));
        self
    }

    /// What stands where that record is not there.
    pub const fn or(mut self, absent: &'static str) -> Field {
        self.absent = absent;
        self
    }

    /// Texts that are references.
    pub const fn refs_of(mut self, class: &'static str) -> Field {
        self.source = Source::HiddenRefs(class);
        self
    }

    /// Set in another way.
    pub const fn set_by(mut self, setter: Setter) -> Field {
        self.setter = setter;
        self
    }

    /// Parted by commas.
    pub const fn commas(mut self) -> Field {
        self.commas = true;
        self
    }

    /// Shown only when asked for.
    pub const fn hidden(mut self) -> Field {
        self.hidden = true;
        self
    }

    /// Costs a call.
    pub const fn expensive(mut self) -> Field {
        self.expensive = true;
        self
    }

    /// Advised against.
    pub const fn deprecated(mut self) -> Field {
        self.deprecated = true;
        self
    }

    /// Compared in whatever case.
    pub const fn any_case(mut self) -> Field {
        self.any_case = true;
        self
    }

    /// Whether no field of a record holds it.
    pub fn is_computed(&self) -> bool {
        matches!(self.source, Source::Computed(_))
    }

    /// Name and tags as printed.
    pub fn heading(&self) -> String {
        let deprecated = if self.deprecated { " [DEPRECATED]" } else { "" };
        format!("{}{}{deprecated}", self.name, self.tag.text())
    }
}
