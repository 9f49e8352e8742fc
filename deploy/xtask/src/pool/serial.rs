//! What guests said on their serial ports, collected from all hosts.
//!
//! A guest that moved leaves a part of its log on each host it ran on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::state::Testbed;

/// The serial logs of one VM, by host: the one that was written to last comes last, so that a guest's newest words do.
pub fn logs(testbed: &Testbed, vm_uuid: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for host in &testbed.hosts {
        for folder in ["var-lib-tarn", "run", "var-log-libvirt"] {
            search(
                &testbed.host_dir(&host.name).join(folder),
                vm_uuid,
                4,
                &mut |path| {
                    found.push((host.name.clone(), path));
                },
            );
        }
    }
    found.sort_by_key(|(_, path): &(String, PathBuf)| {
        fs::metadata(path).and_then(|about| about.modified()).ok()
    });
    found
}

/// Files below `folder` that belong to a VM and hold its console; QEMU's own log does not.
fn search(folder: &Path, uuid: &str, depth: u8, found: &mut impl FnMut(PathBuf)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            search(&path, uuid, depth - 1, found);
        } else if kind.is_file()
            && path.to_string_lossy().contains(uuid)
            && path.extension().is_some_and(|extension| extension == "log")
            && !path.to_string_lossy().contains("/qemu/")
        {
            found(path);
        }
    }
}

/// All lines of one VM, host after host.
pub fn lines(testbed: &Testbed, vm_uuid: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, path) in logs(testbed, vm_uuid) {
        let text = fs::read(&path).unwrap_or_default();
        lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    lines
}

/// What the counter of a guest proves.
#[derive(Debug, PartialEq, Eq)]
pub struct Continuity {
    /// How often the guest booted.
    pub boots: usize,
    /// The highest number of its last boot.
    pub last: u64,
    /// Numbers that were never printed.
    pub gaps: Vec<u64>,
}

/// Reads `TARN-COUNT n boot` and `TARN-AT n boot second` lines, in any order.
///
/// A guest prints one of each for every number, and a move cuts the line that is being written in two: a number is read
/// from either, and a boot id has eight digits.
pub fn continuity(lines: &[String]) -> Continuity {
    let mut boots: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let mut newest = "";
    for line in lines {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("TARN-COUNT" | "TARN-AT"))
            && let (Some(count), Some(boot)) = (words.next(), words.next())
            && boot.len() == 8
            && let Ok(count) = count.parse()
        {
            boots.entry(boot).or_default().insert(count);
            newest = boot;
        }
    }
    let counts = boots.get(newest).cloned().unwrap_or_default();
    let last = counts.last().copied().unwrap_or(0);
    Continuity {
        boots: boots.len(),
        last,
        gaps: (1..=last).filter(|count| !counts.contains(count)).collect(),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn said(lines: &[&str]) -> Continuity {
        continuity(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn parts_from_several_hosts_make_one_count() {
        let whole = said(&[
            "TARN-COUNT 3 0a0a0a0a",
            "TARN-COUNT 1 0a0a0a0a",
            "TARN-UP 0a0a0a0a",
            "TARN-COUNT 2 0a0a0a0a",
        ]);
        assert_eq!(
            whole,
            Continuity {
                boots: 1,
                last: 3,
                gaps: vec![]
            }
        );
    }

    #[test]
    fn a_line_that_a_move_cut_is_no_boot_and_no_gap() {
        let whole = said(&[
            "TARN-COUNT 1 0a0a0a0a",
            "TARN-COUNT 2 0a0",
            "a0a0a",
            "TARN-AT 2 0a0a0a0a 1700000000",
        ]);
        assert_eq!(whole.boots, 1);
        assert!(whole.gaps.is_empty());
    }

    #[test]
    fn a_gap_and_a_restart_show() {
        assert_eq!(
            said(&["TARN-COUNT 1 0a0a0a0a", "TARN-COUNT 3 0a0a0a0a"]).gaps,
            [2]
        );
        assert_eq!(said(&["TARN-COUNT 1 0a0a0a0a", "TARN-COUNT 1 0b0b0b0b"]).boots, 2);
    }
}
