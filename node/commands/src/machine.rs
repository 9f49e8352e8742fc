//! What a host does as a machine, apart from its guests.

use serde::{Deserialize, Serialize};

/// A secret text: shown to nobody, not even in logs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

/// The certificates a host shows, PEM, its own one first in each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCertificates {
    /// To clients of its API.
    pub api: String,
    /// To other hosts.
    pub node: String,
}

/// Something asked of the machine itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineVerb {
    /// Goes off, a moment after it has answered. Errors: `Unsupported`.
    PowerOff {
        /// When the node that is meant had started: one that has started since has been down already, and stays.
        of_start: i64,
    },
    /// Starts anew, a moment after it has answered. Errors: `Unsupported`.
    Reboot {
        /// As for `PowerOff`: asked twice it reboots once.
        of_start: i64,
    },
    /// Starts its node anew, a moment after it has answered. Guests go on. Errors: `Unsupported`.
    RestartNode,
    /// Takes another name. Idempotent. Errors: `Unsupported`.
    SetHostname {
        /// The name, checked by the caller.
        name: String,
    },
    /// Sends its log to another machine as well, or no longer. Idempotent. Errors: `Unsupported`.
    SetSyslog {
        /// Name or address, perhaps with a port; `None` ends it.
        destination: Option<String>,
    },
    /// The kernel's messages, the newest last. Answers [`MachineReply::Text`]. Changes nothing.
    KernelLog,
    /// What time it is there. Answers [`MachineReply::Clock`]. Changes nothing.
    Clock,
    /// The certificate of its API, PEM. Answers [`MachineReply::Text`]. Changes nothing.
    Certificate,
    /// Shows another certificate to clients from the next connection on; those that stand stay. Kept over restarts.
    /// Idempotent. Answers [`MachineReply::Certificates`], as the next two do.
    InstallCertificate {
        /// The certificate and those between it and its authority, PEM, checked by the caller.
        certificates: String,
        /// Its key, PEM.
        key: SecretText,
    },
    /// Shows clients a fresh certificate of the pool's authority again, in place of an installed one. Twice is two of them.
    ResetCertificate,
    /// Gets itself a fresh certificate and key of the pool's authority. Twice is two of them.
    RenewCertificate,
    /// Has the kernel show something of itself in its log: keys of the magic SysRq that only show. Errors: `Unsupported`,
    /// and `Forbidden` with `INVALID_VALUE [keys, ...]`.
    ShowState {
        /// The keys, one after another.
        keys: String,
    },
    /// How long its commands took since its node's start. Answers [`MachineReply::Timings`]. Changes nothing.
    Timings,
    /// USB devices that are plugged in, hubs left out. Answers [`MachineReply::UsbDevices`]. Changes nothing.
    UsbDevices,
    /// Whether it has an extension of that name. Answers [`MachineReply::Truth`]. Changes nothing.
    HasExtension {
        /// Its name.
        name: String,
    },
    /// Runs a plug-in. Answers [`MachineReply::Output`]. Errors: `Forbidden` with `XENAPI_MISSING_PLUGIN [name]`.
    RunPlugin {
        /// Its name: a file of the folder of plug-ins.
        name: String,
        /// What it finds as its only argument.
        argument: String,
    },
    /// Runs an extension. Answers [`MachineReply::Output`]. Errors: `Forbidden`
    /// with `MESSAGE_METHOD_UNKNOWN [name]`.
    RunExtension {
        /// Its name: a file of the folder of extensions.
        name: String,
        /// What it reads.
        request: String,
    },
    /// Wakes another machine over the network. Idempotent.
    Wake {
        /// Hardware address of a card of that machine, `xx:xx:xx:xx:xx:xx`.
        mac: String,
    },
    /// Plays a failure for some seconds, a moment after it has answered, and then goes on by itself. One at a time. Errors:
    /// `Busy`, `Unsupported`.
    Drill {
        /// Which.
        failure: Failure,
        /// For how long.
        seconds: u64,
    },
}

/// A failure that a host plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The node is gone at once, as if killed.
    Kill,
    /// Nothing is heard of it by other nodes, and it hears nothing of them.
    Cut,
    /// It stands still, as if its machine were out of breath.
    Pause,
}

impl MachineVerb {
    /// Whether it only looks.
    pub fn only_reads(&self) -> bool {
        matches!(
            self,
            MachineVerb::KernelLog
                | MachineVerb::Clock
                | MachineVerb::Certificate
                | MachineVerb::Timings
                | MachineVerb::UsbDevices
                | MachineVerb::HasExtension { .. }
        )
    }
}

/// What a machine answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MachineReply {
    /// Done, or on its way.
    Done,
    /// A text.
    Text(String),
    /// A truth.
    Truth(bool),
    /// Its clock.
    Clock {
        /// Seconds since 1970 in UTC.
        utc: i64,
        /// Seconds by which local time is ahead of it.
        ahead: i32,
    },
    /// What it shows.
    Certificates(ShownCertificates),
    /// How long things took.
    Timings(Vec<Timing>),
    /// What is plugged in.
    UsbDevices(Vec<UsbDevice>),
    /// What a program came to.
    Output {
        /// Its exit status; -1 if a signal ended it.
        status: i32,
        /// What it printed.
        stdout: String,
        /// What it complained of.
        stderr: String,
    },
}

/// How long one kind of thing took, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The kind.
    pub name: String,
    /// How many there were.
    pub count: u32,
    /// On average.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// A USB device of the host. Numbers are as the kernel shows them, in hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UsbDevice {
    /// Where it is plugged, such as `1-2.1`.
    pub path: String,
    /// Number of its maker.
    pub vendor_id: String,
    /// Its maker's name, if it says one.
    pub vendor: String,
    /// Number of the product.
    pub product_id: String,
    /// The product's name, if it says one.
    pub product: String,
    /// Its serial number, if it has one.
    pub serial: String,
    /// Version of USB it speaks, such as `2.00`.
    pub version: String,
    /// Mbit/s.
    pub speed: f64,
}

/// What the agent inside a guest says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestReport {
    /// Version of the agent.
    pub agent_version: String,
    /// The system in one line.
    pub os_name: String,
    /// Its short name.
    pub distro: String,
    /// Its version.
    pub os_version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The guest's own name for itself.
    pub hostname: String,
    /// Addresses by hardware address, without prefix length.
    pub interfaces: Vec<(String, Vec<String>)>,
    /// The agent's commands that are switched on.
    #[serde(default)]
    pub commands: Vec<String>,
}
