//! Users of the directory, their roles and sessions.

use proto_types::Value;

use super::Table;
use crate::client::{NULL, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;

/// The commands.
pub const TABLE: Table = &[
    ("subject-add", add),
    ("subject-role-add", |cx| role(cx, "subject.add_to_roles")),
    ("subject-role-remove", |cx| role(cx, "subject.remove_from_roles")),
    ("session-subject-identifier-list", sessions),
    ("session-subject-identifier-logout", logout),
    ("session-subject-identifier-logout-all", logout_all),
];

fn add(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = Value::str(cx.params.required("subject-name")?);
    let identifier = cx.client.text("auth.get_subject_identifier", &[name])?;
    let record = Value::Record(vec![
        ("subject_identifier".into(), Value::str(identifier)),
        ("other_config".into(), Value::empty_map()),
    ]);
    let subject = cx.client.text("subject.create", &[record])?;
    cx.print_uuid("subject", &subject)
}

fn role(cx: &mut Context<'_>, message: &str) -> Result<(), Failure> {
    let role = match (cx.params.get("role-uuid"), cx.params.get("role-name")) {
        (None, None) => {
            return Err(Failure::cli(
                "Required parameter not found: role-uuid or role-name",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::cli(
                "Parameters role-uuid and role-name cannot be used together",
            ));
        }
        (Some(uuid), None) => cx.client.by_uuid("role", uuid)?,
        (None, Some(name)) => {
            let found = texts(&cx.client.call("role.get_by_name_label", &[Value::str(name)])?);
            // The server says that there is no such role.
            found.into_iter().next().unwrap_or_else(|| NULL.to_owned())
        }
    };
    let subject = cx.named("subject", "uuid")?;
    cx.client
        .call(message, &[Value::str(subject), Value::str(role)])
        .map(|_| ())
}

fn identifiers(cx: &Context<'_>) -> Result<Vec<String>, Failure> {
    cx.client
        .call("session.get_all_subject_identifiers", &[])
        .map(|all| texts(&all))
}

fn sessions(cx: &mut Context<'_>) -> Result<(), Failure> {
    let rows: Vec<Row> = identifiers(cx)?
        .into_iter()
        .map(|identifier| vec![("subject-identifier ( RO)".to_owned(), identifier)])
        .collect();
    cx.out.table(&rows);
    Ok(())
}

fn logout(cx: &mut Context<'_>) -> Result<(), Failure> {
    let identifier = Value::str(cx.params.required("subject-identifier")?);
    cx.client
        .call("session.logout_subject_identifier", &[identifier])
        .map(|_| ())
}

fn logout_all(cx: &mut Context<'_>) -> Result<(), Failure> {
    for identifier in identifiers(cx)? {
        cx.client
            .call("session.logout_subject_identifier", &[Value::str(identifier)])?;
    }
    Ok(())
}
