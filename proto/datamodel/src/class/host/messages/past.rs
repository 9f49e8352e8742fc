//! Messages of the class `host`: advised against, or taken away.

use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "apply_recommended_guidances",
        "23.18.0",
        PoolOperator,
        "Does what should be done after an update.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .or_async()
    .removed("23.25.0"),
    Message::new(
        "get_uncooperative_resident_VMs",
        "midnight-ride",
        ReadOnly,
        "Listed VMs that do not give memory back.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Set(&Ref("VM")))
    .or_async()
    .deprecated("tampa"),
    Message::new("license_apply", "rio", PoolOperator, "Applies a licence.")
        .params(&[Param::new("host", Ref("host")), Param::new("contents", Text)])
        .errors(&["LICENSE_PROCESSING_ERROR"])
        .or_async()
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("refresh_pack_info", "midnight-ride", PoolOperator, "Looks for supplemental packs anew.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .deprecated("ely"),
    Message::new(
        "reset_cpu_features",
        "midnight-ride",
        PoolOperator,
        "Took the mask of processor features away.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .deprecated("dundee")
    .removed("dundee"),
    Message::new("set_cpu_features", "midnight-ride", PoolOperator, "Set a mask of processor features.")
        .params(&[Param::new("host", Ref("host")), Param::new("features", Text)])
        .deprecated("dundee")
        .removed("dundee"),
    Message::new("set_uefi_certificates", "quebec", LocalRoot, "Sets the Secure Boot certificates.")
        .params(&[Param::new("host", Ref("host")), Param::new("value", Text)])
        .or_async()
        .deprecated("22.16.0"),
];
