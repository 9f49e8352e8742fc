//! `tarn status` in the terminal: hosts, master, storage, tasks, what is wrong and what to do.

use std::fmt::Write as _;

use crate::report::{HostLine, LearnerLine, Report, StorageLine, size};

/// The page. `applied` is the index of the log that this node has come to.
pub fn page(report: &Report, term: u64, applied: u64) -> String {
    let mut out = String::new();
    let name = if report.pool.is_empty() {
        "(no name)"
    } else {
        &report.pool
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "pool {name}, term {term}, log at {applied}");
    let [running, paused, suspended, halted] = report.vms;
    let _ = writeln!(
        out,
        "VMs  {running} running, {paused} paused, {suspended} suspended, {halted} halted\n"
    );
    table(&mut out, HOSTS, report.hosts.iter().map(host).collect());
    if !report.learners.is_empty() {
        out.push('\n');
        table(&mut out, LEARNERS, report.learners.iter().map(learner).collect());
    }
    if !report.storage.is_empty() {
        out.push('\n');
        table(&mut out, STORAGE, report.storage.iter().map(storage).collect());
    }
    if !report.tasks.is_empty() {
        out.push('\n');
        let tasks = report.tasks.iter().map(|task| {
            vec![
                task.name.clone(),
                format!("{:.0} %", task.progress * 100.0),
                age(task.age),
            ]
        });
        table(&mut out, TASKS, tasks.collect());
    }
    out.push('\n');
    if report.troubles.is_empty() {
        out.push_str("nothing is wrong\n");
    }
    for trouble in &report.troubles {
        let _ = writeln!(out, "! {}\n    {}", trouble.what, trouble.remedy);
    }
    out
}

const HOSTS: &[&str] = &[
    "host",
    "address",
    "role",
    "state",
    "behind",
    "VMs",
    "memory free",
    "release",
];
const LEARNERS: &[&str] = &["learner", "address", "behind"];
const STORAGE: &[&str] = &["storage", "type", "plugged", "used", "of"];
const TASKS: &[&str] = &["task", "done", "since"];

fn host(line: &HostLine) -> Vec<String> {
    let role = match (line.leads, line.votes) {
        (true, _) => "master",
        (false, true) => "member",
        (false, false) => "catching up",
    };
    let state = match (line.live, line.enabled) {
        (false, _) => "AWAY",
        (true, false) => "disabled",
        (true, true) => "up",
    };
    vec![
        line.name.clone(),
        line.address.clone(),
        role.to_owned(),
        state.to_owned(),
        behind(line.lag),
        line.vms.to_string(),
        format!("{} of {}", bytes(line.memory_free), bytes(line.memory_total)),
        line.release.clone(),
    ]
}

fn learner(line: &LearnerLine) -> Vec<String> {
    vec![line.uuid.clone(), line.address.clone(), behind(line.lag)]
}

fn behind(lag: Option<u64>) -> String {
    lag.map_or_else(|| "-".to_owned(), |lag| lag.to_string())
}

fn storage(line: &StorageLine) -> Vec<String> {
    vec![
        line.name.clone(),
        if line.shared {
            format!("{}, shared", line.kind)
        } else {
            line.kind.clone()
        },
        format!("{}/{}", line.plugged, line.wanted),
        bytes(line.used),
        bytes(line.size),
    ]
}

fn bytes(count: i64) -> String {
    size(u64::try_from(count).unwrap_or(0))
}

fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Columns as wide as their widest cell, two blanks between them, none at the end of a line.
fn table(out: &mut String, head: &[&str], rows: Vec<Vec<String>>) {
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for line in &lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::report::{TaskLine, Trouble};

    #[test]
    fn the_page_shows_who_leads_who_is_away_and_what_to_do() {
        let host = |name: &str, leads, live| HostLine {
            name: name.to_owned(),
            address: "192.0.2.1".to_owned(),
            leads,
            votes: true,
            live,
            enabled: true,
            lag: leads.then_some(0),
            memory_free: 1 << 30,
            memory_total: 4 << 30,
            release: "0.1.0".to_owned(),
            ..HostLine::default()
        };
        let report = Report {
            pool: "lab".to_owned(),
            healthy: true,
            hosts: vec![host("h1", true, true), host("h2", false, false)],
            storage: vec![StorageLine {
                uuid: String::new(),
                name: "Shared".to_owned(),
                kind: "nfs".to_owned(),
                shared: true,
                plugged: 1,
                wanted: 2,
                used: 1 << 30,
                size: 10 << 30,
            }],
            vms: [1, 0, 0, 2],
            tasks: vec![TaskLine {
                name: "Async.VM.start".to_owned(),
                progress: 0.5,
                age: 130,
            }],
            troubles: vec![Trouble {
                what: "host h2 is away".to_owned(),
                remedy: "switch it on".to_owned(),
            }],
            ..Report::default()
        };
        let wanted = "\
pool lab, term 3, log at 99
VMs  1 running, 0 paused, 0 suspended, 2 halted

host  address    role    state  behind  VMs  memory free         release
h1    192.0.2.1  master  up     0       0    1.0 GiB of 4.0 GiB  0.1.0
h2    192.0.2.1  member  AWAY   -       0    1.0 GiB of 4.0 GiB  0.1.0

storage  type         plugged  used     of
Shared   nfs, shared  1/2      1.0 GiB  10 GiB

task            done  since
Async.VM.start  50 %  2 min

! host h2 is away
    switch it on
";
        assert_eq!(page(&report, 3, 99), wanted);
    }
}
