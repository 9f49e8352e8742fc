//! What a host is, and where its domains' consoles are.

use std::path::PathBuf;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};

/// What a host is and has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The host's name as the system has it.
    pub hostname: String,
    /// Logical processors.
    pub cpus: u32,
    /// Sockets with a processor in them.
    pub sockets: u32,
    /// For instance `GenuineIntel`.
    pub cpu_vendor: String,
    /// For people.
    pub cpu_model_name: String,
    /// Clock in MHz, 0 if unknown.
    pub cpu_mhz: u32,
    /// Family, model, stepping as numbers in text, empty if unknown.
    pub cpu_family: String,
    /// See `cpu_family`.
    pub cpu_model: String,
    /// See `cpu_family`.
    pub cpu_stepping: String,
    /// Flags as the kernel lists them.
    pub cpu_flags: Vec<String>,
    /// All memory.
    pub memory_total: Bytes,
    /// What new domains could take now.
    pub memory_free: Bytes,
    /// The hypervisor's name, for instance `QEMU`.
    pub hypervisor: String,
    /// Its version, for instance `7.2.22`.
    pub hypervisor_version: String,
    /// Version of what drives it, for instance libvirt's; empty if there is none.
    pub driver_version: String,
    /// What executes guests' code.
    pub accelerator: Accelerator,
    /// The kernel's release.
    pub kernel: String,
}

/// What executes guests' code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accelerator {
    /// The processor, through KVM.
    Kvm,
    /// QEMU's emulation.
    Tcg,
    /// Nothing real.
    Simulated,
}

/// Where the consoles of a domain are, on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleEndpoints {
    /// Unix socket that speaks VNC.
    pub vnc_socket: Option<PathBuf>,
    /// The pseudo-terminal of the serial port.
    pub serial_pty: Option<PathBuf>,
    /// The file to which the serial port's output is appended.
    pub serial_log: Option<PathBuf>,
}
