//! What a class looks like at run time; the tables themselves are in `generated`.

use std::fmt;

use crate::{ApiError, DateTime, Ref, Value, generated};

/// One class of the data model, an index into [`ClassId::ALL`] order.
///
/// The number is that of this build only; at rest and on the wire a class goes by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u16);

impl ClassId {
    /// The description of the class.
    pub fn def(self) -> &'static ClassDef {
        generated::CLASSES[usize::from(self.0)]
    }

    /// The canonical name, such as `VM_guest_metrics`.
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// Finds a class by its canonical name; internal classes included.
    pub fn by_name(name: &str) -> Option<ClassId> {
        generated::CLASSES
            .iter()
            .position(|c| c.name == name)
            .and_then(|i| u16::try_from(i).ok())
            .map(ClassId)
    }

    /// All classes of this build.
    pub fn all() -> impl Iterator<Item = ClassId> {
        (0..generated::CLASSES.len())
            .filter_map(|i| u16::try_from(i).ok())
            .map(ClassId)
    }
}

impl fmt::Debug for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One field of one class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// The class that has the field.
    pub class: ClassId,
    /// Position in [`ClassDef::fields`]; of this build only.
    pub index: u16,
}

impl Field {
    /// The description of the field.
    pub fn def(self) -> &'static FieldDef {
        &self.class.def().fields[usize::from(self.index)]
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class.name(), self.def().name)
    }
}

/// A type of the data model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing: results only.
    Void,
    /// Text.
    String,
    /// 64-bit integer.
    Int,
    /// Double-precision number.
    Float,
    /// Truth.
    Bool,
    /// Point in time.
    DateTime,
    /// A member of the named enum: its name and members.
    Enum(&'static EnumDef),
    /// Reference to an object of the named class.
    Ref(&'static str),
    /// Set of a type.
    Set(&'static Type),
    /// Map from one type to another.
    Map(&'static Type, &'static Type),
    /// Record of the named class (`"<class>"`: of any class, in events; `"event_batch"`: what `event.from` answers).
    Record(&'static str),
    /// Perhaps a value.
    Option(&'static Type),
}

/// An enum and its members in the spelling of the wire.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumDef {
    /// Name in the data model, such as `vm_power_state`.
    pub name: &'static str,
    /// Members, exact case.
    pub members: &'static [&'static str],
}

/// Who may set a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// Settable by `set_`, `add_to_`, `remove_from_`.
    ReadWrite,
    /// Given at creation only.
    Constructor,
    /// Computed by the server.
    Runtime,
}

/// The default of a field or parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// Must be given.
    None,
    /// Text, or an enum's member.
    Str(&'static str),
    /// Integer.
    Int(i64),
    /// Float.
    Float(f64),
    /// Truth.
    Bool(bool),
    /// Seconds since the epoch.
    Time(i64),
    /// The null reference.
    NullRef,
    /// The empty set.
    EmptySet,
    /// A set of strings.
    Strings(&'static [&'static str]),
    /// A set of integers.
    Ints(&'static [i64]),
    /// A set of references, in their form on the wire.
    Refs(&'static [&'static str]),
    /// The empty map.
    EmptyMap,
    /// A map of strings.
    StringMap(&'static [(&'static str, &'static str)]),
    /// An absent optional.
    Absent,
}

impl Default {
    /// The value, unless one must be given.
    pub fn value(&self) -> Option<Value> {
        Some(match *self {
            Default::None => return None,
            Default::Str(text) => Value::str(text),
            Default::Int(number) => Value::Int(number),
            Default::Float(number) => Value::Float(number),
            Default::Bool(truth) => Value::Bool(truth),
            Default::Time(seconds) => Value::Time(DateTime(seconds)),
            Default::NullRef => Value::Ref(Ref::NULL),
            Default::EmptySet => Value::Set(Vec::new()),
            Default::Strings(items) => Value::strings(items),
            Default::Ints(items) => Value::Set(items.iter().copied().map(Value::Int).collect()),
            Default::Refs(items) => Value::refs(items.iter().filter_map(|text| text.parse().ok())),
            Default::EmptyMap => Value::empty_map(),
            Default::StringMap(items) => Value::string_map(items.iter().copied()),
            Default::Absent => Value::Void,
        })
    }
}

impl Type {
    /// The value of this type that says least: empty, zero, false, the epoch, null, an enum's first member.
    pub fn zero(&self) -> Value {
        match self {
            Type::Void | Type::Option(_) => Value::Void,
            Type::String => Value::str(""),
            Type::Int => Value::Int(0),
            Type::Float => Value::Float(0.0),
            Type::Bool => Value::Bool(false),
            Type::DateTime => Value::Time(DateTime::EPOCH),
            Type::Enum(def) => Value::str(def.members.first().copied().unwrap_or_default()),
            Type::Ref(_) => Value::Ref(Ref::NULL),
            Type::Set(_) => Value::Set(Vec::new()),
            Type::Map(..) => Value::empty_map(),
            Type::Record(_) => Value::Record(Vec::new()),
        }
    }
}

/// A field of a class.
#[derive(Debug)]
pub struct FieldDef {
    /// Name on the wire, such as `name_label`.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Who may set it.
    pub qualifier: Qualifier,
    /// Its default.
    pub default: Default,
    /// The release that brought it.
    pub since: &'static str,
    /// For a set derived from the other side of a relation: the class and field that hold the reference, or the
    /// set of references where the relation is of many to many.
    pub derived_from: Option<(&'static str, &'static str)>,
    /// Not kept over a restart of the pool.
    pub volatile: bool,
    /// Keys of a map field that a lesser role may write: key prefix or name, role.
    pub key_roles: &'static [(&'static str, Role)],
    /// Not part of records on the wire.
    pub internal: bool,
    /// The release that took away its meaning; it stays in records.
    pub removed: Option<&'static str>,
    /// One sentence.
    pub doc: &'static str,
}

impl FieldDef {
    /// A field computed by the server, without default.
    pub const fn new(name: &'static str, ty: Type, since: &'static str, doc: &'static str) -> FieldDef {
        FieldDef {
            name,
            ty,
            qualifier: Qualifier::Runtime,
            default: Default::None,
            since,
            derived_from: None,
            volatile: false,
            key_roles: &[],
            internal: false,
            removed: None,
            doc,
        }
    }

    /// The declared default, or else the zero of the type.
    pub fn default_value(&self) -> Value {
        self.default.value().unwrap_or_else(|| self.ty.zero())
    }
}

/// The least role that may send a message, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `read-only`.
    ReadOnly,
    /// The internal role of clients known by certificate.
    ClientCert,
    /// `vm-operator`.
    VmOperator,
    /// `vm-admin`.
    VmAdmin,
    /// `vm-power-admin`.
    VmPowerAdmin,
    /// `pool-operator`.
    PoolOperator,
    /// `pool-admin`.
    PoolAdmin,
    /// Only the local superuser.
    LocalRoot,
}

/// What kind of message this is: one written by hand, or one that exists for every class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Has a meaning of its own.
    Custom,
    /// `get_record`.
    GetRecord,
    /// `get_all`.
    GetAll,
    /// `get_all_records`.
    GetAllRecords,
    /// `get_all_records_where`.
    GetAllRecordsWhere,
    /// `get_all_where`.
    GetAllWhere,
    /// `get_by_uuid`.
    GetByUuid,
    /// `get_by_name_label`.
    GetByNameLabel,
    /// `get_X` of the field with this index.
    Get(u16),
    /// `set_X`.
    Set(u16),
    /// `add_to_X` of a map field.
    AddTo(u16),
    /// `remove_from_X` of a map field.
    RemoveFrom(u16),
    /// `add_X` of a set field.
    AddMember(u16),
    /// `remove_X` of a set field.
    RemoveMember(u16),
    /// `create` from a record.
    Create,
    /// `destroy`.
    Destroy,
}

/// A parameter of a message, after the session.
#[derive(Debug)]
pub struct ParamDef {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// [`Default::None`] when it must be given.
    pub default: Default,
}

impl ParamDef {
    /// A parameter that must be given.
    pub const fn new(name: &'static str, ty: Type) -> ParamDef {
        ParamDef {
            name,
            ty,
            default: Default::None,
        }
    }

    /// A trailing parameter that may be left out.
    pub const fn optional(name: &'static str, ty: Type, default: Default) -> ParamDef {
        ParamDef { name, ty, default }
    }
}

/// A message of a class.
#[derive(Debug)]
pub struct MessageDef {
    /// The class.
    pub class: ClassId,
    /// Name without the class, such as `start`.
    pub name: &'static str,
    /// Name with the class, such as `VM.start`.
    pub full_name: &'static str,
    /// Kind.
    pub kind: MessageKind,
    /// Parameters after the session.
    pub params: &'static [ParamDef],
    /// Result.
    pub result: Type,
    /// Declared errors.
    pub errors: &'static [&'static str],
    /// Least role.
    pub role: Role,
    /// The release that brought it.
    pub since: &'static str,
    /// Also callable as `Async.`.
    pub is_async: bool,
    /// Takes no session.
    pub no_session: bool,
    /// Needs an intra-pool session.
    pub pool_only: bool,
    /// Served but not in the published reference.
    pub hidden: bool,
    /// Arguments must not be logged.
    pub secret: bool,
    /// Was removed: answers `MESSAGE_REMOVED`.
    pub removed: bool,
    /// Advised against.
    pub deprecated: bool,
    /// Also open to the internal role `client-cert`.
    pub client_cert: bool,
    /// Does not register in `current_operations`.
    pub idle: bool,
    /// Handed to the extension script of this name on the host.
    pub extension: Option<&'static str>,
    /// Least roles by the key given as second argument: key, or prefix ending in `.*`.
    pub key_roles: &'static [(&'static str, Role)],
    /// One sentence.
    pub doc: &'static str,
}

impl MessageDef {
    /// A message without parameters and result, open to all who may read.
    pub const fn new(
        class: ClassId,
        name: &'static str,
        full_name: &'static str,
        since: &'static str,
        doc: &'static str,
    ) -> MessageDef {
        MessageDef {
            class,
            name,
            full_name,
            kind: MessageKind::Custom,
            params: &[],
            result: Type::Void,
            errors: &[],
            role: Role::ReadOnly,
            since,
            is_async: false,
            no_session: false,
            pool_only: false,
            hidden: false,
            secret: false,
            removed: false,
            deprecated: false,
            client_cert: false,
            idle: false,
            extension: None,
            key_roles: &[],
            doc,
        }
    }
}

/// Index into the message table of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u16);

impl MessageId {
    /// The description.
    pub fn def(self) -> &'static MessageDef {
        generated::MESSAGES[usize::from(self.0)]
    }
}

/// A class.
#[derive(Debug)]
pub struct ClassDef {
    /// Canonical name.
    pub name: &'static str,
    /// Fields in the order of records.
    pub fields: &'static [FieldDef],
    /// The release that brought it.
    pub since: &'static str,
    /// Appears in the event stream.
    pub events: bool,
    /// Has rows in the database.
    pub in_database: bool,
    /// Rows survive a restart of the whole pool.
    pub stored: bool,
    /// Has the `get_all` family.
    pub get_all: bool,
    /// Known to the pool only (sagas, credentials, Raft members): no message reaches it.
    pub internal: bool,
    /// All its messages, the written ones first.
    pub messages: &'static [MessageDef],
    /// One sentence.
    pub doc: &'static str,
}

impl ClassDef {
    /// The position of a field by its wire name.
    pub fn field(&self, name: &str) -> Option<u16> {
        self.fields
            .iter()
            .position(|f| f.name == name)
            .and_then(|i| u16::try_from(i).ok())
    }
}

/// A code of the error catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorDef {
    /// Code.
    pub code: &'static str,
    /// Names of its parameters, in the order of the wire.
    pub params: &'static [&'static str],
}

impl ErrorDef {
    /// The error with its parameters, which the caller gives in the declared order.
    pub fn with<P: Into<String>>(&self, params: impl IntoIterator<Item = P>) -> ApiError {
        ApiError::new(self.code, params)
    }

    /// The error without parameters.
    pub fn bare(&self) -> ApiError {
        ApiError::bare(self.code)
    }
}

#[cfg(test)]
mod test;
