//! The class `pool_update`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("pool_update", "ely", "An update in the old form, on a disk.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `update_after_apply_guidance`
pub const UPDATE_AFTER_APPLY_GUIDANCE: model::Enum = model::Enum::new(
    "update_after_apply_guidance",
    &["restartHVM", "restartPV", "restartHost", "restartXAPI"],
);

/// `livepatch_status`
pub const LIVEPATCH_STATUS: model::Enum =
    model::Enum::new("livepatch_status", &["ok_livepatch_complete", "ok_livepatch_incomplete", "ok"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::fixed("version", Text, "ely", "Version.").default(Default::Text("")),
    Field::fixed("installation_size", Int, "ely", "The installation size, a number.")
        .default(Default::Int(0)),
    Field::fixed("key", Text, "ely", "The key.").default(Default::Text("")),
    Field::fixed(
        "after_apply_guidance",
        Set(&Enum(&UPDATE_AFTER_APPLY_GUIDANCE)),
        "ely",
        "The set of after apply guidance.",
    )
    .default(Default::EmptySet),
    Field::fixed("vdi", Ref("VDI"), "rio", "The VDI it belongs to."),
    Field::runtime("hosts", Set(&Ref("host")), "ely", "The hosts, as a set of references.")
        .rows_of("host", "updates"),
    Field::settable("other_config", TEXT_MAP, "inverness", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::fixed("enforce_homogeneity", Bool, "inverness", "True if enforce homogeneity.")
        .default(Default::Bool(false)),
];

const MESSAGES: &[Message] = &[
    Message::new("apply", "ely", PoolOperator, "Applies the pool update.")
        .params(&[Param::new("self", Ref("pool_update")), Param::new("host", Ref("host"))])
        .or_async()
        .extension("pool_update.apply"),
    Message::new("destroy", "ely", PoolOperator, "Destroys the pool update.")
        .params(&[Param::new("self", Ref("pool_update"))])
        .or_async(),
    Message::new("introduce", "ely", PoolOperator, "Makes an existing pool update known to the pool.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .result(Ref("pool_update"))
        .or_async(),
    Message::new("pool_apply", "ely", PoolOperator, "Pools apply of the pool update.")
        .params(&[Param::new("self", Ref("pool_update"))])
        .or_async(),
    Message::new("pool_clean", "ely", PoolOperator, "Pools clean of the pool update.")
        .params(&[Param::new("self", Ref("pool_update"))])
        .or_async(),
    Message::new("precheck", "ely", PoolOperator, "Prechecks the pool update.")
        .params(&[Param::new("self", Ref("pool_update")), Param::new("host", Ref("host"))])
        .result(Enum(&LIVEPATCH_STATUS))
        .or_async()
        .extension("pool_update.precheck"),
    Message::new("attach", "ely", PoolOperator, "Attaches the pool update.")
        .params(&[
            Param::new("self", Ref("pool_update")),
            Param::optional("use_localhost_proxy", Bool, Default::Bool(false)),
        ])
        .result(Text)
        .or_async()
        .hidden(),
    Message::new("detach", "ely", PoolOperator, "Detaches the pool update.")
        .params(&[Param::new("self", Ref("pool_update"))])
        .or_async()
        .hidden(),
    Message::new("resync_host", "ely", PoolOperator, "Resyncs host of the pool update.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .hidden(),
];
