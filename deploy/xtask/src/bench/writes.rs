//! Durable writes against etcd: three members each, at 1 and at 64 clients.

use std::fs;
use std::path::{Path, PathBuf};
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

/// How etcd's members speak to one another and to clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// As Debian starts it.
    Plain,
    /// As Tarn does: TLS to clients, certificates on both sides between members.
    Tls,
}

/// Three etcds on loopback, stopped when dropped.
struct Etcd {
    members: Vec<Child>,
    endpoint: String,
    certificate: Option<PathBuf>,
}

impl Etcd {
    fn up(dir: &Path, wire: Wire) -> Result<Etcd> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).context("create etcd's folder")?;
        let keys = match wire {
            Wire::Plain => None,
            Wire::Tls => Some(certify(dir)?),
        };
        let scheme = if keys.is_some() { "https" } else { "http" };
        let ports = free_ports(6)?;
        let at = |i: usize| format!("{scheme}://127.0.0.1:{}", ports.get(i).copied().unwrap_or(0));
        let all: Vec<String> = (0..3).map(|i| format!("m{i}={}", at(i + 3))).collect();
        let mut etcd = Etcd {
            members: Vec::new(),
            endpoint: at(0),
            certificate: keys.as_ref().map(|(certificate, _)| certificate.clone()),
        };
        for i in 0..3 {
            let log = fs::File::create(dir.join(format!("m{i}.log"))).context("create a log")?;
            let mut member = Command::new("etcd");
            member.args(["--name", &format!("m{i}")]);
            member.arg("--data-dir").arg(dir.join(format!("m{i}")));
            for (name, value) in [
                ("--listen-peer-urls", at(i + 3)),
                ("--initial-advertise-peer-urls", at(i + 3)),
                ("--listen-client-urls", at(i)),
                ("--advertise-client-urls", at(i)),
                ("--initial-cluster", all.join(",")),
                ("--initial-cluster-state", "new".to_owned()),
            ] {
                member.arg(name).arg(value);
            }
            if let Some((certificate, key)) = &keys {
                for of in ["", "peer-"] {
                    member.arg(format!("--{of}cert-file")).arg(certificate);
                    member.arg(format!("--{of}key-file")).arg(key);
                }
                member.arg("--peer-client-cert-auth");
                member.arg("--peer-trusted-ca-file").arg(certificate);
            }
            member.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            etcd.members.push(member.spawn().context("start etcd")?);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while !run::succeeds(&mut etcd.put_once()) {
            if Instant::now() > deadline {
                bail!("etcd does not come up; see {}", dir.display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(etcd)
    }

    fn put_once(&self) -> Command {
        let mut command = Command::new("etcdctl");
        command
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoint]);
        if let Some(certificate) = &self.certificate {
            command.arg("--cacert").arg(certificate);
        }
        command.args(["put", "ready", "1"]);
        command
    }

    fn load(&self, program: &Path, clients: usize) -> Result<bed::Report> {
        let mut command = Command::new(program);
        command.args([&self.endpoint, &clients.to_string(), SECONDS]);
        command.args(&self.certificate);
        bed::load(&mut command)
    }
}

/// A certificate for the loopback address that signs itself, and its key.
fn certify(dir: &Path) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (dir.join("etcd.pem"), dir.join("etcd.key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-subj", "/CN=etcd", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    run::output(&mut openssl)?;
    Ok((certificate, key))
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
    let peers = [
        ("etcd", Etcd::up(&dir.join("plain"), Wire::Plain)?),
        ("etcd+TLS", Etcd::up(&dir.join("tls"), Wire::Tls)?),
    ];
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
    let term = bed.term()?;
    println!(
        "clients  {:<9}  calls/s    p50     p99 ms    tarn's rate against it",
        ""
    );
    for clients in [1_usize, 64] {
        let mut ratios = vec![Vec::new(); peers.len()];
        let mut tails = vec![Vec::new(); peers.len()];
        for _ in 0..ROUNDS {
            let mut load = Command::new(&ours);
            load.args(["--target", &bed.api()?, "--connections", &clients.to_string()]);
            load.args(["--seconds", SECONDS, "--expect", "Success", "--number-at", NUMBER]);
            for file in files.iter().take(clients) {
                load.arg("--request").arg(file);
            }
            let us = bed::load(&mut load)?;
            row(clients, "tarn", &us, "");
            for (((name, peer), ratios), tails) in peers.iter().zip(&mut ratios).zip(&mut tails) {
                let them = peer.load(&theirs, clients)?;
                let ratio = us.rate / them.rate;
                ratios.push(ratio);
                tails.push(us.p99 / them.p99);
                row(clients, name, &them, &format!("{ratio:.2}"));
            }
        }
        for (((name, _), ratios), tails) in peers.iter().zip(ratios).zip(tails) {
            let (rate, tail) = (bed::median(ratios), bed::median(tails));
            println!("{clients:>7}  medians against {name}: rate {rate:.2}, p99 {tail:.2}");
        }
    }
    println!("elections meanwhile: {}", bed.term()? - term);
    Ok(())
}

fn row(clients: usize, name: &str, seen: &bed::Report, ratio: &str) {
    println!(
        "{clients:>7}  {name:<9}  {:>7.0}  {:>6.2}  {:>7.2}     {ratio:>5}",
        seen.rate, seen.p50, seen.p99
    );
}
