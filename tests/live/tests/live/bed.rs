//! One pool for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What runs guests.
#[derive(Clone, Copy)]
pub enum Kind {
    /// QEMU through each host's own libvirtd.
    Qemu,
    /// Simulated guests: for tests of the pool itself.
    Sim,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Qemu => "qemu",
            Kind::Sim => "sim",
        }
    }
}

/// A pool of three hosts; its owner is this process, so it goes when we do.
pub struct Bed {
    dir: tempfile::TempDir,
    python: PathBuf,
    xtask: PathBuf,
}

/// The programs that the environment names; nothing, with a reason, where a test is not meant to run.
fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = named(names, |name| std::env::var_os(name).map(PathBuf::from))?;
    if nix::unistd::geteuid().is_root() {
        return Some(found);
    }
    println!("skipped: needs root");
    None
}

/// The same of any environment. The first name says that `cargo xtask test` runs the tests: it then names the others too,
/// or could not install them, and what was not tried must not count as passed.
fn named<const N: usize>(
    names: [&str; N],
    environment: impl Fn(&str) -> Option<PathBuf>,
) -> Option<[PathBuf; N]> {
    if names.first().is_some_and(|first| environment(first).is_none()) {
        println!("skipped: run by `cargo xtask test`, which says where the programs are");
        return None;
    }
    Some(names.map(|name| {
        environment(name).unwrap_or_else(|| panic!("{name} is not set: what it names could not be installed"))
    }))
}

#[test]
fn a_program_that_could_not_be_installed_is_no_pass() {
    let none = named(["TARN_XTASK", "TARN_PYTHON"], |_| None);
    assert!(none.is_none());
    let one = |name: &str| (name == "TARN_XTASK").then(|| PathBuf::from("xtask"));
    assert!(named(["TARN_XTASK"], one).is_some());
    assert!(std::panic::catch_unwind(|| named(["TARN_XTASK", "TARN_PYTHON"], one)).is_err());
}

impl Bed {
    /// Brings a pool up.
    pub fn up(kind: Kind) -> Option<Bed> {
        let [xtask, python, binary] = programs(["TARN_XTASK", "TARN_PYTHON", "TARN_BINARY"])?;
        let bed = Bed {
            dir: tempfile::tempdir().unwrap(),
            python,
            xtask,
        };
        let (me, binary) = (std::process::id().to_string(), binary.display().to_string());
        bed.pool(&[
            "up",
            "--hypervisor",
            kind.name(),
            "--owner-pid",
            &me,
            "--binary",
            &binary,
        ]);
        Some(bed)
    }

    /// Switches clean hosts on, without a node and without a pool.
    pub fn clean(kind: Kind, hosts: u8) -> Option<Bed> {
        let [xtask, python] = programs(["TARN_XTASK", "TARN_ANSIBLE_PYTHON"])?;
        let bed = Bed {
            dir: tempfile::tempdir().unwrap(),
            python,
            xtask,
        };
        let (me, hosts) = (std::process::id().to_string(), hosts.to_string());
        bed.pool(&[
            "up",
            "--clean",
            "--hosts",
            &hosts,
            "--hypervisor",
            kind.name(),
            "--owner-pid",
            &me,
        ]);
        Some(bed)
    }

    /// Runs a scenario for clean hosts.
    pub fn play(&self, name: &str, kind: Kind) {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let repo = manifest.join("../..").canonicalize().unwrap();
        let binary = PathBuf::from(std::env::var_os("TARN_BINARY").unwrap());
        let output = Command::new(&self.python)
            .arg(manifest.join("scenarios").join(name))
            .arg(repo)
            .arg(binary.parent().unwrap())
            .arg(kind.name())
            .env("TARN_XTASK", &self.xtask)
            .env("TARN_DIR", self.dir())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{name}:\n{said}");
        assert!(
            output.status.success(),
            "{name} failed:\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().join("pool")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.xtask);
        command.args(["pool", "--dir"]).arg(self.dir()).args(args);
        command
    }

    fn pool(&self, args: &[&str]) {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "pool {args:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }

    /// Runs a scenario to its end and shows what it said if it fails.
    pub fn scenario(&self, name: &str, args: &[&str]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
        let json = self.dir().join("pool.json");
        let description: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
        let output = Command::new(&self.python)
            .arg(&file)
            .arg(&json)
            .args(args)
            .env("SSL_CERT_FILE", description["ca"].as_str().unwrap())
            .env("TARN_XTASK", &self.xtask)
            .env("TARN_DIR", self.dir())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{name}:\n{said}");
        if !output.status.success() {
            self.logs();
            panic!(
                "{name} failed:\n{said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    /// The last lines of every node's log.
    fn logs(&self) {
        for host in ["h1", "h2", "h3"] {
            let file = self.dir().join("hosts").join(host).join("log/node.log");
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!(
                "--- {host}\n{}",
                lines[lines.len().saturating_sub(25)..].join("\n")
            );
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).output();
    }
}
