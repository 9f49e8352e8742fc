//! Commands that look at why something does not work.

use proto_types::Value;

use super::Table;
use super::vms::{host_report, reason};
use crate::client::{Object, pairs, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::generated::chosen;
use crate::output::Row;
use crate::records;

/// The commands.
pub const TABLE: Table = &[
    ("diagnostic-vm-status", vm_status),
    ("diagnostic-vdi-status", vdi_status),
    ("diagnostic-license-status", license_status),
    ("diagnostic-timing-stats", timing_stats),
];

/// Prints some fields of one object.
fn show(cx: &mut Context<'_>, class: &'static str, names: &[&str], object: &Object) -> Result<(), Failure> {
    let fields = chosen(records::of_class(class), None, names);
    let rows = records::printed(cx.client, class, &fields, &[object], false)?;
    cx.out.table(&rows);
    Ok(())
}

fn vm_status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vm = cx.client.object("VM", &cx.named("VM", "uuid")?)?;
    show(
        cx,
        "VM",
        &["uuid", "name-label", "power-state", "possible-hosts"],
        &vm,
    )?;
    cx.out.value("Checking to see whether disks are attachable");
    let names = [
        "uuid",
        "userdevice",
        "device",
        "vdi-uuid",
        "empty",
        "mode",
        "type",
        "storage-lock",
        "attachable",
    ];
    for vbd in vm.texts("VBDs") {
        let vbd = cx.client.object("VBD", &vbd)?;
        show(cx, "VBD", &names, &vbd)?;
    }
    cx.out.value("Checking to see whether VM can boot on each host");
    host_report(cx, &vm.reference)?;
    let verdict = match cx.client.call("VM.assert_agile", &[Value::str(&vm.reference)]) {
        Ok(_) => "VM is agile.".to_owned(),
        Err(failure @ Failure::Api(_)) => format!("VM is not agile because: {}", reason(cx, &failure)),
        Err(other) => return Err(other),
    };
    cx.out.value(&verdict);
    Ok(())
}

fn vdi_status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = cx.client.object("VDI", &cx.named("VDI", "uuid")?)?;
    show(
        cx,
        "VDI",
        &[
            "uuid",
            "name-label",
            "sr-uuid",
            "mode",
            "read-only",
            "sharable",
            "storage-lock",
        ],
        &vdi,
    )?;
    let vbds = vdi
        .texts("VBDs")
        .iter()
        .map(|vbd| cx.client.object("VBD", vbd))
        .collect::<Result<Vec<_>, _>>()?;
    let (active, idle): (Vec<Object>, Vec<Object>) =
        vbds.into_iter().partition(|vbd| vbd.truth("currently_attached"));
    let names = [
        "uuid",
        "userdevice",
        "device",
        "empty",
        "mode",
        "type",
        "storage-lock",
    ];
    cx.out.value(if active.is_empty() {
        "no active VBDs."
    } else {
        "active VBDs:"
    });
    for vbd in &active {
        show(cx, "VBD", &names, vbd)?;
    }
    if !idle.is_empty() {
        cx.out.value("inactive VBDs:");
    }
    for vbd in &idle {
        show(cx, "VBD", &names, vbd)?;
    }
    Ok(())
}

/// What a map of restrictions leaves possible, a letter for each: small if it is not.
fn features(params: &[(String, String)]) -> String {
    let restricted = params.iter().filter(|(key, _)| key.starts_with("restrict_"));
    let letter = |(key, value): &(String, String)| {
        let first = key.trim_start_matches("restrict_").chars().next().unwrap_or('-');
        if value == "false" {
            first.to_ascii_uppercase()
        } else {
            first.to_ascii_lowercase()
        }
    };
    restricted.map(letter).collect()
}

fn license_status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut table: Vec<[String; 6]> = vec![
        ["Hostname", "UUID", "Features", "Edition", "Expiry", "Days left"].map(str::to_owned),
        ["-"; 6].map(str::to_owned),
    ];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now
        .ok()
        .and_then(|time| i64::try_from(time.as_secs()).ok())
        .unwrap_or(0);
    let mut hosts = Vec::new();
    for host in cx.client.objects("host", "true")? {
        let params = host.map("license_params");
        let expiry = params
            .iter()
            .find(|(key, _)| key == "expiry")
            .map(|(_, value)| value.as_str());
        let expiry: Option<proto_types::DateTime> = expiry.and_then(|text| text.parse().ok());
        let expiry = expiry.unwrap_or(proto_types::DateTime::EPOCH);
        // Whole tenths of days, since that is what is shown.
        let tenths = expiry.0.saturating_sub(now).div_euclid(8640);
        let row = [
            host.text("hostname").to_owned(),
            host.text("uuid").chars().take(8).collect(),
            features(&params),
            host.text("edition").to_owned(),
            expiry.to_string(),
            format!("{}.{}", tenths.div_euclid(10), tenths.rem_euclid(10)),
        ];
        hosts.push((expiry, row));
    }
    hosts.sort();
    table.extend(hosts.into_iter().map(|(_, row)| row));
    let pool = cx.client.object("pool", &cx.client.pool()?)?;
    table.push(["-"; 6].map(str::to_owned));
    let mut last = ["-"; 6].map(str::to_owned);
    last[2] = features(&pool.map("restrictions"));
    table.push(last);
    for line in columns(&table) {
        cx.out.remark(&line);
    }
    Ok(())
}

/// Rows with every column as wide as its widest cell.
fn columns(table: &[[String; 6]]) -> Vec<String> {
    let mut widths = [0; 6];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join(" ")
    };
    table.iter().map(line).collect()
}

fn timing_stats(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut rows: Vec<Row> = Vec::new();
    for host in texts(&cx.client.call("host.get_all", &[])?) {
        let object = cx.client.object("host", &host)?;
        let mut row: Row = vec![
            ("host-uuid".to_owned(), object.text("uuid").to_owned()),
            ("host-name-label".to_owned(), object.text("name_label").to_owned()),
        ];
        match cx
            .client
            .call("host.get_diagnostic_timing_stats", &[Value::str(host)])
        {
            Ok(stats) => row.extend(pairs(&stats)),
            Err(Failure::Api(error)) => row.push(("Error".to_owned(), error.code.to_string())),
            Err(other) => return Err(other),
        }
        row.sort();
        rows.push(row);
    }
    cx.out.table(&rows);
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn restrictions_are_letters() {
        let params = [
            ("restrict_pooling", "false"),
            ("restrict_vlan", "true"),
            ("expiry", "x"),
        ];
        let params: Vec<_> = params
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(features(&params), "Pv");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str| [a, "b", "c", "d", "e", "f"].map(str::to_owned);
        assert_eq!(
            columns(&[row("a"), row("aaa")]),
            ["a   b c d e f", "aaa b c d e f"]
        );
    }
}
