//! `event-wait`: waits until some object is as asked for.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use crate::client::{Object, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::records::{self, Kind, shown};

/// The command.
pub const TABLE: Table = &[("event-wait", wait)];

/// Kinds that can be waited for.
const KINDS: &[&str] = &[
    "vm", "vdi", "sr", "host", "network", "vif", "pif", "vbd", "pbd", "pool", "task", "subject", "role",
    "secret", "vmss",
];

/// How long one question may wait, in seconds.
const PATIENCE: f64 = 30.0;

/// One condition.
struct Condition {
    field: String,
    value: String,
    equal: bool,
}

fn wait(cx: &mut Context<'_>) -> Result<(), Failure> {
    let class = cx.params.required("class")?.to_owned();
    let kind = KINDS
        .iter()
        .find(|name| **name == class)
        .and_then(|name| records::kind(name));
    let Some(kind) = kind else {
        return Err(Failure::cli(format!(
            "Cli listening for class '{class}' not currently implemented"
        )));
    };
    let conditions: Vec<Condition> = cx
        .params
        .0
        .iter()
        .filter(|(key, _)| key != "class" && !crate::command_line::STANDARD.contains(&key.as_str()))
        .map(|(key, value)| {
            let other = value.strip_prefix("/=");
            Condition {
                field: key.clone(),
                value: other.unwrap_or(value).to_owned(),
                equal: other.is_none(),
            }
        })
        .collect();
    // Without a token everything there is comes first, so that nothing can change unseen in between.
    let mut token = String::new();
    loop {
        let classes = Value::strings([kind.class]);
        let args = [classes, Value::str(&token), Value::Float(PATIENCE)];
        let answer = cx.client.call("event.from", &args)?;
        token = answer.member("token").map(text_of).unwrap_or_default();
        let Some(WireValue::Array(events)) = answer.member("events") else {
            continue;
        };
        for event in events {
            let (Some(reference), Some(record)) = (event.member("ref"), event.member("snapshot")) else {
                continue;
            };
            let object = Object {
                reference: text_of(reference),
                record: record.clone(),
            };
            if all_hold(cx, kind, &conditions, &object)? {
                return Ok(());
            }
        }
    }
}

fn all_hold(
    cx: &Context<'_>,
    kind: &'static Kind,
    conditions: &[Condition],
    object: &Object,
) -> Result<bool, Failure> {
    for condition in conditions {
        let field = kind
            .field(&condition.field)
            .ok_or_else(|| Failure::cli(format!("key missing: {}", condition.field)))?;
        // What was true of the objects that it refers to may no longer be.
        cx.client.forget_all();
        let value = shown(cx.client, kind.class, field, object)?.joined(field.commas);
        if (value == condition.value) != condition.equal {
            return Ok(false);
        }
    }
    Ok(true)
}
