//! The driver on real kernel networks, each in a namespace of its own. Needs root; says so where it is not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::*;

mod bridge;
mod devices;
mod ports;
mod uplink;

/// A network namespace that goes away with this value.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(role: &str) -> Namespace {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace {
            name: format!("tarn-test-{}-{count}-{role}", std::process::id()),
        };
        ip(&["netns", "add", &namespace.name]);
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` in it and answers what it prints.
    fn ip(&self, arguments: &str) -> String {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(arguments.split_whitespace());
        ip(&all)
    }

    fn json(&self, arguments: &str) -> serde_json::Value {
        serde_json::from_str(&self.ip(&format!("-json {arguments}"))).unwrap()
    }

    /// Writes a setting of its network.
    fn sysctl(&self, key: &'static str, value: &'static str) {
        self.enter(move || std::fs::write(format!("/proc/sys/net/{key}"), value).unwrap());
    }

    /// Starts a thread in it.
    fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::spawn(move || {
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            work()
        })
    }

    /// Runs something in it.
    fn enter<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(work).join().unwrap()
    }

    /// Runs the driver in it.
    fn run<T: Send + 'static, F: Future<Output = T>>(
        &self,
        work: impl FnOnce(LinuxNetwork) -> F + Send + 'static,
    ) -> T {
        self.enter(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work(LinuxNetwork::new()))
        })
    }

    fn ensure(&self, spec: BridgeSpec) -> BridgeState {
        self.run(|network| async move { network.ensure_bridge(&spec).await })
            .unwrap()
    }

    /// Global addresses of an interface, in order.
    fn addresses(&self, device: &str) -> Vec<String> {
        let shown = self.json(&format!("addr show dev {device}"));
        let mut found: Vec<String> = shown[0]["addr_info"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|address| address["scope"] != "link")
            .map(|address| format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"]))
            .collect();
        found.sort();
        found
    }

    /// Routes as `destination gateway device metric`, in order.
    fn routes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for family in ["-4", "-6"] {
            for route in self.json(&format!("{family} route show")).as_array().unwrap() {
                let text = |key: &str| route[key].as_str().unwrap_or("-").to_owned();
                if !text("dst").starts_with("fe80") {
                    found.push(format!(
                        "{} {} {} {}",
                        text("dst"),
                        text("gateway"),
                        text("dev"),
                        route["metric"]
                    ));
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

fn ip(arguments: &[&str]) -> String {
    let output = std::process::Command::new("ip").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Whether such tests can run; says why not.
fn can_run() -> bool {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: network namespaces need root");
        return false;
    }
    let name = format!("tarn-test-{}-trial", std::process::id());
    let made = std::process::Command::new("ip")
        .args(["netns", "add", &name])
        .output();
    match made {
        Ok(output) if output.status.success() => {
            let _ = std::process::Command::new("ip")
                .args(["netns", "del", &name])
                .status();
            true
        }
        // Two tests may try at the same time.
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("File exists") => true,
        Ok(output) => {
            println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            println!("skipped: ip(8) cannot be run: {error}");
            false
        }
    }
}

/// A host and the network beyond its only NIC.
struct Pair {
    host: Namespace,
    peer: Namespace,
}

/// The host has `eth0` with 10.9.0.2 and fd09::2, the peer `far0` with 10.9.0.1 and fd09::1.
fn pair() -> Pair {
    let (host, peer) = (Namespace::new("host"), Namespace::new("peer"));
    ip(&[
        "-n", &host.name, "link", "add", "eth0", "type", "veth", "peer", "name", "far0", "netns", &peer.name,
    ]);
    for (namespace, device, number) in [(&host, "eth0", 2), (&peer, "far0", 1)] {
        namespace.ip(&format!(
            "addr add 10.9.0.{number}/24 brd 10.9.0.255 dev {device}"
        ));
        namespace.ip(&format!("addr add fd09::{number}/64 dev {device} nodad"));
        namespace.ip(&format!("link set {device} up"));
    }
    host.ip("addr add 10.9.0.22/24 brd 10.9.0.255 dev eth0");
    host.ip("route add default via 10.9.0.1 dev eth0 metric 50");
    host.ip("route add 192.168.77.0/24 via 10.9.0.7 dev eth0 src 10.9.0.22");
    host.ip("-6 route add default via fd09::1 dev eth0 metric 60");
    Pair { host, peer }
}

/// What the kernel of this machine can do.
fn features(host: &Namespace) -> KernelFeatures {
    host.run(|network| async move { network.features().await })
        .unwrap()
}

/// Puts a guest's end into a namespace of its own, with an address, and its port into a bridge of a host.
fn guest(host: &Namespace, bridge: &'static str, port: &'static str, address: &str) -> Namespace {
    let guest = Namespace::new(port);
    ip(&[
        "-n",
        &host.name,
        "link",
        "add",
        port,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        &guest.name,
    ]);
    guest.ip(&format!("addr add {address} dev eth0"));
    guest.ip("link set eth0 up");
    host.run(move |network| async move { network.attach_port(bridge, port).await })
        .unwrap();
    guest
}

/// Whether one namespace reaches a port of another by TCP within some seconds.
fn reaches(from: &Namespace, to: &Namespace, address: &'static str, patience: Duration) -> bool {
    let listener = to.enter(move || std::net::TcpListener::bind((address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    from.enter(move || std::net::TcpStream::connect_timeout(&target, patience).is_ok())
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}
