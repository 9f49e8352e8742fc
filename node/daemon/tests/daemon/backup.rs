//! A backup is taken while the pool works, and brings it back on other hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::bed::{Bed, Host, SOON, wait_for};
use crate::client::Client;

/// Objects of some classes as clients see them: reference, uuid, label.
fn seen(client: &Client) -> Vec<String> {
    let mut all = Vec::new();
    for class in [
        "pool", "host", "VM", "network", "PIF", "SR", "VBD", "role", "VIF", "SM",
    ] {
        for reference in client.refs(&format!("{class}.get_all"), &[]) {
            let uuid = client.text(&format!("{class}.get_uuid"), &[&reference]);
            let label = client.call(&format!("{class}.get_name_label"), &[reference.as_str().into()]);
            let label = label.map(|l| format!("{l:?}")).unwrap_or_default();
            all.push(format!("{class} {reference} {uuid} {label}"));
        }
    }
    all.sort();
    all
}

/// A host with a fresh folder at the place of another.
fn fresh(bed: &Bed, name: &str, number: u8) -> Host {
    let network = bed.network.clone();
    Host::prepare(bed.dir.path(), name, &format!("{network}.{number}"), "")
}

#[test]
fn a_backup_of_a_pool_that_is_gone_brings_back_every_object_on_fresh_hosts() {
    let mut bed = Bed::up(3, "");
    let client = bed.hosts[0].local();
    let vm = client.new_vm("precious");
    client.ok("VM.set_name_description", &[&vm, &"as it was"]);
    client.start(&vm).unwrap();
    let file = bed.dir.path().join("pool.backup");
    let name = file.to_str().unwrap();
    // From a host that does not lead.
    let other = (bed.leader() + 1) % 3;
    let said = bed.hosts[other].printed(&["backup", name]);
    assert!(
        said.contains("pool \"bed\"") && said.ends_with("checked by restoring it"),
        "{said}"
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = seen(&client);
    let uuids: Vec<String> = ["h1", "h2", "h3"]
        .iter()
        .map(|h| {
            let found = client.refs("host.get_by_name_label", &[h]);
            client.text("host.get_uuid", &[found.first().unwrap()])
        })
        .collect();
    // Written after the backup: gone with the pool.
    client.ok("VM.set_name_label", &[&vm, &"too late"]);

    // A running host is none to restore on.
    let refused = bed.hosts[0].run(&["restore", name]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("in a pool already"),
        "{refused:?}"
    );
    for host in &mut bed.hosts {
        host.kill();
    }
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = bed.dir.path().join("damaged.backup");
    fs::write(&damaged, bytes).unwrap();

    let mut first = fresh(&bed, "new1", 11);
    let refused = first.run(&["restore", damaged.to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("damaged"),
        "{refused:?}"
    );
    let said = first.printed(&["restore", name, "--dry-run"]);
    assert!(
        uuids.iter().all(|uuid| said.contains(uuid)) && said.contains("can be restored"),
        "{said}"
    );
    first.printed(&["restore", name, "--host", &uuids[0]]);
    first.start();
    let client = first.local();
    assert_eq!(seen(&client), before);
    assert_eq!(client.text("VM.get_name_description", &[&vm]), "as it was");

    // The others come in on fresh hosts, each in the place of one that is lost.
    let mut hosts = vec![first];
    for (number, uuid) in [(12, &uuids[1]), (13, &uuids[2])] {
        let token = hosts[0].printed(&["pool", "token"]);
        let mut host = fresh(&bed, &format!("new{number}"), number);
        host.printed(&["pool", "join", "--token", &token, "--replaces", uuid]);
        host.start();
        hosts.push(host);
    }
    bed.hosts = hosts;
    bed.wait_live();
    let client = bed.hosts[1].local();
    let now = seen(&client);
    assert_eq!(now.len(), before.len());
    // The guest ran on a host that is new now: there it does not run, and it can be started.
    wait_for("the VM to be known as halted", SOON, || {
        (client.text("VM.get_power_state", &[&vm]) == "Halted").then_some(())
    });
    client.start(&vm).unwrap();
    bed.same_rows(&[0, 1, 2]);
}

#[test]
fn a_host_whose_database_is_lost_comes_back_as_itself_and_a_dead_one_is_replaced() {
    let mut bed = Bed::up(3, "");
    let leader = bed.leader();
    let (lost, helper) = ((leader + 1) % 3, leader);
    let client = bed.hosts[helper].local();
    let vm = client.new_vm("kept");
    let name = bed.hosts[lost].name.clone();
    let found = client.refs("host.get_by_name_label", &[&name]);
    let uuid = client.text("host.get_uuid", &[found.first().unwrap()]);

    // While its node runs it is refused.
    let token = bed.hosts[helper].printed(&["pool", "token"]);
    let refused = bed.hosts[lost].run(&["pool", "join", "--token", &token, "--again"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("stop it first"),
        "{refused:?}"
    );
    bed.hosts[lost].stop();
    fs::remove_dir_all(bed.hosts[lost].state().join("raft")).unwrap();
    bed.hosts[lost].printed(&["pool", "join", "--token", &token, "--again"]);
    bed.hosts[lost].start();
    bed.wait_live();
    bed.same_rows(&[0, 1, 2]);
    assert_eq!(client.refs("host.get_all", &[]).len(), 3);

    // The place of a host that is there is not given away; that of a dead one is.
    let token = bed.hosts[helper].printed(&["pool", "token"]);
    let mut new = fresh(&bed, "new", 44);
    let refused = new.run(&["pool", "join", "--token", &token, "--replaces", &uuid]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("switch it off first"),
        "{refused:?}"
    );
    bed.hosts[lost].kill();
    wait_for("it to be replaced", SOON, || {
        new.run(&["pool", "join", "--token", &token, "--replaces", &uuid])
            .status
            .success()
            .then_some(())
    });
    new.start();
    bed.hosts[lost] = new;
    bed.wait_live();
    let client = bed.hosts[lost].local();
    assert_eq!(client.refs("host.get_all", &[]).len(), 3);
    assert_eq!(client.text("VM.get_name_label", &[&vm]), "kept");
    bed.same_rows(&[0, 1, 2]);
}
