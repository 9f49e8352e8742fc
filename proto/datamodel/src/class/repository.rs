//! The class `Repository`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("Repository", "1.301.0", "Where updates come from.").fields(FIELDS).messages(MESSAGES);

/// `origin`
pub const ORIGIN: model::Enum = model::Enum::new("origin", &["remote", "bundle", "remote_pool"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "1.301.0", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text(""))
        .client_cert(),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text(""))
        .client_cert(),
    Field::fixed("binary_url", Text, "1.301.0", "The binary URL.").default(Default::Text("")),
    Field::fixed("source_url", Text, "1.301.0", "The source URL.").default(Default::Text("")),
    Field::fixed("update", Bool, "1.301.0", "True if update.").default(Default::Bool(false)),
    Field::runtime("hash", Text, "1.301.0", "The hash.").default(Default::Text("")),
    Field::runtime("up_to_date", Bool, "1.301.0", "True if up to date.")
        .default(Default::Bool(false))
        .deprecated("23.18.0")
        .removed("23.18.0"),
    Field::fixed("gpgkey_path", Text, "22.12.0", "The gpgkey path.").default(Default::Text("")).prototyped(),
    Field::fixed("origin", Enum(&ORIGIN), "24.23.0", "The origin.")
        .default(Default::Text("remote"))
        .prototyped(),
    Field::fixed("certificate", Text, "25.7.0", "The certificate.").default(Default::Text("")).prototyped(),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "forget",
        "1.301.0",
        PoolOperator,
        "Removes the Repository from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("Repository"))])
    .client_cert()
    .or_async(),
    Message::new("introduce", "1.301.0", PoolOperator, "Makes an existing Repository known to the pool.")
        .params(&[
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("binary_url", Text),
            Param::new("source_url", Text),
            Param::new("update", Bool),
            Param::optional("gpgkey_path", Text, Default::Text("")),
        ])
        .result(Ref("Repository"))
        .client_cert()
        .or_async(),
    Message::new("introduce_bundle", "24.23.0", PoolOperator, "Introduces bundle of the Repository.")
        .params(&[Param::new("name_label", Text), Param::new("name_description", Text)])
        .result(Ref("Repository"))
        .client_cert()
        .or_async()
        .prototyped(),
    Message::new(
        "introduce_remote_pool",
        "25.7.0",
        PoolOperator,
        "Introduces remote pool of the Repository.",
    )
    .params(&[
        Param::new("name_label", Text),
        Param::new("name_description", Text),
        Param::new("binary_url", Text),
        Param::new("certificate", Text),
    ])
    .result(Ref("Repository"))
    .client_cert()
    .or_async()
    .prototyped(),
    Message::new("set_gpgkey_path", "22.12.0", PoolOperator, "Sets gpgkey path of the Repository.")
        .params(&[Param::new("self", Ref("Repository")), Param::new("value", Text)])
        .client_cert()
        .or_async()
        .prototyped(),
    Message::new("apply", "1.301.0", PoolOperator, "Applies the Repository.")
        .params(&[Param::new("host", Ref("host"))])
        .client_cert()
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("apply_livepatch", "unlisted", PoolOperator, "Applies livepatch of the Repository.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("component", Text),
            Param::new("base_build_id", Text),
            Param::new("base_version", Text),
            Param::new("base_release", Text),
            Param::new("to_version", Text),
            Param::new("to_release", Text),
        ])
        .client_cert()
        .or_async()
        .pool_only()
        .hidden(),
];
