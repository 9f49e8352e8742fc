//! `host-adopt`: domains that somebody else started on hosts of the pool, listed and taken over as they run.

use proto_types::Value;

use super::Table;
use crate::client::{Object, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;

/// The commands.
pub const TABLE: Table = &[("host-adopt", adopt)];

/// What a host says of a domain, in this order.
const FIELDS: [&str; 7] = [
    "uuid",
    "name-label",
    "memory",
    "VCPUs",
    "disks",
    "interfaces",
    "obstacles",
];

/// With `uuid=` it takes one over and prints the VM's uuid, which is the same; without it lists them all.
fn adopt(cx: &mut Context<'_>) -> Result<(), Failure> {
    let named = cx.named_if_given("host", "host-uuid")?;
    let hosts = match &named {
        Some(host) => vec![cx.client.object("host", host)?],
        None => cx.client.objects("host", "true")?,
    };
    let mut found: Vec<(String, Row)> = Vec::new();
    for host in &hosts {
        let domains = match list(cx, host) {
            Ok(domains) => domains,
            // The others can be asked all the same.
            Err(failure) if named.is_none() => {
                cx.out
                    .complain(&format!("{}: {failure}", host.text("name_label")));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for domain in domains {
            let mut row: Row = FIELDS.map(str::to_owned).into_iter().zip(domain).collect();
            row.push(("host".to_owned(), host.text("name_label").to_owned()));
            found.push((host.reference.clone(), row));
        }
    }
    let Some(uuid) = cx.params.get("uuid").map(str::to_owned) else {
        let rows: Vec<Row> = found.into_iter().map(|(_, row)| row).collect();
        cx.out.table(&rows);
        return Ok(());
    };
    let is_it = |row: &Row| row.first().is_some_and(|(_, value)| *value == uuid);
    let Some((host, _)) = found.iter().find(|(_, row)| is_it(row)) else {
        return Err(Failure::cli(format!(
            "No host runs a domain {uuid} that is not the pool's"
        )));
    };
    let made = plugin(cx, host, "adopt", Value::string_map([("uuid", uuid.as_str())]))?;
    cx.print_uuid("VM", &made)
}

fn list(cx: &Context<'_>, host: &Object) -> Result<Vec<Vec<String>>, Failure> {
    let lines = plugin(cx, &host.reference, "list", Value::empty_map())?;
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(lines.lines().map(fields).collect())
}

fn plugin(cx: &Context<'_>, host: &str, function: &str, args: Value) -> Result<String, Failure> {
    let args = [
        Value::str(host),
        Value::str("tarn-adopt"),
        Value::str(function),
        args,
    ];
    cx.client
        .call("host.call_plugin", &args)
        .map(|answer| text_of(&answer))
}
