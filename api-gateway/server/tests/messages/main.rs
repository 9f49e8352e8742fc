//! The messages of VMs and hosts against a leader in memory: what each answers, and the exact error where it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod beside;
mod dead_references;
mod leader;
mod refusals;
mod successes;
