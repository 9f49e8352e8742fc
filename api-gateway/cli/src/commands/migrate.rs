//! `vm-migrate`: to another host of the pool, or with its disks to another pool.

use proto_types::Value;

use super::Table;
use crate::client::{Client, Login, NULL, Object};
use crate::context::Context;
use crate::failure::Failure;
use crate::options::Options;
use crate::select::{self, Also, Several, What};
use crate::tasks;
use crate::transport::Peer;

/// The command.
pub const TABLE: Table = &[("vm-migrate", migrate)];

/// Parameters that mean: with its disks.
const WITH_DISKS: &[&str] = &[
    "remote-master",
    "remote-username",
    "remote-password",
    "remote-network",
    "vif",
    "vdi",
    "vgpu",
];

/// Everything that selects no VM.
const OWN: &[&str] = &[
    "host",
    "host-uuid",
    "host-name",
    "live",
    "force",
    "copy",
    "compress",
    "max-downtime-ms",
    "deadline-s",
    "progress",
    "image-format",
    "remote-master",
    "remote-username",
    "remote-password",
    "remote-network",
    "vif",
    "vdi",
    "vgpu",
];

fn migrate(cx: &mut Context<'_>) -> Result<(), Failure> {
    let with_disks = cx
        .params
        .0
        .iter()
        .any(|(key, _)| WITH_DISKS.iter().any(|name| key.starts_with(name)));
    if with_disks {
        to_another_pool(cx)
    } else {
        within_pool(cx)
    }
}

fn destination<'a>(cx: &Context<'a>) -> Option<&'a str> {
    ["host", "host-uuid", "host-name"]
        .iter()
        .find_map(|name| cx.params.get(name))
}

fn options(cx: &Context<'_>) -> Result<Value, Failure> {
    let mut options = Vec::new();
    if let Some(compress) = cx.params.get("compress") {
        options.push(("compress", compress.to_owned()));
    }
    // The contract; this pool's own.
    for (parameter, option) in [
        ("max-downtime-ms", "max_downtime_ms"),
        ("deadline-s", "deadline_s"),
    ] {
        if let Some(value) = cx.params.get(parameter) {
            options.push((option, value.to_owned()));
        }
    }
    for name in ["force", "live", "copy"] {
        options.push((name, cx.params.truth(name)?.to_string()));
    }
    Ok(Value::string_map(options))
}

fn within_pool(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = destination(cx).ok_or_else(|| Failure::cli("No destination host specified"))?;
    let host = Value::str(select::host(cx.client, name)?);
    let options = options(cx)?;
    select::each(cx, What::Vms(Also::Control), Several::IfTold, OWN, |cx, vm| {
        let args = [Value::str(&vm.reference), host.clone(), options.clone()];
        tasks::run(cx, "VM.pool_migrate", &args)
    })?;
    Ok(())
}

fn to_another_pool(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.out
        .remark("Performing a storage live migration. Your VM's VDIs will be migrated with the VM.");
    let given = |name| cx.params.get(name);
    let (Some(address), Some(user), Some(password)) = (
        given("remote-master"),
        given("remote-username"),
        given("remote-password"),
    ) else {
        return Err(Failure::cli(
            "Storage live migration requires remote-master, remote-username, and remote-password to be specified. \
             Please see 'xe help vm-migrate' for help.",
        ));
    };
    let options = Options {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        ..Options::default()
    };
    let there = Peer::Network {
        host: address.to_owned(),
        port: 443,
        plain: false,
    };
    let remote = Client::open_at(there, &options, Login::Pool)?;
    let outcome = send(cx, &remote);
    remote.close();
    outcome
}

/// Either of several fields with a value, in the query language.
fn either(fields: &[&str], value: &str) -> String {
    let terms: Vec<String> = fields
        .iter()
        .map(|field| format!("(field \"{field}\" = \"{value}\")"))
        .collect();
    terms.join(" or ")
}

fn send(cx: &mut Context<'_>, remote: &Client) -> Result<(), Failure> {
    let host = match destination(cx) {
        Some(name) => {
            let found = remote.objects("host", &either(&["hostname", "name__label", "uuid"], name))?;
            found
                .into_iter()
                .next()
                .ok_or_else(|| Failure::cli(format!("Failed to find host: {name}")))?
        }
        None => {
            let all = remote.objects("host", "true")?;
            all.into_iter()
                .next()
                .ok_or_else(|| Failure::cli("Failed to find a suitable host"))?
        }
    };
    let network = network(cx, remote, &host)?;
    let vm = vm(cx)?;
    let vifs = pairs(cx, remote, "vif", "VIF", "network")?;
    let vgpus = pairs(cx, remote, "vgpu", "VGPU", "GPU_group")?;
    let disks = disks(cx, remote, &host, &vm)?;
    cx.out.remark(&format!(
        "Will migrate to remote host: {}, using remote network: {}. Here is the VDI mapping:",
        host.text("name_label"),
        network.text("name_label")
    ));
    for (vdi, sr) in &disks {
        let line = format!(
            "VDI {} -> SR {}",
            cx.client.uuid("VDI", vdi)?,
            remote.uuid("SR", sr)?
        );
        cx.out.remark(&line);
    }
    let options = options(cx)?;
    let receive = [
        Value::str(&host.reference),
        Value::str(&network.reference),
        options.clone(),
    ];
    let token = remote.call("host.migrate_receive", &receive)?;
    let token = crate::client::pairs(&token);
    let map =
        |pairs: &[(String, String)]| Value::string_map(pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())));
    let args = [
        Value::str(&vm.reference),
        map(&token),
        Value::Bool(true),
        map(&disks),
        map(&vifs),
        options,
        map(&vgpus),
    ];
    let moved = tasks::run(cx, "VM.migrate_send", &args)?;
    if cx.params.truth("copy")? {
        let uuid = remote.uuid("VM", &crate::client::text_of(&moved))?;
        cx.out.value(&uuid);
    }
    Ok(())
}

fn vm(cx: &Context<'_>) -> Result<Object, Failure> {
    let mut found = select::select(cx.client, cx.params, What::Vms(Also::Templates), OWN)?;
    match (found.pop(), found.is_empty()) {
        (Some(vm), true) => Ok(vm),
        (None, _) => Err(Failure::cli("No matching VMs found")),
        (Some(_), false) => Err(Failure::cli(
            "Multiple matches VMs found. Operation can only be performed on one VM at a time",
        )),
    }
}

fn network(cx: &Context<'_>, remote: &Client, host: &Object) -> Result<Object, Failure> {
    if let Some(name) = cx.params.get("remote-network") {
        let found = remote.objects("network", &either(&["bridge", "name__label", "uuid"], name))?;
        return found
            .into_iter()
            .next()
            .ok_or_else(|| Failure::cli(format!("Failed to find network: {name}")));
    }
    let pifs = remote.objects("PIF", &format!("(field \"host\" = \"{}\")", host.reference))?;
    let management = pifs.into_iter().find(|pif| pif.truth("management"));
    let none = || {
        Failure::cli(format!(
            "Could not find management PIF on host {}",
            host.text("uuid")
        ))
    };
    let pif = management.ok_or_else(none)?;
    remote.object("network", pif.text("network"))
}

/// Objects of ours and of theirs that belong together, as references.
fn pairs(
    cx: &Context<'_>,
    remote: &Client,
    parameter: &str,
    ours: &str,
    theirs: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let typed = cx.params.map(parameter);
    let both = |(a, b): (String, String)| Ok((cx.client.by_uuid(ours, &a)?, remote.by_uuid(theirs, &b)?));
    typed.into_iter().map(both).collect()
}

/// Where each disk goes: as told, or else to the best storage that the host has.
fn disks(
    cx: &Context<'_>,
    remote: &Client,
    host: &Object,
    vm: &Object,
) -> Result<Vec<(String, String)>, Failure> {
    let mut map = pairs(cx, remote, "vdi", "VDI", "SR")?;
    let Some(best) = best_storage(remote, host)? else {
        return Ok(map);
    };
    for vbd in vm.texts("VBDs") {
        let vbd = cx.client.object("VBD", &vbd)?;
        let vdi = vbd.text("VDI");
        if !vbd.truth("empty") && vdi != NULL && !map.iter().any(|(known, _)| known == vdi) {
            map.push((vdi.to_owned(), best.clone()));
        }
    }
    Ok(map)
}

/// Shared storage before local, then that with more room; none for images of CDs.
fn best_storage(remote: &Client, host: &Object) -> Result<Option<String>, Failure> {
    let mut best: Option<((bool, i64), String)> = None;
    for pbd in host.texts("PBDs") {
        let pbd = remote.object("PBD", &pbd)?;
        if !pbd.truth("currently_attached") {
            continue;
        }
        let sr = remote.object("SR", pbd.text("SR"))?;
        if sr.text("content_type") == "iso" {
            continue;
        }
        let size = |field: &str| sr.text(field).parse::<i64>().unwrap_or(0);
        let rank = (
            sr.truth("shared"),
            size("physical_size").saturating_sub(size("physical_utilisation")),
        );
        if best.as_ref().is_none_or(|(known, _)| *known < rank) {
            best = Some((rank, sr.reference.clone()));
        }
    }
    Ok(best.map(|(_, sr)| sr))
}
