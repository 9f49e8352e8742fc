//! Operations and the leader's upkeep, with hosts that answer by a script: what they do when a host does not answer, and
//! when something has changed by the time it does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod adopting;
#[path = "../../../domain/tests/bed/pool_of_two.rs"]
mod bed;
mod contention;
mod endings;
mod leftovers;
mod restarts;
mod revival;
mod stage;
mod tpm;
