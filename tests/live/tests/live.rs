//! A pool of three real hosts, driven by the official Python client from PyPI, unmodified.
//!
//! Each test brings up a pool of its own in its own namespaces, and takes it down, also when it is killed. Without root or
//! the tools they skip and say why.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says why it skips"
)]

#[path = "live/bed.rs"]
mod bed;

use bed::{Bed, Kind};

#[test]
fn the_guides_third_chapter_and_what_a_guest_notices_of_it() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("chapter3.py", &[]);
    bed.scenario("guests.py", &[]);
}

#[test]
fn a_pool_outlives_its_master_and_heals() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("failover.py", &["5"]);
    bed.scenario("partition.py", &[]);
    bed.scenario("restart.py", &[]);
}

#[test]
fn every_host_shows_the_consoles_of_every_guest() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("consoles.py", &[]);
}

#[test]
fn disks_and_vms_travel_as_files() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("disks.py", &[]);
    bed.scenario("archives.py", &[]);
}
