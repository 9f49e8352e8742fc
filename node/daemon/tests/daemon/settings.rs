//! The settings as an operator meets them.

use std::fs;

use nix::sys::signal::Signal;

use crate::bed::{Bed, SOON, wait_for};

#[test]
fn a_wrong_setting_is_named_before_the_node_starts_and_every_one_at_once() {
    let mut bed = Bed::bare(1, "[session]\nmost = 0\n[telemetry]\nlog = \"=\"\n");
    let output = bed.hosts[0].run(&["config", "check"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("session.most = 0: not allowed; allowed: a whole number from 1 to 100000"),
        "{said}"
    );
    assert!(
        said.contains("telemetry.log = \"=\": not allowed; allowed: "),
        "{said}"
    );
    bed.hosts[0].start();
    assert!(!bed.hosts[0].ended().success());
    assert!(bed.hosts[0].log().contains("session.most = 0"));
    let bed = Bed::bare(1, "");
    assert!(
        bed.hosts[0]
            .printed(&["config", "check"])
            .ends_with("nothing is wrong")
    );
    assert!(bed.hosts[0].printed(&["config", "show"]).contains("most = 200"));
}

#[test]
fn what_can_change_at_run_time_changes_on_sighup_and_the_rest_is_named() {
    let bed = Bed::up(1, "[session]\nmost = 200\n");
    let client = bed.hosts[0].local();
    let file = bed.hosts[0].settings();
    let before = fs::read_to_string(&file).unwrap();
    let set = |more: &str| {
        fs::write(&file, before.replace("most = 200", more)).unwrap();
        let length = bed.hosts[0].log().len();
        bed.hosts[0].signal(Signal::SIGHUP);
        wait_for("the node to say what it took", SOON, || {
            let said = bed.hosts[0].log().get(length..).unwrap_or_default().to_owned();
            said.contains("settings").then_some(said)
        })
    };
    // Two sessions at most: more end the others. Which ones is a matter of seconds.
    let said = set("most = 2");
    assert!(said.contains("settings read anew"), "{said}");
    let all = [
        client,
        bed.hosts[0].local(),
        bed.hosts[0].local(),
        bed.hosts[0].local(),
    ];
    let answers = all.map(|client| client.call("pool.get_all", &[]));
    let ended = answers
        .iter()
        .filter(|a| a.as_ref().is_err_and(|e| e.code == "SESSION_INVALID"))
        .count();
    assert!(ended >= 2 && answers.last().unwrap().is_ok(), "{answers:?}");

    // What does not fit changes nothing.
    let said = set("most = 0");
    assert!(
        said.contains("stay as they were") && said.contains("session.most = 0"),
        "{said}"
    );
    // A change that has to wait is named.
    let said = set("most = 2\n[limits]\nconnections = 99\nconnections_per_address = 50");
    assert!(
        said.contains("limits.connections, limits.connections_per_address"),
        "{said}"
    );
    // The log tells more at once.
    let length = bed.hosts[0].log().len();
    set("most = 2\n[telemetry]\nlog = \"debug\"");
    wait_for("more to be said", SOON, || {
        bed.hosts[0]
            .log()
            .get(length..)
            .unwrap_or_default()
            .contains("the log tells so much")
            .then_some(())
    });
}
