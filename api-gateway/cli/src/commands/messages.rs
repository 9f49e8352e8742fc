//! Messages about objects, and blobs that belong to them.

use proto_types::Value;

use super::Table;
use crate::context::Context;
use crate::failure::Failure;

/// The commands.
pub const TABLE: Table = &[
    ("message-create", create),
    ("message-destroy", destroy),
    ("message-destroy-all", destroy_all),
    ("blob-create", blob_create),
];

fn create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let priority = cx.params.required("priority")?.parse();
    let priority = priority.map_err(|_| Failure::cli("Priority field should be an integer"))?;
    let owners = [
        ("vm-uuid", "VM"),
        ("pool-uuid", "Pool"),
        ("sr-uuid", "SR"),
        ("host-uuid", "Host"),
    ];
    let owner = owners
        .iter()
        .find_map(|(name, class)| Some((cx.params.get(name)?, *class)));
    let Some((uuid, class)) = owner else {
        return Err(Failure::cli(
            "Need one of: vm-uuid, host-uuid, sr-uuid or pool-uuid",
        ));
    };
    let args = [
        Value::str(cx.params.required("name")?),
        Value::Int(priority),
        Value::str(class),
        Value::str(uuid),
        Value::str(cx.params.required("body")?),
    ];
    cx.client.call("message.create", &args).map(|_| ())
}

fn destroy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let uuids = match (cx.params.get("uuid"), cx.params.get("uuids")) {
        (Some(uuid), None) => vec![uuid],
        (None, Some(_)) => cx.params.list("uuids"),
        (Some(_), Some(_)) => return Err(Failure::cli("Ambiguous arguments; need one of uuid, uuids")),
        (None, None) => return Err(Failure::cli("Need one of uuid, uuids")),
    };
    let mut messages = Vec::new();
    for uuid in uuids {
        messages.push(Value::str(cx.client.by_uuid("message", uuid)?));
    }
    cx.client
        .call("message.destroy_many", &[Value::Set(messages)])
        .map(|_| ())
}

fn destroy_all(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut filters = Vec::new();
    for name in ["before", "after"] {
        if let Some(text) = cx.params.get(name) {
            let time: proto_types::DateTime = text.parse().map_err(|_| {
                Failure::cli(format!(
                    "invalid timestamp format for '{name}' (expected RFC3339, for example, 2025-01-01T00:00:00Z)"
                ))
            })?;
            filters.push((name, time.to_string()));
        }
    }
    if let Some(priority) = cx.params.get("priority") {
        let number: u32 = priority
            .parse()
            .map_err(|_| Failure::cli("Invalid priority format (expected positive integer)"))?;
        filters.push(("priority", number.to_string()));
    }
    cx.client
        .call("message.destroy_all", &[Value::string_map(filters)])
        .map(|_| ())
}

fn blob_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let owners = [
        ("vm-uuid", "VM"),
        ("pool-uuid", "pool"),
        ("sr-uuid", "SR"),
        ("host-uuid", "host"),
        ("network-uuid", "network"),
    ];
    let owner = owners
        .iter()
        .find_map(|(name, class)| Some((cx.params.get(name)?, *class)));
    let Some((uuid, class)) = owner else {
        return Err(Failure::cli(
            "Need one of: vm-uuid, host-uuid, network-uuid, sr-uuid or pool-uuid",
        ));
    };
    let args = [
        Value::str(cx.client.by_uuid(class, uuid)?),
        Value::str(cx.params.required("name")?),
        Value::str(cx.params.get("mime-type").unwrap_or_default()),
        Value::Bool(cx.params.truth("public")?),
    ];
    let blob = cx.client.text(&format!("{class}.create_new_blob"), &args)?;
    cx.print_uuid("blob", &blob)
}
