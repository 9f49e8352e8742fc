//! Appliances, and recovery from a database that lies on a disk.

use proto_types::Value;

use super::Table;
use crate::context::Context;
use crate::failure::Failure;

/// The commands.
pub const TABLE: Table = &[
    ("appliance-shutdown", shutdown),
    ("appliance-recover", |cx| recover(cx, "VM_appliance")),
    ("appliance-assert-can-be-recovered", |cx| {
        can_be_recovered(cx, "VM_appliance")
    }),
    ("vm-recover", |cx| recover(cx, "VM")),
    ("vm-assert-can-be-recovered", |cx| can_be_recovered(cx, "VM")),
];

fn shutdown(cx: &mut Context<'_>) -> Result<(), Failure> {
    let appliance = cx.named("VM_appliance", "uuid")?;
    let hard = cx.params.truth("force")?;
    let message = if hard {
        "VM_appliance.hard_shutdown"
    } else {
        "VM_appliance.clean_shutdown"
    };
    cx.client.call(message, &[Value::str(appliance)]).map(|_| ())
}

/// Does something in a session with the database on a disk.
fn with_database(
    cx: &mut Context<'_>,
    work: impl FnOnce(&mut Context<'_>, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let uuid = cx
        .params
        .map("database")
        .into_iter()
        .find(|(key, _)| key == "vdi-uuid");
    let Some((_, uuid)) = uuid else {
        return Err(Failure::cli(
            "A parameter of the form 'database:vdi-uuid=<uuid>' must be specified to run this command.",
        ));
    };
    let vdi = cx.client.by_uuid("VDI", &uuid)?;
    let session = cx.client.text("VDI.open_database", &[Value::str(vdi)])?;
    let outcome = work(cx, &session);
    let _ = cx.client.call_in(&session, "session.logout", &[]);
    outcome
}

/// What is to be recovered, as the database knows it.
fn subject(cx: &Context<'_>, session: &str, class: &str) -> Result<Value, Failure> {
    let uuid = Value::str(cx.params.required("uuid")?);
    let found = cx
        .client
        .call_in(session, &format!("{class}.get_by_uuid"), &[uuid])?;
    Ok(Value::str(crate::client::text_of(&found)))
}

fn recover(cx: &mut Context<'_>, class: &str) -> Result<(), Failure> {
    let force = Value::Bool(cx.params.truth("force")?);
    with_database(cx, |cx, session| {
        let args = [
            subject(cx, session, class)?,
            Value::str(cx.client.session()),
            force,
        ];
        cx.client
            .call_in(session, &format!("{class}.recover"), &args)
            .map(|_| ())
    })
}

fn can_be_recovered(cx: &mut Context<'_>, class: &str) -> Result<(), Failure> {
    with_database(cx, |cx, session| {
        let args = [subject(cx, session, class)?, Value::str(cx.client.session())];
        cx.client
            .call_in(session, &format!("{class}.assert_can_be_recovered"), &args)
            .map(|_| ())
    })
}
