//! Messages of the class `host`: between the hosts of a pool, and hidden ones.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("crl_install", "george", LocalRoot, "Installs a certificate revocation list.")
        .params(&[Param::new("host", Ref("host")), Param::new("name", Text), Param::new("crl", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("crl_uninstall", "george", LocalRoot, "Removes a certificate revocation list.")
        .params(&[Param::new("host", Ref("host")), Param::new("name", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("crl_list", "george", LocalRoot, "Lists the certificate revocation lists.")
        .params(&[Param::new("host", Ref("host"))])
        .result(TEXTS)
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("certificate_sync", "george", LocalRoot, "Takes changed certificates up.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "update_pool_secret",
        "midnight-ride",
        LocalRoot,
        "Gives the host another secret of the pool.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("pool_secret", Text)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new("update_master", "midnight-ride", LocalRoot, "Tells the host of another master.")
        .params(&[Param::new("host", Ref("host")), Param::new("master_address", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("attach_static_vdis", "midnight-ride", LocalRoot, "Attaches disks that are needed at boot.")
        .params(&[Param::new("host", Ref("host")), Param::new("vdi_reason_map", Map(&Ref("VDI"), &Text))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "detach_static_vdis",
        "midnight-ride",
        LocalRoot,
        "Detaches disks that were needed at boot.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("vdis", Set(&Ref("VDI")))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new("set_localdb_key", "midnight-ride", LocalRoot, "Sets a key that the host keeps for itself.")
        .params(&[Param::new("host", Ref("host")), Param::new("key", Text), Param::new("value", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("reset_networking", "boston", PoolOperator, "Forgets the host's bonds, VLANs and tunnels.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .hidden(),
    Message::new("get_sm_diagnostics", "boston", PoolOperator, "Answers the state of storage, for support.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .hidden(),
    Message::new(
        "get_thread_diagnostics",
        "boston",
        PoolOperator,
        "Answers the state of threads, for support.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text)
    .hidden(),
    Message::new("sm_dp_destroy", "boston", PoolOperator, "Lets go of a disk held by a data path.")
        .params(&[Param::new("host", Ref("host")), Param::new("dp", Text), Param::new("allow_leak", Bool)])
        .hidden(),
    Message::new("sync_vlans", "boston", PoolOperator, "Makes the VLANs that the master has.")
        .params(&[Param::new("host", Ref("host"))])
        .pool_only()
        .hidden(),
    Message::new("sync_tunnels", "boston", PoolOperator, "Makes the tunnels that the master has.")
        .params(&[Param::new("host", Ref("host"))])
        .pool_only()
        .hidden(),
    Message::new(
        "sync_pif_currently_attached",
        "boston",
        PoolOperator,
        "Brings records of PIFs in line with the bridges that are up.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("bridges", TEXTS)])
    .pool_only()
    .hidden(),
    Message::new(
        "apply_guest_agent_config",
        "dundee",
        PoolAdmin,
        "Hands settings to the guests that run here.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .hidden(),
    Message::new("mxgpu_vf_setup", "falcon", VmOperator, "Sets AMD's virtual graphics functions up.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("nvidia_vf_setup", "quebec", VmOperator, "Sets NVIDIA's virtual graphics functions up.")
        .params(&[Param::new("host", Ref("host")), Param::new("pf", Ref("PCI")), Param::new("enable", Bool)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "allocate_resources_for_vm",
        "inverness",
        VmOperator,
        "Sets memory and devices aside for a VM that comes.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("vm", Ref("VM")), Param::new("live", Bool)])
    .or_async()
    .hidden(),
    Message::new(
        "write_uefi_certificates_to_disk",
        "22.16.0",
        LocalRoot,
        "Writes Secure Boot certificates where VMs find them.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "notify_accept_new_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Has the host accept another secret of the pool too.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("old_ps", Text), Param::new("new_ps", Text)])
    .or_async()
    .hidden(),
    Message::new(
        "notify_send_new_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Has the host use another secret of the pool.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("old_ps", Text), Param::new("new_ps", Text)])
    .or_async()
    .hidden(),
    Message::new(
        "cleanup_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Has the host forget the former secret of the pool.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("old_ps", Text), Param::new("new_ps", Text)])
    .or_async()
    .hidden(),
    Message::new("cert_distrib_atom", "1.295.0", LocalRoot, "Does one step of handing certificates out.")
        .params(&[Param::new("host", Ref("host")), Param::new("command", Text)])
        .result(Text)
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "copy_primary_host_certs",
        "1.307.0",
        PoolAdmin,
        "Copies the certificates that the master trusts.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "update_firewalld_service_status",
        "unlisted",
        PoolOperator,
        "Opens or closes ports as services are on or off.",
    )
    .pool_only()
    .hidden(),
];
