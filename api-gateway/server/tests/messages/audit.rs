//! The audit trail: which calls it tells of, by whom, and how they ended.

use proto_types::Value;

use super::leader::Leader;

/// Lines about a call.
fn about(leader: &Leader, call: &str) -> Vec<String> {
    let lines = leader.trail.0.lock().unwrap();
    let quoted = format!("'{call}'");
    lines
        .iter()
        .filter(|line| line.contains(&quoted))
        .cloned()
        .collect()
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_does_not_hide_the_right_one() {
    let leader = Leader::new().await;
    leader.user("eve", "read-only");
    let log_in = async |password: &'static str| {
        let params = ["eve".into(), password.into()];
        leader
            .from_afar("session.login_with_password", &params, &[])
            .await
    };
    for _ in 0..70 {
        log_in("wrong").await;
    }
    log_in("secret").await;
    let lines = about(&leader, "session.login_with_password");
    // A minute may have ended meanwhile.
    let well = lines.iter().filter(|line| line.contains("'eve' 'ALLOWED' 'OK'"));
    assert_eq!(well.count(), 1, "{} lines", lines.len());
}

#[tokio::test]
async fn what_anybody_may_send_is_not_told_as_the_superusers() {
    let leader = Leader::new().await;
    let params = ["root".into(), "guessed".into()];
    leader
        .from_afar("session.slave_local_login_with_password", &params, &[])
        .await;
    let lines = about(&leader, "session.slave_local_login_with_password");
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert!(
        line.contains("'root' 'DENIED' 'ERROR:SESSION_AUTHENTICATION_FAILED'"),
        "{line}"
    );
    assert!(!line.contains("LOCAL_SUPERUSER"), "{line}");
}

async fn eventually(leader: &Leader, call: &str, count: usize) -> Vec<String> {
    let found = async {
        loop {
            let lines = about(leader, call);
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), found)
        .await
        .unwrap()
}

#[tokio::test]
async fn who_did_what_to_which_object_and_how_it_ended() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let operator = leader.session_of("vm-operator").await;
    let uuid = leader.db().get(guest).unwrap().uuid().to_owned();
    let params = |session: &str, rest: Vec<Value>| -> Vec<Value> {
        std::iter::once(session.into()).chain(rest).collect()
    };
    let start = params(&operator, vec![guest.into(), false.into(), true.into()]);
    leader.from_afar("VM.start", &start, &[]).await;
    let [done] = about(&leader, "VM.start").try_into().unwrap();
    assert!(done.contains("|one|192.0.2.99|"), "{done}");
    assert!(done.contains(&format!(
        "'local:a-vm-operator' 'a-vm-operator' 'ALLOWED' 'OK' 'API' 'VM.start' (('vm' 'guest' '{uuid}' '{guest}')"
    )));
    assert!(
        !done.contains(&operator[10..]),
        "a session's reference is its secret"
    );
    leader.from_afar("VM.start", &start, &[]).await;
    assert!(about(&leader, "VM.start")[1].contains("'ALLOWED' 'ERROR:VM_BAD_POWER_STATE'"));
    leader
        .from_afar("VM.destroy", &params(&operator, vec![guest.into()]), &[])
        .await;
    assert!(about(&leader, "VM.destroy")[0].contains("'DENIED' 'ERROR:RBAC_PERMISSION_DENIED'"));
    // What is only read is not told, what is denied always is.
    leader
        .from_afar("VM.get_record", &params(&operator, vec![guest.into()]), &[])
        .await;
    leader
        .from_afar("secret.get_all_records", &params(&operator, vec![]), &[])
        .await;
    assert!(about(&leader, "VM.get_record").is_empty());
    assert!(about(&leader, "secret.get_all_records")[0].contains("DENIED"));
}

#[tokio::test]
async fn a_call_behind_a_task_is_told_when_it_is_accepted_and_when_it_ends() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    leader
        .ok("Async.VM.start", &[guest.into(), false.into(), true.into()])
        .await;
    let lines = eventually(&leader, "Async.VM.start", 2).await;
    assert!(
        lines[0].contains("'ALLOWED' 'ACCEPTED'") && lines[1].contains("'ALLOWED' 'OK'"),
        "{lines:?}"
    );
    leader
        .ok("Async.VM.start", &[guest.into(), false.into(), true.into()])
        .await;
    let lines = eventually(&leader, "Async.VM.start", 4).await;
    assert!(lines[3].contains("'ERROR:VM_BAD_POWER_STATE'"), "{lines:?}");
}

#[tokio::test]
async fn log_ins_are_told_and_their_secrets_are_not() {
    let leader = Leader::new().await;
    leader.user("eve", "read-only");
    for password in ["secret", "hunter2"] {
        let params = ["eve".into(), password.into()];
        leader
            .from_afar("session.login_with_password", &params, &[])
            .await;
    }
    let lines = about(&leader, "session.login_with_password");
    let [well, badly] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert!(well.contains("'eve' 'ALLOWED' 'OK'"), "{well}");
    assert!(
        badly.contains("'eve' 'DENIED' 'ERROR:SESSION_AUTHENTICATION_FAILED'"),
        "{badly}"
    );
    let params = [
        leader.session.as_str().into(),
        Value::Record(vec![("value".into(), "hunter2".into())]),
    ];
    leader.from_afar("secret.create", &params, &[]).await;
    let made = about(&leader, "secret.create");
    assert!(
        made[0].contains("'OK'") && made[0].contains("'result'"),
        "{made:?}"
    );
    let all = leader.trail.0.lock().unwrap().concat();
    assert!(!all.contains("hunter2") && !all.contains(&leader.session));
}
