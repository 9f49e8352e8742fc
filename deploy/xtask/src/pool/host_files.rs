//! The private folders of one host and what lies in them before it is switched on.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::node_cli;
use super::state::{HostBed, Testbed};

/// Folder of the host on the left, what it is bound over inside on the right.
pub const PRIVATE: &[(&str, &str)] = &[
    ("run", "/run"),
    ("var-lib-libvirt", "/var/lib/libvirt"),
    ("var-log-libvirt", "/var/log/libvirt"),
    ("var-cache-libvirt", "/var/cache/libvirt"),
    ("etc-libvirt", "/etc/libvirt"),
    ("var-lib-tarn", "/var/lib/tarn"),
    ("etc-tarn", "/etc/tarn"),
    ("var-xapi", "/var/xapi"),
    ("var-lib-xcp", "/var/lib/xcp"),
];

/// Where every host sees the shared folder.
pub const SHARED: &str = "/srv/shared";

/// Lays out a host's folders and settings.
pub fn write(testbed: &Testbed, host: &HostBed, password: &str) -> Result<()> {
    let dir = testbed.host_dir(&host.name);
    for (folder, _) in PRIVATE {
        fs::create_dir_all(dir.join(folder)).with_context(|| format!("create {folder}"))?;
    }
    fs::create_dir_all(dir.join("log")).context("create the log folder")?;
    fs::write(dir.join("etc-libvirt/libvirtd.conf"), libvirtd_conf(host)).context("write libvirtd.conf")?;
    fs::write(dir.join("etc-libvirt/qemu.conf"), QEMU_CONF).context("write qemu.conf")?;
    fs::write(dir.join("hosts"), hosts_file(testbed)).context("write hosts")?;
    seed_capabilities(&dir.join(CAPABILITIES));
    if testbed.own_system {
        // A clean host: who installs it writes its settings.
        return Ok(());
    }
    fs::write(dir.join("etc-tarn/tarn.toml"), node_cli::settings(testbed, host))
        .context("write tarn.toml")?;
    write_secret(&dir.join("etc-tarn/root-password"), password)
}

/// libvirt's cache of what QEMU can do; finding out takes each new libvirtd some seconds. It
/// holds the versions it was made with and libvirt checks them.
const CAPABILITIES: &str = "var-cache-libvirt/qemu/capabilities";

fn seed_capabilities(folder: &Path) {
    // Only speed is lost when this does not work.
    let Ok(known) = crate::paths::cache().map(|cache| cache.join("libvirt-capabilities")) else {
        return;
    };
    if copy_files(&known, folder).is_err() {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Keeps what a host's libvirtd found out, for the hosts of later pools.
pub fn keep_capabilities(testbed: &Testbed, host: &HostBed) {
    let Ok(known) = crate::paths::cache().map(|cache| cache.join("libvirt-capabilities")) else {
        return;
    };
    let _ = copy_files(&testbed.host_dir(&host.name).join(CAPABILITIES), &known);
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    let entries = fs::read_dir(from)?;
    fs::create_dir_all(to)?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        let part = target.with_extension("part");
        fs::copy(entry.path(), &part)?;
        fs::rename(&part, &target)?;
    }
    Ok(())
}

/// A reboot empties /run; also the marks of dead sockets and pid files.
pub fn clear_run(testbed: &Testbed, host: &HostBed) -> Result<()> {
    let run = testbed.host_dir(&host.name).join("run");
    if run.exists() {
        fs::remove_dir_all(&run).context("clear /run")?;
    }
    fs::create_dir_all(run.join("lock")).context("create /run")
}

/// Writes a file that only its owner reads.
pub fn write_secret(path: &Path, secret: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    file.write_all(secret.as_bytes()).context("write the secret")
}

fn hosts_file(testbed: &Testbed) -> String {
    let mut text = "127.0.0.1 localhost\n".to_owned();
    for host in &testbed.hosts {
        text.push_str(&format!("{} {}\n", host.address, host.name));
    }
    text
}

/// libvirt refuses to migrate between hosts of one name or one `host_uuid`.
fn libvirtd_conf(host: &HostBed) -> String {
    format!(
        "host_uuid = \"{}\"\n\
         auth_unix_ro = \"none\"\n\
         auth_unix_rw = \"none\"\n\
         unix_sock_rw_perms = \"0700\"\n\
         log_outputs = \"3:file:/var/log/libvirt/libvirtd.log\"\n",
        host.libvirt_uuid
    )
}

const QEMU_CONF: &str = "security_driver = \"none\"\n\
     user = \"root\"\n\
     group = \"root\"\n\
     cgroup_controllers = [ ]\n\
     namespaces = [ ]\n\
     swtpm_user = \"root\"\n\
     swtpm_group = \"root\"\n\
     remember_owner = 0\n\
     vnc_auto_unix_socket = 1\n";
