//! Messages of the class `host`: questions that change nothing.

use super::super::enums::*;
use crate::model::TEXTS;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("assert_can_evacuate", "miami", PoolOperator, "Fails unless every VM can leave the host.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("compute_free_memory", "orlando", ReadOnly, "Answers how many bytes are left for VMs.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Int)
        .or_async(),
    Message::new(
        "compute_memory_overhead",
        "midnight-ride",
        ReadOnly,
        "Answers how many bytes the hypervisor keeps for itself.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Int)
    .or_async(),
    Message::new("get_data_sources", "orlando", ReadOnly, "Lists what can be measured on the host.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Set(&Record("data_source"))),
    Message::new("get_log", "rio", ReadOnly, "Answers the host's log.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new(
        "get_management_interface",
        "tampa",
        PoolOperator,
        "Answers the PIF that carries management.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Ref("PIF"))
    .or_async(),
    Message::new(
        "get_sched_gran",
        "1.271.0",
        LocalRoot,
        "Answers what the scheduler hands out: threads, cores or sockets.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Enum(&HOST_SCHED_GRAN))
    .or_async(),
    Message::new(
        "get_server_certificate",
        "george",
        ReadOnly,
        "Answers the certificate of the host's API, PEM.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text)
    .or_async(),
    Message::new(
        "get_server_localtime",
        "cowley",
        ReadOnly,
        "Answers the host's clock in its own time zone.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Time),
    Message::new("get_servertime", "orlando", ReadOnly, "Answers the host's clock.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Time),
    Message::new(
        "get_system_status_capabilities",
        "miami",
        ReadOnly,
        "Answers what a status report can contain, as XML.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text),
    Message::new(
        "get_vms_which_prevent_evacuation",
        "orlando",
        ReadOnly,
        "Answers each VM that cannot leave the host, and why.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
    Message::new("has_extension", "ely", PoolAdmin, "Says whether the host has an extension.")
        .params(&[Param::new("host", Ref("host")), Param::new("name", Text)])
        .result(Bool)
        .or_async(),
    Message::new("list_methods", "rio", ReadOnly, "Lists every message of the API.").result(TEXTS),
    Message::new("query_data_source", "orlando", ReadOnly, "Answers the present value of a data source.")
        .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)])
        .result(Float),
    Message::new(
        "retrieve_wlb_evacuate_recommendations",
        "george",
        ReadOnly,
        "Answers where workload balancing would move each VM.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
];
