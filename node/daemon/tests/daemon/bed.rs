//! A pool of nodes, each a process of its own with a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::client::Client;

/// The superuser's password.
pub const PASSWORD: &str = "correct horse";

/// What all files are below, and what is started.
pub struct Bed {
    /// Gone with the bed.
    pub dir: tempfile::TempDir,
    /// The first three parts of its addresses.
    pub network: String,
    /// The hosts, in the order in which they joined.
    pub hosts: Vec<Host>,
}

/// One host.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Further variables of its node's environment.
    pub environment: Vec<(String, String)>,
    node: Option<Child>,
}

/// One address of the loopback network per test of this process, so that two never meet.
fn network() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [low, high, ..] = std::process::id().to_le_bytes();
    let own = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "127.{}.{}",
        64 | (high & 63),
        low.wrapping_add(own.wrapping_mul(37))
    )
}

fn free_port(address: &str) -> u16 {
    TcpListener::bind((address, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Polls until something is there.
pub fn wait_for<T>(what: &str, within: Duration, mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Patience with what takes a moment.
pub const SOON: Duration = Duration::from_secs(60);

impl Host {
    /// Lays a host out. `more` goes into its settings.
    pub fn prepare(dir: &Path, name: &str, address: &str, more: &str) -> Host {
        let dir = dir.join(name);
        fs::create_dir_all(dir.join("state")).unwrap();
        let host = Host {
            name: name.to_owned(),
            dir,
            environment: Vec::new(),
            node: None,
        };
        let settings = format!(
            "[node]\nname = {name:?}\naddress = {address:?}\nstate_dir = {state:?}\nhypervisor = \"sim\"\n\n\
             [listen]\nhttps = \"{address}:{https}\"\ngrpc = \"{address}:{grpc}\"\nsocket = [{socket:?}]\n\n{more}\n",
            state = host.state(),
            https = free_port(address),
            grpc = free_port(address),
            socket = host.socket(),
        );
        fs::write(host.settings(), settings).unwrap();
        host
    }

    /// The node's state folder.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Its settings.
    pub fn settings(&self) -> PathBuf {
        self.dir.join("tarn.toml")
    }

    /// Its socket for local root.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("xapi")
    }

    /// Where its API listens: address and port.
    pub fn https(&self) -> (String, String) {
        let settings = fs::read_to_string(self.settings()).unwrap();
        let line = settings.lines().find_map(|l| l.strip_prefix("https = ")).unwrap();
        let (address, port) = line.trim_matches('"').rsplit_once(':').unwrap();
        (address.to_owned(), port.to_owned())
    }

    /// Everything the node has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Runs one of the operator's commands on this host.
    pub fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tarn"))
            .args(words)
            .arg("--config")
            .arg(self.settings())
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }

    /// What a command that must succeed prints.
    pub fn printed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts the node.
    pub fn start(&mut self) {
        assert!(self.node.is_none(), "{} runs", self.name);
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tarn"))
            .arg("node")
            .arg("--config")
            .arg(self.settings())
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("RUST_BACKTRACE", "0")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.node = Some(child);
    }

    /// Sends the node a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let child = self.node.as_ref().expect("it runs");
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Asks the node to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.ended()
    }

    /// Waits until the node has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.node.take().expect("it runs");
        let name = self.name.clone();
        wait_for(&format!("the end of {name}'s node"), SOON, || {
            child.try_wait().unwrap()
        })
    }

    /// Kills the node.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.node.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A session of local root, passed on to the leader.
    pub fn local(&self) -> Client {
        wait_for(&format!("the API of {}", self.name), SOON, || {
            Client::local(&self.socket()).ok()
        })
    }

    /// How the node stands, if it answers.
    pub fn status(&self) -> Option<serde_json::Value> {
        let output = self.run(&["status", "--json"]);
        if !output.status.success() {
            return None;
        }
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Bed {
    /// A folder, and hosts laid out that run nothing.
    pub fn bare(count: usize, more: &str) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let network = network();
        let hosts = (1..=count)
            .map(|n| Host::prepare(dir.path(), &format!("h{n}"), &format!("{network}.{n}"), more))
            .collect();
        fs::write(dir.path().join("password"), PASSWORD).unwrap();
        fs::set_permissions(dir.path().join("password"), fs::Permissions::from_mode(0o600)).unwrap();
        Bed { dir, network, hosts }
    }

    /// A running pool of so many hosts, all live.
    pub fn up(count: usize, more: &str) -> Bed {
        let mut bed = Bed::bare(count, more);
        bed.make_pool();
        bed
    }

    /// Makes a pool of the hosts.
    pub fn make_pool(&mut self) {
        let password = self.dir.path().join("password");
        let password = password.to_str().unwrap();
        let create = ["pool", "create", "--name", "bed", "--password-file", password];
        let (first, others) = self.hosts.split_first_mut().unwrap();
        first.printed(&create);
        first.start();
        drop(first.local());
        for host in others {
            let token = first.printed(&["pool", "token"]);
            host.printed(&["pool", "join", "--token", &token]);
            host.start();
            drop(host.local());
        }
        self.wait_live();
    }

    /// Waits until every host is live and enabled, and every member votes.
    pub fn wait_live(&self) {
        let client = self.hosts.first().unwrap().local();
        let count = self.hosts.len();
        wait_for("all hosts to be live", SOON, || {
            let hosts = client.refs("host.get_all", &[]);
            let live = hosts.iter().filter(|host| {
                let metrics = client.text("host.get_metrics", &[host]);
                client.call("host_metrics.get_live", &[metrics.as_str().into()]) == Ok(true.into())
                    && client.call("host.get_enabled", &[host.as_str().into()]) == Ok(true.into())
            });
            (hosts.len() == count && live.count() == count).then_some(())
        });
        wait_for("all members to vote", SOON, || {
            let status = self.hosts.first().unwrap().status()?;
            let members = status["members"].as_array()?;
            let voting = members.iter().filter(|m| m["standing"] == "Voter").count();
            (voting == count).then_some(())
        });
    }

    /// Waits until these hosts hold the same rows, and returns their digest.
    pub fn same_rows(&self, hosts: &[usize]) -> String {
        wait_for("the same rows everywhere", SOON, || {
            let mut digests: Vec<String> = Vec::new();
            for host in hosts {
                let status = self.hosts.get(*host)?.status()?;
                digests.push(status["digest"]["sha256"].as_str()?.to_owned());
            }
            digests.dedup();
            (digests.len() == 1).then(|| digests.pop()).flatten()
        })
    }

    /// The position of the host that leads.
    pub fn leader(&self) -> usize {
        wait_for("a leader", SOON, || {
            self.hosts
                .iter()
                .position(|h| h.status().is_some_and(|s| s["is_leader"] == true))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for host in &mut self.hosts {
            host.kill();
            if failed {
                let log = host.log();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default();
                println!("--- {}\n{}", host.name, last.join("\n"));
            }
        }
    }
}
