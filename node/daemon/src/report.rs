//! How this host and its pool stand: for `tarn status`, for `/healthz`, and for whoever collects figures.

use std::path::Path;

use pool_domain::decide::{drift, learner};
use pool_domain::{Database, Row, placement};
use pool_raft::{MemberStatus, Standing, Status};
use proto_types::generated::{
    host, host_metrics, message, pbd, pool, sr, tarn_authority, tarn_member, tarn_saga, task, vm,
};
use proto_types::{DateTime, Field, Ref};
use serde::{Deserialize, Serialize};

/// Below this much room for the pool database an operator should act.
const LITTLE_ROOM: u64 = 512 * 1024 * 1024;
/// A member so many entries behind is not just busy.
const FAR_BEHIND: u64 = 2_000;
/// A repository with more than so many per cent in use should be looked at.
const NEARLY_FULL: i64 = 90;
/// A task that takes longer than this may hang.
const LONG_TASK: i64 = 24 * 3600;
/// Milliseconds for which a learner may be silent.
const LEARNER_SILENT: u64 = 60_000;
/// An authority that ends within this time should be replaced.
const ENDS_SOON: i64 = 60 * 86_400;

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
    report.troubles = troubles(known, &report);
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

fn trouble(what: String, remedy: impl Into<String>) -> Trouble {
    Trouble {
        what,
        remedy: remedy.into(),
    }
}

fn troubles(known: &Known<'_>, report: &Report) -> Vec<Trouble> {
    let mut found = Vec::new();
    if let Some(why) = &known.status.failure {
        found.push(trouble(
            format!("this node's database failed: {why}"),
            "make room on its disk or repair it, then `systemctl restart tarn`",
        ));
    }
    if known.status.leader.is_none() || !known.status.in_touch {
        let voters = known
            .status
            .members
            .iter()
            .filter(|m| m.standing == Standing::Voter)
            .count();
        found.push(trouble(
            format!(
                "this host knows no master: {} of the {voters} hosts that vote must reach one another",
                voters / 2 + 1
            ),
            "switch the hosts on that are off, and look at the network between them (node-to-node port)",
        ));
    }
    if known.room.total > 0 && known.room.free < LITTLE_ROOM.min(known.room.total / 10) {
        found.push(trouble(
            format!(
                "{} left where this node keeps its state, {}",
                size(known.room.free),
                known.state_dir.display()
            ),
            "make room: with none left the node stops and stays out of the pool",
        ));
    }
    found.extend(report.hosts.iter().flat_map(of_host));
    found.extend(report.storage.iter().flat_map(of_storage));
    let leads = report.hosts.iter().any(|h| h.lag.is_some());
    found.extend(report.learners.iter().filter_map(|l| of_learner(l, leads)));
    found.extend(of_pool(known, report));
    found
}

fn of_host(line: &HostLine) -> Vec<Trouble> {
    let mut found = Vec::new();
    let name = &line.name;
    if !line.live {
        found.push(trouble(
            format!("host {name} ({}) is away", line.address),
            format!("switch it on, or see `journalctl -u tarn` there; if it is lost for good: `xe host-forget uuid=...` for {name}"),
        ));
    } else if !line.enabled {
        found.push(trouble(
            format!("host {name} takes no VMs: it is disabled"),
            format!("`xe host-enable host={name}` when its maintenance is over"),
        ));
    } else if !line.votes {
        found.push(trouble(
            format!("host {name} does not vote yet"),
            "wait until it has caught up; if it does not, look at the network to it",
        ));
    }
    if let Some(lag) = line.lag.filter(|lag| line.live && *lag > FAR_BEHIND) {
        found.push(trouble(
            format!("host {name} is {lag} entries behind"),
            "look at the speed of its disk and of the network to it",
        ));
    }
    found
}

/// Only the leader knows how a learner stands.
fn of_learner(line: &LearnerLine, leads: bool) -> Option<Trouble> {
    let silent = leads && line.heard.is_none_or(|millis| millis > LEARNER_SILENT);
    let remedy = "switch it on and look at the network to it; `tarn pool forget-learner` with its uuid if it is gone for good";
    if silent {
        return Some(trouble(
            format!("the learner {} at {} is not heard", line.uuid, line.address),
            remedy,
        ));
    }
    line.lag.filter(|lag| *lag > FAR_BEHIND).map(|lag| {
        trouble(
            format!(
                "the learner {} at {} is {lag} entries behind",
                line.uuid, line.address
            ),
            remedy,
        )
    })
}

fn of_storage(line: &StorageLine) -> Vec<Trouble> {
    let mut found = Vec::new();
    if line.plugged < line.wanted {
        found.push(trouble(
            format!("storage {} is plugged on {} of {} hosts", line.name, line.plugged, line.wanted),
            "`xe pbd-list currently-attached=false` and `xe pbd-plug uuid=...`, which says what is in the way",
        ));
    }
    if line.size > 0 && line.used.saturating_mul(100) / line.size > NEARLY_FULL {
        found.push(trouble(
            format!(
                "storage {} is {} % full",
                line.name,
                line.used.saturating_mul(100) / line.size
            ),
            "delete or move disks and snapshots, or make it larger",
        ));
    }
    found
}

fn of_pool(known: &Known<'_>, report: &Report) -> Vec<Trouble> {
    let mut found = Vec::new();
    let live = report.hosts.iter().filter(|h| h.live && h.votes).count();
    let voters = report.hosts.iter().filter(|h| h.votes).count();
    if voters == 2 {
        found.push(trouble(
            "two hosts make a pool that stands still when either is away".to_owned(),
            "add a third host",
        ));
    } else if voters > 2 && live.saturating_sub(1) < voters / 2 + 1 {
        found.push(trouble(
            format!("{live} of {voters} hosts are there: with one fewer the pool stands still"),
            "bring the missing hosts back, or remove those that are lost for good",
        ));
    }
    let mut releases: Vec<&str> = report
        .hosts
        .iter()
        .map(|h| h.release.as_str())
        .filter(|r| !r.is_empty())
        .collect();
    releases.sort_unstable();
    releases.dedup();
    if releases.len() > 1 {
        found.push(trouble(
            format!("hosts run different releases: {}", releases.join(", ")),
            "finish the upgrade",
        ));
    }
    let changed = known
        .db
        .rows(message::CLASS)
        .filter(|m| m.get(message::NAME).as_str() == drift::NAME);
    found.extend(changed.map(|m| {
        trouble(
            m.get(message::BODY).as_str().to_owned(),
            "put it back as it was with the tool that changed it, then make the change through the API",
        )
    }));
    for task in report.tasks.iter().filter(|t| t.age > LONG_TASK) {
        found.push(trouble(
            format!(
                "task {} has been under way for {} hours",
                task.name,
                task.age / 3600
            ),
            "`xe task-list`, and `xe task-cancel uuid=...` if it should end",
        ));
    }
    let active = known
        .db
        .rows(tarn_authority::CLASS)
        .find(|a| a.get(tarn_authority::ACTIVE).as_bool());
    if let Some(ends) = active.map(|a| a.get(tarn_authority::NOT_AFTER).as_time())
        && ends.0.saturating_sub(known.now.0) < ENDS_SOON
    {
        let days = ends.0.saturating_sub(known.now.0) / 86_400;
        found.push(trouble(
            format!("the pool's certificate authority ends in {days} days"),
            "replace it before that: hosts no longer trust one another afterwards",
        ));
    }
    found
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

    #[test]
    fn each_trouble_of_a_host_is_told_once_with_a_remedy() {
        let well = HostLine {
            name: "h1".to_owned(),
            live: true,
            enabled: true,
            votes: true,
            lag: Some(3),
            ..HostLine::default()
        };
        assert!(of_host(&well).is_empty());
        let ill = [
            HostLine {
                live: false,
                lag: Some(9_999),
                ..well.clone()
            },
            HostLine {
                enabled: false,
                ..well.clone()
            },
            HostLine {
                votes: false,
                ..well.clone()
            },
            HostLine {
                lag: Some(9_999),
                ..well.clone()
            },
        ];
        for line in ill {
            let said = of_host(&line);
            assert!(
                matches!(said.as_slice(), [one] if one.what.contains("h1") && !one.remedy.is_empty()),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_repository_that_is_full_or_not_plugged_everywhere_is_told() {
        let well = StorageLine {
            name: "a".to_owned(),
            plugged: 3,
            wanted: 3,
            used: 10,
            size: 100,
            ..StorageLine::default()
        };
        assert!(of_storage(&well).is_empty());
        let both = StorageLine {
            plugged: 2,
            used: 95,
            ..well
        };
        assert_eq!(of_storage(&both).len(), 2);
    }
}
