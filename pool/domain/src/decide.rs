//! Decisions, one file per class of verbs: pure functions that write into a [`crate::Draft`].

pub mod bond;
pub mod event;
pub mod generic;
pub mod host;
pub mod network;
pub mod operation;
pub mod pif;
pub mod pif_address;
pub mod pif_hardware;
pub mod pool;
pub mod pool_members;
pub mod session;
pub mod storage;
pub mod task;
pub mod templates;
pub mod tunnel;
pub mod vbd;
pub mod vdi;
pub mod vif;
pub mod vif_settings;
pub mod vlan;
pub mod vm;
pub mod vm_clone;
pub mod vm_create;
pub mod vm_power;
pub mod vm_provision;
