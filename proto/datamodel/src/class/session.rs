//! The class `session`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("session", "rio", "A session of the pool.")
    .no_get_all()
    .no_events()
    .volatile()
    .writer(PoolAdmin)
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("this_host", Ref("host"), "rio", "The this host: a host."),
    Field::runtime("this_user", Ref("user"), "rio", "The this user: a user."),
    Field::runtime("last_active", Time, "rio", "Time of last active."),
    Field::runtime("pool", Bool, "rio", "True if pool."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "is_local_superuser",
        Bool,
        "george",
        "True if it is local superuser.",
    )
    .default(Default::Bool(false)),
    Field::runtime("subject", Ref("subject"), "george", "The subject it belongs to.").default(Default::Null),
    Field::runtime("validation_time", Time, "george", "Time of validation time.").default(Default::Epoch),
    Field::runtime("auth_user_sid", Text, "george", "The auth user sid.").default(Default::Text("")),
    Field::runtime("auth_user_name", Text, "midnight-ride", "The auth user name.").default(Default::Text("")),
    Field::fixed(
        "rbac_permissions",
        TEXTS,
        "midnight-ride",
        "The set of rbac permissions.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "tasks",
        Set(&Ref("task")),
        "midnight-ride",
        "The tasks, as a set of references.",
    )
    .rows_of("task", "session"),
    Field::fixed(
        "parent",
        Ref("session"),
        "midnight-ride",
        "The parent: a session.",
    )
    .default(Default::Null),
    Field::runtime("originator", Text, "clearwater", "The originator.").default(Default::Text("")),
    Field::runtime(
        "client_certificate",
        Bool,
        "21.2.0",
        "True if client certificate.",
    )
    .default(Default::Bool(false)),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "change_password",
        "rio",
        LocalRoot,
        "Changes password of the session.",
    )
    .params(&[Param::new("old_pwd", Text), Param::new("new_pwd", Text)]),
    Message::new(
        "create_from_db_file",
        "dundee",
        LocalRoot,
        "Creates from db file of the session.",
    )
    .params(&[Param::new("filename", Text)])
    .result(Ref("session"))
    .or_async(),
    Message::new(
        "get_all_subject_identifiers",
        "george",
        ReadOnly,
        "Answers all subject identifiers of the session.",
    )
    .result(TEXTS)
    .or_async(),
    Message::new(
        "local_logout",
        "miami",
        PoolAdmin,
        "Locals logout of the session.",
    ),
    Message::new(
        "login_with_password",
        "rio",
        ReadOnly,
        "Logins with password of the session.",
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
    Message::new("logout", "rio", ReadOnly, "Logouts the session."),
    Message::new(
        "logout_subject_identifier",
        "george",
        PoolOperator,
        "Logouts subject identifier of the session.",
    )
    .params(&[Param::new("subject_identifier", Text)])
    .or_async(),
    Message::new(
        "slave_local_login_with_password",
        "miami",
        PoolAdmin,
        "Slaves local login with password of the session.",
    )
    .params(&[Param::new("uname", Text), Param::new("pwd", Text)])
    .result(Ref("session"))
    .no_session()
    .secret(),
    Message::new("slave_login", "rio", PoolAdmin, "Slaves login of the session.")
        .params(&[Param::new("host", Ref("host")), Param::new("psecret", Text)])
        .result(Ref("session"))
        .no_session()
        .hidden()
        .secret(),
    Message::new(
        "slave_local_login",
        "miami",
        PoolAdmin,
        "Slaves local login of the session.",
    )
    .params(&[Param::new("psecret", Text)])
    .result(Ref("session"))
    .no_session()
    .hidden()
    .secret(),
];
