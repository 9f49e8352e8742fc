//! How a message is described.

use super::{Default, Life, Role, Type};

/// A parameter, after the session.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub ty: Type,
    /// Value when left out; only trailing parameters may be.
    pub default: Default,
}

impl Param {
    /// A parameter that must be given.
    pub const fn new(name: &'static str, ty: Type) -> Param {
        Param { name, ty, default: Default::None }
    }

    /// A trailing parameter that may be left out.
    pub const fn optional(name: &'static str, ty: Type, default: Default) -> Param {
        Param { name, ty, default }
    }
}

/// What a message means: its own thing, or one of the meanings that every class shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its own thing.
    Custom,
    /// `get_record`
    GetRecord,
    /// `get_all`
    GetAll,
    /// `get_all_records`
    GetAllRecords,
    /// `get_all_records_where`
    GetAllRecordsWhere,
    /// `get_all_where`
    GetAllWhere,
    /// `get_by_uuid`
    GetByUuid,
    /// `get_by_name_label`
    GetByNameLabel,
    /// `get_X`, by position of the field
    Get(usize),
    /// `set_X`
    Set(usize),
    /// `add_to_X`
    AddTo(usize),
    /// `remove_from_X`
    RemoveFrom(usize),
    /// `add_X`
    AddMember(usize),
    /// `remove_X`
    RemoveMember(usize),
    /// `create` from a record
    Create,
    /// `destroy`
    Destroy,
}

/// A message with a meaning of its own.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Name without the class.
    pub name: &'static str,
    /// Meaning; [`Kind::Custom`] for nearly all that are written down.
    pub kind: Kind,
    /// Parameters after the session.
    pub params: &'static [Param],
    /// Result.
    pub result: Type,
    /// Errors it declares.
    pub errors: &'static [&'static str],
    /// Least role.
    pub role: Role,
    /// Also open to the internal role `client-cert`.
    pub client_cert: bool,
    /// History.
    pub life: Life,
    /// One sentence.
    pub doc: &'static str,
    /// Also callable as `Async.<class>.<name>`.
    pub is_async: bool,
    /// Takes no session.
    pub no_session: bool,
    /// Only for members of the pool.
    pub pool_only: bool,
    /// Served, not published.
    pub hidden: bool,
    /// Does not register in `current_operations`.
    pub idle: bool,
    /// Arguments must not be logged.
    pub secret: bool,
    /// Handed to an extension script of this name on the host.
    pub extension: Option<&'static str>,
    /// Least roles by the key given.
    pub key_roles: &'static [(&'static str, Role)],
}

impl Message {
    /// A message without parameters or result.
    pub const fn new(name: &'static str, since: &'static str, role: Role, doc: &'static str) -> Message {
        Message {
            name,
            kind: Kind::Custom,
            params: &[],
            result: Type::Void,
            errors: &[],
            role,
            client_cert: false,
            life: Life::since(since),
            doc,
            is_async: false,
            no_session: false,
            pool_only: false,
            hidden: false,
            idle: false,
            secret: false,
            extension: None,
            key_roles: &[],
        }
    }

    /// Gives it one of the shared meanings.
    pub const fn kind(mut self, kind: Kind) -> Message {
        self.kind = kind;
        self
    }

    /// Sets the parameters.
    pub const fn params(mut self, params: &'static [Param]) -> Message {
        self.params = params;
        self
    }

    /// Sets the result.
    pub const fn result(mut self, result: Type) -> Message {
        self.result = result;
        self
    }

    /// Declares errors.
    pub const fn errors(mut self, errors: &'static [&'static str]) -> Message {
        self.errors = errors;
        self
    }

    /// Opens it to `client-cert` as well.
    pub const fn client_cert(mut self) -> Message {
        self.client_cert = true;
        self
    }

    /// Offers it as `Async.` too.
    pub const fn or_async(mut self) -> Message {
        self.is_async = true;
        self
    }

    /// Takes no session.
    pub const fn no_session(mut self) -> Message {
        self.no_session = true;
        self
    }

    /// For members of the pool only.
    pub const fn pool_only(mut self) -> Message {
        self.pool_only = true;
        self
    }

    /// Served, not published.
    pub const fn hidden(mut self) -> Message {
        self.hidden = true;
        self
    }

    /// Does not show in `current_operations`.
    pub const fn idle(mut self) -> Message {
        self.idle = true;
        self
    }

    /// Arguments must not be logged.
    pub const fn secret(mut self) -> Message {
        self.secret = true;
        self
    }

    /// Handed to an extension script.
    pub const fn extension(mut self, script: &'static str) -> Message {
        self.extension = Some(script);
        self
    }

    /// Sets roles by key.
    pub const fn key_roles(mut self, roles: &'static [(&'static str, Role)]) -> Message {
        self.key_roles = roles;
        self
    }

    /// Not promised to stay.
    pub const fn prototyped(mut self) -> Message {
        self.life.prototyped = true;
        self
    }

    /// Advised against since a release.
    pub const fn deprecated(mut self, release: &'static str) -> Message {
        self.life.deprecated = Some(release);
        self
    }

    /// Answers `MESSAGE_REMOVED` since a release.
    pub const fn removed(mut self, release: &'static str) -> Message {
        self.life.removed = Some(release);
        self
    }
}

/// The number of messages in several lists.
pub const fn count(parts: &[&[Message]]) -> usize {
    let mut total = 0;
    let mut part = 0;
    while part < parts.len() {
        total += parts[part].len();
        part += 1;
    }
    total
}

/// Several lists as one, for classes with too many messages for a file. `N` must be [`count`] of them.
pub const fn joined<const N: usize>(parts: &[&[Message]]) -> [Message; N] {
    let mut all = [Message::new("", "", Role::LocalRoot, ""); N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    all
}
