//! How this host and its pool stand: for `tarn status`, for `/healthz`, and for whoever collects figures.

mod troubles;

use std::path::Path;

use pool_domain::decide::learner;
use pool_domain::{Database, Row, placement};
use pool_raft::{MemberStatus, Standing, Status};
use proto_types::generated::{host, host_metrics, pbd, pool, sr, tarn_member, tarn_saga, task, vm};
use proto_types::{DateTime, Field, Ref};
use serde::{Deserialize, Serialize};

/// A member so many entries behind is not just busy.
const FAR_BEHIND: u64 = 2_000;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The pool's name.
    pub pool: String,
    /// Whether this node can do its part: it knows a leader, keeps up, and its store works.
    pub healthy: bool,
    /// The hosts, by name.
    pub hosts: Vec<HostLine>,
    /// Machines that only take the log in.
    #[serde(default)]
    pub learners: Vec<LearnerLine>,
    /// The repositories that hold disks, by name.
    pub storage: Vec<StorageLine>,
    /// VMs that run, are paused, are suspended, are off.
    pub vms: [usize; 4],
    /// Tasks that are not done yet.
    pub tasks: Vec<TaskLine>,
    /// Operations under way whose steps are in the log.
    pub sagas: usize,
    /// Room for this node's state, in bytes.
    pub room: Room,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
}

/// Room on the disk of a node's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Free bytes.
    pub free: u64,
    /// All bytes.
    pub total: u64,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostLine {
    /// Its uuid: names need not differ.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Whether it leads the pool.
    pub leads: bool,
    /// Whether it counts for the majority.
    pub votes: bool,
    /// Whether the leader hears from it.
    pub live: bool,
    /// Whether it takes VMs.
    pub enabled: bool,
    /// Entries of the log that it is behind; only the leader knows.
    pub lag: Option<u64>,
    /// Milliseconds since it was last heard; only the leader knows.
    pub heard: Option<u64>,
    /// VMs that live on it.
    pub vms: usize,
    /// Free memory, in bytes.
    pub memory_free: i64,
    /// All memory, in bytes.
    pub memory_total: i64,
    /// The release of its node.
    pub release: String,
}

/// One machine that only takes the log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnerLine {
    /// Its uuid.
    pub uuid: String,
    /// Its address.
    pub address: String,
    /// Entries of the log that it is behind; only the leader knows.
    pub lag: Option<u64>,
    /// Milliseconds since it was last heard; only the leader knows.
    pub heard: Option<u64>,
}

/// One repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageLine {
    /// Its uuid: names need not differ.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Whether several hosts share it.
    pub shared: bool,
    /// Hosts that have it plugged.
    pub plugged: usize,
    /// Hosts that should.
    pub wanted: usize,
    /// Bytes in use.
    pub used: i64,
    /// Bytes in all.
    pub size: i64,
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskLine {
    /// What it does.
    pub name: String,
    /// How far it is, from 0 to 1.
    pub progress: f64,
    /// Seconds since it began.
    pub age: i64,
}

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// What is known, to be put together.
pub struct Known<'a> {
    /// The pool as this node knows it.
    pub db: &'a Database,
    /// The consensus.
    pub status: &'a Status,
    /// Room for the state.
    pub room: Room,
    /// Where that is.
    pub state_dir: &'a Path,
    /// The time.
    pub now: DateTime,
}

/// Room on the disk of a folder; zeroes if the system does not say.
pub fn room(folder: &Path) -> Room {
    nix::sys::statvfs::statvfs(folder).map_or(Room::default(), |s| {
        let size = s.fragment_size();
        Room {
            free: s.blocks_available().saturating_mul(size),
            total: s.blocks().saturating_mul(size),
        }
    })
}

fn text(row: &Row, field: Field) -> String {
    row.get(field).as_str().to_owned()
}

/// Whether a node can do its part: it knows a leader, keeps up, and its store works.
pub fn is_healthy(status: &Status) -> bool {
    status.leader.is_some()
        && status.in_touch
        && status.failure.is_none()
        && status.committed.saturating_sub(status.applied) <= FAR_BEHIND
}

/// Puts it together.
pub fn of(known: &Known<'_>) -> Report {
    let mut report = Report {
        pool: known
            .db
            .only(pool::CLASS)
            .map(|p| text(p, pool::NAME_LABEL))
            .unwrap_or_default(),
        hosts: hosts(known),
        learners: learners(known),
        storage: storage(known.db),
        vms: vms(known.db),
        tasks: tasks(known),
        sagas: known.db.count(tarn_saga::CLASS),
        room: known.room,
        ..Report::default()
    };
    report.healthy = is_healthy(known.status);
    report.troubles = troubles::all(known, &report);
    report
}

fn member<'a>(known: &'a Known<'_>, uuid: &str) -> Option<&'a MemberStatus> {
    known
        .status
        .members
        .iter()
        .find(|m| m.member.host.to_string() == uuid)
}

fn heard(member: &MemberStatus) -> Option<u64> {
    let heard = member.heard?;
    Some(u64::try_from(heard.as_millis()).unwrap_or(u64::MAX))
}

fn learners(known: &Known<'_>) -> Vec<LearnerLine> {
    let mut lines: Vec<LearnerLine> = learner::all(known.db)
        .map(|row| {
            let uuid = text(row, tarn_member::LEARNER);
            let member = member(known, &uuid);
            LearnerLine {
                address: text(row, tarn_member::ADDRESS),
                lag: member.and_then(|m| m.lag),
                heard: member.and_then(heard),
                uuid,
            }
        })
        .collect();
    lines.sort_by(|a, b| a.address.cmp(&b.address));
    lines
}

fn hosts(known: &Known<'_>) -> Vec<HostLine> {
    let db = known.db;
    let leader = known.status.leader.as_ref().map(|l| l.host.to_string());
    let mut lines: Vec<HostLine> = db
        .rows(host::CLASS)
        .map(|row| {
            let member = member(known, row.uuid());
            let metrics = db.of_class(host_metrics::CLASS, row.get(host::METRICS).as_ref());
            let bytes = |field| metrics.map_or(0, |m| m.get(field).as_int());
            HostLine {
                uuid: row.uuid().to_owned(),
                name: text(row, host::NAME_LABEL),
                address: text(row, host::ADDRESS),
                leads: leader.as_deref() == Some(row.uuid()),
                votes: member.is_some_and(|m| m.standing == Standing::Voter),
                live: placement::is_live(db, row),
                enabled: row.get(host::ENABLED).as_bool(),
                lag: member.and_then(|m| m.lag),
                heard: member.and_then(heard),
                vms: guests(db)
                    .filter(|vm| vm.get(vm::RESIDENT_ON).as_ref() == row.reference)
                    .count(),
                memory_free: bytes(host_metrics::MEMORY_FREE),
                memory_total: bytes(host_metrics::MEMORY_TOTAL),
                release: row
                    .get(host::SOFTWARE_VERSION)
                    .get("tarn")
                    .unwrap_or_default()
                    .to_owned(),
            }
        })
        .collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

/// VMs proper: no templates, no snapshots, no control domains.
fn guests(db: &Database) -> impl Iterator<Item = &Row> {
    db.rows(vm::CLASS).map(|row| &**row).filter(|row| {
        ![vm::IS_A_TEMPLATE, vm::IS_A_SNAPSHOT, vm::IS_CONTROL_DOMAIN]
            .iter()
            .any(|field| row.get(*field).as_bool())
    })
}

fn vms(db: &Database) -> [usize; 4] {
    let count = |state: &str| {
        guests(db)
            .filter(|row| row.get(vm::POWER_STATE).as_str() == state)
            .count()
    };
    ["Running", "Paused", "Suspended", "Halted"].map(count)
}

fn storage(db: &Database) -> Vec<StorageLine> {
    let mut lines: Vec<StorageLine> = db
        .rows(sr::CLASS)
        .filter(|row| row.get(sr::PHYSICAL_SIZE).as_int() > 0 || !row.get(sr::PBDS).as_refs().is_empty())
        .map(|row| {
            let pbds = row.get(sr::PBDS).as_refs();
            let plugged = |r: &&Ref| {
                db.of_class(pbd::CLASS, **r)
                    .is_some_and(|p| p.get(pbd::CURRENTLY_ATTACHED).as_bool())
            };
            StorageLine {
                uuid: row.uuid().to_owned(),
                name: text(row, sr::NAME_LABEL),
                kind: text(row, sr::TYPE),
                shared: row.get(sr::SHARED).as_bool(),
                plugged: pbds.iter().filter(plugged).count(),
                wanted: pbds.len(),
                used: row.get(sr::PHYSICAL_UTILISATION).as_int(),
                size: row.get(sr::PHYSICAL_SIZE).as_int(),
            }
        })
        .collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

fn tasks(known: &Known<'_>) -> Vec<TaskLine> {
    let pending = known
        .db
        .rows(task::CLASS)
        .filter(|row| row.get(task::STATUS).as_str() == "pending");
    let mut lines: Vec<TaskLine> = pending
        .map(|row| TaskLine {
            name: text(row, task::NAME_LABEL),
            progress: row.get(task::PROGRESS).as_float(),
            age: known.now.0.saturating_sub(row.get(task::CREATED).as_time().0),
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.age));
    lines
}

/// Bytes in words.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut left = bytes;
    let mut tenths = 0;
    while left >= 1024 && unit + 1 < UNITS.len() {
        tenths = left % 1024 * 10 / 1024;
        left /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if left < 10 && unit > 0 {
        format!("{left}.{tenths} {name}")
    } else {
        format!("{left} {name}")
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [0, 1023, 1024, 1536, 10 << 20, 3 << 40].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 MiB", "3.0 TiB"]
        );
    }
}
