//! What is wrong with a pool, and what to do about it.

use pool_domain::decide::drift;
use pool_raft::Standing;
use proto_types::generated::{message, tarn_authority};

use super::{FAR_BEHIND, HostLine, Known, LearnerLine, Report, StorageLine, Trouble, size};

/// Below this much room for the pool database an operator should act.
const LITTLE_ROOM: u64 = 512 * 1024 * 1024;
/// A repository with more than so many per cent in use should be looked at.
const NEARLY_FULL: i64 = 90;
/// A task that takes longer than this may hang.
const LONG_TASK: i64 = 24 * 3600;
/// Milliseconds for which a learner may be silent.
const LEARNER_SILENT: u64 = 60_000;
/// An authority that ends within this time should be replaced.
const ENDS_SOON: i64 = 60 * 86_400;

fn trouble(what: String, remedy: impl Into<String>) -> Trouble {
    Trouble {
        what,
        remedy: remedy.into(),
    }
}

/// All of it.
pub(super) fn all(known: &Known<'_>, report: &Report) -> Vec<Trouble> {
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

#[cfg(test)]
mod test {
    use super::*;

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

    #[test]
    fn a_learner_that_is_silent_or_far_behind_is_shown() {
        let line = |heard, lag| LearnerLine {
            uuid: "u".into(),
            heard,
            lag,
            ..LearnerLine::default()
        };
        let said = |line: &LearnerLine, leads| of_learner(line, leads).map(|t| t.what);
        assert_eq!(said(&line(Some(10), Some(3)), true), None);
        assert_eq!(said(&line(None, None), false), None, "only the leader knows");
        let silent = said(&line(Some(70_000), Some(3)), true).unwrap();
        assert!(silent.contains("is not heard"), "{silent}");
        let slow = said(&line(Some(10), Some(9_000)), true).unwrap();
        assert!(slow.contains("9000 entries behind"), "{slow}");
    }
}
