//! Installs what is missing: Debian packages by apt, and the official Python client into the
//! cache. Installs nothing twice and starts no service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cached, run};

/// For building: a C++ compiler for RocksDB, libclang for its bindings, libvirt's headers; git lists the tree's files.
pub const BUILD: &[&str] = &[
    "git",
    "g++",
    "binutils",
    "make",
    "clang",
    "libclang-dev",
    "pkg-config",
    "libvirt-dev",
];

/// For hosts of one's own with real VMs, and for building the guest they run.
pub const TESTBED: &[&str] = &[
    "qemu-system-x86",
    "qemu-utils",
    "qemu-block-extra",
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "rpcbind",
    "tgt",
    "libiscsi-bin",
    "ipxe-qemu",
    "libvirt-daemon-system",
    "libvirt-daemon-driver-qemu",
    "libvirt-clients",
    "ovmf",
    "swtpm",
    "swtpm-tools",
    "busybox-static",
    "cpio",
    "gzip",
    "iproute2",
    "nftables",
    "ethtool",
    "util-linux",
    "kmod",
    "procps",
    "dosfstools",
    "mtools",
    "openssl",
    "syslinux",
    "systemd-boot-efi",
    "python3",
    "python3-apt",
    "python3-venv",
];

/// For `cargo xtask bench`, which measures against etcd.
pub const BENCH: &[&str] = &["etcd-server", "etcd-client"];

/// What judges packages, figures, rules, units and manuals.
pub const JUDGES: &[&str] = &["dpkg-dev", "lintian", "prometheus", "rpm", "systemd"];

/// These come from one source and refuse to stand beside one another in different versions.
const QEMU: &[&str] = &["qemu-system-x86", "qemu-utils", "qemu-block-extra"];

/// Renews the lists of packages, as root.
///
/// # Errors
/// When apt fails.
pub fn renew_lists() -> Result<()> {
    run::output(apt().args(["update", "-q"]))
        .context("update the package lists")
        .map(drop)
}

/// Installs whichever of these packages are missing.
///
/// # Errors
/// When packages are missing and this is not root on a Debian, or when apt fails; the message
/// names them.
pub fn packages(wanted: &[&str]) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| !is_installed(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !run::succeeds(&mut run::command("apt-get", ["--version"])) {
        bail!(
            "these Debian packages (or your system's own) are needed: {}",
            missing.join(" ")
        );
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "run once as root, or install these packages: {}",
            missing.join(" ")
        );
    }
    println!("installing {}", missing.join(" "));
    renew_lists()?;
    let version = qemu_version()?;
    let _quiet = NoServices::new()?;
    let mut install = apt();
    install.args([
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "--allow-downgrades",
    ]);
    install.args(with_versions(&missing, version.as_deref()));
    run::output(&mut install).context("install packages").map(drop)
}

/// Names for apt. When any part of QEMU is missing all parts are named with the version that
/// the missing emulator would have: a newer left-over of another part would block it.
fn with_versions(missing: &[&str], qemu: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = missing
        .iter()
        .filter(|name| qemu.is_none() || !QEMU.contains(name))
        .map(|name| (*name).to_owned())
        .collect();
    if let Some(version) = qemu.filter(|_| missing.iter().any(|name| QEMU.contains(name))) {
        names.extend(QEMU.iter().map(|name| format!("{name}={version}")));
    }
    names
}

/// The version of the emulator that apt would install.
fn qemu_version() -> Result<Option<String>> {
    let policy = run::output(&mut run::command("apt-cache", ["policy", "qemu-system-x86"]))?;
    Ok(policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned))
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1");
    apt.args([
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "Acquire::Retries=3",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    apt
}

fn is_installed(package: &str) -> bool {
    let query = ["-W", "-f=${db:Status-Status}", package];
    run::output(&mut run::command("dpkg-query", query)).is_ok_and(|status| status.trim() == "installed")
}

/// Forbids packages to start their services, for as long as it lives. The machine's own
/// libvirtd is none of our business.
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str = "#!/bin/sh\n# cargo xtask install: packages start no services.\nexit 101\n";

impl NoServices {
    fn new() -> Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            // A left-over of ours from an install that was killed still has to go.
            let ours = fs::read_to_string(path).is_ok_and(|text| text == POLICY_TEXT);
            return Ok(Self { ours });
        }
        fs::write(path, POLICY_TEXT).context("write policy-rc.d")?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context("set policy-rc.d")?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// Packages of PyPI for the live tests: the official client, and another public one that is built upon it.
const CLIENTS: &[&str] = &["XenAPI==26.21.1", "XenGarden==1.2.13"];

/// A Python with the public clients, in the cache.
pub fn python_client() -> Result<PathBuf> {
    let system = Path::new("/usr/bin/python3");
    let python = if system.exists() {
        system
    } else {
        Path::new("python3")
    };
    let version = run::output(Command::new(python).arg("-V"))?;
    let name = format!(
        "python-{}",
        cached::short_hash(format!("{version}{CLIENTS:?}").as_bytes())
    );
    let folder = cached::build_once(&name, |work| {
        run::output(Command::new(python).args(["-m", "venv"]).arg(work))?;
        let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        run::output(Command::new(work.join("bin/python")).args(pip).args(CLIENTS)).map(drop)
    })
    .context("install the Python clients from PyPI")?;
    Ok(folder.join("bin/python"))
}

/// Ansible with its linter and the collection `community.general`, in the cache.
pub struct Ansible {
    /// Where its programs are.
    pub programs: PathBuf,
    /// Where collections are looked for.
    pub collections: PathBuf,
}

/// Packages of PyPI; XenAPI is what the modules for XenServer speak with.
const ANSIBLE: &[&str] = &["ansible-core", "ansible-lint", "XenAPI"];

/// Installs Ansible from PyPI into the cache.
///
/// # Errors
/// When PyPI is not reached.
pub fn ansible() -> Result<Ansible> {
    let system = Path::new("/usr/bin/python3");
    let python = if system.exists() {
        system
    } else {
        Path::new("python3")
    };
    let version = run::output(Command::new(python).arg("-V"))?;
    let name = format!(
        "ansible-{}",
        cached::short_hash(format!("{version}{ANSIBLE:?}").as_bytes())
    );
    let folder = cached::build_once(&name, |work| {
        run::output(Command::new(python).args(["-m", "venv", "--copies"]).arg(work))?;
        let pip = |words: &[&str]| {
            let mut pip = Command::new(work.join("bin/python"));
            pip.args(["-m", "pip", "--disable-pip-version-check", "-q"]).args(words).current_dir(work);
            run::output(&mut pip).map(drop)
        };
        pip(&[&["install"], ANSIBLE].concat())?;
        // The collection comes with the large package alone; of that only this one is kept.
        pip(&["download", "--no-deps", "--dest", "large", "ansible"])?;
        let take = "import glob, zipfile\n\
            for name in glob.glob('large/*.whl'):\n    \
            whole = zipfile.ZipFile(name)\n    \
            wanted = [n for n in whole.namelist() if n.startswith('ansible_collections/community/general/')]\n    \
            whole.extractall('collections', wanted)\n";
        run::output(Command::new(work.join("bin/python")).args(["-c", take]).current_dir(work))?;
        fs::remove_dir_all(work.join("large")).context("remove what was unpacked")?;
        let place = work.with_file_name(&name);
        at_home(&work.join("bin"), &work.to_string_lossy(), &place.to_string_lossy())
    })
    .context("install Ansible from PyPI")?;
    Ok(Ansible {
        programs: folder.join("bin"),
        collections: folder.join("collections"),
    })
}

/// Programs of a venv name their place in the first line; they are made in one and run in another.
fn at_home(programs: &Path, made: &str, place: &str) -> Result<()> {
    for entry in fs::read_dir(programs).context("list programs")? {
        let path = entry.context("list programs")?.path();
        // Those that are no text are not written in a script's language.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if text.starts_with("#!") && text.contains(made) {
            fs::write(&path, text.replace(made, place)).context("adapt a program")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn one_missing_part_of_qemu_pins_all_of_it() {
        let names = with_versions(&["cpio", "qemu-system-x86"], Some("7.2"));
        let wanted = [
            "cpio",
            "qemu-system-x86=7.2",
            "qemu-utils=7.2",
            "qemu-block-extra=7.2",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn an_installed_qemu_is_left_alone() {
        assert_eq!(with_versions(&["cpio"], Some("7.2")), ["cpio"]);
        assert_eq!(with_versions(&["qemu-utils"], None), ["qemu-utils"]);
    }
}
