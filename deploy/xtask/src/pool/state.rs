//! What a testbed pool is made of, kept in `testbed.json` beside its hosts' folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::process::Process;

/// What the hosts run their VMs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Hypervisor {
    /// A libvirtd of its own for each host, and QEMU.
    Qemu,
    /// Simulated VMs; needs neither root nor libvirt.
    Sim,
}

impl Hypervisor {
    /// As `tarn.toml` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Sim => "sim",
        }
    }
}

/// One testbed: a bridge as its switch and some hosts.
#[derive(Serialize, Deserialize)]
pub struct Testbed {
    /// Number that keeps its names and subnet apart from other testbeds on this machine.
    pub number: u8,
    /// Name of the bridge; none when the hosts are plain processes on loopback.
    pub bridge: Option<String>,
    /// What the hosts run VMs on.
    pub hypervisor: Hypervisor,
    /// `tcg` or `kvm`.
    pub accelerator: String,
    /// The node program all hosts run.
    pub binary: PathBuf,
    /// Whether each host has a system of its own over this machine's: packages installed on one are not on the others.
    #[serde(default)]
    pub own_system: bool,
    /// The hosts, h1 first.
    pub hosts: Vec<HostBed>,
    #[serde(skip)]
    dir: PathBuf,
}

/// One host of the testbed.
#[derive(Clone, Serialize, Deserialize)]
pub struct HostBed {
    /// h1, h2, …
    pub name: String,
    /// Its address on the testbed's subnet.
    pub address: String,
    /// Its identity towards libvirt.
    pub libvirt_uuid: String,
    /// Network namespace; none for a plain process.
    pub netns: Option<String>,
    /// The namespace's first process, or the node itself; none while the host is off.
    pub process: Option<Process>,
    /// True while its cable is pulled.
    pub cut: bool,
}

impl Testbed {
    /// A testbed without hosts, to be kept in `dir`.
    pub fn new(dir: &Path, number: u8, hypervisor: Hypervisor, binary: PathBuf) -> Self {
        Self {
            number,
            bridge: None,
            hypervisor,
            accelerator: "tcg".to_owned(),
            binary,
            own_system: false,
            hosts: Vec::new(),
            dir: dir.to_path_buf(),
        }
    }

    /// Reads the testbed kept in `dir`.
    pub fn load(dir: &Path) -> Result<Self> {
        match Self::find(dir)? {
            Some(bed) => Ok(bed),
            None => bail!("no pool in {} (cargo xtask pool up makes one)", dir.display()),
        }
    }

    /// Waits until no other command changes the testbed in `dir`, and keeps others out until dropped.
    pub fn lock(dir: &Path) -> Result<Flock<fs::File>> {
        let file = fs::File::create(dir.join("lock")).context("create the lock")?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .context("take the lock")
    }

    /// Reads the testbed kept in `dir`, if there is one.
    pub fn find(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("testbed.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let mut bed: Self = serde_json::from_slice(&text).context("read testbed.json")?;
        bed.dir = dir.to_path_buf();
        Ok(Some(bed))
    }

    /// Writes it down; whatever is made must be saved before the next thing is made.
    pub fn save(&self) -> Result<()> {
        let part = self.dir.join("testbed.json.part");
        fs::write(&part, serde_json::to_vec_pretty(self)?).context("write testbed.json")?;
        fs::rename(&part, self.dir.join("testbed.json")).context("replace testbed.json")
    }

    /// The testbed's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder that is the shared SR, as seen from outside the hosts.
    pub fn shared_dir(&self) -> PathBuf {
        self.dir.join("shared")
    }

    /// Position of a host by its name.
    pub fn index(&self, name: &str) -> Result<usize> {
        self.hosts
            .iter()
            .position(|host| host.name == name)
            .with_context(|| format!("no host {name} in this pool"))
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Result<&HostBed> {
        let index = self.index(name)?;
        self.hosts.get(index).context("host vanished")
    }

    /// A host's own folder.
    pub fn host_dir(&self, name: &str) -> PathBuf {
        self.dir.join("hosts").join(name)
    }

    /// Ports of the API, its redirect and the nodes' own service. Without root the low ones
    /// are out of reach.
    pub fn ports(&self) -> (u16, u16, u16) {
        if self.bridge.is_some() {
            (443, 80, 7443)
        } else {
            (8443, 8080, 7443)
        }
    }

    /// Base address of a host's API.
    pub fn https(&self, host: &HostBed) -> String {
        match self.ports().0 {
            443 => format!("https://{}", host.address),
            port => format!("https://{}:{port}", host.address),
        }
    }

    /// The Unix socket of a host's API, as seen from outside.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.host_dir(name).join("var-xapi/xapi")
    }

    /// libvirt's URI of a host, usable from outside its namespaces.
    pub fn libvirt(&self, name: &str) -> Option<String> {
        let socket = self.host_dir(name).join("run/libvirt/libvirt-sock");
        (self.hypervisor == Hypervisor::Qemu)
            .then(|| format!("qemu+unix:///system?socket={}", socket.display()))
    }
}
