//! Users with roles: what their sessions are and may, and what becomes of them when users, subjects and roles change.

use gateway_codec::{Outcome as Reply, WireValue};
use pool_domain::{access, decide, query};
use proto_types::generated::{role, session, subject, task, vm};
use proto_types::{Ref, Value};

use super::leader::Leader;

async fn failure(leader: &Leader, session: &str, method: &str, params: &[Value]) -> Vec<String> {
    match leader.call_in(session, method, params).await {
        Reply::Failure(error) => error.description(),
        Reply::Success(value) => panic!("{method} succeeded: {value:?}"),
    }
}

async fn success(leader: &Leader, session: &str, method: &str, params: &[Value]) -> WireValue {
    match leader.call_in(session, method, params).await {
        Reply::Success(value) => value,
        Reply::Failure(error) => panic!("{method}: {:?}", error.description()),
    }
}

fn role_named(name: &str) -> Ref {
    access::reference_of(access::assignable(name).unwrap())
}

fn texts(value: &WireValue) -> Vec<&str> {
    match value {
        WireValue::Array(items) => items.iter().filter_map(WireValue::as_str).collect(),
        other => panic!("no list: {other:?}"),
    }
}

fn reference(text: &str) -> Ref {
    text.parse().unwrap()
}

async fn login(leader: &Leader, name: &str, password: &str) -> Vec<String> {
    let params = [name.into(), password.into()];
    match leader
        .from_afar("session.login_with_password", &params, &[])
        .await
    {
        Reply::Failure(error) => error.description(),
        Reply::Success(_) => Vec::new(),
    }
}

#[tokio::test]
async fn a_users_session_tells_who_it_is_and_what_it_may() {
    let leader = Leader::new().await;
    let own = leader.session_of("vm-operator").await;
    let record = success(
        &leader,
        &leader.session,
        "session.get_record",
        &[reference(&own).into()],
    )
    .await;
    let text = |name: &str| {
        record
            .member(name)
            .and_then(WireValue::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(text("auth_user_sid"), "local:a-vm-operator");
    assert_eq!(text("auth_user_name"), "a-vm-operator");
    assert_eq!(record.member("is_local_superuser"), Some(&WireValue::Bool(false)));
    let db = leader.db();
    let row = access::subject_of(&db, "local:a-vm-operator").unwrap();
    assert_eq!(text("subject"), row.reference.to_string());
    assert_eq!(
        row.get(subject::OTHER_CONFIG).get("subject-name"),
        Some("a-vm-operator")
    );
    let listed = texts(record.member("rbac_permissions").unwrap()).len();
    let permissions = success(
        &leader,
        &leader.session,
        "session.get_rbac_permissions",
        &[reference(&own).into()],
    )
    .await;
    let permissions = texts(&permissions);
    assert_eq!(permissions.len(), listed);
    for held in [
        "vm.start",
        "vm.add_to_other_config/key:folder",
        "http/connect_console",
        "task.cancel",
    ] {
        assert!(permissions.contains(&held), "{held}");
    }
    for not in [
        "vm.destroy",
        "subject.create",
        "http/get_export",
        "task.destroy/any",
    ] {
        assert!(!permissions.contains(&not), "{not}");
    }
    // The superuser is above roles: nothing is listed.
    let root = success(
        &leader,
        &leader.session,
        "session.get_record",
        &[reference(&leader.session).into()],
    )
    .await;
    assert_eq!(root.member("is_local_superuser"), Some(&WireValue::Bool(true)));
    assert!(texts(root.member("rbac_permissions").unwrap()).is_empty());
}

#[tokio::test]
async fn an_operator_runs_vms_and_a_reader_only_looks() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let (operator, reader) = (
        leader.session_of("vm-operator").await,
        leader.session_of("read-only").await,
    );
    let start = [guest.into(), false.into(), true.into()];
    let denied = failure(&leader, &reader, "VM.start", &start).await;
    assert_eq!(
        denied,
        [
            "RBAC_PERMISSION_DENIED",
            "vm.start",
            "No permission in user session"
        ]
    );
    let denied = failure(&leader, &reader, "Async.VM.start", &start).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "vm.start"]);
    success(&leader, &operator, "VM.start", &start).await;
    let state = success(&leader, &reader, "VM.get_power_state", &[guest.into()]).await;
    assert_eq!(state.as_str(), Some("Running"));
    let denied = failure(&leader, &operator, "VM.destroy", &[guest.into()]).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "vm.destroy"]);
    // Keys that GUIs use are open to the operator, the map is not.
    let add = |key: &str| [guest.into(), Value::str(key), "x".into()];
    success(&leader, &operator, "VM.add_to_other_config", &add("folder")).await;
    let denied = failure(&leader, &operator, "VM.add_to_other_config", &add("mac_seed")).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "vm.add_to_other_config"]);
    let denied = failure(&leader, &reader, "VM.add_to_other_config", &add("folder")).await;
    assert_eq!(
        denied[..2],
        ["RBAC_PERMISSION_DENIED", "vm.add_to_other_config/key:folder"]
    );
    assert_eq!(
        leader
            .db()
            .get(guest)
            .unwrap()
            .get(vm::OTHER_CONFIG)
            .get("folder"),
        Some("x")
    );
    // A password is the superuser's to change, whatever the role.
    let admin = leader.session_of("pool-admin").await;
    let denied = failure(
        &leader,
        &admin,
        "session.change_password",
        &["a".into(), "b".into()],
    )
    .await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "session.change_password"]);
}

#[tokio::test]
async fn who_logs_in_is_known_and_has_a_role() {
    let leader = Leader::new().await;
    leader.user("eve", "read-only");
    for (name, password) in [("eve", "wrong"), ("eve", ""), ("nobody", "secret")] {
        let refused = login(&leader, name, password).await;
        assert_eq!(
            refused,
            ["SESSION_AUTHENTICATION_FAILED", name, "Authentication failure"]
        );
    }
    assert!(login(&leader, "eve", "secret").await.is_empty());
    // Known, but no subject of the pool any more.
    let of_eve = access::subject_of(&leader.db(), "local:eve").unwrap().reference;
    leader.ok("subject.destroy", &[of_eve.into()]).await;
    let refused = login(&leader, "eve", "secret").await;
    assert_eq!(refused[..2], ["SESSION_AUTHORIZATION_FAILED", "eve"]);
    // Taken in again, as `xe subject-add` does: without a role at first.
    let sid = leader.ok("auth.get_subject_identifier", &["eve".into()]).await;
    assert_eq!(sid.as_str(), Some("local:eve"));
    let record = || {
        Value::Record(vec![
            ("subject_identifier".into(), "local:eve".into()),
            ("other_config".into(), Value::empty_map()),
        ])
    };
    let made = leader.ok("subject.create", &[record()]).await;
    let made = reference(made.as_str().unwrap());
    assert_eq!(
        leader.refused("subject.create", &[record()]).await,
        ["SUBJECT_ALREADY_EXISTS"]
    );
    assert_eq!(
        login(&leader, "eve", "secret").await[0],
        "SESSION_AUTHORIZATION_FAILED"
    );
    let vm_admin = role_named("vm-admin");
    leader
        .ok("subject.add_to_roles", &[made.into(), vm_admin.into()])
        .await;
    assert!(login(&leader, "eve", "secret").await.is_empty());
    let names = leader
        .ok("subject.get_permissions_name_label", &[made.into()])
        .await;
    assert!(texts(&names).contains(&"vm.destroy"));
    assert_eq!(
        leader
            .refused("auth.get_subject_identifier", &["mallory".into()])
            .await,
        ["SUBJECT_CANNOT_BE_RESOLVED"]
    );
    let about = leader
        .ok(
            "auth.get_subject_information_from_identifier",
            &["local:eve".into()],
        )
        .await;
    assert_eq!(
        about.member("subject-name").and_then(WireValue::as_str),
        Some("eve")
    );
}

#[tokio::test]
async fn sessions_follow_the_roles_of_their_subject_and_end_with_the_last() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let own = leader.session_of("read-only").await;
    let of = access::subject_of(&leader.db(), "local:a-read-only")
        .unwrap()
        .reference;
    let start = [guest.into(), false.into(), true.into()];
    failure(&leader, &own, "VM.start", &start).await;
    // The record was encoded before the role changed; it must be written anew.
    let before = success(
        &leader,
        &leader.session,
        "session.get_record",
        &[reference(&own).into()],
    )
    .await;
    let (operator, reader) = (role_named("vm-operator"), role_named("read-only"));
    leader
        .ok("subject.add_to_roles", &[of.into(), operator.into()])
        .await;
    success(&leader, &own, "VM.start", &start).await;
    let after = success(
        &leader,
        &leader.session,
        "session.get_record",
        &[reference(&own).into()],
    )
    .await;
    let held = |record: &WireValue| texts(record.member("rbac_permissions").unwrap()).contains(&"vm.start");
    assert!(!held(&before) && held(&after));
    for (role, error) in [
        (operator, "ROLE_ALREADY_EXISTS"),
        (Ref::NULL, "ROLE_NOT_FOUND"),
        (guest, "ROLE_NOT_FOUND"),
    ] {
        assert_eq!(
            leader
                .refused("subject.add_to_roles", &[of.into(), role.into()])
                .await,
            [error]
        );
    }
    leader
        .ok("subject.remove_from_roles", &[of.into(), operator.into()])
        .await;
    let pause = failure(&leader, &own, "VM.pause", &[guest.into()]).await;
    assert_eq!(pause[..2], ["RBAC_PERMISSION_DENIED", "vm.pause"]);
    assert_eq!(
        leader
            .refused("subject.remove_from_roles", &[of.into(), operator.into()])
            .await,
        ["ROLE_NOT_FOUND"]
    );
    leader
        .ok("subject.remove_from_roles", &[of.into(), reader.into()])
        .await;
    let ended = failure(&leader, &own, "VM.get_all", &[]).await;
    assert_eq!(ended, ["SESSION_INVALID".to_owned(), own]);
}

#[tokio::test]
async fn sessions_end_with_their_user_their_password_and_by_order() {
    let leader = Leader::new().await;
    for name in ["ann", "bob"] {
        leader.user(name, "pool-operator");
    }
    let (ann, other_ann, bob) = (
        leader.log_in("ann").await,
        leader.log_in("ann").await,
        leader.log_in("bob").await,
    );
    let listed = success(&leader, &bob, "session.get_all_subject_identifiers", &[]).await;
    assert_eq!(texts(&listed), ["local:ann", "local:bob"]);
    // One's own session outlives the order.
    success(
        &leader,
        &ann,
        "session.logout_subject_identifier",
        &["local:ann".into()],
    )
    .await;
    success(&leader, &ann, "pool.get_all", &[]).await;
    assert_eq!(
        failure(&leader, &other_ann, "pool.get_all", &[]).await[0],
        "SESSION_INVALID"
    );
    success(
        &leader,
        &bob,
        "session.logout_subject_identifier",
        &["local:ann".into()],
    )
    .await;
    assert_eq!(
        failure(&leader, &ann, "pool.get_all", &[]).await[0],
        "SESSION_INVALID"
    );
    // The empty identifier is that of root's sessions, which stay.
    success(&leader, &bob, "session.logout_subject_identifier", &["".into()]).await;
    leader.ok("pool.get_all", &[]).await;
    let again = leader.log_in("ann").await;
    let hash = gateway_server::api::login::hash("other").unwrap();
    leader.decide(|d| decide::user::set_password(d, "ann", &hash));
    assert_eq!(
        failure(&leader, &again, "pool.get_all", &[]).await[0],
        "SESSION_INVALID"
    );
    assert_eq!(
        login(&leader, "ann", "secret").await[0],
        "SESSION_AUTHENTICATION_FAILED"
    );
    assert!(login(&leader, "ann", "other").await.is_empty());
    leader.decide(|d| decide::user::set_role(d, "bob", "read-only"));
    let denied = failure(
        &leader,
        &bob,
        "session.logout_subject_identifier",
        &["local:ann".into()],
    )
    .await;
    assert_eq!(denied[0], "RBAC_PERMISSION_DENIED");
    leader.decide(|d| decide::user::remove(d, "bob"));
    assert_eq!(
        failure(&leader, &bob, "pool.get_all", &[]).await[0],
        "SESSION_INVALID"
    );
    assert_eq!(
        login(&leader, "bob", "secret").await[0],
        "SESSION_AUTHENTICATION_FAILED"
    );
    assert!(access::subject_of(&leader.db(), "local:bob").is_none());
}

#[tokio::test]
async fn a_user_with_many_sessions_costs_nobody_else_a_session() {
    let leader = Leader::new().await;
    let root = leader.session.clone();
    leader.user("eve", "read-only");
    let of = access::subject_of(&leader.db(), "local:eve").unwrap().reference;
    let limits = decide::session::SessionLimits {
        most: 3,
        idle_seconds: 60,
    };
    let mut made = Vec::new();
    for number in 0..5 {
        leader.decide(|d| {
            let new = decide::session::NewSession {
                user: "eve".to_owned(),
                subject: of,
                sid: "local:eve".to_owned(),
                // Another name for itself is no way to have more.
                originator: number.to_string(),
                host: Ref::NULL,
            };
            made.push(decide::session::login(d, new, limits));
            Ok(())
        });
    }
    let alive = made
        .iter()
        .filter(|s| decide::session::check(&leader.db(), **s).is_ok())
        .count();
    assert_eq!(alive, 3);
    assert!(decide::session::check(&leader.db(), reference(&root)).is_ok());
    // A session with work in hand goes last, however old.
    let kept = *made
        .iter()
        .find(|s| decide::session::check(&leader.db(), **s).is_ok())
        .unwrap();
    leader.set(
        kept,
        session::LAST_ACTIVE,
        proto_types::DateTime(pool_ops::core::now().0 - 30),
    );
    success(
        &leader,
        &kept.to_string(),
        "task.create",
        &["a".into(), "b".into()],
    )
    .await;
    assert_eq!(leader.db().rows(task::CLASS).count(), 1);
    leader.decide(|d| {
        let new = decide::session::NewSession {
            user: "eve".to_owned(),
            subject: of,
            sid: "local:eve".to_owned(),
            originator: String::new(),
            host: Ref::NULL,
        };
        decide::session::login(d, new, limits);
        Ok(())
    });
    assert!(decide::session::check(&leader.db(), kept).is_ok());
}

#[tokio::test]
async fn roles_are_made_of_permissions_that_can_be_looked_up_both_ways() {
    let leader = Leader::new().await;
    let operator = role_named("vm-operator");
    let names = leader
        .ok("role.get_permissions_name_label", &[operator.into()])
        .await;
    let refs = leader.ok("role.get_permissions", &[operator.into()]).await;
    let (names, refs) = (texts(&names), texts(&refs));
    assert_eq!(names.len(), refs.len());
    let at = names.iter().position(|n| *n == "vm.start").unwrap();
    let permission = reference(refs[at]);
    let label = leader.ok("role.get_name_label", &[permission.into()]).await;
    assert_eq!(label.as_str(), Some("vm.start"));
    let record = leader.ok("role.get_record", &[permission.into()]).await;
    assert_eq!(
        record.member("name_label").and_then(WireValue::as_str),
        Some("vm.start")
    );
    let by_ref = leader.ok("role.get_by_permission", &[permission.into()]).await;
    let by_name = leader
        .ok("role.get_by_permission_name_label", &["vm.start".into()])
        .await;
    assert_eq!(by_ref, by_name);
    let holders: Vec<Ref> = texts(&by_name).into_iter().map(reference).collect();
    for (name, holds) in [("pool-admin", true), ("vm-operator", true), ("read-only", false)] {
        assert_eq!(holders.contains(&role_named(name)), holds, "{name}");
    }
    let itself = leader
        .ok("role.get_permissions_name_label", &[permission.into()])
        .await;
    assert_eq!(texts(&itself), ["vm.start"]);
    // Permissions stand in no list of roles.
    let all = leader.ok("role.get_all", &[]).await;
    assert_eq!(texts(&all).len(), 7);
    assert_eq!(
        leader.refused("role.get_by_permission", &[operator.into()]).await,
        [
            "HANDLE_INVALID".to_owned(),
            "role".to_owned(),
            operator.to_string()
        ]
    );
    let none = leader
        .ok("role.get_by_permission_name_label", &["no.such".into()])
        .await;
    assert!(texts(&none).is_empty());
    assert!(query::find(&leader.db(), role::CLASS, operator).is_ok());
}
