//! The packages, of whatever programs have been built: what lies in them, and what lintian and troff say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first thing that is not as it should be, and says why it skips"
)]

#[path = "package/life.rs"]
mod life;
#[path = "package/system.rs"]
mod system;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of `tarn` and `xe` as `cargo xtask test` built them.
fn programs() -> Option<PathBuf> {
    let Some(tarn) = std::env::var_os("TARN_BINARY").map(PathBuf::from) else {
        println!("skipped: run by `cargo xtask test`, which says where the programs are");
        return None;
    };
    tarn.parent().map(Path::to_owned)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Packs these programs; the package for Debian.
fn pack(programs: &Path, folder: &Path, more: &[&str]) -> PathBuf {
    let said = output(&mut packing(programs, folder, more));
    PathBuf::from(ends(&said, ".deb"))
}

fn packing(programs: &Path, folder: &Path, more: &[&str]) -> Command {
    let mut pack = Command::new(std::env::var_os("TARN_XTASK").unwrap());
    pack.args(["package", "--quick", "--programs"])
        .arg(programs)
        .arg("--out")
        .arg(folder)
        .args(more);
    pack
}

/// The line of what was said with that ending.
fn ends(said: &str, ending: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| line.ends_with(ending));
    line.unwrap_or_else(|| panic!("no {ending} in {said}")).to_owned()
}

/// Whether a judge is there. Who runs the tests as root has had them installed.
fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(
        there || !nix::unistd::geteuid().is_root(),
        "{program} is not installed"
    );
    if !there {
        println!("without {program}, which is not installed");
    }
    there
}

#[test]
fn the_package_holds_what_it_should_and_judges_find_no_fault() {
    let Some(programs) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let with_rpm = is_there("rpmbuild");
    let more: &[&str] = if with_rpm { &["--rpm"] } else { &[] };
    let said = output(&mut packing(&programs, folder.path(), more));
    let deb = ends(&said, ".deb");
    let list = output(Command::new("dpkg-deb").args(["--contents", &deb]));
    for file in [
        "/usr/bin/tarn",
        "/usr/bin/xe",
        "/usr/lib/systemd/system/tarn.service",
        "/usr/lib/tmpfiles.d/tarn.conf",
        "/etc/tarn/tarn.toml",
        "/usr/share/man/man1/tarn.1.gz",
        "/usr/share/man/man1/tarn-backup.1.gz",
        "/usr/share/man/man1/xe.1.gz",
        "/usr/share/man/man5/tarn.toml.5.gz",
        "/usr/share/bash-completion/completions/xe",
        "/usr/share/bash-completion/completions/tarn",
    ] {
        assert!(
            list.lines().any(|line| line.ends_with(&format!(".{file}"))),
            "{file} is missing:\n{list}"
        );
    }
    assert!(list.lines().all(|line| line.contains(" root/root ")), "{list}");
    let conffiles = output(Command::new("dpkg-deb").args(["--info", &deb, "conffiles"]));
    assert_eq!(conffiles.trim(), "/etc/tarn/tarn.toml");
    let field = |name: &str| output(Command::new("dpkg-deb").args(["--field", &deb, name]));
    // The libraries of the programs, and the programs that the node runs.
    let depends = field("Depends");
    for package in [
        "libvirt0",
        "libc6",
        "qemu-utils",
        "nftables",
        "ethtool",
        "e2fsprogs",
    ] {
        assert!(depends.contains(package), "{package}: {depends}");
    }
    let recommends = field("Recommends");
    for package in ["nfs-common", "libiscsi-bin", "swtpm", "dhcpcd"] {
        assert!(recommends.contains(package), "{package}: {recommends}");
    }

    let root = folder.path().join("root");
    let unpacked = folder.path().join("control");
    output(Command::new("dpkg-deb").args(["--extract", &deb]).arg(&root));
    output(Command::new("dpkg-deb").args(["--control", &deb]).arg(&unpacked));
    for script in ["postinst", "prerm", "postrm"] {
        output(Command::new("sh").arg("-n").arg(unpacked.join(script)));
        let text = std::fs::read_to_string(unpacked.join(script)).unwrap();
        assert!(!text.contains("rm -"), "{script} removes something");
    }
    if is_there("lintian") {
        let said = Command::new("lintian")
            .args(["--fail-on", "warning,error", &deb])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
    if is_there("systemd-analyze") {
        let unit = root.join("usr/lib/systemd/system/tarn.service");
        let verify = Command::new("systemd-analyze")
            .arg("verify")
            .arg("--man=no")
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verify.stderr).into_owned();
        // Where it is not installed, its programs are not either.
        let ours: Vec<&str> = said
            .lines()
            .filter(|l| l.contains("tarn.service") && !l.contains("is not executable"))
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
    if with_rpm {
        let rpm = ends(&said, ".rpm");
        let list = output(Command::new("rpm").args(["-qpl", "--nosignature", &rpm]));
        assert!(
            list.contains("/usr/bin/tarn\n") && list.contains("/usr/share/man/man5/tarn.toml.5.gz"),
            "{list}"
        );
        let scripts = output(Command::new("rpm").args(["-qp", "--nosignature", "--scripts", &rpm]));
        assert!(!scripts.contains("rm -"), "{scripts}");
    }
}
