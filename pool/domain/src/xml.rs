//! The few XML documents that live inside fields.

pub mod database;
pub mod disks;
pub mod ovf;
pub mod repomd;
pub mod update;
