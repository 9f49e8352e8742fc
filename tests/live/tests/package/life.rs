//! A package's life on one system: installed, used, upgraded, removed, purged.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::system::System;
use super::{pack, programs};

const STATE: &str = "/var/lib/tarn";
const SETTINGS: &str = "/etc/tarn/tarn.toml";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";

fn version(system: &System) -> String {
    system.run(&["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "tarn"])
}

/// What systemctl is asked to do to the units; reading them anew does nothing to what runs.
fn done_to_units(system: &System) -> Vec<String> {
    let asked = system.asked();
    asked
        .into_iter()
        .filter(|line| !line.contains("daemon-reload"))
        .collect()
}

fn install(system: &System, deb: &Path) -> String {
    system.run(&["dpkg", "--force-unsafe-io", "--install", deb.to_str().unwrap()])
}

#[test]
fn a_package_is_installed_upgraded_removed_and_purged_and_state_stays() {
    let Some(programs) = programs() else { return };
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let first = pack(&programs, folder.path(), &[]);
    let second = pack(&programs, folder.path(), &["--release", "0.2.0"]);
    let layers = folder.path().join("layers");
    std::fs::create_dir(&layers).unwrap();
    let system = System::over_this_machine(&layers);

    // dpkg itself checks that what the package depends on is there.
    install(&system, &first);
    assert_eq!(version(&system), "installed 0.1.0-1");
    assert!(system.run(&["tarn", "--version"]).contains("0.1.0"));
    system.run(&["xe", "help"]);
    let mode = std::fs::metadata(system.path(STATE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "keys lie there");
    for unit in ["tarn.service", "tarn-watchdog.service"] {
        let link = system.path(&format!("{WANTED}/{unit}"));
        assert!(link.symlink_metadata().is_ok(), "{unit} does not start at boot");
    }
    let asked = done_to_units(&system).join("\n");
    assert!(
        asked.contains("start tarn-watchdog.service tarn.service"),
        "{asked}"
    );

    // The operator's settings, and a host's place in a pool.
    let said = system.try_run(&["tarn", "config", "check"]);
    assert!(!said.status.success(), "an address has to be set");
    let settings = "[node]\naddress = \"192.0.2.1\"\nhypervisor = \"sim\"\n";
    std::fs::write(system.path(SETTINGS), settings).unwrap();
    system.run(&["tarn", "config", "check"]);
    let create = "echo secret | tarn pool create --name lab --password-file -";
    system.run(&["sh", "-c", create]);
    let state = system.files(STATE);
    assert!(
        state.iter().any(|(path, _)| path.ends_with("host-cert.pem")),
        "no pool was made"
    );

    install(&system, &second);
    assert_eq!(version(&system), "installed 0.2.0-1");
    assert!(system.run(&["tarn", "--version"]).contains("0.2.0"));
    assert_eq!(
        done_to_units(&system),
        [""; 0],
        "an upgrade restarts nothing by itself"
    );
    assert_eq!(std::fs::read_to_string(system.path(SETTINGS)).unwrap(), settings);
    assert!(system.files(STATE) == state, "an upgrade changes no state");

    system.run(&["dpkg", "--remove", "tarn"]);
    let asked = done_to_units(&system).join("\n");
    assert!(
        asked.contains("stop tarn.service tarn-watchdog.service"),
        "{asked}"
    );
    assert!(!system.path("/usr/bin/tarn").exists());
    assert_eq!(std::fs::read_to_string(system.path(SETTINGS)).unwrap(), settings);
    assert!(system.files(STATE) == state, "a removal takes no state along");

    let said = system.run(&["dpkg", "--purge", "tarn"]);
    assert!(said.contains("/var/lib/tarn is left as it is"), "{said}");
    assert!(!system.path(SETTINGS).exists());
    for unit in ["tarn.service", "tarn-watchdog.service"] {
        let link = system.path(&format!("{WANTED}/{unit}"));
        assert!(
            link.symlink_metadata().is_err(),
            "{unit} is still to start at boot"
        );
    }
    assert!(system.files(STATE) == state, "nor does a purge");

    // It comes back with what it had.
    install(&system, &second);
    assert!(system.files(STATE) == state);
}
