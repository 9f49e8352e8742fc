//! XVA: VMs as a tar of their records and of the pieces of their disks.
//!
//! ```text
//! ova.xml │ Ref:3/00000000 │ Ref:3/00000000.xxhash │ Ref:3/00000004 │ Ref:3/00000004.xxhash │ … │ two blocks of zeros
//! ```
//! A number that is left out stands for a piece of zeros.

mod pieces;
mod read;
mod write;

pub use pieces::{Checksum, PieceName};
pub use read::{Archive, Rules};
pub use write::Writer;

/// Bytes of a piece.
pub const PIECE: usize = 1 << 20;
/// The same.
pub const PIECE_LENGTH: u64 = 1 << 20;

#[cfg(test)]
mod test;
