//! What an operator sees of a pool: pages, figures, rules.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bed::{Bed, PASSWORD, SOON, wait_for};
use crate::client::{Client, get};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/observation")
        .join(name)
}

/// Names of figures in a text, without what a histogram adds to its name.
fn figures(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c))
        .filter(|name| name.starts_with("tarn_"))
        .map(|name| {
            let bare = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            bare.unwrap_or(name).to_owned()
        })
        .collect()
}

/// Runs promtool with a text; `None` where it is not installed.
fn promtool(args: &[&str], input: &str) -> Option<(bool, String)> {
    let child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: promtool is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn every_figure_of_the_rules_and_the_dashboard_is_told_and_promtool_accepts_them() {
    let bed = Bed::up(1, "");
    let client = bed.hosts[0].local();
    let vm = client.new_vm("measured");
    client.start(&vm).unwrap();
    let page = wait_for("the first sample", SOON, || {
        let (status, page) = get(&bed.hosts[0].socket(), "/metrics").ok()?;
        (status == 200 && page.contains("tarn_host_memory_free_bytes{")).then_some(page)
    });
    let told: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    for name in ["alerts.yml", "dashboard.json"] {
        let wanted = figures(&std::fs::read_to_string(shipped(name)).unwrap());
        assert!(wanted.len() > 5, "{name}");
        let unknown: Vec<&String> = wanted.iter().filter(|figure| !told.contains(*figure)).collect();
        assert!(unknown.is_empty(), "{name}: nobody tells {unknown:?}");
    }
    for line in [
        "tarn_pool_vms{state=\"running\"} 1",
        "tarn_node_healthy 1",
        "tarn_api_call_seconds_count{method=\"VM.start\"} 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}");
    }
    if let Some((accepted, said)) = promtool(&["check", "metrics"], &page) {
        assert!(accepted, "{said}");
    }
    if let Some((accepted, said)) = promtool(&["check", "rules", shipped("alerts.yml").to_str().unwrap()], "")
    {
        assert!(accepted, "{said}");
    }
}

#[test]
fn the_status_page_says_what_is_wrong_and_what_to_do() {
    let mut bed = Bed::up(3, "");
    let page = bed.hosts[1].printed(&["status"]);
    assert!(page.starts_with("pool bed, term "), "{page}");
    for host in ["h1", "h2", "h3"] {
        assert!(
            page.lines().any(|l| l.starts_with(host) && l.contains(" up ")),
            "{page}"
        );
    }
    assert_eq!(page.matches(" master ").count(), 1, "{page}");
    assert_eq!(get(&bed.hosts[1].socket(), "/healthz").unwrap().0, 200);

    let leader = bed.leader();
    let (gone, other) = ((leader + 1) % 3, (leader + 2) % 3);
    bed.hosts[gone].kill();
    let name = bed.hosts[gone].name.clone();
    let page = wait_for("the page to tell of it", SOON, || {
        let page = bed.hosts[other].printed(&["status"]);
        page.contains(&format!("! host {name} (")).then_some(page)
    });
    assert!(page.contains("xe host-forget"), "{page}");
    assert!(page.contains("2 of 3 hosts are there"), "{page}");

    // Alone a host knows no master. It says so, also to those who only look at the status.
    bed.hosts[leader].kill();
    wait_for("it to know that it is alone", SOON, || {
        let (status, words) = get(&bed.hosts[other].socket(), "/healthz").ok()?;
        (status == 503 && words == "no master is known\n").then_some(())
    });
    let page = bed.hosts[other].printed(&["status"]);
    assert!(
        page.contains("this host knows no master: 2 of the 3 hosts"),
        "{page}"
    );
    bed.hosts[other].kill();
    let output = bed.hosts[other].run(&["status"]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("journalctl"),
        "{output:?}"
    );
}

#[test]
fn a_supervisor_hears_that_the_node_serves_lives_reloads_and_ends() {
    let mut bed = Bed::bare(1, "");
    let path = bed.dir.path().join("notify");
    let heard = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(SOON)).unwrap();
    let hear = |wanted: &str| {
        let mut buffer = [0; 256];
        wait_for(wanted, SOON, || {
            let length = heard.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length])
                .contains(wanted)
                .then_some(())
        });
    };
    bed.hosts[0].environment = vec![
        ("NOTIFY_SOCKET".to_owned(), path.to_str().unwrap().to_owned()),
        ("WATCHDOG_USEC".to_owned(), "300000".to_owned()),
    ];
    bed.make_pool();
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    bed.hosts[0].signal(nix::sys::signal::Signal::SIGHUP);
    hear("RELOADING=1");
    hear("READY=1");
    assert!(bed.hosts[0].stop().success());
    hear("STOPPING=1");
}

#[test]
fn a_support_bundle_has_what_helps_and_no_secret() {
    let bed = Bed::up(1, "");
    let client = bed.hosts[0].local();
    let vm = client.new_vm("in the bundle");
    client.ok("VM.set_name_description", &[&vm, &"described"]);
    let file = bed.dir.path().join("bundle.tar.gz");
    bed.hosts[0].printed(&["support-bundle", file.to_str().unwrap()]);
    let folder = bed.dir.path().join("bundle");
    std::fs::create_dir_all(&folder).unwrap();
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(&file)
        .arg("-C")
        .arg(&folder)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let read = |name: &str| std::fs::read_to_string(folder.join("tarn-support").join(name)).unwrap();
    assert!(read("status.json").contains("\"is_leader\":true"));
    assert!(read("status.txt").starts_with("pool bed"));
    assert!(read("metrics.txt").contains("tarn_node_healthy 1"));
    assert!(read("database.json").contains("in the bundle"));
    assert!(read("settings.toml").contains("hypervisor = \"sim\""));
    let mut everything = String::new();
    for entry in std::fs::read_dir(folder.join("tarn-support")).unwrap() {
        everything.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
    }
    let key = std::fs::read_to_string(bed.hosts[0].state().join("host-key.pem")).unwrap();
    let secrets = [PASSWORD, "PRIVATE KEY", "argon2", key.lines().nth(1).unwrap()];
    for secret in secrets {
        assert!(!everything.contains(secret), "{secret}");
    }
    drop(Client::local(&bed.hosts[0].socket()));
}
