//! Operations on storage, one file each.

pub mod pbd;
pub mod sr;
pub mod vdi;
pub mod volumes;
