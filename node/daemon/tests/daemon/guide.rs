//! The guide's commands, in its order, on a pool that goes through what it tells of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::signal::Signal;
use proto_types::Value;

use crate::bed::{Bed, Host, PASSWORD, SOON, wait_for};

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Lines of the guide's blocks of that kind.
fn lines(kind: &str) -> Vec<String> {
    let guide = fs::read_to_string(repo().join("deploy/GUIDE.md")).unwrap();
    let mut inside = None;
    let mut found = Vec::new();
    for line in guide.lines() {
        match (line.strip_prefix("```"), &inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(begins), None) => inside = Some(begins.to_owned()),
            (None, Some(within)) if within == kind => found.push(line.to_owned()),
            (None, _) => {}
        }
    }
    found
}

/// `xe`, beside the node's program, where cargo leaves it. Built now: one that is there may be of an earlier day, since
/// tests of this crate build the node's program alone.
fn program_of_xe() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let program = Path::new(env!("CARGO_BIN_EXE_tarn")).with_file_name("xe");
        let place = program.parent().unwrap();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--package", "gateway-cli", "--bin", "xe", "--target-dir"]);
        build.arg(place.parent().unwrap());
        if place.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(repo()).output().unwrap();
        assert!(
            built.status.success() && program.is_file(),
            "xe is not there: {}",
            String::from_utf8_lossy(&built.stderr)
        );
        program
    };
    BUILT.get_or_init(build).clone()
}

/// What the guide's placeholders stand for, as it goes.
struct Tour {
    bed: Bed,
    token: String,
    /// Hosts that are lost, by uuid: one to forget, one to replace.
    lost: Vec<String>,
    repository: String,
    /// A VM to be protected.
    vm: String,
    uuid_of_second: String,
}

impl Tour {
    fn host(&mut self, name: &str) -> &mut Host {
        self.bed
            .hosts
            .iter_mut()
            .find(|h| h.name == name)
            .unwrap_or_else(|| panic!("{name}"))
    }

    fn uuid_of(&self, at: &str, name: &str) -> String {
        let client = self.bed.hosts.iter().find(|h| h.name == at).unwrap().local();
        let found = client.refs("host.get_by_name_label", &[&name]);
        client.text("host.get_uuid", &[found.first().unwrap()])
    }

    fn join(&mut self, name: &str) {
        let token = self.host("host1").printed(&["pool", "token"]);
        let host = self.host(name);
        host.printed(&["pool", "join", "--token", &token]);
        host.start();
        drop(self.host(name).local());
    }

    /// Runs one line and checks that it succeeds.
    fn line(&mut self, name: &str, words: &str) {
        self.before(name, words);
        let files = self.bed.dir.path().to_owned();
        let at = |file: &str| files.join(file).to_str().unwrap().to_owned();
        let uuid = if words.contains("--replaces") && name == "new2" {
            self.uuid_of_second.clone()
        } else if words.contains("UUID") {
            self.lost.remove(0)
        } else {
            String::new()
        };
        let words = words
            .replace("/var/backups/pool.backup", &at("pool.backup"))
            .replace("/tmp/bundle.tar.gz", &at("bundle.tar.gz"))
            .replace("FILE", &at("password"))
            .replace("UUID", &uuid)
            .replace("=SR", &format!("={}", self.repository))
            .replace("uuid=VM", &format!("uuid={}", self.vm))
            .replace("uuid=POOL", &format!("uuid={}", self.uuid_of_pool(words)))
            .replace("TOKEN", &self.token);
        let split: Vec<&str> = words.split(' ').collect();
        match split.as_slice() {
            ["systemctl", "start", "tarn"] => {
                self.host(name).start();
                drop(self.host(name).local());
            }
            ["systemctl", "stop", "tarn"] => drop(self.host(name).stop()),
            ["xe", "pool-recover-slaves"] => self.recover_slaves(),
            ["systemctl", "reload", "tarn"] => self.host(name).signal(Signal::SIGHUP),
            ["tarn", "pool", "token"] => self.token = self.host(name).printed(&["pool", "token"]),
            ["tarn", rest @ ..] if words.contains("--replaces") => {
                // The master has to notice first that the host is away.
                let host = self.host(name);
                wait_for("the lost host to be given away", SOON, || {
                    host.run(rest).status.success().then_some(())
                });
            }
            ["tarn", rest @ ..] => drop(self.host(name).printed(rest)),
            ["xe", rest @ ..] => self.xe(rest),
            _ => panic!("nobody knows what this is: {words}"),
        }
    }

    /// Brings about what a line is there for.
    fn before(&mut self, name: &str, words: &str) {
        if words == "xe host-list" {
            for more in ["host3", "host5"] {
                self.join(more);
            }
            self.repository();
        }
        if words.starts_with("xe host-forget") {
            self.uuid_of_second = self.uuid_of("host1", "host2");
            for dead in ["host3", "host5"] {
                let uuid = self.uuid_of("host1", dead);
                self.lost.push(uuid);
            }
            self.host("host3").kill();
            self.away(3);
        }
        if words.starts_with("xe pool-ha-enable") {
            self.vm();
        }
        if words == "systemctl stop tarn" {
            for lost in ["host2", "host4"] {
                self.host(lost).kill();
            }
        }
        if words.contains("--replaces") {
            if name == "host4" {
                self.host("host5").kill();
            }
            let helper = if name == "host4" { "host1" } else { "new1" };
            self.token = self.host(helper).printed(&["pool", "token"]);
        }
        if words.contains("--again") {
            self.host("host4").start();
            drop(self.host("host4").local());
            self.token = self.host("host1").printed(&["pool", "token"]);
            self.host("host2").stop();
            fs::remove_dir_all(self.host("host2").state().join("raft")).unwrap();
        }
        if words.starts_with("tarn restore") && name == "new1" {
            for old in ["host1", "host2", "host4"] {
                self.host(old).kill();
            }
        }
    }

    /// Waits until the pool counts so many hosts as live.
    fn away(&mut self, live: usize) {
        let host = self.host("host1");
        wait_for("the loss to be known", SOON, || {
            let status = host.status()?;
            let hosts = status["report"]["hosts"].as_array()?;
            (hosts.iter().filter(|h| h["live"] == true).count() == live).then_some(())
        });
    }

    /// One of those that were left behind comes back, and follows once it is told.
    fn recover_slaves(&mut self) {
        self.host("host2").start();
        wait_for("the left one to follow", SOON, || {
            self.xe(&["pool-recover-slaves"]);
            let members = self.host("host1").status()?["members"].as_array()?.len();
            (members == 2).then_some(())
        });
    }

    /// The pool's uuid, for a line that names it.
    fn uuid_of_pool(&self, words: &str) -> String {
        if !words.contains("=POOL") {
            return String::new();
        }
        let client = self.bed.hosts.iter().find(|h| h.name == "host1").unwrap().local();
        let pools = client.refs("pool.get_all", &[]);
        client.text("pool.get_uuid", &[pools.first().unwrap()])
    }

    /// A VM without disks.
    fn vm(&mut self) {
        let client = self.host("host1").local();
        let templates = client.refs("VM.get_by_name_label", &[&"Other install media"]);
        let vm = client.text("VM.clone", &[templates.first().unwrap(), &"guarded"]);
        let args = [Value::str(&vm)];
        client
            .call(
                "VM.remove_from_other_config",
                &[Value::str(&vm), Value::str("disks")],
            )
            .unwrap();
        client.call("VM.provision", &args).unwrap();
        self.vm = client.text("VM.get_uuid", &[&vm]);
    }

    fn repository(&mut self) {
        let folder = self.bed.dir.path().join("sr");
        fs::create_dir_all(&folder).unwrap();
        let client = self.host("host1").local();
        let pools = client.refs("pool.get_all", &[]);
        let master = client.text("pool.get_master", &[pools.first().unwrap()]);
        let made = client.call(
            "SR.create",
            &[
                Value::str(&master),
                Value::string_map([("location", folder.to_str().unwrap())]),
                Value::str("0"),
                Value::str("Shared"),
                Value::str(""),
                Value::str("file"),
                Value::str("user"),
                true.into(),
                Value::empty_map(),
            ],
        );
        let reference = made.unwrap().0.as_str().unwrap().to_owned();
        self.repository = client.text("SR.get_uuid", &[&reference]);
    }

    /// xe over HTTPS to whoever leads.
    fn xe(&mut self, words: &[&str]) {
        let program = program_of_xe();
        let certificates = self.bed.dir.path().join("ca.pem");
        let hosts = &self.bed.hosts;
        let said = wait_for(&format!("xe {words:?}"), SOON, || {
            let leader = hosts
                .iter()
                .find(|h| h.status().is_some_and(|s| s["is_leader"] == true))?;
            fs::copy(leader.state().join("pool-ca.pem"), &certificates).unwrap();
            let (address, port) = leader.https();
            let output = Command::new(&program)
                .args(["-s", &address, "-p", &port, "-u", "root", "-pw", PASSWORD, "--ca"])
                .arg(&certificates)
                .args(words)
                .output()
                .unwrap();
            if !output.status.success() {
                println!("xe {words:?}: {output:?}");
            }
            output.status.success().then_some(output.stdout)
        });
        if words == ["host-list"] {
            assert!(String::from_utf8_lossy(&said).contains("host2"));
        }
    }
}

/// Has all hosts listen for one another on the port of the first, as hosts of one pool do.
fn same_port(hosts: &[Host]) {
    let settings: Vec<String> = hosts
        .iter()
        .map(|host| fs::read_to_string(host.settings()).unwrap())
        .collect();
    let port_in = |text: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("grpc = "))
            .unwrap();
        line.trim_matches('"').rsplit(':').next().unwrap().to_owned()
    };
    let shared = port_in(&settings[0]);
    for (host, text) in hosts.iter().zip(&settings) {
        let own = format!(":{}\"\nsocket", port_in(text));
        assert!(text.contains(&own), "{text}");
        fs::write(
            host.settings(),
            text.replace(&own, &format!(":{shared}\"\nsocket")),
        )
        .unwrap();
    }
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let mut bed = Bed::bare(0, "");
    let names = ["host1", "host2", "host3", "host4", "host5", "new1", "new2"];
    for (number, name) in (1..).zip(names) {
        let address = format!("{}.{number}", bed.network);
        bed.hosts.push(Host::prepare(bed.dir.path(), name, &address, ""));
    }
    same_port(&bed.hosts);
    let mut tour = Tour {
        bed,
        token: String::new(),
        lost: Vec::new(),
        repository: String::new(),
        vm: String::new(),
        uuid_of_second: String::new(),
    };
    let mut run = 0;
    for line in lines("text") {
        if let Some((name, words)) = line.split_once("$ ") {
            println!("{line}");
            tour.line(name, words);
            run += 1;
        } else {
            // Playbooks are played in the live tests.
            let book = line
                .strip_prefix("ansible-playbook -i inventory.yml tarn.pool.")
                .unwrap_or_else(|| panic!("{line}"));
            let file = repo()
                .join("deploy/ansible/playbooks")
                .join(format!("{book}.yml"));
            assert!(file.is_file(), "{line}");
        }
    }
    assert!(run > 30, "only {run} commands were found");
}

#[test]
fn the_guide_names_only_keys_and_pages_that_there_are() {
    let guide = fs::read_to_string(repo().join("deploy/GUIDE.md")).unwrap();
    let keys = fs::read_to_string(repo().join("deploy/packaging/tarn.toml")).unwrap();
    for line in lines("toml") {
        if let Some((key, _)) = line.split_once(" = ") {
            assert!(keys.contains(&format!("#{key} = ")), "{line}");
        }
    }
    let named: BTreeSet<&str> = guide
        .split('`')
        .filter(|word| word.contains('/') && !word.starts_with(['/', 'h']) && !word.contains(' '))
        .collect();
    for file in named {
        assert!(repo().join("deploy").join(file).exists(), "{file}");
    }
}
