//! VHD: fixed, dynamic and differencing disks, as one stream.
//!
//! ```text
//! dynamic: footer │ header │ table of blocks │ (bitmap │ 2 MiB) … │ footer        fixed: bytes │ footer
//! ```
//! Source: Microsoft, "Virtual Hard Disk Image Format Specification", 1.0.

mod read;
mod structures;
mod write;

pub use read::read;
pub use structures::{Footer, Kind, SparseHeader};
pub use write::write;

/// Bytes of a sector, and of a footer.
pub const SECTOR: usize = 512;
/// The same.
pub const SECTOR_LENGTH: u64 = 512;
/// Bytes of a block that we write.
pub const BLOCK: usize = 2 << 20;
/// The same.
pub const BLOCK_LENGTH: u64 = 2 << 20;
/// Largest disk: 2040 GiB.
pub const LARGEST: u64 = 2040 << 30;

#[cfg(test)]
mod test;
