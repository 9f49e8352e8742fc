//! The words in which a class is described. Everything is `const`, built up by methods that name what deviates.

mod class;
mod field;
mod message;

pub use class::Class;
pub use field::Field;
pub use message::{Kind, Message, Param, count, joined};

/// A type of the data model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing; only as a result.
    Void,
    /// Text.
    Text,
    /// Signed 64-bit integer.
    Int,
    /// Double-precision number.
    Float,
    /// Truth.
    Bool,
    /// A second in UTC.
    Time,
    /// A member of an enum.
    Enum(&'static Enum),
    /// A reference to an object of a class.
    Ref(&'static str),
    /// A set.
    Set(&'static Type),
    /// A map.
    Map(&'static Type, &'static Type),
    /// A record of a class.
    Record(&'static str),
    /// A record of whichever class; only in events.
    AnyRecord,
    /// What `event.from` answers: events, token and counts of valid references.
    EventBatch,
    /// Perhaps a value.
    Maybe(&'static Type),
}

/// Text to text, the commonest map.
pub const TEXT_MAP: Type = Type::Map(&Type::Text, &Type::Text);
/// A set of texts.
pub const TEXTS: Type = Type::Set(&Type::Text);

impl Type {
    /// Says whether this is a set.
    pub fn is_set(&self) -> bool {
        matches!(self, Type::Set(_))
    }

    /// Says whether this is a map.
    pub fn is_map(&self) -> bool {
        matches!(self, Type::Map(..))
    }

    /// Collects the enums inside.
    pub fn enums(&self, into: &mut Vec<&'static Enum>) {
        match self {
            Type::Enum(e) => into.push(e),
            Type::Set(t) | Type::Maybe(t) => t.enums(into),
            Type::Map(k, v) => {
                k.enums(into);
                v.enums(into);
            }
            _ => (),
        }
    }

    /// Collects the classes that references and records inside name.
    pub fn classes(&self, into: &mut Vec<&'static str>) {
        match self {
            Type::Ref(class) | Type::Record(class) => into.push(class),
            Type::Set(t) | Type::Maybe(t) => t.classes(into),
            Type::Map(k, v) => {
                k.classes(into);
                v.classes(into);
            }
            _ => (),
        }
    }
}

impl std::fmt::Display for Type {
    /// The notation of XenServer's reference: `string`, `VM ref set`, `(string -> string) map`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Void => f.write_str("void"),
            Type::Text => f.write_str("string"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Time => f.write_str("datetime"),
            Type::Enum(e) => write!(f, "enum {}", e.name),
            Type::Ref(class) => write!(f, "{class} ref"),
            Type::Set(t) => write!(f, "{t} set"),
            Type::Map(k, v) => write!(f, "({k} -> {v}) map"),
            Type::Record(class) => write!(f, "{class} record"),
            Type::AnyRecord => f.write_str("<class> record"),
            Type::EventBatch => f.write_str("an event batch"),
            Type::Maybe(t) => write!(f, "{t} option"),
        }
    }
}

/// An enum and its members in the spelling of the wire.
#[derive(Debug, PartialEq, Eq)]
pub struct Enum {
    /// Name, such as `vm_power_state`.
    pub name: &'static str,
    /// Members.
    pub members: &'static [&'static str],
}

impl Enum {
    /// Describes an enum.
    pub const fn new(name: &'static str, members: &'static [&'static str]) -> Enum {
        Enum { name, members }
    }
}

/// What a field or parameter is when nobody says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// Must be given.
    None,
    /// Text, or the member of an enum.
    Text(&'static str),
    /// Integer.
    Int(i64),
    /// Float.
    Float(f64),
    /// Truth.
    Bool(bool),
    /// The epoch, meaning "never".
    Epoch,
    /// The null reference.
    Null,
    /// The empty set.
    EmptySet,
    /// A set of integers.
    Ints(&'static [i64]),
    /// A set of references.
    Refs(&'static [&'static str]),
    /// The empty map.
    EmptyMap,
    /// A map of texts.
    Pairs(&'static [(&'static str, &'static str)]),
}

/// Who sets a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// Clients, at any time.
    ReadWrite,
    /// Clients, at creation only.
    Constructor,
    /// The server.
    Runtime,
}

/// Where something stands between prototype and removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The release that brought it.
    pub since: &'static str,
    /// Not promised to stay.
    pub prototyped: bool,
    /// The release that advised against it.
    pub deprecated: Option<&'static str>,
    /// The release that took it away.
    pub removed: Option<&'static str>,
}

impl Life {
    /// Published since a release.
    pub const fn since(release: &'static str) -> Life {
        Life { since: release, prototyped: false, deprecated: None, removed: None }
    }
}

/// The least role that may do something, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `read-only`
    ReadOnly,
    /// `client-cert`, internal
    ClientCert,
    /// `vm-operator`
    VmOperator,
    /// `vm-admin`
    VmAdmin,
    /// `vm-power-admin`
    VmPowerAdmin,
    /// `pool-operator`
    PoolOperator,
    /// `pool-admin`
    PoolAdmin,
    /// The local superuser or the pool itself
    LocalRoot,
}
