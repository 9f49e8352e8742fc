//! The pool as this node sees it, in Prometheus' text form.

use std::fmt::{Display, Write as _};

use pool_raft::Status;

use crate::report::Report;

struct Page(String);

impl Page {
    /// One family, with a value for each set of labels.
    fn family(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in values {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, help, [(Labels(Vec::new()), value)]);
    }
}

struct Labels(Vec<(&'static str, String)>);

impl Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, (name, value)) in self.0.iter().enumerate() {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            write!(f, "{}{name}=\"{value}\"", if position == 0 { "{" } else { "," })?;
        }
        if self.0.is_empty() {
            Ok(())
        } else {
            f.write_str("}")
        }
    }
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    Labels(pairs.map(|(name, value)| (name, value.to_owned())).to_vec())
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
    let mut page = Page(String::with_capacity(4096));
    page.one(
        "tarn_node_healthy",
        "Whether the node can do its part in the pool.",
        truth(report.healthy),
    );
    page.one(
        "tarn_raft_leader_known",
        "Whether the node knows a leader.",
        truth(status.leader.is_some() && status.in_touch),
    );
    page.one(
        "tarn_raft_committed_index",
        "Last index of the log that a majority has.",
        float(status.committed),
    );
    page.one(
        "tarn_raft_applied_index",
        "Last index of the log that is applied here.",
        float(status.applied),
    );
    page.one(
        "tarn_raft_last_log_index",
        "Last index in the log of this node.",
        float(status.last_log),
    );
    page.one(
        "tarn_raft_snapshot_index",
        "Index that the newest snapshot stands for.",
        float(status.snapshot),
    );
    page.one(
        "tarn_state_free_bytes",
        "Free bytes where the node keeps its state.",
        float(report.room.free),
    );
    page.one(
        "tarn_state_size_bytes",
        "All bytes where the node keeps its state.",
        float(report.room.total),
    );
    page.one(
        "tarn_sagas",
        "Operations under way whose steps are in the log.",
        counted(report.sagas),
    );
    page.one(
        "tarn_tasks_pending",
        "Tasks that are not done yet.",
        counted(report.tasks.len()),
    );
    page.one(
        "tarn_troubles",
        "Things that `tarn status` calls wrong.",
        counted(report.troubles.len()),
    );
    let moves = report.tasks.iter().filter(|t| t.name.contains("migrate")).count();
    page.one(
        "tarn_migrations",
        "Tasks under way that move VMs or disks.",
        counted(moves),
    );
    let states = ["running", "paused", "suspended", "halted"];
    page.family(
        "tarn_pool_vms",
        "VMs of the pool by their power state.",
        states
            .iter()
            .zip(report.vms)
            .map(|(state, count)| (labels([("state", state)]), counted(count))),
    );
    hosts(&mut page, report);
    storage(&mut page, report);
    page.0
}

fn hosts(page: &mut Page, report: &Report) {
    type Pick = fn(&crate::report::HostLine) -> Option<f64>;
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
        let values = report
            .hosts
            .iter()
            .filter_map(|h| Some((labels([("member", &h.uuid), ("name", &h.name)]), pick(h)?)));
        page.family(name, help, values);
    }
}

fn storage(page: &mut Page, report: &Report) {
    type Pick = fn(&crate::report::StorageLine) -> f64;
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
        let values = report.storage.iter().map(|s| {
            (
                labels([("sr", &s.uuid), ("name", &s.name), ("type", &s.kind)]),
                pick(s),
            )
        });
        page.family(name, help, values);
    }
}
