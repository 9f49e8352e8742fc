//! Sessions.

use pool_domain::decide::{session, subject};
use proto_types::Value;

use super::{Handler, Table};
use crate::api::login;

/// The messages.
pub const TABLE: Table = &[
    (
        "session.login_with_password",
        Handler::Special(|api, entry, args| {
            Box::pin(async move { login::with_password(&api, entry, &args).await })
        }),
    ),
    (
        "session.slave_local_login_with_password",
        Handler::Special(|api, entry, args| Box::pin(async move { login::local(&api, entry, &args).await })),
    ),
    (
        "session.local_logout",
        Handler::Special(|api, entry, _| {
            Box::pin(async move { Ok(login::local_logout(&api, entry.caller.session)) })
        }),
    ),
    (
        "session.change_password",
        Handler::Special(|api, entry, args| {
            Box::pin(async move { login::change_password(&api, entry, &args).await })
        }),
    ),
    (
        "session.slave_login",
        Handler::Read(|_, _| login::no_pool_secret()),
    ),
    (
        "session.slave_local_login",
        Handler::Read(|_, _| login::no_pool_secret()),
    ),
    (
        "session.get_all_subject_identifiers",
        Handler::Read(|s, _| Ok(Value::strings(subject::identifiers(s.db)))),
    ),
    (
        "session.logout_subject_identifier",
        Handler::Write(|d, caller, args| {
            subject::log_out(d, args.text(0)?, caller.session);
            Ok(Value::Void)
        }),
    ),
    (
        "session.logout",
        Handler::Write(|d, caller, _| session::logout(d, caller.session).map(|()| Value::Void)),
    ),
];
