//! The parts of one host, by its settings: hypervisor, storage, network, agent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use node_agent::{
    Agent, AgentParts, AgentSettings, CertificateKeeper, GrpcDialer, GuardSettings, MachineSettings,
    TunnelDialer,
};
use node_commands::lease::Margins;
use node_hypervisor::Hypervisor;
use node_libvirt::{LibvirtConfig, LibvirtHypervisor};
use node_network::{Address, LinuxNetwork, NetworkDriver, SimNetwork};
use node_sim::{SimHypervisor, SimSettings};
use node_storage::SrTable;
use proto_wire::channel::Peers;
use uuid::Uuid;

use crate::config::{self, Config};

/// Starts the agent of this host.
///
/// # Errors
/// When its state cannot be read.
pub async fn agent(
    config: &Config,
    host: Uuid,
    certificates: Option<Arc<dyn CertificateKeeper>>,
    dialer: Arc<dyn TunnelDialer>,
) -> Result<Agent> {
    let mut settings = AgentSettings::below(&config.node.state_dir.join("agent"));
    settings.boot_dirs.extend(config.node.boot_dirs.iter().cloned());
    let (hypervisor, network) = match config.node.hypervisor {
        config::Hypervisor::Qemu => (
            libvirt(config).await,
            Arc::new(LinuxNetwork::new()) as Arc<dyn NetworkDriver>,
        ),
        config::Hypervisor::Sim => (simulated(config)?, simulated_network(config, host)),
    };
    if config.node.hypervisor == config::Hypervisor::Qemu {
        // Domains take these paths along from host to host, so they must not depend on a host's own folders.
        settings.console_dir = AgentSettings::default().console_dir;
        settings.migration_dir = AgentSettings::default().migration_dir;
    }
    settings.machine = machine(config, certificates);
    settings.guard = GuardSettings {
        lease_file: config.lease_file(),
        guests_file: config.guests_file(),
        watchdog_file: (config.node.hypervisor == config::Hypervisor::Qemu).then(|| config.watchdog_file()),
        margins: Margins {
            node: Duration::from_millis(config.ha.node_margin_ms),
            watchdog: Duration::from_millis(config.ha.watchdog_margin_ms),
        },
    };
    let storage = Arc::new(SrTable::new(node_storage::drivers()));
    Agent::start(AgentParts {
        host,
        hypervisor,
        storage,
        network,
        dialer,
        settings,
    })
    .await
    .context("start the agent")
}

/// Time between the answer to a wish to go down and the going.
const GRACE: Duration = Duration::from_secs(3);

/// The host as a machine. A simulated host has no machine of its own: only what the settings name is there.
fn machine(config: &Config, certificates: Option<Arc<dyn CertificateKeeper>>) -> MachineSettings {
    let real = config.node.hypervisor == config::Hypervisor::Qemu;
    let words = |set: &Option<Vec<String>>, usual: &[&str]| match set {
        Some(words) => words.clone(),
        None if real => usual.iter().map(|w| (*w).to_owned()).collect(),
        None => Vec::new(),
    };
    let m = &config.machine;
    MachineSettings {
        power_off: words(&m.power_off, &["systemctl", "poweroff"]),
        reboot: words(&m.reboot, &["systemctl", "reboot"]),
        restart_node: words(&m.restart_node, &["systemctl", "restart", "tarn"]),
        set_hostname: words(&m.set_hostname, &["hostnamectl", "set-hostname"]),
        set_syslog: words(&m.set_syslog, &[]),
        kernel_log: words(&m.kernel_log, &["dmesg"]),
        plugin_dir: m
            .plugin_dir
            .clone()
            .or_else(|| Some("/etc/xapi.d/plugins".into())),
        extension_dir: m
            .extension_dir
            .clone()
            .or_else(|| Some("/etc/xapi.d/extensions".into())),
        sysrq: real.then(|| "/proc/sysrq-trigger".into()),
        firmware_dir: real.then(|| "/usr/share/qemu/firmware".into()),
        usb_dir: real.then(|| "/sys/bus/usb/devices".into()),
        certificates,
        grace: GRACE,
    }
}

/// The way to other hosts.
pub fn dialer(peers: &Peers) -> Arc<dyn TunnelDialer> {
    Arc::new(GrpcDialer::new(peers.clone()))
}

async fn libvirt(config: &Config) -> Arc<dyn Hypervisor> {
    let settings = LibvirtConfig {
        uri: config.node.libvirt_uri.clone(),
        accelerator: match config.node.accelerator {
            config::Accelerator::Auto => None,
            config::Accelerator::Kvm => Some(node_hypervisor::Accelerator::Kvm),
            config::Accelerator::Tcg => Some(node_hypervisor::Accelerator::Tcg),
        },
        ..LibvirtConfig::default()
    };
    Arc::new(LibvirtHypervisor::new(settings).await)
}

fn simulated(config: &Config) -> Result<Arc<dyn Hypervisor>> {
    let folder = config.node.state_dir.join("sim");
    std::fs::create_dir_all(&folder).context("create the folder of the simulated hypervisor")?;
    let settings = SimSettings::named(&config.node.name, folder.join("in.sock"));
    Ok(Arc::new(
        SimHypervisor::new(settings).context("start the simulated hypervisor")?,
    ))
}

fn simulated_network(config: &Config, host: Uuid) -> Arc<dyn NetworkDriver> {
    let number = host.as_bytes().last().copied().unwrap_or(1);
    let address = config
        .node
        .address
        .parse()
        .ok()
        .map(|ip| Address { ip, prefix: 24 });
    Arc::new(SimNetwork::two_nics(number, address))
}
