//! The contract with the node program: its command line and its settings file. Everything the
//! testbed assumes about them stands here.

use std::path::{Path, PathBuf};

use super::state::{HostBed, Hypervisor, Testbed};

/// Where a host's settings lie: a fixed place inside namespaces, the real folder otherwise.
pub fn config_path(testbed: &Testbed, host: &HostBed) -> PathBuf {
    if host.netns.is_some() {
        PathBuf::from("/etc/tarn/tarn.toml")
    } else {
        testbed.host_dir(&host.name).join("etc-tarn/tarn.toml")
    }
}

/// Where the first root password is handed over.
pub fn password_path(testbed: &Testbed, host: &HostBed) -> PathBuf {
    config_path(testbed, host).with_file_name("root-password")
}

/// Runs the node.
pub fn node(binary: &Path, config: &Path) -> Vec<String> {
    words(binary, ["node", "--config", &config.display().to_string()])
}

/// Runs the watchdog.
pub fn watchdog(binary: &Path, config: &Path) -> Vec<String> {
    words(binary, ["watchdog", "--config", &config.display().to_string()])
}

/// Makes a pool of one host, before its node starts.
pub fn create(testbed: &Testbed, host: &HostBed, pool_name: &str) -> Vec<String> {
    let config = config_path(testbed, host).display().to_string();
    let password = password_path(testbed, host).display().to_string();
    let args = [
        "pool",
        "create",
        "--config",
        &config,
        "--name",
        pool_name,
        "--address",
        &host.address,
        "--username",
        "root",
        "--password-file",
        &password,
    ];
    words(&testbed.binary, args)
}

/// Prints a join token, on a running member.
pub fn token(testbed: &Testbed, host: &HostBed) -> Vec<String> {
    let config = config_path(testbed, host).display().to_string();
    words(&testbed.binary, ["pool", "token", "--config", &config])
}

/// Joins a pool, before the host's node starts.
pub fn join(testbed: &Testbed, host: &HostBed, token: &str) -> Vec<String> {
    let config = config_path(testbed, host).display().to_string();
    words(
        &testbed.binary,
        [
            "pool",
            "join",
            "--config",
            &config,
            "--token",
            token,
            "--address",
            &host.address,
        ],
    )
}

/// Places, below a host's state folder, where the pool's certificate authority may lie.
pub fn authority_files(testbed: &Testbed, host: &HostBed) -> Vec<PathBuf> {
    let state = testbed.host_dir(&host.name).join("var-lib-tarn");
    [
        "pool-ca.pem",
        "ca.pem",
        "pki/ca.pem",
        "tls/ca.pem",
        "certs/ca.pem",
    ]
    .iter()
    .map(|name| state.join(name))
    .collect()
}

/// The settings file of one host.
pub fn settings(testbed: &Testbed, host: &HostBed) -> String {
    let (https, http, grpc) = testbed.ports();
    let dir = testbed.host_dir(&host.name);
    let (state_dir, sockets) = if host.netns.is_some() {
        (
            "/var/lib/tarn".to_owned(),
            vec!["/var/xapi/xapi".to_owned(), "/var/lib/xcp/xapi".to_owned()],
        )
    } else {
        (
            dir.join("var-lib-tarn").display().to_string(),
            vec![dir.join("var-xapi/xapi").display().to_string()],
        )
    };
    let sockets: Vec<String> = sockets.iter().map(|path| format!("{path:?}")).collect();
    let libvirt = match testbed.hypervisor {
        Hypervisor::Qemu => "libvirt_uri = \"qemu:///system\"\n",
        Hypervisor::Sim => "",
    };
    format!(
        "# One host of a testbed pool; written by cargo xtask pool up.\n\
         [node]\n\
         name = {name:?}\n\
         address = {address:?}\n\
         state_dir = {state_dir:?}\n\
         hypervisor = {hypervisor:?}\n\
         accelerator = {accelerator:?}\n\
         {libvirt}\n\
         [listen]\n\
         https = \"{ip}:{https}\"\n\
         http = \"{ip}:{http}\"\n\
         grpc = \"{ip}:{grpc}\"\n\
         socket = [{sockets}]\n\n\
         [telemetry]\n\
         log = {log:?}\n\
         {otlp}\n\
         {machine}",
        name = host.name,
        address = host.address,
        hypervisor = testbed.hypervisor.name(),
        accelerator = testbed.accelerator,
        ip = host.address,
        sockets = sockets.join(", "),
        log = std::env::var("TARN_LOG").unwrap_or_else(|_| "info".to_owned()),
        otlp = std::env::var("TARN_OTLP_ENDPOINT")
            .map(|endpoint| format!("otlp_endpoint = {endpoint:?}\n"))
            .unwrap_or_default(),
        machine = if host.netns.is_some() { MACHINE } else { "" },
    )
}

/// How a host made of namespaces is switched off and the like: its first process listens for signals, see `host_init`.
/// Nothing here may reach beyond the namespaces.
const MACHINE: &str = "[machine]\n\
     power_off = [\"kill\", \"-TERM\", \"1\"]\n\
     reboot = [\"kill\", \"-HUP\", \"1\"]\n\
     restart_node = [\"kill\", \"-USR1\", \"1\"]\n\
     set_hostname = [\"hostname\"]\n\
     kernel_log = [\"dmesg\"]\n\
     plugin_dir = \"/etc/tarn/plugins\"\n\
     extension_dir = \"/etc/tarn/extensions\"\n";

fn words<const N: usize>(binary: &Path, args: [&str; N]) -> Vec<String> {
    std::iter::once(binary.display().to_string())
        .chain(args.map(str::to_owned))
        .collect()
}
