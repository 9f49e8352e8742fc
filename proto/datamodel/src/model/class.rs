//! How a class is described.

use super::{Field, Life, Message, Role};

/// A class.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// Canonical name.
    pub name: &'static str,
    /// History.
    pub life: Life,
    /// One sentence.
    pub doc: &'static str,
    /// Fields in the order of records, internal ones last.
    pub fields: &'static [Field],
    /// Messages beyond the generic ones.
    pub messages: &'static [Message],
    /// Shows in the event stream.
    pub events: bool,
    /// Has rows in the database.
    pub in_database: bool,
    /// Rows survive a restart of the pool.
    pub stored: bool,
    /// Has `get_record`, `get_by_uuid` and a getter for each field.
    pub getters: bool,
    /// Has `get_all` and its kin.
    pub get_all: bool,
    /// Has `get_by_name_label`, if there is such a field.
    pub by_name: bool,
    /// Has `create` from a record and `destroy`.
    pub constructible: bool,
    /// Known to the pool only.
    pub internal: bool,
    /// Least role of `create`, `destroy` and the setters.
    pub writer: Role,
    /// Least role of `get_all`, `get_record` and their kin.
    pub reader: Role,
}

impl Class {
    /// A class of the API with rows, events and the whole family of getters, written by `pool-operator`.
    pub const fn new(name: &'static str, since: &'static str, doc: &'static str) -> Class {
        Class {
            name,
            life: Life::since(since),
            doc,
            fields: &[],
            messages: &[],
            events: true,
            in_database: true,
            stored: true,
            getters: true,
            get_all: true,
            by_name: true,
            constructible: false,
            internal: false,
            writer: Role::PoolOperator,
            reader: Role::ReadOnly,
        }
    }

    /// A class that no client sees: rows only, no messages, no events.
    pub const fn internal(name: &'static str, doc: &'static str) -> Class {
        let mut class = Class::new(name, "tarn-1", doc);
        class.events = false;
        class.getters = false;
        class.get_all = false;
        class.by_name = false;
        class.internal = true;
        class
    }

    /// Sets the fields.
    pub const fn fields(mut self, fields: &'static [Field]) -> Class {
        self.fields = fields;
        self
    }

    /// Sets the messages.
    pub const fn messages(mut self, messages: &'static [Message]) -> Class {
        self.messages = messages;
        self
    }

    /// Sets the least role of `create`, `destroy` and the setters.
    pub const fn writer(mut self, role: Role) -> Class {
        self.writer = role;
        self
    }

    /// Sets the least role of the getters of whole records.
    pub const fn reader(mut self, role: Role) -> Class {
        self.reader = role;
        self
    }

    /// Has `create` and `destroy`.
    pub const fn constructible(mut self) -> Class {
        self.constructible = true;
        self
    }

    /// Does not show in the event stream.
    pub const fn no_events(mut self) -> Class {
        self.events = false;
        self
    }

    /// Rows are gone after a restart of the pool.
    pub const fn volatile(mut self) -> Class {
        self.stored = false;
        self
    }

    /// A shape of records that other messages answer: no rows, no getters.
    pub const fn record_only(mut self) -> Class {
        self.in_database = false;
        self.stored = false;
        self.events = false;
        self.getters = false;
        self.get_all = false;
        self
    }

    /// Has no generic getters.
    pub const fn no_getters(mut self) -> Class {
        self.getters = false;
        self.get_all = false;
        self
    }

    /// Cannot be listed.
    pub const fn no_get_all(mut self) -> Class {
        self.get_all = false;
        self
    }

    /// Cannot be found by name.
    pub const fn no_by_name(mut self) -> Class {
        self.by_name = false;
        self
    }

    /// Not promised to stay.
    pub const fn prototyped(mut self) -> Class {
        self.life.prototyped = true;
        self
    }

    /// Advised against since a release.
    pub const fn deprecated(mut self, release: &'static str) -> Class {
        self.life.deprecated = Some(release);
        self
    }

    /// Taken away by a release.
    pub const fn removed(mut self, release: &'static str) -> Class {
        self.life.removed = Some(release);
        self
    }
}
