//! Interfaces, VLANs and tunnels.

use proto_types::Value;

use super::Table;
use super::vms::with_defaults;
use crate::context::Context;
use crate::failure::Failure;
use crate::values;

/// The commands.
pub const TABLE: Table = &[
    ("vif-create", vif_create),
    ("vif-unplug", vif_unplug),
    ("vlan-create", vlan_create),
    ("vlan-destroy", vlan_destroy),
    ("tunnel-create", tunnel_create),
];

fn vif_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let network = cx.named("network", "network-uuid")?;
    let mtu = cx.client.text("network.get_MTU", &[Value::str(&network)])?;
    let mac = match cx.params.get("mac") {
        // The pool makes one up where none is given.
        None | Some("random") => "",
        Some(mac) => mac,
    };
    let record = with_defaults(
        "VIF",
        vec![
            ("device", Value::str(cx.params.required("device")?)),
            ("network", Value::str(network)),
            ("VM", Value::str(cx.named("VM", "vm-uuid")?)),
            ("MAC", Value::str(mac)),
            ("MTU", Value::Int(values::int("MTU", &mtu)?)),
            ("locking_mode", Value::str("network_default")),
        ],
    );
    let vif = cx.client.text("VIF.create", &[record])?;
    cx.print_uuid("VIF", &vif)
}

fn vif_unplug(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vif = Value::str(cx.named("VIF", "uuid")?);
    let message = if cx.params.truth("force")? {
        "VIF.unplug_force"
    } else {
        "VIF.unplug"
    };
    cx.client.call(message, &[vif]).map(|_| ())
}

fn vlan_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let network = cx.named("network", "network-uuid")?;
    let pif = cx.named("PIF", "pif-uuid")?;
    let tag = cx.params.int("vlan")?;
    let vlan = cx.client.text(
        "VLAN.create",
        &[Value::str(pif), Value::Int(tag), Value::str(network)],
    )?;
    // The interface made, not the VLAN, is what people go on with.
    let untagged = cx.client.text("VLAN.get_untagged_PIF", &[Value::str(vlan)])?;
    cx.print_uuid("PIF", &untagged)
}

fn vlan_destroy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let uuid = cx.params.required("uuid")?;
    let destroyed = cx
        .client
        .by_uuid("VLAN", uuid)
        .and_then(|vlan| cx.client.call("VLAN.destroy", &[Value::str(vlan)]));
    let failure = match destroyed {
        Ok(_) => return Ok(()),
        Err(failure) => failure,
    };
    if matches!(failure.code(), Some("HANDLE_INVALID" | "HOST_OFFLINE") | None) {
        return Err(failure);
    }
    // The uuid of the interface will do as well.
    match cx.client.by_uuid("PIF", uuid) {
        Ok(pif) => cx.client.call("PIF.destroy", &[Value::str(pif)]).map(|_| ()),
        Err(Failure::Api(_)) => Err(failure),
        Err(other) => Err(other),
    }
}

fn tunnel_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let network = cx.named("network", "network-uuid")?;
    let pif = cx.named("PIF", "pif-uuid")?;
    let protocol = cx.params.get("protocol").unwrap_or("gre").to_lowercase();
    if !["gre", "vxlan"].contains(&protocol.as_str()) {
        return Err(Failure::cli(format!("Expected 'gre','vxlan', got {protocol}")));
    }
    let args = [Value::str(pif), Value::str(network), Value::str(protocol)];
    let tunnel = cx.client.text("tunnel.create", &args)?;
    let access = cx.client.text("tunnel.get_access_PIF", &[Value::str(tunnel)])?;
    cx.print_uuid("PIF", &access)
}
