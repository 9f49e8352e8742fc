//! The testbed itself, without nodes: two hosts with real libvirt, a guest that moves between
//! them, power, and nothing left behind. Skips with a reason where that is not possible.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says why it skips"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A testbed of two bare hosts; its owner is this test process, so it goes when we do.
struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    fn up() -> Option<Self> {
        let root = nix::unistd::geteuid().is_root();
        let tools = [
            "/usr/sbin/libvirtd",
            "/usr/bin/qemu-system-x86_64",
            "/usr/bin/virsh",
        ];
        if !root || !tools.iter().all(|tool| Path::new(tool).exists()) {
            println!("skipped: needs root, libvirtd, QEMU and virsh");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let bed = Self { dir };
        let me = std::process::id().to_string();
        bed.pool(&[
            "up",
            "--bare",
            "--hosts",
            "2",
            "--hypervisor",
            "qemu",
            "--owner-pid",
            &me,
        ]);
        Some(bed)
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().join("pool")
    }

    fn try_pool(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["pool", "--dir"])
            .arg(self.dir())
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr) + &text(&output.stdout))
        }
    }

    fn pool(&self, args: &[&str]) -> String {
        self.try_pool(args)
            .unwrap_or_else(|error| panic!("pool {args:?}: {error}"))
    }

    fn on(&self, host: &str, words: &[&str]) -> String {
        self.pool(&[&["exec", host], words].concat())
    }

    /// Starts a guest from the test guest's disk on a host; it logs to the shared folder.
    fn start_guest(&self, host: &str, name: &str, mac: &str) {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("guest")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let disk = text.lines().find(|line| line.ends_with(".qcow2")).unwrap();
        let shared = self.dir().join("shared");
        std::fs::copy(disk, shared.join(format!("{name}.qcow2"))).unwrap();
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/></features>\
             <cpu mode='custom'><model>qemu64</model></cpu><devices>\
             <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>\
             <source file='/srv/shared/{name}.qcow2'/><target dev='vda' bus='virtio'/></disk>\
             <interface type='bridge'><mac address='{mac}'/><source bridge='xenbr1'/>\
             <model type='virtio'/></interface>\
             <serial type='file'><source path='/srv/shared/{name}.log' append='on'/></serial>\
             </devices></domain>"
        );
        std::fs::write(shared.join(format!("{name}.xml")), xml).unwrap();
        self.on(host, &["virsh", "create", &format!("/srv/shared/{name}.xml")]);
    }

    fn said(&self, guest: &str) -> String {
        let bytes = std::fs::read(self.dir().join(format!("shared/{guest}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_said(&self, guest: &str, what: &str) {
        wait(&format!("{guest} to say {what}"), || {
            self.said(guest).contains(what)
        });
    }

    /// Numbers the guest counted, all of one boot.
    fn counts(&self, guest: &str) -> Vec<u64> {
        let said = self.said(guest);
        let lines = said.lines().filter_map(|line| line.strip_prefix("TARN-COUNT "));
        let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.trim().split_once(' ')).collect();
        let boots: std::collections::BTreeSet<&str> = pairs.iter().map(|pair| pair.1).collect();
        assert_eq!(boots.len(), 1, "{boots:?}");
        pairs.iter().map(|pair| pair.0.parse().unwrap()).collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Err(error) = self.try_pool(&["down"]) {
            println!("pool down: {error}");
        }
    }
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !ready() {
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_guest_moves_between_hosts_and_counts_on() {
    let Some(bed) = Bed::up() else { return };
    for host in ["h1", "h2"] {
        bed.on(
            host,
            &[
                "sh",
                "-c",
                "ip link add xenbr1 type bridge && ip link set eth1 master xenbr1 && ip link set xenbr1 up",
            ],
        );
    }
    bed.start_guest("h1", "one", "52:54:00:00:01:01");
    bed.start_guest("h2", "two", "52:54:00:00:01:02");
    bed.wait_said("one", "TARN-PEERS 10.88.1.2");

    let socket = bed.dir().join("hosts/h2/run/libvirt/libvirt-sock");
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let switch = bed.on("h2", &["ip", "-4", "-o", "addr", "show", "dev", "eth0"]);
    let address = switch
        .split_whitespace()
        .nth(3)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let before = *bed.counts("one").last().unwrap();
    bed.on(
        "h1",
        &[
            "virsh",
            "migrate",
            "--live",
            "--unsafe",
            "one",
            "--desturi",
            &uri,
            "--migrateuri",
            &format!("tcp://{address}"),
        ],
    );
    assert!(bed.on("h2", &["virsh", "list", "--name"]).contains("one"));
    assert!(!bed.on("h1", &["virsh", "list", "--name"]).contains("one"));
    wait("the counter to go on", || {
        bed.counts("one").last().unwrap() > &(before + 2)
    });
    let counts = bed.counts("one");
    let expected: Vec<u64> = (1..=*counts.last().unwrap()).collect();
    assert_eq!(counts, expected, "no gap and no repetition");

    bed.on("h2", &["virsh", "shutdown", "one"]);
    bed.wait_said("one", "TARN-POWEROFF");
    wait("the guest to end", || {
        !bed.on("h2", &["virsh", "list", "--name"]).contains("one")
    });

    // A power failure takes the other guest along, and the host comes back empty.
    bed.pool(&["kill", "h2"]);
    assert!(bed.try_pool(&["exec", "h2", "true"]).is_err());
    bed.pool(&["start", "h2", "--no-wait"]);
    wait("libvirtd", || {
        bed.try_pool(&["exec", "h2", "virsh", "list"]).is_ok()
    });
    assert!(!bed.on("h2", &["virsh", "list", "--name"]).contains("two"));
}

#[test]
fn a_cut_host_hears_nothing_until_it_is_healed() {
    let Some(bed) = Bed::up() else { return };
    let address = bed.on("h2", &["ip", "-4", "-o", "addr", "show", "dev", "eth0"]);
    let address = address
        .split_whitespace()
        .nth(3)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let probe = format!("timeout 1 bash -c ': </dev/tcp/{address}/9' 2>&1 | grep -q refused");
    let reaches = || bed.try_pool(&["exec", "h1", "bash", "-c", &probe]).is_ok();
    assert!(reaches());
    bed.pool(&["cut", "h2"]);
    assert!(!reaches());
    bed.pool(&["heal", "h2"]);
    wait("the cable to carry again", reaches);
}

#[test]
fn going_down_leaves_nothing_behind() {
    let Some(bed) = Bed::up() else { return };
    let file = std::fs::read(bed.dir().join("testbed.json")).unwrap();
    let testbed: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let bridge = testbed["bridge"].as_str().unwrap().to_owned();
    let links = || -> Vec<String> {
        let entries = std::fs::read_dir("/sys/class/net").unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names
            .filter(|name| *name == bridge || name.starts_with(&format!("{bridge}-")))
            .collect()
    };
    assert_eq!(links().len(), 5, "a bridge and two cables for each host");
    bed.pool(&["down"]);
    assert!(links().is_empty());
    assert!(!bed.dir().exists());
    assert!(!Path::new("/run/netns").join(format!("{bridge}-h1")).exists());
    bed.pool(&["down"]);
}
