//! Tables over all messages of the data model, so that none is forgotten: wrong counts, wrong types, objects that are not
//! there or of another class, roles that do not suffice.

use std::sync::Arc;

use gateway_codec::Outcome as Reply;
use gateway_server::handlers::is_built;
use proto_types::generated::MESSAGES;
use proto_types::generated::permissions::ROLES;
use proto_types::rbac;
use proto_types::schema::{Default, MessageDef, MessageKind, Role, Type};
use proto_types::{ClassId, Ref, Value};
use uuid::Uuid;

use super::leader::Leader;

fn messages() -> impl Iterator<Item = &'static MessageDef> {
    MESSAGES.iter().copied().filter(|m| !m.removed)
}

fn dead() -> Ref {
    Ref::from_uuid(Uuid::from_u128(0xdead))
}

/// Arguments that say least; references are dead.
fn arguments(message: &MessageDef) -> Vec<Value> {
    let zero = |ty: &Type| match ty {
        Type::Ref(_) => dead().into(),
        Type::Record(class) => record(class),
        ty => ty.zero(),
    };
    message.params.iter().map(|p| zero(&p.ty)).collect()
}

/// A record with every field that a client may give.
fn record(class: &str) -> Value {
    let fields = ClassId::by_name(class).into_iter().flat_map(|c| c.def().fields);
    let given = fields.filter(|f| !f.internal);
    Value::Record(given.map(|f| (Arc::from(f.name), f.ty.zero())).collect())
}

/// With the session in front where the message takes one.
fn with_session(leader: &Leader, message: &MessageDef, arguments: Vec<Value>) -> Vec<Value> {
    let session = (!message.no_session).then(|| Value::str(&leader.session));
    session.into_iter().chain(arguments).collect()
}

async fn refusal(leader: &Leader, message: &MessageDef, arguments: Vec<Value>) -> Vec<String> {
    let params = with_session(leader, message, arguments);
    match leader.bare(message.full_name, &params).await {
        Reply::Failure(error) => error.description(),
        Reply::Success(value) => vec![format!("succeeded: {value:?}")],
    }
}

fn required(message: &MessageDef) -> usize {
    message
        .params
        .iter()
        .filter(|p| matches!(p.default, Default::None))
        .count()
}

#[tokio::test]
async fn wrong_counts_of_parameters_are_told_with_both_numbers() {
    let leader = Leader::new().await;
    let (mut count, mut wrong) = (0, Vec::new());
    for message in messages() {
        let (all, least) = (message.params.len(), required(message));
        let expected = |given: usize| {
            vec![
                "MESSAGE_PARAMETER_COUNT_MISMATCH".to_owned(),
                message.full_name.to_owned(),
                all.to_string(),
                given.to_string(),
            ]
        };
        let mut cases = Vec::new();
        // One that takes nothing but a session, sent without any, has no session.
        if least > 0 {
            cases.push(least - 1);
        }
        // Surplus ones are ignored where some may be left out.
        if least == all {
            cases.push(all + 1);
        }
        for given in cases {
            let mut params = arguments(message);
            params.resize(given, Value::str(""));
            let found = refusal(&leader, message, params).await;
            if found != expected(given) {
                wrong.push((message.full_name, given, found));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 2000, "only {count} calls were tried");
}

/// A value that no client may send for a type.
fn unfit(ty: &Type) -> Value {
    match ty {
        Type::Enum(_) => Value::str("no such member"),
        Type::Set(_) | Type::Map(..) | Type::Record(_) => Value::str("text"),
        Type::Bool | Type::DateTime | Type::Int | Type::Float => Value::str("?"),
        Type::Void | Type::String | Type::Ref(_) => Value::Set(vec![Value::str("a")]),
        Type::Option(inner) => unfit(inner),
    }
}

#[tokio::test]
async fn values_of_wrong_types_are_internal_errors_before_anything_is_looked_at() {
    let leader = Leader::new().await;
    let (mut count, mut wrong) = (0, Vec::new());
    for message in messages() {
        for (at, param) in message.params.iter().enumerate() {
            let mut params = arguments(message);
            params[at] = unfit(&param.ty);
            let found = refusal(&leader, message, params).await;
            let names_the_member =
                !matches!(param.ty, Type::Enum(_)) || found.join(" ").contains("no such member");
            if found[0] != "INTERNAL_ERROR" || found.len() != 2 || !names_the_member {
                wrong.push((message.full_name, param.name, found));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 2500, "only {count} calls were tried");
}

/// Messages that look at something else first, or at nothing: a withdrawn one refuses whatever it is asked, a host knows
/// without asking whether it leads, and hosts know one another by certificates.
const OTHERWISE: &[(&str, &str)] = &[
    ("SR.make", "MESSAGE_DEPRECATED"),
    ("VDI.force_unlock", "MESSAGE_DEPRECATED"),
    ("pool.is_slave", "succeeded: Bool(false)"),
    ("session.slave_login", "SESSION_AUTHENTICATION_FAILED"),
];

#[tokio::test]
async fn a_dead_reference_or_one_of_another_class_is_named_with_the_class_that_was_wanted() {
    let leader = Leader::new().await;
    let host = leader.host("one");
    let guest = leader.vm().await;
    let (mut count, mut wrong) = (0, Vec::new());
    for message in messages().filter(|m| !m.pool_only && is_built(m)) {
        let Some(Type::Ref(class)) = message.params.first().map(|p| p.ty) else {
            continue;
        };
        // What is optional among other references is left out.
        let null = |value: Value| match value {
            Value::Ref(_) => Ref::NULL.into(),
            value => value,
        };
        for this in [dead(), if class == "host" { guest } else { host }] {
            let mut params: Vec<Value> = arguments(message).into_iter().map(null).collect();
            params[0] = this.into();
            let found = refusal(&leader, message, params).await;
            let expected = ["HANDLE_INVALID".to_owned(), class.to_owned(), this.to_string()];
            if found != expected && !OTHERWISE.contains(&(message.full_name, found[0].as_str())) {
                wrong.push((message.full_name, found));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 2800, "only {count} calls were tried");
}

/// Obstacles that are found before it is said that the rest is not built.
const FIRST: &[(&str, &str)] = &[
    ("VUSB.create", "USB_GROUP_CONTAINS_NO_PUSBS"),
    ("pool.configure_repository_proxy", "INVALID_REPOSITORY_PROXY_URL"),
    ("pool.sync_updates", "NO_REPOSITORY_ENABLED"),
];

/// Arguments that are about objects which are there; dead ones where the pool has none of the class.
fn of_what_is_there(leader: &Leader, message: &MessageDef) -> Vec<Value> {
    let db = leader.db();
    let first = |class: &str| {
        let class = ClassId::by_name(class)?;
        db.rows(class).next().map(|row| row.reference)
    };
    let params = message.params.iter().zip(arguments(message));
    params
        .map(|(param, least)| match &param.ty {
            Type::Ref(class) => first(class).map_or(least, Value::from),
            Type::Bool => true.into(),
            _ => least,
        })
        .collect()
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let leader = Leader::new().await;
    leader.running().await;
    leader.ok("PUSB.scan", &[leader.host("one").into()]).await;
    leader.ok("USB_group.create", &["empty".into()]).await;
    let (mut unbuilt, mut nothing_there, mut wrong) = (0, Vec::new(), Vec::new());
    for message in messages().filter(|m| !m.pool_only && !is_built(m)) {
        let found = refusal(&leader, message, of_what_is_there(&leader, message)).await;
        let code = found[0].as_str();
        // Only where the pool has no object of the class may the reference be the first obstacle.
        let lacks = |class: &str| ClassId::by_name(class).is_none_or(|c| leader.db().count(c) == 0);
        match code {
            "NOT_IMPLEMENTED" if found[1..] == [message.full_name.to_owned()] => unbuilt += 1,
            "HANDLE_INVALID" if lacks(&found[1]) => nothing_there.push(message.full_name),
            code if FIRST.contains(&(message.full_name, code)) => {}
            _ => wrong.push((message.full_name, found)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        unbuilt > 120 && nothing_there.len() < 40,
        "{unbuilt} say that they are not built; of these there is nothing: {nothing_there:?}"
    );
}

/// Hosts of this pool speak otherwise with one another, so that nobody may send what XenServer's hosts send.
#[tokio::test]
async fn calls_between_hosts_are_refused_to_everyone() {
    let leader = Leader::new().await;
    let (mut count, mut wrong) = (0, Vec::new());
    for message in messages().filter(|m| m.pool_only) {
        let found = refusal(&leader, message, of_what_is_there(&leader, message)).await;
        let expected = ["INTERNAL_ERROR", "this call is for hosts of the pool only"];
        if found != expected {
            wrong.push((message.full_name, found));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 40, "only {count} calls were tried");
}

/// What comes of a call over the network.
async fn answer_to(leader: &Leader, session: &str, message: &MessageDef, params: &[Value]) -> Vec<String> {
    let params: Vec<Value> = std::iter::once(session.into())
        .chain(params.iter().cloned())
        .collect();
    match leader.from_afar(message.full_name, &params, &[]).await {
        Reply::Failure(error) => error.description(),
        Reply::Success(value) => vec![format!("succeeded: {value:?}")],
    }
}

/// Each message is refused to the highest role that has it not, and let through to the lowest that has.
#[tokio::test]
async fn a_role_that_does_not_suffice_is_refused_every_message_above_it() {
    let leader = Leader::new().await;
    let mut sessions = Vec::new();
    // Lowest first.
    for def in ROLES.iter().rev().filter(|r| !r.internal) {
        sessions.push((def.role, leader.session_of(def.name).await));
    }
    let (mut refused, mut passed, mut wrong) = (0, 0, Vec::new());
    for message in messages().filter(|m| !m.no_session) {
        let params = arguments(message);
        let below = sessions
            .iter()
            .rev()
            .find(|(role, _)| !rbac::permits(*role, message));
        // Where the key decides, the least role is that of no key in particular.
        if let Some((role, session)) = below {
            let found = answer_to(&leader, session, message, &params).await;
            let expected = [
                "RBAC_PERMISSION_DENIED".to_owned(),
                message.full_name.to_ascii_lowercase(),
                "No permission in user session".to_owned(),
            ];
            if found != expected {
                wrong.push((message.full_name, *role, found));
            }
            refused += 1;
        }
        // Nothing is there to be done to a dead object.
        let harmless = matches!(message.params.first().map(|p| p.ty), Some(Type::Ref(_)));
        let lowest = sessions.iter().find(|(role, _)| rbac::permits(*role, message));
        if let Some((role, session)) = lowest.filter(|_| harmless) {
            let found = answer_to(&leader, session, message, &params).await;
            if found[0] == "RBAC_PERMISSION_DENIED" {
                wrong.push((message.full_name, *role, found));
            }
            passed += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        refused > 800 && passed > 1500,
        "{refused} refused, {passed} passed"
    );
}

#[tokio::test]
async fn guarded_keys_of_maps_have_roles_of_their_own() {
    let leader = Leader::new().await;
    let mut sessions = Vec::new();
    for def in ROLES.iter().rev().filter(|r| !r.internal) {
        sessions.push((def.role, leader.session_of(def.name).await));
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for message in messages().filter(|m| rbac::takes_key(m) && !m.no_session) {
        for (pattern, least) in message.key_roles {
            let key = pattern.replace('*', "x");
            for (role, session) in &sessions {
                let mut params = arguments(message);
                params[1] = Value::str(&key);
                let found = answer_to(&leader, session, message, &params).await;
                let permission = format!(
                    "{}/key:{}",
                    message.full_name.to_ascii_lowercase(),
                    pattern.to_ascii_lowercase()
                );
                let is_refused = found[0] == "RBAC_PERMISSION_DENIED";
                if is_refused != (role < least) || (is_refused && found[1] != permission) {
                    wrong.push((message.full_name, key.clone(), *role, found));
                }
                count += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 200, "only {count} calls were tried");
    // The key is what decides: the same message with another key needs the map's own role.
    let add = messages()
        .find(|m| m.full_name == "VM.add_to_other_config")
        .unwrap();
    assert!(matches!(add.kind, MessageKind::Custom | MessageKind::AddTo(_)));
    assert!(
        rbac::permits_key(Role::VmOperator, add, "folder") && !rbac::permits_key(Role::VmOperator, add, "x")
    );
}
