//! The class `session`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("session", "rio", "A client's login: it names the user and ends by logout, age or eviction.")
        .no_get_all()
        .no_events()
        .volatile()
        .writer(PoolAdmin)
        .fields(FIELDS)
        .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("this_host", Ref("host"), "rio", "The host that made the session."),
    Field::runtime(
        "this_user",
        Ref("user"),
        "rio",
        "The user of the session; null, since users are known by name.",
    ),
    Field::runtime(
        "last_active",
        Time,
        "rio",
        "When the session was last used; the least recently active is evicted first.",
    ),
    Field::runtime("pool", Bool, "rio", "True for a session between hosts of the pool."),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime(
        "is_local_superuser",
        Bool,
        "george",
        "True for the local superuser, to whom no role applies.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "subject",
        Ref("subject"),
        "george",
        "The subject whose roles apply; null for the local superuser.",
    )
    .default(Default::Null),
    Field::runtime("validation_time", Time, "george", "When the directory last confirmed the subject.")
        .default(Default::Epoch),
    Field::runtime("auth_user_sid", Text, "george", "Identifier of the user in the directory.")
        .default(Default::Text("")),
    Field::runtime("auth_user_name", Text, "midnight-ride", "Name of the user in the directory.")
        .default(Default::Text("")),
    Field::fixed(
        "rbac_permissions",
        TEXTS,
        "midnight-ride",
        "Names of the permissions the session had when it began.",
    )
    .default(Default::EmptySet),
    Field::runtime("tasks", Set(&Ref("task")), "midnight-ride", "Tasks begun in this session.")
        .rows_of("task", "session"),
    Field::fixed("parent", Ref("session"), "midnight-ride", "The session this one was made from.")
        .default(Default::Null),
    Field::runtime(
        "originator",
        Text,
        "clearwater",
        "What the client calls itself; each originator has its own allowance of sessions.",
    )
    .default(Default::Text("")),
    Field::runtime("client_certificate", Bool, "21.2.0", "True if the client proved itself by certificate.")
        .default(Default::Bool(false)),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "change_password",
        "rio",
        LocalRoot,
        "Changes the local superuser's password on every host.",
    )
    .params(&[Param::new("old_pwd", Text), Param::new("new_pwd", Text)]),
    Message::new(
        "create_from_db_file",
        "dundee",
        LocalRoot,
        "Opens a session that reads an exported database instead of the pool's.",
    )
    .params(&[Param::new("filename", Text)])
    .result(Ref("session"))
    .or_async(),
    Message::new(
        "local_logout",
        "miami",
        PoolAdmin,
        "Ends a session of the local superuser that was opened while the master was away.",
    ),
    Message::new(
        "login_with_password",
        "rio",
        ReadOnly,
        "Logs in by name and password and answers the session.",
    )
    .params(&[
        Param::new("uname", Text),
        Param::new("pwd", Text),
        Param::optional("version", Text, Default::Text("1.1")),
        Param::optional("originator", Text, Default::Text("")),
    ])
    .result(Ref("session"))
    .errors(&["SESSION_AUTHENTICATION_FAILED", "HOST_IS_SLAVE"])
    .no_session()
    .secret(),
    Message::new("logout", "rio", ReadOnly, "Ends the session."),
    Message::new("logout_subject_identifier", "george", PoolOperator, "Ends every session of a subject.")
        .params(&[Param::new("subject_identifier", Text)])
        .or_async(),
    Message::new(
        "slave_local_login_with_password",
        "miami",
        PoolAdmin,
        "Logs in to this host alone, whether or not there is a master.",
    )
    .params(&[Param::new("uname", Text), Param::new("pwd", Text)])
    .result(Ref("session"))
    .no_session()
    .secret(),
    Message::new("get_all_subject_identifiers", "george", ReadOnly, "Lists the subjects that have sessions.")
        .result(TEXTS)
        .or_async(),
    Message::new(
        "slave_login",
        "rio",
        PoolAdmin,
        "Opens a session for another host of the pool, by the pool's secret.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("psecret", Text)])
    .result(Ref("session"))
    .no_session()
    .hidden()
    .secret(),
    Message::new(
        "slave_local_login",
        "miami",
        PoolAdmin,
        "Opens a session on this host alone, by the pool's secret.",
    )
    .params(&[Param::new("psecret", Text)])
    .result(Ref("session"))
    .no_session()
    .hidden()
    .secret(),
];
