//! Whole nodes as they are run: one program each, on loopback addresses, with simulated guests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first thing that is not as it should be, and says why it skips"
)]

mod backup;
mod bed;
mod client;
mod collector;
mod disk;
mod guide;
mod observation;
mod settings;
mod traces;
mod trust;
