//! The forms in which disks and VMs travel.
//!
//! ```text
//! client's bytes ─► unpack (gzip, zstd) ─► xva │ vhd │ vmdk │ raw ─► Disk ◄─► nbd ◄─► qemu-nbd ◄─► volume
//!                                           reader, writer
//! ```
//! Each format has a pure part, which turns headers into numbers and back and never panics on input, and a part that moves
//! bytes between a stream and a [`Disk`] in constant memory. Nothing here knows what a VM or a task is: who moves bytes is
//! asked through [`Watch`] whether to go on, and told how far it is.
#![forbid(unsafe_code)]

pub mod copy;
pub mod delta;
pub mod disk;
pub mod error;
mod flow;
pub mod iso;
pub mod members;
pub mod memory;
pub mod nbd;
pub mod qcow2;
pub mod raw;
pub mod tar;
pub mod unpack;
pub mod vhd;
pub mod vmdk;
pub mod xva;

pub use delta::{Delta, Parent};
pub use disk::{Disk, Extent};
pub use error::ImageError;
pub use flow::{Unwatched, Watch};

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
