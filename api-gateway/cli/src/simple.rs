//! Commands that send one message and print what it answers.
//!
//! Arguments are found by the message's own parameters: a reference to the class of the message is the object that
//! `uuid=` or the filters choose; other references are `<kind>-uuid=`; the rest goes by name with hyphens. Where a
//! command has other names, [`RENAMED`] says so.

use gateway_codec::WireValue;
use proto_types::Value;
use proto_types::generated::find;
use proto_types::schema::{Default, FieldDef, MessageDef, MessageKind, ParamDef, Qualifier, Type};

use crate::catalogue::Command;
use crate::client::{NULL, pairs, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::records::{self, write};
use crate::select::{self, Several};
use crate::values;

/// What a command calls a parameter of its message.
type Names = &'static [(&'static str, &'static str)];

/// Commands whose message or names do not follow from the table: the message (empty: the first one of the table), and
/// parameter, name.
const RENAMED: &[(&str, &str, Names)] = &[
    ("bond-create", "", &[("members", "pif-uuids")]),
    ("bond-set-mode", "", &[("value", "mode")]),
    ("drtask-create", "", &[("whitelist", "sr-whitelist")]),
    (
        "gpu-group-get-remaining-capacity",
        "GPU_group.get_remaining_capacity",
        &[],
    ),
    ("host-evacuate", "", &[("evacuate_batch_size", "batch-size")]),
    ("host-get-server-certificate", "host.get_server_certificate", &[]),
    ("host-get-sm-diagnostics", "host.get_sm_diagnostics", &[]),
    (
        "host-get-system-status-capabilities",
        "host.get_system_status_capabilities",
        &[],
    ),
    ("host-get-thread-diagnostics", "host.get_thread_diagnostics", &[]),
    ("host-notify", "", &[("ty", "type")]),
    (
        "host-reset-server-certificate",
        "host.reset_server_certificate",
        &[],
    ),
    ("host-set-hostname-live", "", &[("hostname", "host-name")]),
    ("pci-get-dom0-access-status", "PCI.get_dom0_access_status", &[]),
    (
        "pool-configure-repository-proxy",
        "",
        &[
            ("url", "proxy-url"),
            ("username", "proxy-username"),
            ("password", "proxy-password"),
        ],
    ),
    (
        "pool-ha-enable",
        "",
        &[
            ("heartbeat_srs", "heartbeat-sr-uuids"),
            ("configuration", "ha-config"),
        ],
    ),
    (
        "pool-get-guest-secureboot-readiness",
        "pool.get_guest_secureboot_readiness",
        &[],
    ),
    (
        "pool-send-test-post",
        "",
        &[("host", "dest-host"), ("port", "dest-port")],
    ),
    ("rate-limit-create", "Rate_limit.create", &[]),
    ("sdn-controller-introduce", "", &[("port", "tcp-port")]),
    (
        "user-password-change",
        "",
        &[("old_pwd", "old"), ("new_pwd", "new")],
    ),
    ("vm-get-secureboot-readiness", "VM.get_secureboot_readiness", &[]),
    ("vm-vcpu-hotplug", "", &[("nvcpu", "new-vcpus")]),
];

/// Truth values that are true when nobody says.
const TRUE_BY_DEFAULT: &[(&str, &str)] = &[
    ("host-disable", "auto_enable"),
    ("pif-introduce", "managed"),
    ("cluster-create", "pool_auto_join"),
];

/// Commands that cannot be taken back and ask for `--force`.
const DANGEROUS: &[&str] = &["vdi-unlock", "host-emergency-ha-disable"];

fn renamed(command: &str) -> (&'static str, Names) {
    let found = RENAMED.iter().find(|(name, _, _)| *name == command);
    found.map_or(("", &[]), |(_, message, names)| (message, names))
}

/// The message of a command.
pub fn message(command: &Command) -> Option<&'static str> {
    match renamed(command.name).0 {
        "" => command.messages.first().copied(),
        named => Some(named),
    }
}

/// Sends the command's message.
///
/// # Errors
/// When an argument is missing or none, and what the API refuses.
pub fn run(cx: &mut Context<'_>, command: &'static Command) -> Result<(), Failure> {
    if DANGEROUS.contains(&command.name) {
        cx.demand_force()?;
    }
    let Some(name) = message(command) else {
        return Err(Failure::UnknownCommand(command.name.to_owned()));
    };
    let Some(id) = find(name) else {
        // Known to XenServer only: the server says so itself.
        return unknown(cx, command, name);
    };
    let message = id.def();
    let by_filters = command.select.filter(|_| {
        let names = [
            "uuid".to_owned(),
            format!("{}-uuid", kind_name(message.class.name())),
        ];
        !command
            .required
            .iter()
            .any(|required| names.iter().any(|name| name == required))
    });
    match by_filters {
        None => {
            let answer = send(cx, command, message, None)?;
            print(cx, message, &answer)
        }
        Some(what) => {
            let several = if message.result == Type::Void {
                Several::IfTold
            } else {
                Several::Never
            };
            let own = command.own();
            select::each(cx, what, several, &own, |cx, object| {
                let answer = send(cx, command, message, Some(&object.reference))?;
                print(cx, message, &answer)
            })?;
            Ok(())
        }
    }
}

fn unknown(cx: &mut Context<'_>, command: &'static Command, name: &str) -> Result<(), Failure> {
    let Some(what) = command.select else {
        let answer = cx.client.call(name, &[])?;
        cx.out.value(&text_of(&answer));
        return Ok(());
    };
    select::each(cx, what, Several::Never, &command.own(), |cx, object| {
        let answer = cx.client.call(name, &[Value::str(&object.reference)])?;
        cx.out.value(&text_of(&answer));
        Ok(())
    })?;
    Ok(())
}

/// What objects of a class are called in commands.
fn kind_name(class: &str) -> String {
    let kind = records::of_class(class).name;
    if kind.is_empty() {
        class.to_lowercase().replace('_', "-")
    } else {
        kind.to_owned()
    }
}

fn send(
    cx: &Context<'_>,
    command: &Command,
    message: &'static MessageDef,
    selected: Option<&str>,
) -> Result<WireValue, Failure> {
    let names = renamed(command.name).1;
    let mut args = Vec::new();
    let mut subject = selected;
    for param in message.params {
        let own = matches!(param.ty, Type::Ref(class) if class == message.class.name());
        if own && let Some(reference) = subject.take() {
            args.push(Value::str(reference));
            continue;
        }
        let first = own
            && !args
                .iter()
                .any(|a| matches!(a, Value::Str(text) if text.starts_with("OpaqueRef:")));
        args.push(argument(cx, command, message, names, param, first)?);
    }
    cx.client.call(message.full_name, &args)
}

/// The value of one parameter.
fn argument(
    cx: &Context<'_>,
    command: &Command,
    message: &'static MessageDef,
    names: Names,
    param: &'static ParamDef,
    is_subject: bool,
) -> Result<Value, Failure> {
    let renamed = names
        .iter()
        .find(|(known, _)| *known == param.name)
        .map(|(_, name)| *name);
    if let Type::Record(class) = param.ty
        && message.kind == MessageKind::Create
    {
        return record(cx, class);
    }
    if is_subject && renamed.is_none() {
        let class = message.class.name();
        let own = format!("{}-uuid", param.name.replace('_', "-"));
        let long = format!("{}-uuid", kind_name(class));
        let typed = cx.params.get(&own).or_else(|| cx.params.get(&long));
        return match typed.or_else(|| cx.params.get("uuid")) {
            Some(uuid) => cx.client.by_uuid(class, uuid).map(Value::str),
            None if class == "pool" => cx.client.pool().map(Value::str),
            None if class == "host" => this_host(cx),
            None => Err(Failure::Missing("uuid".to_owned())),
        };
    }
    let hyphened = param.name.replace('_', "-");
    let name = renamed.unwrap_or(&hyphened);
    if let Some(value) = given(cx, name, param.name, &param.ty)? {
        return Ok(value);
    }
    let truth = TRUE_BY_DEFAULT.contains(&(command.name, param.name));
    Ok(match param.default {
        _ if truth => Value::Bool(true),
        Default::None => param.ty.zero(),
        ref default => default.value().unwrap_or(Value::Void),
    })
}

/// The host that the session is with.
pub fn this_host(cx: &Context<'_>) -> Result<Value, Failure> {
    let session = Value::str(cx.client.session());
    cx.client
        .text("session.get_this_host", &[session])
        .map(Value::str)
}

/// The value of a parameter that was typed.
fn given(cx: &Context<'_>, name: &str, raw: &str, ty: &Type) -> Result<Option<Value>, Failure> {
    let text = || cx.params.get_any_case(name).or_else(|| cx.params.get(raw));
    Ok(match ty {
        Type::Ref(class) => {
            let names = [
                format!("{name}-uuid"),
                format!("{}-uuid", kind_name(class)),
                name.to_owned(),
            ];
            let uuid = names.iter().find_map(|name| cx.params.get_any_case(name));
            uuid.map(|uuid| write::reference(cx.client, class, uuid))
                .transpose()?
        }
        Type::Set(Type::Ref(class)) => {
            let singular = name.trim_end_matches('s');
            let names = [
                name.to_owned(),
                format!("{singular}-uuids"),
                format!("{}-uuids", kind_name(class)),
            ];
            let typed = names.iter().find_map(|name| cx.params.get_any_case(name));
            typed
                .map(|typed| write::word(cx.client, name, ty, typed))
                .transpose()?
        }
        Type::Map(..) => {
            let pairs = cx.params.map(name);
            (!pairs.is_empty())
                .then(|| Value::string_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()))))
        }
        Type::Int => text()
            .map(|text| values::bytes(name, text).map(Value::Int))
            .transpose()?,
        Type::Bool => match text() {
            Some(_) => Some(Value::Bool(cx.params.truth(name)? || cx.params.truth(raw)?)),
            None => None,
        },
        ty => text()
            .map(|text| write::word(cx.client, name, ty, text))
            .transpose()?,
    })
}

/// A record for `create`: what was typed, and defaults for the rest.
fn record(cx: &Context<'_>, class: &str) -> Result<Value, Failure> {
    let Some(class) = proto_types::ClassId::by_name(class) else {
        return Ok(Value::Record(Vec::new()));
    };
    let mut members = Vec::new();
    let wanted = |field: &&FieldDef| field.qualifier != Qualifier::Runtime && !field.internal;
    for field in class.def().fields.iter().filter(wanted) {
        let name = field.name.replace('_', "-");
        let value = match given(cx, &name, field.name, &field.ty)? {
            Some(value) => value,
            None => field.default_value(),
        };
        if !matches!(value, Value::Void) {
            members.push((field.name.into(), value));
        }
    }
    Ok(Value::Record(members))
}

/// Prints what a message has answered.
fn print(cx: &mut Context<'_>, message: &'static MessageDef, answer: &WireValue) -> Result<(), Failure> {
    match message.result {
        Type::Void => {}
        Type::Ref(class) => {
            let reference = text_of(answer);
            if reference != NULL {
                cx.print_uuid(class, &reference)?;
            }
        }
        Type::Set(Type::Ref(class)) => {
            let mut uuids = Vec::new();
            for reference in texts(answer) {
                uuids.push(cx.client.uuid(class, &reference)?);
            }
            cx.out.list(&uuids);
        }
        Type::Set(Type::String) => cx.out.list(&texts(answer)),
        Type::Map(..) => cx.out.table(&[pairs(answer)]),
        Type::String
        | Type::Int
        | Type::Float
        | Type::Bool
        | Type::DateTime
        | Type::Enum(_)
        | Type::Set(_)
        | Type::Record(_)
        | Type::Option(_) => cx.out.value(&text_of(answer)),
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::catalogue::commands;

    #[test]
    fn other_names_are_of_real_commands_and_parameters() {
        for (command, message_name, names) in RENAMED {
            let command = commands().get(command).unwrap();
            let name = if message_name.is_empty() {
                message(command).unwrap()
            } else {
                message_name
            };
            let message = find(name).unwrap_or_else(|| panic!("{name}")).def();
            for (param, typed) in *names {
                let found = message.params.iter().any(|known| known.name == *param);
                assert!(found, "{}: {param}", command.name);
                let all: Vec<&str> = command.own();
                assert!(all.contains(typed), "{}: {typed}", command.name);
            }
        }
        for (command, param) in TRUE_BY_DEFAULT {
            let message = find(message(commands().get(command).unwrap()).unwrap())
                .unwrap()
                .def();
            assert!(
                message.params.iter().any(|known| known.name == *param),
                "{command}: {param}"
            );
        }
    }
}
