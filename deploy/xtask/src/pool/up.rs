//! Brings a pool up: hosts, pool, members, shared storage, template.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::state::{HostBed, Hypervisor, Testbed};
use super::{content, down, host_files, mount_points, network, node_cli, power};
use crate::steps::Steps;
use crate::xmlrpc::Session;
use crate::{building, run};

/// What `pool up` takes.
#[derive(Args, Clone)]
pub struct Up {
    /// How many hosts.
    #[arg(long, default_value_t = 3)]
    pub hosts: usize,
    /// What the hosts run VMs on; qemu where root and libvirt are there.
    #[arg(long, value_enum)]
    pub hypervisor: Option<Hypervisor>,
    /// QEMU's accelerator. kvm must really work here: a /dev/kvm that hangs is not found out.
    #[arg(long, default_value = "tcg", value_parser = ["tcg", "kvm"])]
    pub accelerator: String,
    /// The node program; built from this clone when not given.
    #[arg(long)]
    pub binary: Option<PathBuf>,
    /// Build and run the optimised program.
    #[arg(long)]
    pub release: bool,
    /// Take the pool down when this process ends.
    #[arg(long)]
    pub owner_pid: Option<i32>,
    /// Only switch hosts on; make no pool of them.
    #[arg(long)]
    pub bare: bool,
    /// Only switch hosts on, clean ones: without a node, and what is installed on one is on no other.
    #[arg(long)]
    pub clean: bool,
    /// Print pool.json at the end and nothing else.
    #[arg(long)]
    pub json: bool,
}

impl Up {
    /// Three hosts, everything else as the command line has it by default.
    pub fn three_hosts() -> Self {
        Self {
            hosts: 3,
            hypervisor: None,
            accelerator: "tcg".to_owned(),
            binary: None,
            release: false,
            owner_pid: None,
            bare: false,
            clean: false,
            json: false,
        }
    }

    /// The given hypervisor, or the best one possible here.
    pub fn hypervisor(&self) -> Hypervisor {
        self.hypervisor.unwrap_or_else(|| {
            if network::is_possible() && has_libvirt() {
                Hypervisor::Qemu
            } else {
                Hypervisor::Sim
            }
        })
    }
}

/// True when libvirtd and QEMU are installed.
pub fn has_libvirt() -> bool {
    ["libvirtd", "virtlogd", "qemu-system-x86_64"]
        .iter()
        .all(|program| {
            ["/usr/sbin", "/usr/bin"]
                .iter()
                .any(|folder| Path::new(folder).join(program).exists())
        })
}

/// Makes the pool; takes down what it made when it fails.
pub fn up(dir: &Path, args: &Up) -> Result<()> {
    ensure!((1..=16).contains(&args.hosts), "between 1 and 16 hosts");
    if let Some(old) = Testbed::find(dir)? {
        ensure!(
            old.hosts
                .iter()
                .all(|host| !host.process.is_some_and(super::process::Process::alive)),
            "a pool runs in {} (cargo xtask pool down ends it)",
            dir.display()
        );
        down::down(dir)?;
    }
    let mut steps = Steps::new(!args.json);
    let result = make(dir, args, &mut steps);
    if result.is_err() && !args.bare && std::env::var_os("TARN_KEEP").is_none() {
        save_logs(dir, &mut steps);
        down::down(dir).context("take the unfinished pool down")?;
    }
    result
}

fn make(dir: &Path, args: &Up, steps: &mut Steps) -> Result<()> {
    let hypervisor = args.hypervisor();
    let bare = args.bare || args.clean;
    ensure!(
        !args.clean || network::is_possible(),
        "clean hosts need root and network namespaces"
    );
    let binary = match &args.binary {
        Some(path) => path
            .canonicalize()
            .with_context(|| format!("find {}", path.display()))?,
        None if bare => PathBuf::from("/bin/false"),
        None => steps.run("build the node", || building::node(args.release))?,
    };
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let mut testbed = Testbed::new(dir, 1, hypervisor, binary);
    testbed.accelerator.clone_from(&args.accelerator);
    testbed.own_system = args.clean;
    if network::is_possible() {
        testbed.binary = own_copy(dir, &testbed.binary)?;
        network::add_switch(&mut testbed)?;
        mount_points::make()?;
    } else {
        ensure!(
            hypervisor == Hypervisor::Sim,
            "hosts with libvirt need root; try --hypervisor sim"
        );
        network::choose_loopback(&mut testbed)?;
    }
    testbed.save()?;
    if let Some(owner) = args.owner_pid {
        watch(dir, owner)?;
    }

    let password = random_hex(12)?;
    host_files::write_secret(&dir.join("password"), &password)?;
    fs::create_dir_all(testbed.shared_dir().join("sr")).context("create the shared folder")?;
    add_hosts(&mut testbed, args.hosts, &password)?;
    steps.run(&format!("switch on {} hosts", args.hosts), || {
        switch_on(&mut testbed)
    })?;
    if bare {
        return Ok(());
    }

    let first = testbed.hosts.first().context("no host")?.clone();
    steps.run("create the pool on h1", || {
        run::output(&mut power::inside(
            &testbed,
            &first.name,
            &node_cli::create(&testbed, &first, "Tarn demo"),
        )?)?;
        power::let_node_start(&mut testbed, &first.name)?;
        await_api(&testbed, &first, Duration::from_secs(60))
    })?;
    let others: Vec<HostBed> = testbed.hosts.iter().skip(1).cloned().collect();
    for host in &others {
        steps.run(&format!("join {}", host.name), || {
            join(&mut testbed, &first, host)
        })?;
    }
    steps.run("wait until every host is live and enabled", || {
        await_members(&testbed)
    })?;
    let content = steps.run("add shared storage and the demo template", || {
        content::add(&testbed)
    })?;
    super::report::write(&testbed, &password, &content)?;
    if args.json {
        let text = fs::read_to_string(dir.join("pool.json")).context("read pool.json")?;
        println!("{text}");
    } else {
        println!("\nThe pool is up: {}", dir.join("pool.json").display());
    }
    Ok(())
}

/// Hosts run copies, so that a later build does not change what they restart with. `xe` comes along from beside the
/// node's program, where cargo leaves it.
fn own_copy(dir: &Path, binary: &Path) -> Result<PathBuf> {
    let folder = dir.join("bin");
    fs::create_dir_all(&folder).context("create the bin folder")?;
    let copy = copied(binary, &folder.join("tarn"))?;
    let xe = binary.with_file_name("xe");
    if xe.is_file() {
        copied(&xe, &folder.join("xe"))?;
    }
    Ok(copy)
}

fn copied(from: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        fs::remove_file(to).context("remove the old program")?;
    }
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).context("copy the program")?;
    }
    Ok(to.to_owned())
}

fn add_hosts(testbed: &mut Testbed, count: usize, password: &str) -> Result<()> {
    for position in 1..=count {
        let name = format!("h{position}");
        let netns = testbed.bridge.as_ref().map(|bridge| format!("{bridge}-{name}"));
        let address = network::address(testbed, position)?;
        let libvirt_uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").context("make a uuid")?;
        testbed.hosts.push(HostBed {
            name,
            address,
            libvirt_uuid: libvirt_uuid.trim().to_owned(),
            netns,
            process: None,
            cut: false,
        });
    }
    testbed.save()?;
    for host in testbed.hosts.clone() {
        host_files::write(testbed, &host, password)?;
    }
    Ok(())
}

fn switch_on(testbed: &mut Testbed) -> Result<()> {
    let names: Vec<String> = testbed.hosts.iter().map(|host| host.name.clone()).collect();
    for name in &names {
        power::on(testbed, name)?;
    }
    if testbed.hypervisor == Hypervisor::Qemu {
        for name in &names {
            let socket = testbed.host_dir(name).join("run/libvirt/libvirt-sock");
            wait_for(Duration::from_secs(60), &format!("libvirtd of {name}"), || {
                Ok(socket.exists())
            })?;
        }
    }
    Ok(())
}

fn join(testbed: &mut Testbed, first: &HostBed, host: &HostBed) -> Result<()> {
    let token = run::output(&mut power::inside(
        testbed,
        &first.name,
        &node_cli::token(testbed, first),
    )?)
    .context("ask h1 for a token")?;
    let token = token.lines().last().unwrap_or_default().trim();
    ensure!(!token.is_empty(), "h1 printed no token");
    run::output(&mut power::inside(
        testbed,
        &host.name,
        &node_cli::join(testbed, host, token),
    )?)
    .map_err(|error| anyhow::anyhow!("{}", format!("{error:#}").replace(token, "(token)")))?;
    power::let_node_start(testbed, &host.name)?;
    await_api(testbed, host, Duration::from_secs(60))
}

/// Waits until a host's API lets us in.
pub fn await_api(testbed: &Testbed, host: &HostBed, patience: Duration) -> Result<()> {
    let socket = testbed.socket(&host.name);
    wait_for(patience, &format!("the API of {}", host.name), || {
        Session::login(&socket).map(|_| true)
    })
}

fn await_members(testbed: &Testbed) -> Result<()> {
    let first = testbed.hosts.first().context("no host")?;
    let socket = testbed.socket(&first.name);
    wait_for(
        Duration::from_secs(90),
        "all hosts to be live and enabled",
        || {
            let session = Session::login(&socket)?;
            let hosts = session.call("host.get_all_records", [])?;
            let mut ready = 0;
            for record in hosts.entries()?.values() {
                let metrics = session.call("host_metrics.get_live", [record.field("metrics")?.clone()])?;
                if record.field("enabled")? == &true.into() && metrics == true.into() {
                    ready += 1;
                }
            }
            Ok(ready == testbed.hosts.len())
        },
    )
}

/// Polls until `ready` says so; its last error is part of ours.
pub fn wait_for(patience: Duration, what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let outcome = ready();
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let what = format!("gave up waiting for {what} after {} s", patience.as_secs());
            return match outcome {
                Err(error) => Err(error.context(what)),
                Ok(_) => bail!(what),
            };
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Starts the watcher that ends the pool with its owner.
fn watch(dir: &Path, owner: i32) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let owner = super::process::Process::of(owner)?;
    Command::new(std::env::current_exe().context("find this program")?)
        .args(["pool", "--dir"])
        .arg(dir)
        .args(["watch", "--owner", &serde_json::to_string(&owner)?])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start the watcher")?;
    Ok(())
}

/// Keeps the logs of a pool that did not come up, and says where.
fn save_logs(dir: &Path, steps: &mut Steps) {
    let Ok(Some(testbed)) = Testbed::find(dir) else {
        return;
    };
    for host in &testbed.hosts {
        for log in ["init.log", "libvirtd.log", "node.log"] {
            let path = testbed.host_dir(&host.name).join("log").join(log);
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                steps.say(&format!("--- {} {log}, last lines", host.name));
                for line in lines.iter().skip(lines.len().saturating_sub(15)) {
                    steps.say(line);
                }
            }
        }
    }
}

fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut buffer))
        .context("read random bytes")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
