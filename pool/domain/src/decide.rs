//! Decisions, one file per class of verbs: pure functions that write into a [`crate::Draft`].

pub mod export;
pub mod generic;
pub mod host;
pub mod import;
pub mod network;
pub mod operation;
pub mod pool;
pub mod session;
pub mod storage;
pub mod task;
pub mod templates;
pub mod vbd;
pub mod vdi;
pub mod vif;
pub mod vm;
pub mod vm_clone;
pub mod vm_create;
pub mod vm_power;
pub mod vm_provision;
