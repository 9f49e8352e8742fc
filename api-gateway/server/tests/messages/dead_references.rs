//! Every built message of these classes, called on an object that is not there.

use gateway_server::handlers::is_built;
use proto_types::generated::MESSAGES;
use proto_types::schema::Type;
use proto_types::{Ref, Value};
use uuid::Uuid;

use super::leader::Leader;

/// The classes that this table goes through.
const CLASSES: &[&str] = &[
    "VM",
    "VM_appliance",
    "VM_guest_metrics",
    "VM_group",
    "VM_metrics",
    "host",
    "host_metrics",
    "host_crashdump",
    "host_patch",
    "pool_patch",
    "crashdump",
    "message",
    "blob",
    "secret",
    "console",
    "network",
    "network_sriov",
    "PIF",
    "PIF_metrics",
    "VIF",
    "VLAN",
    "Bond",
    "tunnel",
    "SDN_controller",
    "PVS_cache_storage",
    "PVS_proxy",
    "PVS_server",
    "PVS_site",
    "PCI",
    "PGPU",
    "PUSB",
    "VGPU",
    "VUSB",
];

#[tokio::test]
async fn a_dead_reference_is_named_with_its_class() {
    let leader = Leader::new().await;
    let dead = Ref::from_uuid(Uuid::from_u128(0xdead));
    let (mut count, mut wrong) = (0, Vec::new());
    for message in MESSAGES
        .iter()
        .filter(|m| !m.removed && !m.pool_only && is_built(m))
    {
        let Some(first) = message.params.first() else {
            continue;
        };
        let Type::Ref(class) = first.ty else { continue };
        if !CLASSES.contains(&message.class.name()) {
            continue;
        }
        let mut params: Vec<Value> = vec![dead.into()];
        params.extend(message.params.iter().skip(1).map(|p| p.ty.zero()));
        let found = leader.refused(message.full_name, &params).await;
        let expected = ["HANDLE_INVALID".to_owned(), class.to_owned(), dead.to_string()];
        if found != expected {
            wrong.push((message.full_name, found));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 500, "only {count} messages were tried");
}
