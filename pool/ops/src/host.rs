//! Operations on hosts, one file each.

pub mod auto_start;
pub mod evacuate;
pub mod go_down;
