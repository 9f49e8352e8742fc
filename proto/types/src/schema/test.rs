//! The generated tables are whole and agree with themselves.

use super::*;
use crate::generated::{self, CLASSES, MESSAGES, enums, errors, vbd, vm};
use crate::{ClassId, DateTime, Field, MessageId, Ref, Value};

fn public() -> impl Iterator<Item = &'static ClassDef> {
    CLASSES.iter().copied().filter(|c| !c.internal)
}

#[test]
fn all_classes_and_messages_are_there() {
    assert_eq!(public().count(), 72);
    let own = |since: &str| since.starts_with("tarn-");
    assert_eq!(MESSAGES.iter().filter(|m| !own(m.since)).count(), 2254);
    assert_eq!(
        CLASSES.iter().map(|c| c.messages.len()).sum::<usize>(),
        MESSAGES.len()
    );
}

#[test]
fn numbers_lead_back_to_what_they_number() {
    for id in ClassId::all() {
        assert_eq!(ClassId::by_name(id.name()), Some(id));
        assert!(id.def().messages.iter().all(|m| m.class == id));
    }
    for (index, message) in MESSAGES.iter().enumerate() {
        let id = MessageId(u16::try_from(index).unwrap());
        assert_eq!(generated::find(message.full_name), Some(id));
        assert_eq!(
            message.full_name,
            format!("{}.{}", message.class.name(), message.name)
        );
    }
    assert_eq!(generated::find("VM.strat"), None);
    assert_eq!(generated::messages::vm::START.def().full_name, "VM.start");
    assert_eq!(vm::NAME_LABEL.def().name, "name_label");
    assert_eq!(vm::CLASS, generated::class::VM);
}

#[test]
fn rows_of_the_api_have_a_uuid() {
    for class in public().filter(|c| c.in_database) {
        assert!(class.field("uuid").is_some(), "{}", class.name);
    }
}

#[test]
fn message_kinds_point_at_the_field_they_name() {
    for message in MESSAGES {
        let fields = message.class.def().fields;
        let (prefix, index) = match message.kind {
            MessageKind::Get(i) => ("get_", i),
            MessageKind::Set(i) => ("set_", i),
            MessageKind::AddTo(i) => ("add_to_", i),
            MessageKind::RemoveFrom(i) => ("remove_from_", i),
            MessageKind::AddMember(i) => ("add_", i),
            MessageKind::RemoveMember(i) => ("remove_", i),
            _ => continue,
        };
        let field = &fields[usize::from(index)];
        assert_eq!(message.name, format!("{prefix}{}", field.name));
        assert!(!field.internal);
        let settable = field.qualifier == Qualifier::ReadWrite;
        assert!(
            settable || matches!(message.kind, MessageKind::Get(_)),
            "{}",
            message.full_name
        );
    }
}

/// Says whether a value is of a type, all the way down.
fn is_of(value: &Value, ty: &Type) -> bool {
    match (value, ty) {
        (Value::Void, Type::Void | Type::Option(_))
        | (Value::Str(_), Type::String)
        | (Value::Int(_), Type::Int)
        | (Value::Float(_), Type::Float)
        | (Value::Bool(_), Type::Bool)
        | (Value::Time(_), Type::DateTime)
        | (Value::Ref(_), Type::Ref(_))
        | (Value::Record(_), Type::Record(_)) => true,
        (Value::Str(text), Type::Enum(def)) => def.members.contains(&&**text),
        (Value::Set(items), Type::Set(ty)) => items.iter().all(|item| is_of(item, ty)),
        (Value::Map(items), Type::Map(k, v)) => items.iter().all(|(a, b)| is_of(a, k) && is_of(b, v)),
        _ => false,
    }
}

#[test]
fn every_default_is_a_value_of_its_type() {
    for class in CLASSES {
        for field in class.fields {
            assert!(
                is_of(&field.default_value(), &field.ty),
                "{}.{}",
                class.name,
                field.name
            );
        }
    }
    for message in MESSAGES {
        for param in message.params {
            let Some(value) = param.default.value() else {
                continue;
            };
            assert!(is_of(&value, &param.ty), "{}({})", message.full_name, param.name);
        }
    }
}

#[test]
fn a_reference_in_a_default_is_kept() {
    let roles = ClassId::by_name("subject")
        .and_then(|c| c.def().field("roles").map(|i| Field { class: c, index: i }));
    let value = roles.unwrap().def().default_value();
    let pool_admin: Ref = "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba".parse().unwrap();
    assert_eq!(value, Value::refs([pool_admin]));
    assert_eq!(crate::rbac::ROLES[0].uuid, pool_admin.as_uuid().to_string());
}

#[test]
fn views_read_what_the_fields_hold() {
    let mut row: Vec<Value> = vm::DEF.fields.iter().map(FieldDef::default_value).collect();
    let host = Ref::from_uuid(uuid::Uuid::from_u128(7));
    for (field, value) in [
        (vm::NAME_LABEL, Value::str("web")),
        (vm::POWER_STATE, enums::VmPowerState::Running.into()),
        (vm::RESIDENT_ON, Value::Ref(host)),
        (vm::MEMORY_STATIC_MAX, Value::Int(1 << 32)),
        (vm::SNAPSHOT_TIME, Value::Time(DateTime(5))),
        (vm::OTHER_CONFIG, Value::string_map([("a", "b")])),
    ] {
        row[usize::from(field.index)] = value;
    }
    let view = vm::Vm(&row);
    assert_eq!(view.name_label(), "web");
    assert_eq!(view.power_state(), enums::VmPowerState::Running);
    assert_eq!(view.resident_on(), host);
    assert_eq!(view.memory_static_max(), 1 << 32);
    assert_eq!(view.snapshot_time(), DateTime(5));
    assert_eq!(view.other_config().len(), 1);
    // A row of an older release, without the newer fields, reads as their defaults.
    assert_eq!(vm::Vm(&[]).power_state(), enums::VmPowerState::Halted);
    assert!(vm::Vm(&[]).vbds().is_empty());
}

#[test]
fn arguments_come_apart_by_name() {
    let args = crate::Args(vec![Value::Ref(Ref::NULL), Value::Bool(true), Value::Bool(false)]);
    let start = vm::params::Start::from_args(&args).unwrap();
    assert!(start.start_paused && !start.force && start.vm.is_null());
    let args = crate::Args(vec![Value::Ref(Ref::NULL)]);
    assert!(vm::params::Start::from_args(&args).is_err());
    let args = crate::Args(vec![Value::Ref(Ref::NULL), Value::str("RX")]);
    assert_eq!(
        vbd::params::SetMode::from_args(&args).unwrap_err().code,
        "INVALID_VALUE"
    );
}

#[test]
fn enums_read_back_as_written() {
    for member in enums::VmOperations::ALL {
        assert_eq!(enums::VmOperations::parse(member.as_str()), Some(*member));
        assert!(enums::VM_OPERATIONS.members.contains(&member.as_str()));
    }
    assert!("running".parse::<enums::VmPowerState>().is_err());
}

#[test]
fn error_codes_are_found_by_name() {
    assert_eq!(errors::find("HANDLE_INVALID"), Some(&errors::HANDLE_INVALID));
    assert_eq!(errors::HANDLE_INVALID.params.len(), 2);
    assert_eq!(errors::find("NO_SUCH_CODE"), None);
    for message in MESSAGES {
        for code in message.errors {
            assert!(
                errors::find(code).is_some(),
                "{} declares {code}",
                message.full_name
            );
        }
    }
}

#[test]
fn derived_sets_name_a_field_that_refers_back() {
    for class in CLASSES {
        for field in class.fields {
            let Some((other, holder)) = field.derived_from else {
                continue;
            };
            let other = ClassId::by_name(other).unwrap().def();
            let held = &other.fields[usize::from(other.field(holder).unwrap())];
            let target = match held.ty {
                Type::Ref(class) | Type::Set(&Type::Ref(class)) => class,
                _ => "",
            };
            assert!(
                target == class.name && held.derived_from.is_none(),
                "{}.{}",
                class.name,
                field.name
            );
        }
    }
}
