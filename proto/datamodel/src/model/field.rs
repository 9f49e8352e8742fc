//! How a field is described.

use super::{Default, Life, Qualifier, Role, Type};

/// A field of a class.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name on the wire.
    pub name: &'static str,
    /// Type.
    pub ty: Type,
    /// Who sets it.
    pub qualifier: Qualifier,
    /// Value when nobody gives one.
    pub default: Default,
    /// History.
    pub life: Life,
    /// One sentence.
    pub doc: &'static str,
    /// Forgotten when the pool restarts.
    pub volatile: bool,
    /// Never in a record on the wire, and without getter.
    pub internal: bool,
    /// Least role of the setters, where it differs from the class's.
    pub writer: Option<Role>,
    /// The setters are also open to the internal role `client-cert`.
    pub client_cert: bool,
    /// Least role of the getter, where it is not `read-only`.
    pub reader: Option<Role>,
    /// Least roles for single keys of a map; `.*` at the end makes a prefix.
    pub key_roles: &'static [(&'static str, Role)],
    /// Computed from the other side of a relation: class and field that hold the reference or set.
    pub rows_of: Option<(&'static str, &'static str)>,
    /// The stored half of a relation of many to many: class and field of the computed half.
    pub paired_with: Option<(&'static str, &'static str)>,
}

impl Field {
    const fn new(
        name: &'static str,
        ty: Type,
        since: &'static str,
        qualifier: Qualifier,
        doc: &'static str,
    ) -> Field {
        Field {
            name,
            ty,
            qualifier,
            default: Default::None,
            life: Life::since(since),
            doc,
            volatile: false,
            internal: false,
            writer: None,
            client_cert: false,
            reader: None,
            key_roles: &[],
            rows_of: None,
            paired_with: None,
        }
    }

    /// A field the server computes.
    pub const fn runtime(name: &'static str, ty: Type, since: &'static str, doc: &'static str) -> Field {
        Field::new(name, ty, since, Qualifier::Runtime, doc)
    }

    /// A field given at creation.
    pub const fn fixed(name: &'static str, ty: Type, since: &'static str, doc: &'static str) -> Field {
        Field::new(name, ty, since, Qualifier::Constructor, doc)
    }

    /// A field clients may set.
    pub const fn settable(name: &'static str, ty: Type, since: &'static str, doc: &'static str) -> Field {
        Field::new(name, ty, since, Qualifier::ReadWrite, doc)
    }

    /// A field that only the pool itself sees.
    pub const fn internal(name: &'static str, ty: Type, since: &'static str, doc: &'static str) -> Field {
        let mut field = Field::new(name, ty, since, Qualifier::Runtime, doc);
        field.internal = true;
        field
    }

    /// Sets the default.
    pub const fn default(mut self, default: Default) -> Field {
        self.default = default;
        self
    }

    /// Not kept over a restart of the pool.
    pub const fn volatile(mut self) -> Field {
        self.volatile = true;
        self
    }

    /// Sets the least role of the setters.
    pub const fn writer(mut self, role: Role) -> Field {
        self.writer = Some(role);
        self
    }

    /// Opens the setters to `client-cert` as well.
    pub const fn client_cert(mut self) -> Field {
        self.client_cert = true;
        self
    }

    /// Sets the least role of the getter.
    pub const fn reader(mut self, role: Role) -> Field {
        self.reader = Some(role);
        self
    }

    /// Sets the roles of single keys.
    pub const fn key_roles(mut self, roles: &'static [(&'static str, Role)]) -> Field {
        self.key_roles = roles;
        self
    }

    /// Computes this set from the objects of `class` whose `field` refers to this one.
    pub const fn rows_of(mut self, class: &'static str, field: &'static str) -> Field {
        self.rows_of = Some((class, field));
        self
    }

    /// Marks the stored half of a relation of many to many.
    pub const fn paired_with(mut self, class: &'static str, field: &'static str) -> Field {
        self.paired_with = Some((class, field));
        self
    }

    /// Not promised to stay.
    pub const fn prototyped(mut self) -> Field {
        self.life.prototyped = true;
        self
    }

    /// Advised against since a release.
    pub const fn deprecated(mut self, release: &'static str) -> Field {
        self.life.deprecated = Some(release);
        self
    }

    /// Without meaning since a release; still part of records.
    pub const fn removed(mut self, release: &'static str) -> Field {
        self.life.removed = Some(release);
        self
    }
}
