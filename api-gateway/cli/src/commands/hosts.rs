//! Hosts.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use crate::client::{Object, pairs, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::generated::chosen;
use crate::output::Row;
use crate::records;
use crate::select::{self, Several, What};
use crate::simple::this_host;

/// The commands.
pub const TABLE: Table = &[
    ("host-enable", enable),
    ("host-forget", |cx| careful(cx, "host.destroy", FORGET)),
    ("host-declare-dead", |cx| careful(cx, "host.declare_dead", DEAD)),
    ("host-all-editions", editions),
    ("host-apply-edition", apply_edition),
    ("host-bugreport-upload", bugreport),
    ("host-crashdump-upload", crashdump),
    ("host-cpu-info", |cx| cpu(cx, &[])),
    ("host-get-cpu-features", |cx| cpu(cx, FEATURES)),
    ("host-enable-external-auth", external_auth_on),
    ("host-disable-external-auth", external_auth_off),
    ("host-get-vms-which-prevent-evacuation", preventing),
    ("host-retrieve-wlb-evacuate-recommendations", wlb),
    ("host-ha-xapi-healthcheck", healthcheck),
    ("host-license-remove", license_remove),
    ("host-license-view", license_view),
    ("hostdriver-select", select_driver),
    ("update-apply", |cx| update(cx, "pool_update.apply")),
    ("update-precheck", |cx| update(cx, "pool_update.precheck")),
    ("vm-retrieve-wlb-recommendations", wlb_of_vm),
];

const FORGET: &[&str] = &[
    "WARNING: A host should only be forgotten if it is physically unrecoverable;",
    "WARNING: if possible, Hosts should be 'ejected' from the Pool instead.",
    "WARNING: Once a host has been forgotten it will have to be re-installed.",
    "WARNING: This operation is irreversible.",
];

const DEAD: &[&str] = &[
    "WARNING: A host should only be declared dead if it is verified offline.",
    "WARNING: Performing this operation if the host is still online and has any",
    "WARNING: running VMs may lead to possible data loss and/or corruption.",
];

/// Keys of `cpu_info` that hold features.
const FEATURES: &[&str] = &[
    "features_pv",
    "features_hvm",
    "features_pv_host",
    "features_hvm_host",
];

fn enable(cx: &mut Context<'_>) -> Result<(), Failure> {
    select::each(cx, What::Hosts, Several::IfTold, &[], |cx, host| {
        let this = Value::str(&host.reference);
        // What XenCenter sets in maintenance, and would else act upon.
        let args = [this.clone(), Value::str("MAINTENANCE_MODE")];
        cx.client.call("host.remove_from_other_config", &args)?;
        cx.client.call("host.enable", &[this])
    })?;
    Ok(())
}

fn careful(cx: &mut Context<'_>, message: &str, warnings: &[&str]) -> Result<(), Failure> {
    let host = cx.named("host", "uuid")?;
    if !cx.params.truth("force")? {
        for warning in warnings {
            cx.out.line(warning);
        }
        if !cx.user_says_yes() {
            return Ok(());
        }
    }
    cx.client.call(message, &[Value::str(host)]).map(|_| ())
}

/// The host of a parameter, or else the one that the session is with.
fn one(cx: &Context<'_>, parameter: &str) -> Result<Value, Failure> {
    match cx.named_if_given("host", parameter)? {
        Some(host) => Ok(Value::str(host)),
        None => this_host(cx),
    }
}

fn editions(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = this_host(cx)?;
    let editions = texts(&cx.client.call("host.get_editions", &[host])?);
    cx.out.list(&editions);
    Ok(())
}

fn apply_edition(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = one(cx, "host-uuid")?;
    license_server(cx, &host)?;
    let edition = Value::str(cx.params.required("edition")?);
    cx.client
        .call("host.apply_edition", &[host, edition, Value::Bool(false)])
        .map(|_| ())
}

/// Notes where a host gets its licence from, if that was given.
///
/// # Errors
/// When the port is none, and what the API refuses.
pub fn license_server(cx: &mut Context<'_>, host: &Value) -> Result<(), Failure> {
    for (parameter, key) in [
        ("license-server-address", "address"),
        ("license-server-port", "port"),
    ] {
        let Some(value) = cx.params.get(parameter) else {
            continue;
        };
        if key == "port" && value.parse::<u16>().is_err() {
            cx.out
                .complain("NOTE: The given port number is invalid; reverting to the current value.");
            continue;
        }
        cx.client.call(
            "host.remove_from_license_server",
            &[host.clone(), Value::str(key)],
        )?;
        let args = [host.clone(), Value::str(key), Value::str(value)];
        cx.client.call("host.add_to_license_server", &args)?;
    }
    Ok(())
}

/// Everything typed but a few names, as options.
fn others(cx: &Context<'_>, known: &[&str]) -> Value {
    let typed = cx
        .params
        .0
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()));
    Value::string_map(typed.map(|(key, value)| (key.as_str(), value.as_str())))
}

fn bugreport(cx: &mut Context<'_>) -> Result<(), Failure> {
    let url = Value::str(cx.params.get("url").unwrap_or_default());
    let options = others(cx, &["host", "url"]);
    select::each(
        cx,
        What::Hosts,
        Several::IfTold,
        &["url", "http_proxy"],
        |cx, host| {
            let args = [Value::str(&host.reference), url.clone(), options.clone()];
            cx.client.call("host.bugreport_upload", &args)
        },
    )?;
    Ok(())
}

fn crashdump(cx: &mut Context<'_>) -> Result<(), Failure> {
    let args = [
        Value::str(cx.named("host_crashdump", "uuid")?),
        Value::str(cx.params.get("url").unwrap_or_default()),
        others(cx, &["uuid", "url"]),
    ];
    cx.client.call("host_crashdump.upload", &args).map(|_| ())
}

fn cpu(cx: &mut Context<'_>, keys: &[&str]) -> Result<(), Failure> {
    let host = one(cx, "uuid")?;
    let mut row: Row = pairs(&cx.client.call("host.get_cpu_info", &[host])?);
    if !keys.is_empty() {
        row.retain(|(key, _)| keys.contains(&key.as_str()));
        row.sort_by_key(|(key, _)| keys.iter().position(|known| known == key));
    }
    cx.out.table(&[row]);
    Ok(())
}

/// These settings of one host alone undo the pool's; they are for a host that is cut off.
fn only_by_force(cx: &Context<'_>) -> Result<(), Failure> {
    if cx.params.has("force") {
        return Ok(());
    }
    Err(Failure::cli(
        "This operation is provided only to recover individual hosts that are unable to access the external \
         authentication service. This operation must be forced (use --force).",
    ))
}

fn config(cx: &Context<'_>) -> Value {
    let pairs = cx.params.map("config");
    Value::string_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

fn external_auth_on(cx: &mut Context<'_>) -> Result<(), Failure> {
    only_by_force(cx)?;
    let args = [
        Value::str(cx.named("host", "host-uuid")?),
        config(cx),
        Value::str(cx.params.required("service-name")?),
        Value::str(cx.params.required("auth-type")?),
    ];
    cx.client.call("host.enable_external_auth", &args).map(|_| ())
}

fn external_auth_off(cx: &mut Context<'_>) -> Result<(), Failure> {
    only_by_force(cx)?;
    let args = [
        Value::str(cx.named("host", "host-uuid")?),
        config(cx),
        Value::Bool(true),
    ];
    cx.client.call("host.disable_external_auth", &args).map(|_| ())
}

fn preventing(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = cx.named("host", "uuid")?;
    let answer = cx
        .client
        .call("host.get_vms_which_prevent_evacuation", &[Value::str(host)])?;
    let WireValue::Struct(vms) = answer else {
        return Ok(());
    };
    let asked = cx.params.get("params");
    let fields = chosen(records::of_class("VM"), asked, &["uuid", "name-label"]);
    let with_reason = asked.is_none_or(|names| names == "all" || names.split(',').any(|n| n == "reason"));
    for (reference, error) in vms {
        let vm: Object = cx.client.object("VM", &reference)?;
        let mut rows = records::printed(cx.client, "VM", &fields, &[&vm], false)?;
        if let (Some(row), true) = (rows.first_mut(), with_reason) {
            row.push(("reason ( RO)".to_owned(), texts(&error).join(",")));
        }
        cx.out.table(&rows);
    }
    Ok(())
}

/// Uuid and name of an object in one text.
fn called(cx: &Context<'_>, class: &'static str, reference: &str) -> String {
    let uuid = cx
        .client
        .known_uuid(class, reference)
        .unwrap_or_else(|| reference.to_owned());
    let label = cx.client.known_label(class, reference).unwrap_or_default();
    format!("{uuid} ({label})")
}

fn wlb(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = cx.named("host", "uuid")?;
    let answer = cx
        .client
        .call("host.retrieve_wlb_evacuate_recommendations", &[Value::str(host)])?;
    let WireValue::Struct(vms) = answer else {
        return Ok(());
    };
    let mut row: Row = vec![("VM".to_owned(), "[Host, RecID] / Error".to_owned())];
    row.extend(
        vms.iter()
            .map(|(vm, said)| (called(cx, "VM", vm), texts(said).join(" "))),
    );
    cx.out.table(&[row]);
    Ok(())
}

fn wlb_of_vm(cx: &mut Context<'_>) -> Result<(), Failure> {
    let what = What::Vms(select::Also::Nothing);
    select::each(cx, what, Several::Never, &[], |cx, vm| {
        let answer = cx
            .client
            .call("VM.retrieve_wlb_recommendations", &[Value::str(&vm.reference)])?;
        let WireValue::Struct(hosts) = answer else {
            return Ok(());
        };
        let mut row: Row = vec![(
            "Host(Uuid)".to_owned(),
            "Stars, RecID, ZeroScoreReason".to_owned(),
        )];
        for (host, said) in &hosts {
            let label = cx.client.known_label("host", host).unwrap_or_default();
            let uuid = cx.client.known_uuid("host", host).unwrap_or_default();
            row.push((format!("{label}({uuid})"), texts(said).join(" ")));
        }
        cx.out.table(&[row]);
        Ok(())
    })?;
    Ok(())
}

/// Its exit codes are asked for by watchdogs: 2 for a bad answer, 3 for none.
fn healthcheck(cx: &mut Context<'_>) -> Result<(), Failure> {
    match cx.client.call("host.ha_xapi_healthcheck", &[]) {
        Ok(WireValue::Bool(true)) => {
            cx.out.line("xapi is healthy.");
            Ok(())
        }
        Ok(_) => {
            cx.out.complain("Host.ha_xapi_healthcheck reports false");
            Err(Failure::Exit(2))
        }
        Err(failure) => {
            cx.out
                .complain(&format!("Host.ha_xapi_healthcheck threw exception: {failure}"));
            Err(Failure::Exit(3))
        }
    }
}

fn license_remove(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = one(cx, "host-uuid")?;
    cx.client.call("host.license_remove", &[host]).map(|_| ())
}

fn license_view(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = one(cx, "host-uuid")?;
    let mut row: Row = pairs(&cx.client.call("host.get_license_params", &[host])?);
    row.retain(|(key, _)| key != "sku_type");
    cx.out.table(&[row]);
    Ok(())
}

fn select_driver(cx: &mut Context<'_>) -> Result<(), Failure> {
    let driver = cx
        .client
        .object("Host_driver", &cx.named("Host_driver", "uuid")?)?;
    let name = cx.params.required("variant-name")?;
    for variant in driver.texts("variants") {
        if cx
            .client
            .field("Driver_variant", &variant, "name")
            .map(|n| text_of(&n))?
            == name
        {
            let args = [Value::str(&driver.reference), Value::str(variant)];
            return cx.client.call("Host_driver.select", &args).map(|_| ());
        }
    }
    Err(Failure::cli(format!(
        "{name} does not identify a variant of the driver"
    )))
}

fn update(cx: &mut Context<'_>, message: &str) -> Result<(), Failure> {
    let update = Value::str(cx.named("pool_update", "uuid")?);
    select::each(cx, What::Hosts, Several::IfTold, &["uuid"], |cx, host| {
        let answer = cx
            .client
            .call(message, &[update.clone(), Value::str(&host.reference)])?;
        let said = text_of(&answer);
        if !said.is_empty() {
            cx.out.value(&said);
        }
        Ok(())
    })?;
    Ok(())
}
