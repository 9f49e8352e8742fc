//! What a host answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use node_hypervisor::{ConsoleEndpoints, DiskSource, Domain, DomainStatistics, ForeignDomain, HostFacts};
use serde::{Deserialize, Serialize};

use crate::machine::{MachineReply, SecretText, ShownCertificates};
use crate::measured::DataSource;
use crate::migration::{MemoryPath, MigrationStatus};
use crate::storage::{FoundSr, MergeFacts, SrFacts, VolumeFacts};

/// The answer to a [`crate::HostCommand`]; which one, the command says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HostReply {
    /// Done; nothing to tell.
    Done,
    /// What the host is and has.
    Facts(Box<Facts>),
    /// All domains.
    Domains(Vec<Domain>),
    /// One domain, or that it is not here.
    Domain(Option<Domain>),
    /// Live domains that the pool did not start.
    Foreign(Vec<ForeignDomain>),
    /// Where consoles are.
    Consoles(ConsoleEndpoints),
    /// What a trusted platform module held, in base64; `None` if there is none.
    Tpm(Option<SecretText>),
    /// Counters.
    Statistics(Box<DomainStatistics>),
    /// Sources of figures.
    DataSources(Vec<DataSource>),
    /// A value; `None` while it is not known.
    Number(Option<f64>),
    /// A repository.
    Sr(SrFacts),
    /// A repository and what is on it.
    Scan {
        /// The repository.
        sr: SrFacts,
        /// Its volumes.
        volumes: Vec<VolumeFacts>,
    },
    /// What a probe found.
    Found(Vec<FoundSr>),
    /// A volume.
    Volume(VolumeFacts),
    /// Several.
    Volumes(Vec<VolumeFacts>),
    /// MD5 of all that a volume holds, in hexadecimal digits.
    Checksum(String),
    /// Blocks of 64 KiB of a volume, a bit for each, the first in the highest bit of the first byte; in base64.
    Blocks(String),
    /// Merges that could be done.
    Merges(Vec<MergeFacts>),
    /// How far a job is, in thousandths; `None` if there is no such job, any more or yet.
    Progress(Option<u32>),
    /// The network cards.
    Nics(Vec<NicFacts>),
    /// A bridge.
    Bridge(BridgeFacts),
    /// The destination is ready.
    Incoming {
        /// Where its hypervisor waits; goes into [`crate::MigrationDestination::endpoint`].
        endpoint: PathBuf,
        /// How the memory is to come; goes into [`crate::MigrationDestination::memory`].
        memory: MemoryPath,
        /// Where the bytes of disks are on this host, by `userdevice`; goes into [`crate::MigrationOptions::disks`]. The
        /// source leaves out what is the same there.
        #[serde(default)]
        disks: BTreeMap<u16, DiskSource>,
    },
    /// What was to come in is thrown away. [`HostReply::Done`] says the same of a guest that is not known to have run here.
    ThrownAway {
        /// Whether it had run here since its place was prepared.
        had_run: bool,
    },
    /// A migration.
    Migration(MigrationStatus),
    /// Of the machine itself.
    Machine(MachineReply),
}

/// What a host is and has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Processor, memory, hypervisor.
    pub host: HostFacts,
    /// Network cards.
    pub nics: Vec<NicFacts>,
    /// Version of this node.
    pub node_version: String,
    /// What the host can do beyond the necessary: `vlan`, `bond`, `nfs`, `uefi`.
    pub capabilities: BTreeSet<String>,
    /// Types of repository it has drivers for.
    pub sr_types: BTreeSet<String>,
    /// When the host booted, in seconds since 1970; 0 if unknown.
    #[serde(default)]
    pub booted: i64,
    /// When its node started, in seconds since 1970; 0 if unknown.
    #[serde(default)]
    pub started: i64,
    /// Strings of its firmware: `bios-vendor`, `system-manufacturer` and the like.
    #[serde(default)]
    pub bios_strings: BTreeMap<String, String>,
    /// The certificates it shows; empty where it has none.
    #[serde(default)]
    pub certificates: ShownCertificates,
}

/// A bridge as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeFacts {
    /// Its MAC address.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// IP addresses with prefix length.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicFacts {
    /// Its name, such as `eth0`.
    pub device: String,
    /// Its address.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether a cable with a live end is in it.
    pub carrier: bool,
    /// Mbit/s; 0 if unknown.
    pub speed: u32,
    /// Whether both directions work at once.
    #[serde(default)]
    pub duplex: bool,
    /// IP addresses with prefix length, its own or those of the bridge it is in.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Gateway of its default route.
    #[serde(default)]
    pub gateway: Option<String>,
    /// The bridge or bond it belongs to.
    #[serde(default)]
    pub bridge: Option<String>,
    /// Driver of the kernel.
    #[serde(default)]
    pub driver: String,
    /// Where it is plugged, such as `0000:00:03.0`; empty if nowhere.
    #[serde(default)]
    pub pci_path: String,
}
