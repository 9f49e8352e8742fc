//! Tasks: whose they are, and how they end.

use gateway_codec::{Outcome as Reply, WireValue};
use proto_types::generated::task;
use proto_types::{Ref, Value};

use super::leader::Leader;

async fn task_in(leader: &Leader, session: &str) -> Ref {
    match leader
        .call_in(session, "task.create", &["label".into(), "text".into()])
        .await
    {
        Reply::Success(value) => value.as_str().unwrap().parse().unwrap(),
        Reply::Failure(error) => panic!("{:?}", error.description()),
    }
}

async fn code(leader: &Leader, session: &str, method: &str, params: &[Value]) -> Vec<String> {
    match leader.call_in(session, method, params).await {
        Reply::Failure(error) => error.description(),
        Reply::Success(_) => Vec::new(),
    }
}

fn text(leader: &Leader, this: Ref, field: proto_types::Field) -> String {
    leader.db().get(this).unwrap().get(field).as_str().to_owned()
}

#[tokio::test]
async fn ones_own_tasks_are_ones_own_and_those_of_others_need_an_operator() {
    let leader = Leader::new().await;
    leader.user("ann", "read-only");
    let (first, second) = (leader.log_in("ann").await, leader.log_in("ann").await);
    let bob = leader.session_of("vm-power-admin").await;
    let operator = leader.session_of("pool-operator").await;
    let own = task_in(&leader, &first).await;
    let messages: [(&str, Vec<Value>); 8] = [
        ("task.set_progress", vec![own.into(), Value::Float(0.5)]),
        ("task.set_result", vec![own.into(), "x".into()]),
        ("task.set_error_info", vec![own.into(), Value::strings(["A"])]),
        ("task.set_other_config", vec![own.into(), Value::empty_map()]),
        (
            "task.add_to_other_config",
            vec![own.into(), "k".into(), "v".into()],
        ),
        ("task.remove_from_other_config", vec![own.into(), "k".into()]),
        ("task.set_status", vec![own.into(), "pending".into()]),
        ("task.cancel", vec![own.into()]),
    ];
    let denied = [
        "RBAC_PERMISSION_DENIED",
        "task.destroy/any",
        "No permission in user session",
    ];
    for (method, params) in &messages {
        assert_eq!(code(&leader, &bob, method, params).await, denied, "{method}");
    }
    assert_eq!(code(&leader, &bob, "task.destroy", &[own.into()]).await, denied);
    // Another session of the same user will do.
    for session in [&second, &operator] {
        for (method, params) in &messages[..7] {
            assert!(
                code(&leader, session, method, params).await.is_empty(),
                "{method}"
            );
        }
    }
    assert!(
        code(&leader, &second, "task.cancel", &[own.into()])
            .await
            .is_empty()
    );
    assert_eq!(text(&leader, own, task::STATUS), "cancelled");
    assert!(
        code(&leader, &first, "task.destroy", &[own.into()])
            .await
            .is_empty()
    );
    assert_eq!(
        code(&leader, &first, "task.destroy", &[own.into()]).await[0],
        "HANDLE_INVALID"
    );
    let others = task_in(&leader, &leader.session).await;
    assert_eq!(
        code(&leader, &first, "task.cancel", &[others.into()]).await,
        denied
    );
}

#[tokio::test]
async fn a_client_ends_its_task_once() {
    let leader = Leader::new().await;
    let own = task_in(&leader, &leader.session).await;
    leader
        .ok("task.set_progress", &[own.into(), Value::Float(0.25)])
        .await;
    leader
        .ok("task.set_result", &[own.into(), "<value>x</value>".into()])
        .await;
    leader
        .ok("task.set_status", &[own.into(), "success".into()])
        .await;
    let record = leader.ok("task.get_record", &[own.into()]).await;
    let member = |name: &str| record.member(name).cloned().unwrap();
    assert_eq!(member("status").as_str(), Some("success"));
    assert_eq!(member("result").as_str(), Some("<value>x</value>"));
    assert_eq!(member("allowed_operations"), WireValue::Array(Vec::new()));
    assert_eq!(member("current_operations"), WireValue::Struct(Vec::new()));
    assert_ne!(
        member("finished"),
        WireValue::DateTime("19700101T00:00:00Z".to_owned())
    );
    let row = leader.db().get(own).cloned().unwrap();
    assert_eq!(row.get(task::PROGRESS).as_float(), 1.0);
    // It has left pending: later words are not heard.
    leader
        .ok("task.set_status", &[own.into(), "failure".into()])
        .await;
    leader
        .ok("task.set_progress", &[own.into(), Value::Float(0.5)])
        .await;
    leader.ok("task.cancel", &[own.into()]).await;
    assert_eq!(text(&leader, own, task::STATUS), "success");
    let bad = leader
        .refused("task.set_progress", &[own.into(), Value::Float(7.0)])
        .await;
    assert_eq!(bad[..2], ["INVALID_VALUE", "value"]);
}

#[tokio::test]
async fn marks_on_a_task_do_not_tell_sessions() {
    let leader = Leader::new().await;
    let own = task_in(&leader, &leader.session).await;
    // Somebody works on it: it ends when they notice.
    leader.set(own, task::RESIDENT_ON, leader.host("one"));
    leader.ok("task.cancel", &[own.into()]).await;
    leader.ok("task.cancel", &[own.into()]).await;
    leader.ok("task.destroy", &[own.into()]).await;
    let row = leader.db().get(own).cloned().unwrap();
    let marks = row.get(task::CURRENT_OPERATIONS).as_map().unwrap().clone();
    let kinds: Vec<&str> = marks.values().map(Value::as_str).collect();
    assert_eq!(
        (kinds.len(), kinds.contains(&"cancel"), kinds.contains(&"destroy")),
        (2, true, true)
    );
    assert!(
        marks.keys().all(|k| k.as_str() != leader.session),
        "whoever knows a session can use it"
    );
}

#[tokio::test]
async fn a_call_goes_below_the_task_that_its_headers_name_and_tells_what_they_say() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let above = task_in(&leader, &leader.session).await;
    let stranger = leader.session_of("vm-operator").await;
    let call = |session: &str| {
        let params = [session.into(), guest.into(), false.into(), true.into()];
        let headers = [
            ("subtask-of", above.to_string()),
            ("x-http-other-config-origin", "script".to_owned()),
        ];
        (params, headers)
    };
    let (params, headers) = call(&leader.session);
    let made = match leader.from_afar("Async.VM.start", &params, &headers).await {
        Reply::Success(value) => value.as_str().unwrap().parse::<Ref>().unwrap(),
        Reply::Failure(error) => panic!("{:?}", error.description()),
    };
    let row = leader.db().get(made).cloned().unwrap();
    assert_eq!(row.get(task::SUBTASK_OF).as_ref(), above);
    assert_eq!(row.get(task::OTHER_CONFIG).get("http:origin"), Some("script"));
    let parent = leader.db().get(above).cloned().unwrap();
    assert_eq!(parent.get(task::SUBTASKS).as_refs(), [made]);
    // Below somebody else's task nothing is put.
    let (params, headers) = call(&stranger);
    let made = match leader.from_afar("Async.VM.start", &params, &headers).await {
        Reply::Success(value) => value.as_str().unwrap().parse::<Ref>().unwrap(),
        Reply::Failure(error) => panic!("{:?}", error.description()),
    };
    assert!(
        leader
            .db()
            .get(made)
            .unwrap()
            .get(task::SUBTASK_OF)
            .as_ref()
            .is_null()
    );
}

#[tokio::test]
async fn tasks_age_out_finished_ones_first() {
    use pool_domain::decide::task::{MOST_TASKS, TaskEnd, collect_garbage, finish};
    let leader = Leader::new().await;
    let now = pool_ops::core::now().0;
    let age = |this: Ref, field, seconds: i64| leader.set(this, field, proto_types::DateTime(now - seconds));
    let (old, fresh, waits, forgotten) = (
        task_in(&leader, &leader.session).await,
        task_in(&leader, &leader.session).await,
        task_in(&leader, &leader.session).await,
        task_in(&leader, &leader.session).await,
    );
    leader.decide(|d| {
        finish(d, old, TaskEnd::Success(String::new()));
        finish(d, fresh, TaskEnd::Success(String::new()));
        Ok(())
    });
    age(old, task::FINISHED, 66 * 60);
    age(fresh, task::FINISHED, 64 * 60);
    age(waits, task::CREATED, 23 * 3600);
    age(forgotten, task::CREATED, 25 * 3600);
    let sweep = || {
        leader.decide(|d| {
            collect_garbage(d);
            Ok(())
        });
    };
    sweep();
    let there = |this: Ref| leader.db().get(this).is_some();
    assert_eq!(
        (there(old), there(fresh), there(waits), there(forgotten)),
        (false, true, true, false)
    );
    let mut made = Vec::new();
    for _ in 0..MOST_TASKS {
        made.push(task_in(&leader, &leader.session).await);
    }
    sweep();
    assert!(!there(fresh), "the only finished one");
    assert_eq!(
        leader.db().count(task::CLASS),
        MOST_TASKS + 1,
        "pending ones are never dropped for the limit"
    );
}

#[tokio::test]
async fn what_an_earlier_master_had_accepted_and_not_begun_ends_when_the_next_one_leads() {
    use pool_domain::decide::task::end_orphans;
    use proto_types::generated::tarn_saga;
    let leader = Leader::new().await;
    let (one, two) = (leader.host("one"), leader.host("two"));
    let began = proto_types::DateTime(pool_ops::core::now().0 - 10);
    let mut made = Vec::new();
    for host in [two, two, one, one, Ref::NULL] {
        let this = task_in(&leader, &leader.session).await;
        leader.set(this, task::RESIDENT_ON, host);
        made.push(this);
    }
    let [waited, worked_on, before_the_start, accepted_here, a_clients] = made.try_into().unwrap();
    leader.decide(|d| {
        d.insert(tarn_saga::CLASS, vec![(tarn_saga::TASK, worked_on.into())]);
        Ok(())
    });
    leader.set(
        before_the_start,
        task::CREATED,
        proto_types::DateTime(began.0 - 1),
    );
    leader.decide(|d| {
        end_orphans(d, one, began);
        Ok(())
    });
    let status = |this: Ref| text(&leader, this, task::STATUS);
    for this in [waited, before_the_start] {
        assert_eq!(status(this), "failure");
        let row = leader.db().get(this).cloned().unwrap();
        assert_eq!(row.get(task::ERROR_INFO).as_set()[0].as_str(), "INTERNAL_ERROR");
    }
    for this in [worked_on, accepted_here, a_clients] {
        assert_eq!(status(this), "pending");
    }
}
