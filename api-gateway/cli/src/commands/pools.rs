//! Pools.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use super::hosts::license_server;
use crate::client::{Object, pairs, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;

/// The commands.
pub const TABLE: Table = &[
    ("pool-join", join),
    ("pool-eject", eject),
    ("pool-emergency-reset-master", reset_master),
    ("pool-emergency-transition-to-master", transition),
    ("pool-apply-edition", apply_edition),
    ("pool-disable-ssl-legacy", |_| Ok(())),
    ("pool-get-cpu-features", cpu_features),
    (
        "pool-ha-compute-hypothetical-max-host-failures-to-tolerate",
        hypothetical,
    ),
    ("pool-ha-compute-vm-failover-plan", failover_plan),
    ("pool-retrieve-wlb-recommendations", wlb),
];

fn join(cx: &mut Context<'_>) -> Result<(), Failure> {
    let args = [
        Value::str(cx.params.required("master-address")?),
        Value::str(cx.params.required("master-username")?),
        Value::str(cx.params.required("master-password")?),
    ];
    let message = if cx.params.truth("force")? {
        "pool.join_force"
    } else {
        "pool.join"
    };
    match cx.client.call(message, &args) {
        Ok(_) => {
            cx.out
                .value("Host agent will restart and attempt to join pool in 10.000 seconds...");
            Ok(())
        }
        Err(failure) if failure.code() == Some("JOINING_HOST_CONNECTION_FAILED") => {
            cx.out.list(&[
                "Host cannot contact destination host: connection refused.",
                "Check destination host has services running and accessible from this host.",
            ]);
            Ok(())
        }
        Err(other) => Err(other),
    }
}

fn eject(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = cx.client.object("host", &cx.named("host", "host-uuid")?)?;
    if !cx.params.truth("force")? {
        cx.out
            .line("WARNING: Ejecting a host from the pool will reinitialise that host's local SRs.");
        cx.out
            .line("WARNING: Any data contained with the local SRs will be lost.");
        let disks = local_disks(cx, &host)?;
        if !disks.is_empty() {
            cx.out.line("The following VDI objects will be destroyed:");
        }
        for disk in disks {
            cx.out.line(&disk);
        }
        if !cx.user_says_yes() {
            return Ok(());
        }
    }
    cx.client.call("pool.eject", &[Value::str(&host.reference)])?;
    cx.out
        .value("Specified host will attempt to restart as a master of a new pool in 10.000 seconds...");
    Ok(())
}

/// Disks that only this host can see.
fn local_disks(cx: &Context<'_>, host: &Object) -> Result<Vec<String>, Failure> {
    let mut disks = Vec::new();
    for pbd in host.texts("PBDs") {
        let sr = text_of(&cx.client.field("PBD", &pbd, "SR")?);
        let sr = cx.client.object("SR", &sr)?;
        if sr.texts("PBDs").len() > 1 {
            continue;
        }
        for vdi in sr.texts("VDIs") {
            let vdi = cx.client.object("VDI", &vdi)?;
            disks.push(format!("VDI: {} ({})", vdi.text("uuid"), vdi.text("name_label")));
        }
    }
    Ok(disks)
}

fn reset_master(cx: &mut Context<'_>) -> Result<(), Failure> {
    let address = cx.params.required("master-address")?.to_owned();
    cx.client
        .call("pool.emergency_reset_master", &[Value::str(&address)])?;
    cx.out.value(&format!(
        "Host agent will restart and become slave of {address} in 10.000 seconds..."
    ));
    Ok(())
}

fn transition(cx: &mut Context<'_>) -> Result<(), Failure> {
    let is_slave = cx.client.call("pool.is_slave", &[this_pool_host()])?;
    if is_slave != WireValue::Bool(true) && !cx.params.truth("force")? {
        cx.out
            .value("Host agent is already master. Use '--force' to execute the operation anyway.");
        return Ok(());
    }
    cx.client.call("pool.emergency_transition_to_master", &[])?;
    cx.out
        .value("Host agent will restart and transition to master in 10.000 seconds...");
    Ok(())
}

/// `pool.is_slave` takes a host that it does not look at.
fn this_pool_host() -> Value {
    Value::str(crate::client::NULL)
}

fn apply_edition(cx: &mut Context<'_>) -> Result<(), Failure> {
    let pool = match cx.named_if_given("pool", "uuid")? {
        Some(pool) => pool,
        None => cx.client.pool()?,
    };
    for host in texts(&cx.client.call("host.get_all", &[])?) {
        license_server(cx, &Value::str(host))?;
    }
    let edition = Value::str(cx.params.required("edition")?);
    cx.client
        .call("pool.apply_edition", &[Value::str(pool), edition])
        .map(|_| ())
}

fn cpu_features(cx: &mut Context<'_>) -> Result<(), Failure> {
    let pool = cx.client.pool()?;
    let mut row: Row = pairs(&cx.client.field("pool", &pool, "cpu_info")?);
    row.retain(|(key, _)| key == "features_pv_host" || key == "features_hvm_host");
    row.sort_by_key(|(key, _)| key != "features_pv_host");
    cx.out.table(&[row]);
    Ok(())
}

fn hypothetical(cx: &mut Context<'_>) -> Result<(), Failure> {
    let all = |name: &str| -> Vec<&str> {
        cx.params
            .0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    };
    let (vms, priorities) = (all("vm-uuid"), all("restart-priority"));
    if vms.len() != priorities.len() {
        return Err(Failure::cli(
            "Call requires an equal number of vm-uuid and restart-priority arguments",
        ));
    }
    let mut map = Vec::new();
    for (vm, priority) in vms.iter().zip(priorities) {
        map.push((cx.client.by_uuid("VM", vm)?, priority));
    }
    let map = Value::string_map(map.iter().map(|(vm, priority)| (vm.as_str(), *priority)));
    let most = cx.client.text(
        "pool.ha_compute_hypothetical_max_host_failures_to_tolerate",
        &[map],
    )?;
    cx.out.value(&most);
    Ok(())
}

fn called(cx: &Context<'_>, class: &'static str, reference: &str) -> String {
    let uuid = cx
        .client
        .known_uuid(class, reference)
        .unwrap_or_else(|| reference.to_owned());
    let label = cx.client.known_label(class, reference).unwrap_or_default();
    format!("{uuid} ({label})")
}

fn failover_plan(cx: &mut Context<'_>) -> Result<(), Failure> {
    let (mut hosts, mut vms) = (Vec::new(), Vec::new());
    for uuid in cx.params.list("host-uuids") {
        let host = cx.client.object("host", &cx.client.by_uuid("host", uuid)?)?;
        for vm in host.texts("resident_VMs") {
            if cx.client.field("VM", &vm, "is_control_domain")? != WireValue::Bool(true) {
                vms.push(Value::str(vm));
            }
        }
        hosts.push(Value::str(host.reference));
    }
    let args = [Value::Set(hosts), Value::Set(vms)];
    let WireValue::Struct(plan) = cx.client.call("pool.ha_compute_vm_failover_plan", &args)? else {
        return Ok(());
    };
    let mut row: Row = vec![("VM".to_owned(), "Destination Host or Error".to_owned())];
    for (vm, result) in plan {
        let result = pairs(&result);
        let value = |name: &str| {
            result
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let fate = match value("host") {
            Some(host) => called(cx, "host", &host),
            None => value("error_code").unwrap_or_else(|| "UNKNOWN".to_owned()),
        };
        row.push((called(cx, "VM", &vm), fate));
    }
    cx.out.table(&[row]);
    Ok(())
}

fn wlb(cx: &mut Context<'_>) -> Result<(), Failure> {
    let WireValue::Struct(vms) = cx.client.call("pool.retrieve_wlb_recommendations", &[])? else {
        return Ok(());
    };
    let mut row: Row = vec![("VM".to_owned(), "Host, OptID, RecID, Reason".to_owned())];
    row.extend(
        vms.iter()
            .map(|(vm, said)| (called(cx, "VM", vm), texts(said).join(" "))),
    );
    cx.out.table(&[row]);
    Ok(())
}
