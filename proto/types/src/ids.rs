//! Opaque references, the names by which clients hold on to objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A reference to one object of any class, `OpaqueRef:<uuid>` on the wire.
///
/// The null reference is `OpaqueRef:NULL`. References are never reused and say nothing of the object's
/// `uuid` field, which is another number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ref(Uuid);

/// What every reference begins with on the wire.
const PREFIX: &str = "OpaqueRef:";

impl Ref {
    /// The reference to nothing.
    pub const NULL: Ref = Ref(Uuid::nil());

    /// Makes a reference from a uuid chosen by the caller.
    pub const fn from_uuid(uuid: Uuid) -> Ref {
        Ref(uuid)
    }

    /// The number behind the reference.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// Says whether this is the reference to nothing.
    pub fn is_null(&self) -> bool {
        self.0.is_nil()
    }

    /// The reference itself, or nothing for the null reference.
    pub fn some(self) -> Option<Ref> {
        (!self.is_null()).then_some(self)
    }
}

impl Default for Ref {
    fn default() -> Self {
        Ref::NULL
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            f.write_str("OpaqueRef:NULL")
        } else {
            write!(f, "{PREFIX}{}", self.0.as_hyphenated())
        }
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not of the form `OpaqueRef:<uuid>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a reference")]
pub struct NotARef;

impl FromStr for Ref {
    type Err = NotARef;

    /// Reads `OpaqueRef:<uuid>`, `OpaqueRef:NULL`, and the empty string, which some clients send for null.
    fn from_str(text: &str) -> Result<Self, NotARef> {
        if text.is_empty() || text == "OpaqueRef:NULL" {
            return Ok(Ref::NULL);
        }
        let number = text.strip_prefix(PREFIX).ok_or(NotARef)?;
        // Only the hyphenated form: a reference has one spelling, since clients compare strings.
        if number.len() != 36 {
            return Err(NotARef);
        }
        Uuid::try_parse(number).map(Ref).map_err(|_| NotARef)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_reference_reads_back_as_written() {
        let r = Ref::from_uuid(Uuid::from_u128(0x1234_5678));
        assert_eq!(r.to_string().parse::<Ref>(), Ok(r));
        assert_eq!("OpaqueRef:NULL".parse::<Ref>(), Ok(Ref::NULL));
        assert_eq!("".parse::<Ref>(), Ok(Ref::NULL));
    }

    #[test]
    fn other_spellings_are_refused() {
        assert!("OpaqueRef:12".parse::<Ref>().is_err());
        assert!("opaqueref:NULL".parse::<Ref>().is_err());
        assert!(
            "OpaqueRef:00000000000000000000000012345678"
                .parse::<Ref>()
                .is_err()
        );
    }
}
