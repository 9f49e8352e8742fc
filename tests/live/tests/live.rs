//! A pool of three real hosts, driven by the official Python client from PyPI, unmodified.
//!
//! Each test brings up a pool of its own in its own namespaces, and takes it down, also when it is killed. Without root, or
//! not run by `cargo xtask test`, they skip and say why; under it a program that cannot be installed makes them fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says why it skips"
)]

#[path = "live/bed.rs"]
mod bed;
#[path = "../../../node/daemon/tests/daemon/collector.rs"]
mod collector;
#[path = "live/traces.rs"]
mod traces;

use bed::{Bed, Kind};

#[test]
fn the_guides_third_chapter_and_what_a_guest_notices_of_it() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("chapter3.py", &[]);
    bed.scenario("guests.py", &[]);
    bed.scenario("boot.py", &[]);
    bed.scenario("vtpm.py", &["qemu"]);
    bed.scenario("chapter4.py", &[]);
    bed.scenario("master_dies.py", &["0.15"]);
    bed.scenario("master_dies.py", &["0.6"]);
}

#[test]
fn a_pool_outlives_its_master_and_heals() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("doubt.py", &[]);
    bed.scenario("history.py", &[]);
    bed.scenario("failover.py", &["20"]);
    bed.scenario("watcher.py", &[]);
    bed.scenario("partition.py", &[]);
    bed.scenario("snapshot.py", &[]);
    bed.scenario("members.py", &[]);
    bed.scenario("sessions.py", &[]);
    bed.scenario("listings.py", &[]);
    bed.scenario("access.py", &[]);
    bed.scenario("restart.py", &[]);
}

#[test]
fn protected_guests_of_simulated_hosts_run_again_elsewhere_once_the_lease_is_over() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("ha.py", &[]);
}

#[test]
fn drills_on_simulated_hosts_report_what_a_failure_costs() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("drill.py", &[]);
}

#[test]
fn one_host_goes_on_after_the_majority_is_lost() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("recover.py", &[]);
}

#[test]
fn xe_prints_what_is_written_down_and_bash_completes_it() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("xe.py", &[]);
}

#[test]
fn samples_and_another_public_client_work_as_they_are() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("samples.py", &[]);
    bed.scenario("xengarden.py", &[]);
}

#[test]
fn every_host_shows_the_consoles_of_every_guest_and_what_a_start_was_made_of() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("consoles.py", &[]);
    bed.scenario("metrics.py", &[]);
    traces::of_a_start(&bed);
}

#[test]
fn hosts_tell_what_they_and_their_guests_do() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("metrics.py", &[]);
}

#[test]
fn settings_of_vms_and_hosts_hold_what_they_promise() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("settings.py", &["agent"]);
    bed.scenario("schedules.py", &[]);
}

#[test]
fn networks_are_made_on_every_host_and_undone_where_one_fails() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("network.py", &[]);
}

#[test]
fn guests_meet_through_a_tunnel_and_are_locked_and_moved() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("network_guests.py", &[]);
}

#[test]
fn disks_and_vms_travel_as_files() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("disks.py", &[]);
    bed.scenario("archives.py", &[]);
    bed.scenario("images.py", &[]);
}

#[test]
fn snapshots_of_a_running_guest() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("snapshots.py", &[]);
    bed.scenario("adopt.py", &[]);
    bed.scenario("drift.py", &[]);
}

#[test]
fn disks_on_servers_outlive_moves_snapshots_and_the_death_of_the_server() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("nfs.py", &[]);
    bed.scenario("servers_die.py", &[]);
    bed.scenario("stalls.py", &[]);
}

#[test]
fn repositories_and_disks() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("storage.py", &[]);
}

#[test]
fn playbooks_make_a_pool_of_clean_hosts_and_keep_it() {
    let Some(bed) = Bed::clean(Kind::Sim, 5) else {
        return;
    };
    bed.play("ansible.py", Kind::Sim);
}

#[test]
fn a_machine_at_another_site_learns_what_the_pool_knows() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("learner.py", &[]);
}

#[test]
fn certificates_are_renewed_replaced_and_trusted() {
    let Some(bed) = Bed::up(Kind::Sim) else { return };
    bed.scenario("certificates.py", &[]);
    bed.scenario("vtpm.py", &[]);
}

#[test]
fn disks_move_under_their_guests_and_vms_with_their_disks() {
    let Some(bed) = Bed::up(Kind::Qemu) else { return };
    bed.scenario("moves.py", &[]);
}
