//! Long operations: each is a decision that begins it, steps on hosts, and a decision that ends it.
//!
//! ```text
//! call ──► begin (one entry: marks, saga row, task) ──► steps (HostCommand, logged) ──► commit (one entry)
//!                                                          │ failure
//!                                                          └─► undo, backward ──► abort (one entry)
//! ```
//! A new leader finds the saga rows and goes on. Ports say what is needed of the pool and of hosts; who provides it is
//! the node's business.
#![forbid(unsafe_code)]

pub mod agent_step;
pub mod appliance;
pub mod core;
pub mod data_sources;
pub mod domain_request;
pub mod ha;
pub mod host;
pub mod long_command;
pub mod machine;
pub mod network;
pub mod operation;
pub mod parts;
pub mod ports;
pub mod reconcile;
pub mod registry;
pub mod storage;
pub mod transfer;
pub mod turns;
pub mod vm;

pub use core::Ops;
pub use operation::{Call, Operation, run, run_async, run_in_task};
pub use ports::{AgentFailure, HostAgents, PoolError, PoolPort};
