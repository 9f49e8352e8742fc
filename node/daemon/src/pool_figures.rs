//! The pool as this node sees it, in Prometheus' text form.

use std::fmt::Display;

use node_metrics::exposition::Page;
use pool_raft::Status;

use crate::report::{HostLine, Report, StorageLine};

/// A family of one value.
fn one(page: &mut Page, name: &str, help: &str, value: f64) {
    page.family(name, "gauge", help);
    page.value(name, &[], value);
}

#[allow(clippy::cast_precision_loss, reason = "figures are shown, not counted with")]
fn float(count: u64) -> f64 {
    count as f64
}

fn signed(count: i64) -> f64 {
    float(u64::try_from(count).unwrap_or(0))
}

fn counted(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

fn truth(truth: bool) -> f64 {
    f64::from(u8::from(truth))
}

/// The text.
pub fn page(report: &Report, status: &Status) -> String {
    let mut page = Page::default();
    one(
        &mut page,
        "tarn_node_healthy",
        "Whether the node can do its part in the pool.",
        truth(report.healthy),
    );
    one(
        &mut page,
        "tarn_raft_leader_known",
        "Whether the node knows a leader.",
        truth(status.leader.is_some() && status.in_touch),
    );
    one(
        &mut page,
        "tarn_raft_committed_index",
        "Last index of the log that a majority has.",
        float(status.committed),
    );
    one(
        &mut page,
        "tarn_raft_applied_index",
        "Last index of the log that is applied here.",
        float(status.applied),
    );
    one(
        &mut page,
        "tarn_raft_last_log_index",
        "Last index in the log of this node.",
        float(status.last_log),
    );
    one(
        &mut page,
        "tarn_raft_snapshot_index",
        "Index that the newest snapshot stands for.",
        float(status.snapshot),
    );
    one(
        &mut page,
        "tarn_state_free_bytes",
        "Free bytes where the node keeps its state.",
        float(report.room.free),
    );
    one(
        &mut page,
        "tarn_state_size_bytes",
        "All bytes where the node keeps its state.",
        float(report.room.total),
    );
    one(
        &mut page,
        "tarn_sagas",
        "Operations under way whose steps are in the log.",
        counted(report.sagas),
    );
    one(
        &mut page,
        "tarn_tasks_pending",
        "Tasks that are not done yet.",
        counted(report.tasks.len()),
    );
    one(
        &mut page,
        "tarn_troubles",
        "Things that `tarn status` calls wrong.",
        counted(report.troubles.len()),
    );
    let moves = report.tasks.iter().filter(|t| t.name.contains("migrate")).count();
    one(
        &mut page,
        "tarn_migrations",
        "Tasks under way that move VMs or disks.",
        counted(moves),
    );
    page.family("tarn_pool_vms", "gauge", "VMs of the pool by their power state.");
    for (state, count) in ["running", "paused", "suspended", "halted"]
        .iter()
        .zip(report.vms)
    {
        page.value("tarn_pool_vms", &[("state", state)], count);
    }
    hosts(&mut page, report);
    storage(&mut page, report);
    page.into_text()
}

fn hosts(page: &mut Page, report: &Report) {
    type Pick = fn(&HostLine) -> Option<f64>;
    let families: [(&str, &str, Pick); 6] = [
        (
            "tarn_pool_host_live",
            "Whether the master hears from a host.",
            |h| Some(truth(h.live)),
        ),
        ("tarn_pool_host_enabled", "Whether a host takes VMs.", |h| {
            Some(truth(h.enabled))
        }),
        (
            "tarn_pool_host_votes",
            "Whether a host counts for the majority.",
            |h| Some(truth(h.votes)),
        ),
        ("tarn_pool_host_vms", "VMs that live on a host.", |h| {
            Some(counted(h.vms))
        }),
        (
            "tarn_raft_member_lag_entries",
            "Entries that a member is behind; on the master only.",
            |h| h.lag.map(float),
        ),
        (
            "tarn_raft_member_heard_seconds",
            "Time since a member was heard; on the master only.",
            |h| h.heard.map(|millis| float(millis) / 1000.0),
        ),
    ];
    for (name, help, pick) in families {
        page.family(name, "gauge", help);
        for host in &report.hosts {
            if let Some(value) = pick(host) {
                page.value(name, &[("member", &host.uuid), ("name", &host.name)], value);
            }
        }
    }
}

fn storage(page: &mut Page, report: &Report) {
    type Pick = fn(&StorageLine) -> f64;
    let families: [(&str, &str, Pick); 4] = [
        (
            "tarn_sr_used_bytes",
            "Bytes of a repository that are in use.",
            |s| signed(s.used),
        ),
        ("tarn_sr_size_bytes", "All bytes of a repository.", |s| {
            signed(s.size)
        }),
        (
            "tarn_sr_plugged_hosts",
            "Hosts that have a repository plugged.",
            |s| counted(s.plugged),
        ),
        (
            "tarn_sr_wanted_hosts",
            "Hosts that should have it plugged.",
            |s| counted(s.wanted),
        ),
    ];
    for (name, help, pick) in families {
        page.family(name, "gauge", help);
        for sr in &report.storage {
            let labels: [(&str, &dyn Display); 3] =
                [("sr", &sr.uuid), ("name", &sr.name), ("type", &sr.kind)];
            page.value(name, &labels, pick(sr));
        }
    }
}
