//! Installs the Debian packages that building and testing need, if any is missing.

use anyhow::{Context, Result, bail};

use crate::run;

/// What building needs: a C++ compiler for RocksDB, libclang for its bindings, and libvirt's headers.
const BUILD: &[&str] = &["g++", "clang", "libclang-dev", "pkg-config", "libvirt-dev"];

/// Installs what is missing for building and for the tests.
///
/// # Errors
/// When packages are missing and this is not root on a Debian, or when apt fails; the message names them.
pub fn for_building() -> Result<()> {
    let missing: Vec<&str> = BUILD.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !run::succeeds(&mut run::command("apt-get", ["--version"])) {
        bail!("these Debian packages (or your system's own) are needed: {}", missing.join(" "));
    }
    if !nix::unistd::Uid::effective().is_root() {
        bail!("run once as root, or install these packages: {}", missing.join(" "));
    }
    println!("installing {}", missing.join(" "));
    run::output(&mut run::command("apt-get", ["update"])).context("update the package lists")?;
    let mut install = run::command("apt-get", ["install", "-y", "--no-install-recommends"]);
    install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    run::output(&mut install).context("install packages")?;
    Ok(())
}

fn is_installed(package: &str) -> bool {
    let query = ["-W", "-f=${db:Status-Status}", package];
    run::output(&mut run::command("dpkg-query", query)).is_ok_and(|status| status.trim() == "installed")
}
