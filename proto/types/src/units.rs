//! Quantities that carry their unit in the type.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(pub u64);

impl Bytes {
    /// One kibibyte.
    pub const KIB: u64 = 1024;
    /// One mebibyte.
    pub const MIB: u64 = 1024 * 1024;
    /// One gibibyte.
    pub const GIB: u64 = 1024 * 1024 * 1024;

    /// A number of mebibytes.
    pub const fn mib(count: u64) -> Bytes {
        Bytes(count.saturating_mul(Self::MIB))
    }

    /// A number of gibibytes.
    pub const fn gib(count: u64) -> Bytes {
        Bytes(count.saturating_mul(Self::GIB))
    }

    /// The plain number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number as the API's signed 64-bit integer, cut off at its greatest value.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Rounded up to whole kibibytes, the unit of libvirt.
    pub const fn kib_ceil(self) -> u64 {
        self.0.div_ceil(Self::KIB)
    }

    /// From the API's signed integer; negative numbers become zero.
    pub fn from_i64(value: i64) -> Bytes {
        Bytes(u64::try_from(value).unwrap_or(0))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}
