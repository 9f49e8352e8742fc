//! Messages of the class `host`: between the hosts of a pool, and hidden ones.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("crl_install", "george", LocalRoot, "Crls install of the host.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("name", Text),
            Param::new("crl", Text),
        ])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "crl_uninstall",
        "george",
        LocalRoot,
        "Crls uninstall of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("name", Text)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new("crl_list", "george", LocalRoot, "Crls list of the host.")
        .params(&[Param::new("host", Ref("host"))])
        .result(TEXTS)
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "certificate_sync",
        "george",
        LocalRoot,
        "Certificates sync of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "update_pool_secret",
        "midnight-ride",
        LocalRoot,
        "Updates pool secret of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("pool_secret", Text)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "update_master",
        "midnight-ride",
        LocalRoot,
        "Updates master of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("master_address", Text),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "attach_static_vdis",
        "midnight-ride",
        LocalRoot,
        "Attaches static vdis of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("vdi_reason_map", Map(&Ref("VDI"), &Text)),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "detach_static_vdis",
        "midnight-ride",
        LocalRoot,
        "Detaches static vdis of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("vdis", Set(&Ref("VDI"))),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "set_localdb_key",
        "midnight-ride",
        LocalRoot,
        "Sets localdb key of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "reset_networking",
        "boston",
        PoolOperator,
        "Resets networking of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .hidden(),
    Message::new(
        "get_sm_diagnostics",
        "boston",
        PoolOperator,
        "Answers sm diagnostics of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text)
    .hidden(),
    Message::new(
        "get_thread_diagnostics",
        "boston",
        PoolOperator,
        "Answers thread diagnostics of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text)
    .hidden(),
    Message::new(
        "sm_dp_destroy",
        "boston",
        PoolOperator,
        "Sms dp destroy of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("dp", Text),
        Param::new("allow_leak", Bool),
    ])
    .hidden(),
    Message::new("sync_vlans", "boston", PoolOperator, "Syncs vlans of the host.")
        .params(&[Param::new("host", Ref("host"))])
        .pool_only()
        .hidden(),
    Message::new(
        "sync_tunnels",
        "boston",
        PoolOperator,
        "Syncs tunnels of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .pool_only()
    .hidden(),
    Message::new(
        "sync_pif_currently_attached",
        "boston",
        PoolOperator,
        "Syncs PIF currently attached of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("bridges", TEXTS)])
    .pool_only()
    .hidden(),
    Message::new(
        "apply_guest_agent_config",
        "dundee",
        PoolAdmin,
        "Applies guest agent config of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .hidden(),
    Message::new(
        "mxgpu_vf_setup",
        "falcon",
        VmOperator,
        "Mxgpus vf setup of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "nvidia_vf_setup",
        "quebec",
        VmOperator,
        "Nvidias vf setup of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("pf", Ref("PCI")),
        Param::new("enable", Bool),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "allocate_resources_for_vm",
        "inverness",
        VmOperator,
        "Allocates resources for VM of the host.",
    )
    .params(&[
        Param::new("self", Ref("host")),
        Param::new("vm", Ref("VM")),
        Param::new("live", Bool),
    ])
    .or_async()
    .hidden(),
    Message::new(
        "write_uefi_certificates_to_disk",
        "22.16.0",
        LocalRoot,
        "Writes uefi certificates to disk of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "notify_accept_new_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Notifies accept new pool secret of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("old_ps", Text),
        Param::new("new_ps", Text),
    ])
    .or_async()
    .hidden(),
    Message::new(
        "notify_send_new_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Notifies send new pool secret of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("old_ps", Text),
        Param::new("new_ps", Text),
    ])
    .or_async()
    .hidden(),
    Message::new(
        "cleanup_pool_secret",
        "stockholm_psr",
        LocalRoot,
        "Cleanups pool secret of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("old_ps", Text),
        Param::new("new_ps", Text),
    ])
    .or_async()
    .hidden(),
    Message::new(
        "cert_distrib_atom",
        "1.295.0",
        LocalRoot,
        "Certs distrib atom of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("command", Text)])
    .result(Text)
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "copy_primary_host_certs",
        "1.307.0",
        PoolAdmin,
        "Copies primary host certs of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "update_firewalld_service_status",
        "unlisted",
        PoolOperator,
        "Updates firewalld service status of the host.",
    )
    .pool_only()
    .hidden(),
];
