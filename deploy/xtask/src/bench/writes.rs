//! Durable writes against etcd: three members each, at 1 and at 64 clients.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bed::{self, Bed};
use crate::paths;
use crate::pool::state::Hypervisor;
use crate::run;

/// Seconds of each measurement, and how often both sides are measured in turn.
const SECONDS: &str = "5";
const ROUNDS: usize = 3;
/// Where each request carries its number.
const NUMBER: &str = "NUMBERNUMBER";

/// Three etcds on loopback, stopped when dropped.
struct Etcd {
    members: Vec<Child>,
    client: u16,
}

impl Etcd {
    fn up(dir: &Path) -> Result<Etcd> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).context("create etcd's folder")?;
        let ports = free_ports(6)?;
        let peer = |i: usize| format!("http://127.0.0.1:{}", ports.get(i + 3).copied().unwrap_or(0));
        let client = |i: usize| format!("http://127.0.0.1:{}", ports.get(i).copied().unwrap_or(0));
        let all: Vec<String> = (0..3).map(|i| format!("m{i}={}", peer(i))).collect();
        let mut members = Vec::new();
        for i in 0..3 {
            let log = fs::File::create(dir.join(format!("m{i}.log"))).context("create a log")?;
            let child = Command::new("etcd")
                .args(["--name", &format!("m{i}")])
                .arg("--data-dir")
                .arg(dir.join(format!("m{i}")))
                .args([
                    "--listen-peer-urls",
                    &peer(i),
                    "--initial-advertise-peer-urls",
                    &peer(i),
                ])
                .args([
                    "--listen-client-urls",
                    &client(i),
                    "--advertise-client-urls",
                    &client(i),
                ])
                .args([
                    "--initial-cluster",
                    &all.join(","),
                    "--initial-cluster-state",
                    "new",
                ])
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
                .context("start etcd")?;
            members.push(child);
        }
        let etcd = Etcd {
            members,
            client: ports.first().copied().unwrap_or(0),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let endpoint = etcd.endpoint();
        while !run::succeeds(Command::new("etcdctl").env("ETCDCTL_API", "3").args([
            "--endpoints",
            &endpoint,
            "put",
            "ready",
            "1",
        ])) {
            if Instant::now() > deadline {
                bail!("etcd does not come up; see {}", dir.display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(etcd)
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held: Vec<std::net::TcpListener> = (0..count)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()
        .context("find free ports")?;
    held.iter().map(|l| Ok(l.local_addr()?.port())).collect()
}

/// Runs it.
pub fn run() -> Result<()> {
    let ours = bed::example("gateway-server", "https_load")?;
    let theirs = bed::example("proto-wire", "etcd_load")?;
    let bed = Bed::up(Hypervisor::Sim)?;
    let dir = paths::repo()?.join("target/bench-etcd");
    let etcd = Etcd::up(&dir)?;
    let mut files = Vec::new();
    for number in 0..64 {
        let vm = bed.vm(&format!("w{number}"))?;
        let file = bed.dir().join(format!("write-{number}.xml"));
        // 64 bytes of value, as etcd is given, and each time another one: a value that is there already is no write.
        let label = format!("{NUMBER}{}", "x".repeat(64 - NUMBER.len()));
        let body = bed::call("VM.set_name_label", &[bed.reference(), &vm, &label]);
        fs::write(&file, body).context("write a request")?;
        files.push(file);
    }
    println!("clients   tarn/s    p50     p99 ms    etcd/s    p50     p99 ms    ratio");
    for clients in [1_usize, 64] {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let mut load = Command::new(&ours);
            load.args(["--target", &bed.api()?, "--connections", &clients.to_string()]);
            load.args(["--seconds", SECONDS, "--expect", "Success", "--number-at", NUMBER]);
            for file in files.iter().take(clients) {
                load.arg("--request").arg(file);
            }
            let us = bed::load(&mut load)?;
            let them =
                bed::load(Command::new(&theirs).args([&etcd.endpoint(), &clients.to_string(), SECONDS]))?;
            ratios.push(us.rate / them.rate);
            println!(
                "{clients:>7}  {:>7.0}  {:>6.2}  {:>7.2}     {:>7.0}  {:>6.2}  {:>7.2}     {:>5.2}",
                us.rate,
                us.p50,
                us.p99,
                them.rate,
                them.p50,
                them.p99,
                us.rate / them.rate
            );
        }
        println!("{clients:>7}  median ratio {:.2}", bed::median(ratios));
    }
    Ok(())
}
