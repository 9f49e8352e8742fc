//! What lines tell and what they never do.

use std::time::Duration;

use pool_domain::{Draft, Facts};
use proto_types::generated::{self, secret, vm};
use proto_types::schema::MessageId;
use proto_types::{Args, DateTime};

use super::*;

fn message(name: &str) -> &'static MessageDef {
    generated::find(name).map(MessageId::def).unwrap()
}

fn line(note: &Note, end: &End) -> String {
    note.line(Duration::from_millis(1_000_123), "a|host", end, 0)
}

fn caller() -> Caller {
    Caller {
        user: "o'neill\n".to_owned(),
        sid: "local:o'neill".to_owned(),
        ..Caller::default()
    }
}

#[test]
fn objects_are_told_and_nothing_ends_a_quotation_or_a_line() {
    let mut db = Database::default();
    let facts = Facts::counting(DateTime(1));
    let mut draft = Draft::new(&db, &facts);
    let made = draft.insert(vm::CLASS, vec![(vm::NAME_LABEL, "we'b\r\n".into())]);
    let transaction = draft.finish(facts.uuid(), pool_domain::transaction::Origin::default());
    pool_domain::apply::apply(&mut db, 1, &transaction);
    let args = Args(vec![made.into(), false.into(), true.into()]);
    let peer = Peer::Address([192, 0, 2, 7].into());
    let note = Note::of_call(&db, &caller(), peer, message("VM.start"), &args, "Async.VM.start");
    let text = line(&note, &End::Accepted);
    let uuid = db.get(made).unwrap().uuid();
    assert_eq!(
        text,
        format!(
            "[19700101T00:16:40.123Z|info|a/host|192.0.2.7||audit] ('trackid={}' 'local:o\\'neill' 'o\\'neill\\n' \
             'ALLOWED' 'ACCEPTED' 'API' 'Async.VM.start' (('vm' 'we\\'b\\r\\n' '{uuid}' '{made}') \
             ('start_paused' 'false' '' '') ('force' 'true' '' '')))\n",
            access::track(Ref::NULL)
        )
    );
}

#[test]
fn secrets_are_never_told() {
    let db = Database::default();
    let texts = ["hunter2", "hunter3", "1.0", "hunter4"];
    let told = |name: &str, args: Vec<Value>| {
        let note = Note::of_call(&db, &caller(), Peer::Local, message(name), &Args(args), name);
        line(
            &note,
            &End::of_error(&ApiError::new("INVALID_VALUE", ["x", "hunter5"])),
        )
    };
    let lines = [
        told(
            "session.login_with_password",
            vec!["eve".into(), "hunter2".into(), "1.0".into(), "hunter4".into()],
        ),
        told(
            "session.change_password",
            vec!["hunter2".into(), "hunter3".into()],
        ),
        told("secret.set_value", vec![Ref::NULL.into(), "hunter2".into()]),
        told(
            "pool.join",
            vec!["192.0.2.1".into(), "root".into(), "hunter2".into()],
        ),
        told(
            "SR.add_to_sm_config",
            vec![Ref::NULL.into(), "chappassword".into(), "hunter2".into()],
        ),
        told(
            "secret.create",
            vec![Value::Record(vec![("value".into(), "hunter2".into())])],
        ),
    ];
    for text in &lines {
        assert!(!text.contains("hunter"), "{text}");
    }
    assert!(
        lines[0].contains("'eve'") && !lines[0].contains(texts[3]),
        "{}",
        lines[0]
    );
    assert!(lines[4].contains("chappassword"), "the key is told: {}", lines[4]);
    assert_eq!(secret::CLASS.name(), "secret");
}

/// Each parameter whose text would be told, over all messages: none may be one that holds a secret.
#[test]
fn no_parameter_of_any_message_that_may_hold_a_secret_is_told() {
    let suspicious = [
        "pass", "pwd", "secret", "token", "key", "value", "config", "contents", "cert", "blob", "args",
    ];
    for message in generated::MESSAGES.iter().filter(|m| is_told(m) && !m.secret) {
        for param in message
            .params
            .iter()
            .filter(|p| PLAIN.contains(&p.name) && p.ty == Type::String)
        {
            let allowed = param.name == "key" && message.params.len() <= 3;
            assert!(
                allowed
                    || !suspicious
                        .iter()
                        .any(|word| param.name.to_ascii_lowercase().contains(word)),
                "{}({})",
                message.full_name,
                param.name
            );
        }
    }
}

#[test]
fn what_only_asks_is_not_told() {
    for name in [
        "VM.get_record",
        "event.from",
        "host.get_servertime",
        "VM.assert_can_boot_here",
        "SR.probe",
    ] {
        assert!(!is_told(message(name)), "{name}");
    }
    for name in [
        "VM.start",
        "VM.set_name_label",
        "subject.add_to_roles",
        "session.login_with_password",
        "SR.scan",
    ] {
        assert!(is_told(message(name)), "{name}");
    }
}

#[test]
fn strangers_do_not_push_out_what_known_callers_did() {
    let strangers = Strangers::default();
    let passed = (0..1000)
        .filter(|_| strangers.pass(Duration::from_secs(60)).is_some())
        .count();
    assert_eq!(passed, 60);
    assert_eq!(strangers.pass(Duration::from_secs(120)), Some(940));
}
