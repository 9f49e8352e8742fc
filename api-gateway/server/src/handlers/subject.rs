//! Subjects: who may use the pool, and with which roles.

use pool_domain::access;
use pool_domain::decide::subject;
use pool_domain::query;
use proto_types::generated::{subject as class, tarn_credential};
use proto_types::{ApiError, Value};

use super::{Handler, Table};

/// The messages.
pub const TABLE: Table = &[
    (
        "subject.create",
        Handler::Write(|d, _, args| subject::create(d, args.at(0)?).map(Value::from)),
    ),
    (
        "subject.destroy",
        Handler::Write(|d, _, args| subject::destroy(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "subject.add_to_roles",
        Handler::Write(|d, _, args| {
            subject::add_role(d, args.reference(0)?, args.reference(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "subject.remove_from_roles",
        Handler::Write(|d, _, args| {
            subject::remove_role(d, args.reference(0)?, args.reference(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "subject.get_permissions_name_label",
        Handler::Read(|s, args| {
            let row = query::find(s.db, class::CLASS, args.reference(0)?)?;
            Ok(access::permissions(access::highest_role(s.db, row.reference)))
        }),
    ),
    // The users of the pool itself are the directory that there is.
    (
        "auth.get_subject_identifier",
        Handler::Read(|s, args| {
            let name = args.text(0)?;
            s.db.rows(tarn_credential::CLASS)
                .filter(|c| c.get(tarn_credential::NAME).as_str() == name)
                .map(|c| c.get(tarn_credential::SUBJECT).clone())
                .find(|sid| !sid.as_str().is_empty())
                .ok_or_else(|| ApiError::bare("SUBJECT_CANNOT_BE_RESOLVED"))
        }),
    ),
    (
        "auth.get_subject_information_from_identifier",
        Handler::Read(|s, args| {
            let sid = args.text(0)?;
            let name =
                s.db.rows(tarn_credential::CLASS)
                    .find(|c| !sid.is_empty() && c.get(tarn_credential::SUBJECT).as_str() == sid)
                    .map(|c| c.get(tarn_credential::NAME).as_str().to_owned())
                    .ok_or_else(|| ApiError::bare("SUBJECT_CANNOT_BE_RESOLVED"))?;
            Ok(Value::string_map([
                ("subject-name", name.as_str()),
                ("subject-gecos", name.as_str()),
                ("subject-is-group", "false"),
            ]))
        }),
    ),
    (
        "auth.get_group_membership",
        Handler::Read(|s, args| {
            let sid = args.text(0)?;
            let known =
                s.db.rows(tarn_credential::CLASS)
                    .any(|c| !sid.is_empty() && c.get(tarn_credential::SUBJECT).as_str() == sid);
            // There are no groups of local users.
            match known {
                true => Ok(Value::Set(Vec::new())),
                false => Err(ApiError::bare("SUBJECT_CANNOT_BE_RESOLVED")),
            }
        }),
    ),
];
