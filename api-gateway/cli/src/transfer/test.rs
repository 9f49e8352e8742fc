//! Transfers against a server that does as told.

use std::sync::Mutex;

use proto_types::ApiError;

use super::*;
use crate::stand_in::{Answer, HANGS_UP, Handed, StandIn, record};

const TASK: &str = "OpaqueRef:00000000-0000-0000-0000-0000000000ff";

/// A task as the server keeps it.
#[derive(Default)]
struct Kept {
    status: &'static str,
    progress: f64,
    result: &'static str,
    error: Vec<&'static str>,
}

/// Answers what a transfer asks of tasks.
fn tasks(kept: &Mutex<Kept>, method: &str) -> Answer {
    let mut kept = kept.lock().unwrap();
    match method {
        "task.create" => {
            kept.status = "pending";
            Ok(Value::str(TASK))
        }
        "task.set_progress" => {
            kept.progress = -1.0;
            Ok(Value::Void)
        }
        "task.set_status" => {
            kept.status = "failure";
            Ok(Value::Void)
        }
        "task.get_record" => {
            let Value::Record(mut members) = record(&[("status", kept.status), ("result", kept.result)])
            else {
                return Ok(Value::Void);
            };
            members.push(("progress".into(), Value::Float(kept.progress)));
            members.push(("error_info".into(), Value::strings(&kept.error)));
            Ok(Value::Record(members))
        }
        "task.destroy" => Ok(Value::Void),
        other => panic!("{other}"),
    }
}

fn server(transfer: impl Fn(&Mutex<Kept>, &str, &[u8]) -> Handed + Send + Sync + 'static) -> StandIn {
    let kept = std::sync::Arc::new(Mutex::new(Kept::default()));
    let same = std::sync::Arc::clone(&kept);
    StandIn::new(
        move |method, _| tasks(&kept, method),
        move |target, body| {
            same.lock().unwrap().progress = 0.0;
            transfer(&same, target, body)
        },
    )
}

fn end(kept: &Mutex<Kept>, status: &'static str) {
    let mut kept = kept.lock().unwrap();
    kept.status = status;
    kept.progress = 1.0;
}

fn run(server: &StandIn, transfer: Transfer<'_>) -> Result<WireValue, Failure> {
    let mut result = None;
    let (_, outcome) = server.run(&["transfer"], |cx| {
        result = Some(transfer.run(cx));
        Ok(())
    });
    outcome.unwrap();
    result.unwrap()
}

#[test]
fn a_file_from_the_pool_is_kept_when_the_task_succeeds() {
    let server = server(|kept, target, _| {
        assert!(target.starts_with("/export?session_id=OpaqueRef:"), "{target}");
        assert!(
            target.contains("&ref=OpaqueRef:v&use_compression=false"),
            "{target}"
        );
        end(kept, "success");
        Handed {
            status: 200,
            content: b"archive".to_vec(),
            ..Handed::default()
        }
    });
    let file = server.folder().join("x.xva");
    let transfer = Transfer::new(Way::Down(file.clone()), "/export", "Export of VM")
        .with("ref", "OpaqueRef:v")
        .with("use_compression", "false");
    run(&server, transfer).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"archive");
    let called = server.called.lock().unwrap().clone();
    assert_eq!(called.last().map(String::as_str), Some("session.logout"));
    assert!(called.contains(&"task.destroy".to_owned()));
}

#[test]
fn a_failed_task_is_the_error_and_leaves_no_file() {
    let server = server(|kept, _, _| {
        kept.lock().unwrap().error = vec!["VM_BAD_POWER_STATE", "v", "halted", "running"];
        end(kept, "failure");
        Handed {
            status: 500,
            ..Handed::default()
        }
    });
    let file = server.folder().join("x.xva");
    let failure = run(
        &server,
        Transfer::new(Way::Down(file.clone()), "/export", "Export"),
    )
    .unwrap_err();
    assert_eq!(failure.code(), Some("VM_BAD_POWER_STATE"));
    assert!(!file.exists());
}

#[test]
fn a_redirection_is_followed() {
    let server = server(|kept, target, _| {
        if target.starts_with("/export") {
            let location = Some(target.replace("/export", "/other"));
            return Handed {
                status: 302,
                location,
                ..Handed::default()
            };
        }
        end(kept, "success");
        Handed {
            status: 200,
            content: b"there".to_vec(),
            ..Handed::default()
        }
    });
    let file = server.folder().join("x");
    run(
        &server,
        Transfer::new(Way::Down(file.clone()), "/export", "Export"),
    )
    .unwrap();
    assert_eq!(std::fs::read(file).unwrap(), b"there");
    assert!(server.called.lock().unwrap().contains(&"GET /other".to_owned()));
}

#[test]
fn a_file_to_the_pool_arrives_whole_and_its_result_comes_back() {
    let server = server(|kept, target, body| {
        assert!(target.starts_with("/import?"), "{target}");
        assert_eq!(body.len(), 700_000);
        kept.lock().unwrap().result = "<value><array><data><value>OpaqueRef:n</value></data></array></value>";
        end(kept, "success");
        Handed {
            status: 200,
            ..Handed::default()
        }
    });
    let file = server.folder().join("in.xva");
    std::fs::write(&file, vec![3; 700_000]).unwrap();
    let result = run(&server, Transfer::new(Way::Up(file), "/import", "VM import")).unwrap();
    assert_eq!(crate::client::texts(&result), ["OpaqueRef:n"]);
}

#[test]
fn a_server_that_hangs_up_with_all_it_needs_is_no_failure() {
    let server = server(|kept, _, _| {
        kept.lock().unwrap().result = "<value>OpaqueRef:n</value>";
        end(kept, "success");
        Handed {
            status: 200,
            ..Handed::default()
        }
    });
    let file = server.folder().join("in.xva");
    std::fs::write(&file, vec![3; 8 << 20]).unwrap();
    let result = run(&server, Transfer::new(Way::Up(file), HANGS_UP, "VM import")).unwrap();
    assert_eq!(result, WireValue::String("OpaqueRef:n".to_owned()));
}

#[test]
fn a_server_without_the_handler_leaves_a_failed_task() {
    let kept = std::sync::Arc::new(Mutex::new(Kept::default()));
    let same = std::sync::Arc::clone(&kept);
    let server = StandIn::new(
        move |method, _| tasks(&same, method),
        |_, _| Handed {
            status: 404,
            ..Handed::default()
        },
    );
    let file = server.folder().join("x");
    let failure = run(
        &server,
        Transfer::new(Way::Down(file.clone()), "/export", "Export"),
    )
    .unwrap_err();
    assert_eq!(failure.to_string(), "Server replied with HTTP 404 Not Found.");
    assert_eq!(kept.lock().unwrap().status, "failure");
    assert!(!file.exists());
}

#[test]
fn an_error_before_the_transfer_begins_is_said() {
    let server = StandIn::new(
        |method, _| match method {
            "task.create" => Err(ApiError::new("RBAC_PERMISSION_DENIED", ["task.create", "no"])),
            other => panic!("{other}"),
        },
        |_, _| Handed::default(),
    );
    let file = server.folder().join("x");
    let failure = run(
        &server,
        Transfer::new(Way::Down(file.clone()), "/export", "Export"),
    )
    .unwrap_err();
    assert_eq!(failure.code(), Some("RBAC_PERMISSION_DENIED"));
    assert!(!file.exists());
}

#[test]
fn redirections_lead_to_the_named_host() {
    let here = Peer::Socket(PathBuf::from("/s"));
    let (peer, target) = elsewhere(&here, "https://192.0.2.7/export?ref=a%20b&x=y").unwrap();
    let there = Peer::Network {
        host: "192.0.2.7".into(),
        port: 443,
        plain: false,
    };
    assert_eq!((peer, target.as_str()), (there, "/export?ref=a%20b&x=y"));
    let (peer, _) = elsewhere(&here, "https://[2001:db8::1]:8443/export").unwrap();
    assert!(matches!(peer, Peer::Network { host, port: 8443, .. } if host == "2001:db8::1"));
    assert_eq!(elsewhere(&here, "/export").unwrap().0, here);
    assert!(elsewhere(&here, "ftp://192.0.2.7/x").is_err());
}

#[test]
fn queries_are_escaped() {
    assert_eq!(escaped("OpaqueRef:1-2"), "OpaqueRef:1-2");
    assert_eq!(escaped("a b&c=é"), "a%20b%26c%3D%C3%A9");
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(Local::open(&Way::Down(file.path().to_owned())).is_err());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    Local::open(&Way::Down(path.clone())).unwrap().finish(false);
    assert!(!path.exists());
    Local::open(&Way::Down(path.clone())).unwrap().finish(true);
    assert!(path.exists());
    assert!(Local::open(&Way::Up(folder.path().join("none"))).is_err());
}
