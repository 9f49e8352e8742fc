//! Messages of the class `VM`: questions that change nothing.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("assert_agile", "orlando", ReadOnly, "Fails unless it could run on every host.")
        .params(&[Param::new("self", Ref("VM"))])
        .or_async(),
    Message::new(
        "assert_can_be_recovered",
        "boston",
        ReadOnly,
        "Fails unless its storage is there to recover it.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("session_to", Ref("session"))])
    .errors(&["VM_IS_PART_OF_AN_APPLIANCE", "VM_REQUIRES_SR"])
    .or_async(),
    Message::new("assert_can_boot_here", "rio", ReadOnly, "Fails unless it could start on this host.")
        .params(&[Param::new("self", Ref("VM")), Param::new("host", Ref("host"))])
        .errors(&[
            "HOST_NOT_ENOUGH_FREE_MEMORY",
            "HOST_NOT_ENOUGH_PCPUS",
            "NETWORK_SRIOV_INSUFFICIENT_CAPACITY",
            "HOST_NOT_LIVE",
            "HOST_DISABLED",
            "HOST_CANNOT_ATTACH_NETWORK",
            "VM_HVM_REQUIRED",
            "VM_REQUIRES_GPU",
            "VM_REQUIRES_IOMMU",
            "VM_REQUIRES_NETWORK",
            "VM_REQUIRES_SR",
            "VM_REQUIRES_VGPU",
            "VM_HOST_INCOMPATIBLE_VERSION",
            "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
            "INVALID_VALUE",
            "MEMORY_CONSTRAINT_VIOLATION",
            "OPERATION_NOT_ALLOWED",
            "VALUE_NOT_SUPPORTED",
            "VM_INCOMPATIBLE_WITH_THIS_HOST",
        ])
        .or_async(),
    Message::new(
        "assert_can_migrate",
        "tampa",
        VmPowerAdmin,
        "Fails unless it could move to this pool or host.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("dest", TEXT_MAP),
        Param::new("live", Bool),
        Param::new("vdi_map", Map(&Ref("VDI"), &Ref("SR"))),
        Param::new("vif_map", Map(&Ref("VIF"), &Ref("network"))),
        Param::new("options", TEXT_MAP),
        Param::optional("vgpu_map", Map(&Ref("VGPU"), &Ref("GPU_group")), Default::EmptyMap),
    ])
    .errors(&["LICENCE_RESTRICTION"])
    .or_async(),
    Message::new("assert_operation_valid", "rio", ReadOnly, "Fails unless this operation could begin now.")
        .params(&[Param::new("self", Ref("VM")), Param::new("op", Enum(&VM_OPERATIONS))])
        .or_async(),
    Message::new(
        "compute_memory_overhead",
        "midnight-ride",
        ReadOnly,
        "Answers how much memory it would take beyond its own.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(Int)
    .or_async(),
    Message::new(
        "get_SRs_required_for_recovery",
        "creedence",
        ReadOnly,
        "Lists the SRs that must be there to recover it.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("session_to", Ref("session"))])
    .result(Set(&Ref("SR")))
    .or_async(),
    Message::new(
        "get_allowed_VBD_devices",
        "rio",
        ReadOnly,
        "Lists device numbers that are free for a block device.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(TEXTS)
    .idle(),
    Message::new(
        "get_allowed_VIF_devices",
        "rio",
        ReadOnly,
        "Lists device numbers that are free for a network interface.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(TEXTS)
    .idle(),
    Message::new("get_data_sources", "orlando", ReadOnly, "Lists what can be measured of it.")
        .params(&[Param::new("self", Ref("VM"))])
        .result(Set(&Record("data_source"))),
    Message::new("get_possible_hosts", "rio", ReadOnly, "Lists the hosts on which it could run.")
        .params(&[Param::new("vm", Ref("VM"))])
        .result(Set(&Ref("host")))
        .or_async(),
    Message::new("query_data_source", "orlando", ReadOnly, "Answers the present value of a data source.")
        .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)])
        .result(Float),
    Message::new("query_services", "tampa", PoolAdmin, "Answers services that it offers the system.")
        .params(&[Param::new("self", Ref("VM"))])
        .result(TEXT_MAP)
        .or_async(),
    Message::new(
        "retrieve_wlb_recommendations",
        "george",
        ReadOnly,
        "Answers how well workload balancing thinks of each host.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(Map(&Ref("host"), &TEXTS))
    .or_async(),
];
