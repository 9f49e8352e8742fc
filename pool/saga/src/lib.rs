//! Logged multi-step operations; knows nothing of VMs.
//!
//! ```text
//! Running --every step done--> Done
//!    | a step failed for good
//!    v
//! Undoing --every finished step undone--> Undone
//! ```
//! After each step its name goes into the pool's log, so that a new leader goes on where the old one stopped.
//! Both halves of a step may run twice; `undo` may run where `run` never reached the host.
#![forbid(unsafe_code)]

pub mod engine;
pub mod log;
pub mod step;

pub use engine::{Ending, drive};
pub use log::{SagaLog, SagaState};
pub use step::{Step, StepError};
