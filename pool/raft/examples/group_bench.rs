//! Measures the group: three processes of this program on this machine, mTLS between them, every write on disk.
//!
//! ```text
//! cargo run --release -p pool-raft --example group_bench -- [seconds] [failovers]
//! ```
//! Prints writes a second with 1, 16 and 64 proposers on the leader, reads a second, and how long it takes from
//! SIGKILL of the leader to the first write on the next one.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program: prints, and stops at the first fault"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pool_domain::transaction::Origin;
use pool_domain::{Change, Outcome, Transaction};
use pool_raft::{Member, Pool, RaftConfig, start};
use proto_types::{ClassId, DateTime, Field, Ref, Value};
use proto_wire::ca::{Authority, make_key};
use proto_wire::channel::{Credentials, Identity, Peers, accept};
use tokio::net::TcpListener;
use uuid::Uuid;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|a| a == "node") {
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(node(Path::new(&args[2]), args[3].parse().unwrap()));
        return;
    }
    let seconds = args.get(1).map_or(4, |a| a.parse().unwrap());
    let failovers = args.get(2).map_or(0, |a| a.parse().unwrap());
    measure(seconds, failovers);
}

struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn spawn(dir: &Path, number: usize) -> Node {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["node", dir.to_str().unwrap(), &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut node = Node { child, input, output };
        node.hear();
        node
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.input, "{order}").unwrap();
        self.hear()
    }

    fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after = stat.rsplit_once(") ").unwrap().1;
        after
            .split(' ')
            .skip(11)
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum()
    }

    fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// How often the leader changes while other programs take all the CPU there is.
fn busy(nodes: &mut [Node]) -> u64 {
    let term = |node: &mut Node| node.ask("term").parse::<u64>().unwrap();
    let before = term(&mut nodes[0]);
    let end = Instant::now() + Duration::from_secs(20);
    let threads: Vec<_> = (0..4)
        .map(|seed: u64| {
            std::thread::spawn(move || {
                let mut x = seed;
                while Instant::now() < end {
                    for _ in 0..10_000 {
                        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    term(&mut nodes[0]) - before
}

fn measure(seconds: u64, failovers: usize) {
    let dir = tempfile::Builder::new()
        .prefix("group-bench")
        .tempdir_in(".")
        .unwrap();
    let ca = Authority::create(Uuid::new_v4()).unwrap();
    for number in 0..3 {
        // A port that was free a moment ago; kept over restarts.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = Uuid::new_v4();
        let key = make_key().unwrap();
        let certificate = ca.issue_for_key(&key, host, &[]).unwrap();
        let text = [
            format!("{host} {port}"),
            certificate,
            key,
            ca.certificate_pem().to_owned(),
        ]
        .join("\n=\n");
        std::fs::write(dir.path().join(format!("{number}.id")), text).unwrap();
    }
    let mut nodes: Vec<Node> = (0..3).map(|number| Node::spawn(dir.path(), number)).collect();
    println!("pool: {}", nodes[0].ask("create"));
    for proposers in [1, 16, 64] {
        println!(
            "{proposers:>3} proposers: {}",
            nodes[0].ask(&format!("write {proposers} {seconds}"))
        );
    }
    println!(
        "reads, 64 readers: {}",
        nodes[0].ask(&format!("read 64 {seconds}"))
    );
    println!(
        "resident MiB: {:?}",
        nodes.iter().map(Node::resident_mib).collect::<Vec<_>>()
    );
    let cpu = |node: &Node| node.cpu_ticks();
    let before: Vec<u64> = nodes.iter().map(cpu).collect();
    std::thread::sleep(Duration::from_secs(10));
    // A tick is a hundredth of a second: a tenth of the ticks in ten seconds is per cent of a core.
    let used: Vec<f64> = nodes
        .iter()
        .zip(before)
        .map(|(n, b)| (cpu(n) - b) as f64 / 10.0)
        .collect();
    println!("at rest, per cent of a core: {used:?}");
    println!(
        "elections while four threads keep the machine busy for 20 s: {}",
        busy(&mut nodes)
    );
    let mut times: Vec<u128> = Vec::new();
    let mut leader = 0;
    for _ in 0..failovers {
        nodes[leader].child.kill().unwrap();
        let killed = Instant::now();
        let (a, b) = ((leader + 1) % 3, (leader + 2) % 3);
        for number in [a, b] {
            writeln!(nodes[number].input, "first").unwrap();
        }
        // Both try; the one that gets a write through says so, the other that it follows.
        let said_a = nodes[a].hear();
        let said_b = nodes[b].hear();
        let when = |said: &str| said.strip_prefix("wrote ").and_then(|at| at.parse::<u128>().ok());
        times.push(
            when(&said_a)
                .or_else(|| when(&said_b))
                .unwrap_or_else(|| killed.elapsed().as_millis()),
        );
        let next = if when(&said_a).is_some() { a } else { b };
        nodes[leader].child.wait().unwrap();
        nodes[leader] = Node::spawn(dir.path(), leader);
        nodes[leader].ask("caught-up");
        leader = next;
    }
    if !times.is_empty() {
        times.sort_unstable();
        println!(
            "SIGKILL to first write, ms: median {}, all {times:?}",
            times[times.len() / 2]
        );
    }
    for node in &mut nodes {
        node.ask("exit");
        node.child.wait().unwrap();
    }
}

fn identity(dir: &Path, number: usize) -> (Identity, Member) {
    let text = std::fs::read_to_string(dir.join(format!("{number}.id"))).unwrap();
    let parts: Vec<&str> = text.split("\n=\n").collect();
    let (host, port) = parts[0].split_once(' ').unwrap();
    let host: Uuid = host.parse().unwrap();
    let own = |at: usize| parts[at].to_owned();
    let identity = Identity {
        host,
        certificate_pem: own(1),
        key_pem: own(2),
        trust_pem: own(3),
    };
    (identity, Member::new(host, "127.0.0.1", port.parse().unwrap()))
}

async fn node(dir: &Path, number: usize) {
    let (own, member) = identity(dir, number);
    let credentials = Credentials::new(&own).unwrap();
    let state: PathBuf = dir.join(format!("{number}.state"));
    let pool = start(
        RaftConfig::new(member.node_id, state),
        Peers::new(credentials.clone()),
    )
    .await
    .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", member.port)).await.unwrap();
    let service = pool.service();
    pool.runtime().spawn(async move {
        let incoming = accept(listener, credentials);
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
            .unwrap();
    });
    println!("up");
    loop {
        let order = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        })
        .await
        .unwrap()
        .unwrap();
        let words: Vec<&str> = order.split_whitespace().collect();
        match words.as_slice() {
            ["create"] => {
                pool.initialise(member.clone(), (0..64).map(insert).collect())
                    .await
                    .unwrap();
                for other in (0..3).filter(|n| *n != number) {
                    pool.add_member(identity(dir, other).1, Duration::from_secs(20))
                        .await
                        .unwrap();
                }
                println!("{} members", pool.members().len());
            }
            ["write", proposers, seconds] => {
                println!(
                    "{}",
                    write(&pool, proposers.parse().unwrap(), seconds.parse().unwrap()).await
                );
            }
            ["read", readers, seconds] => {
                println!(
                    "{}",
                    read(&pool, readers.parse().unwrap(), seconds.parse().unwrap()).await
                );
            }
            ["term"] => println!("{}", pool.status().term),
            ["first"] => println!("{}", first(&pool).await),
            ["caught-up"] => {
                let mut leadership = pool.leadership();
                leadership.wait_for(|l| l.leader.is_some()).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
                println!("{}", pool.snapshot().applied());
            }
            _ => {
                pool.shutdown().await;
                println!("bye");
                return;
            }
        }
    }
}

/// Tries to write until it works or another leads; says after how many milliseconds.
async fn first(pool: &Pool) -> String {
    let began = Instant::now();
    let before = pool.leadership().borrow().term;
    loop {
        let now = pool.leadership().borrow().clone();
        if now.term > before && now.leader.is_some() && !now.is_me {
            return "follows".to_owned();
        }
        if let Ok((Outcome::Applied(_), _)) = pool.propose_within(rename(0), Duration::from_millis(200)).await
        {
            return format!("wrote {}", began.elapsed().as_millis());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn name_label() -> Field {
    let class = ClassId::by_name("VM").unwrap();
    Field {
        class,
        index: class.def().field("name_label").unwrap(),
    }
}

fn vm(number: u128) -> Ref {
    Ref::from_uuid(Uuid::from_u128(number + 1))
}

fn transaction(changes: Vec<Change>) -> Transaction {
    Transaction {
        request: Uuid::new_v4(),
        reads: Vec::new(),
        changes,
        decided_at: DateTime(0),
        origin: Origin {
            user: "root".to_owned(),
            method: "VM.set_name_label".to_owned(),
            trace: String::new(),
        },
    }
}

fn insert(number: u128) -> Transaction {
    let field = name_label();
    transaction(vec![Change::Insert {
        class: field.class,
        reference: vm(number),
        fields: vec![],
    }])
}

/// A value of about the size that etcd's figures were taken with.
fn rename(number: u128) -> Transaction {
    transaction(vec![Change::Update {
        reference: vm(number),
        fields: vec![(name_label(), Value::str("x".repeat(160)))],
    }])
}

async fn write(pool: &Pool, proposers: u128, seconds: u64) -> String {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..proposers)
        .map(|number| {
            let (pool, stop) = (pool.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    pool.propose(rename(number)).await.unwrap();
                    times.push(began.elapsed());
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 1000].as_secs_f64() * 1000.0;
    format!(
        "{} writes/s, p50 {:.2} ms, p99 {:.2} ms",
        times.len() as u64 / seconds,
        at(500),
        at(990)
    )
}

async fn read(pool: &Pool, readers: usize, seconds: u64) -> String {
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..readers)
        .map(|_| {
            let (pool, stop, count) = (pool.clone(), Arc::clone(&stop), Arc::clone(&count));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert!(pool.read_barrier().await.unwrap().get(vm(0)).is_some());
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    format!("{} reads/s", count.load(Ordering::Relaxed) / seconds)
}
