//! A node whose disk is full or whose database is damaged says so and stays out; the others go on without it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

use crate::bed::{Bed, Host, SOON, wait_for};
use crate::client::Client;

/// A small disk of its own, in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounted over a folder; `None` where that is not allowed.
    fn over(folder: &Path) -> Option<SmallDisk> {
        let mounted = mount(
            Some("tmpfs"),
            folder,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("size=64m,mode=755"),
        );
        if let Err(errno) = mounted {
            println!("skipped: a small disk cannot be mounted here: {errno}");
            return None;
        }
        Some(SmallDisk(folder.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        for size in [1 << 20, 4096, 1] {
            let piece = vec![7; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    fn make_space(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Renames a VM until the node of `host` has ended, and returns the last name that was acknowledged.
fn write_until_it_ends(client: &Client, vm: &str, host: &mut Host) -> String {
    let mut written = String::new();
    let mut number = 0;
    let filler = "x".repeat(16 * 1024);
    let log = host.log().len();
    wait_for("the node to notice", SOON, || {
        number += 1;
        let name = format!("name {number}");
        let _ = client.call("VM.set_name_description", &[vm.into(), filler.as_str().into()]);
        if client
            .call("VM.set_name_label", &[vm.into(), name.as_str().into()])
            .is_ok()
        {
            written = name;
        }
        host.log()
            .get(log..)
            .unwrap_or_default()
            .contains("this node stops")
            .then_some(())
    });
    let status = host.ended();
    assert!(!status.success(), "it did not end well: {status}");
    written
}

fn full_disk(lead: bool) {
    let mut bed = Bed::bare(3, "");
    // All three: which of them leads in the end is not known yet.
    let disks: Option<Vec<SmallDisk>> = bed.hosts.iter().map(|h| SmallDisk::over(&h.state())).collect();
    let Some(disks) = disks else { return };
    bed.make_pool();
    let leader = bed.leader();
    let (full, other) = if lead {
        (leader, (leader + 1) % 3)
    } else {
        ((leader + 1) % 3, leader)
    };
    let client = bed.hosts[other].local();
    let vm = client.new_vm("kept");

    disks[full].fill();
    let written = write_until_it_ends(&client, &vm, &mut bed.hosts[full]);
    let log = bed.hosts[full].log();
    assert!(log.contains("No space left on device"), "it says what is wrong");
    assert!(
        Client::local(&bed.hosts[full].socket()).is_err(),
        "it answers nobody"
    );

    // The others serve on, with everything that was acknowledged.
    let client = bed.hosts[other].local();
    wait_for("the others to take writes", SOON, || {
        client
            .call("VM.set_name_description", &[vm.as_str().into(), "small".into()])
            .ok()
    });
    let name = client.text("VM.get_name_label", &[&vm]);
    let number = |name: &str| {
        name.rsplit(' ')
            .next()
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0)
    };
    assert!(
        number(&name) >= number(&written),
        "{written} was acknowledged, {name} is there"
    );

    // With the disk still full it does not come up, and says why again.
    let before = bed.hosts[full].log().len();
    bed.hosts[full].start();
    let status = bed.hosts[full].ended();
    let said = bed.hosts[full].log().split_off(before);
    assert!(
        !status.success() && said.contains("stays out"),
        "{status}: {said}"
    );
    assert!(said.contains("left where this node keeps its state"), "{said}");

    // With space it comes back by itself, and has what it missed.
    disks[full].make_space();
    bed.hosts[full].start();
    drop(bed.hosts[full].local());
    bed.same_rows(&[0, 1, 2]);
    for host in &mut bed.hosts {
        host.kill();
    }
}

#[test]
fn a_follower_whose_disk_is_full_stops_and_comes_back_with_space() {
    full_disk(false);
}

#[test]
fn a_leader_whose_disk_is_full_makes_way_and_loses_nothing_that_was_acknowledged() {
    full_disk(true);
}

/// The largest file of the database with this ending.
fn largest(database: &Path, ending: &str) -> Option<PathBuf> {
    fs::read_dir(database)
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == ending))
        .max_by_key(|p| fs::metadata(p).unwrap().len())
}

/// Turns some bytes in the middle of a file over.
fn scratch(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle).take(64) {
        *byte ^= 0x5a;
    }
    fs::write(file, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What can happen to a database's files.
type Damage = (&'static str, fn(&Path));

const DAMAGES: &[Damage] = &[
    ("a table is scratched", |db| {
        scratch(&largest(db, "sst").expect("a table"))
    }),
    ("a table is missing", |db| {
        fs::remove_file(largest(db, "sst").expect("a table")).unwrap()
    }),
    ("the list of files is cut off", |db| {
        let manifest = fs::read_dir(db)
            .unwrap()
            .map(|f| f.unwrap().path())
            .find(|p| {
                p.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("MANIFEST"))
            })
            .unwrap();
        fs::OpenOptions::new()
            .write(true)
            .open(manifest)
            .unwrap()
            .set_len(20)
            .unwrap();
    }),
    ("the entry point holds nonsense", |db| {
        fs::write(db.join("CURRENT"), "nonsense").unwrap()
    }),
];

#[test]
fn a_node_whose_database_is_damaged_says_so_and_stays_out_while_the_others_serve() {
    let mut bed = Bed::up(3, "");
    let client = bed.hosts[0].local();
    let vm = client.new_vm("kept");
    let (last, third) = (2, bed.hosts[2].state().join("raft"));
    // So that there are tables to damage, not the journal alone.
    bed.hosts[last].printed(&["compact"]);
    let client = bed.hosts[0].local();
    wait_for("tables on disk", SOON, || largest(&third, "sst"));
    assert!(bed.hosts[last].stop().success());
    let whole = bed.dir.path().join("whole");
    copy(&third, &whole);

    for (what, damage) in DAMAGES {
        copy(&whole, &third);
        damage(&third);
        let before = bed.hosts[last].log().len();
        bed.hosts[last].start();
        let status = bed.hosts[last].ended();
        let said = bed.hosts[last].log().split_off(before);
        assert!(!status.success(), "{what}: {status}");
        assert!(said.contains("stays out"), "{what}: {said}");
        assert!(said.contains("raft"), "{what}: it says where: {said}");
        assert!(
            Client::local(&bed.hosts[last].socket()).is_err(),
            "{what}: it answers nobody"
        );
        // The others never noticed.
        let label = Client::call(
            &client,
            "VM.set_name_label",
            &[vm.as_str().into(), (*what).into()],
        );
        assert!(label.is_ok(), "{what}: {label:?}");
        assert_eq!(client.text("VM.get_name_label", &[&vm]), *what);
    }
    copy(&whole, &third);
    bed.hosts[last].start();
    bed.same_rows(&[0, 1, 2]);
}

#[test]
fn a_node_that_is_stopped_and_started_at_once_under_load_keeps_its_word() {
    let mut bed = Bed::up(1, "");
    let client = bed.hosts[0].local();
    let vm = client.new_vm("kept");
    for round in 0..3 {
        let name = format!("round {round}");
        let client = bed.hosts[0].local();
        client
            .call("VM.set_name_label", &[vm.as_str().into(), name.as_str().into()])
            .unwrap();
        bed.hosts[0].signal(Signal::SIGKILL);
        bed.hosts[0].ended();
        bed.hosts[0].start();
        let client = bed.hosts[0].local();
        assert_eq!(client.text("VM.get_name_label", &[&vm]), name);
        wait_for("writes again", Duration::from_secs(30), || {
            client
                .call(
                    "VM.set_name_description",
                    &[vm.as_str().into(), name.as_str().into()],
                )
                .ok()
        });
    }
}
