//! The messages of VMs and hosts against a leader in memory: what each answers, and the exact error where it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod access;
mod audit;
mod beside;
#[path = "../transport/client.rs"]
#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod client;
mod errors_of_tier_zero;
mod events;
mod every_message;
mod fair;
mod handlers;
mod leader;
mod refusals;
mod successes;
mod tasks;
mod tiers;
