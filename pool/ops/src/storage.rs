//! Operations on storage, one file each.

pub mod changes;
pub mod merge;
pub mod pbd;
pub mod sr;
pub mod vdi;
pub mod vdi_copy;
pub mod vdi_live;
pub mod vdi_move;
pub mod volumes;
