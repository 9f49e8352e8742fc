//! What a host does as a machine, apart from its guests.

use serde::{Deserialize, Serialize};

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
                | MachineVerb::HasExtension { .. }
        )
    }
}

/// What a machine answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
