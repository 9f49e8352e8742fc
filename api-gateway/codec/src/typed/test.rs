//! Typing of wire values.

use proto_types::Ref;

use super::*;

static STRING: Type = Type::String;
static INT: Type = Type::Int;
static VM: Type = Type::Ref("VM");
static COLOUR: EnumDef = EnumDef {
    name: "colour",
    members: &["red", "Green"],
};

fn s(text: &str) -> WireValue {
    WireValue::String(text.to_owned())
}

#[test]
fn integers_come_as_numbers_or_strings() {
    assert_eq!(decode(&WireValue::Int(-7), &INT), Ok(Value::Int(-7)));
    assert_eq!(
        decode(&s(" 9223372036854775807 "), &INT),
        Ok(Value::Int(i64::MAX))
    );
    for bad in [
        s(""),
        s("1.5"),
        s("9223372036854775808"),
        WireValue::Double(1.0),
        WireValue::Bool(true),
        WireValue::Nil,
    ] {
        assert!(decode(&bad, &INT).is_err(), "{bad:?}");
    }
}

#[test]
fn floats_come_as_doubles_integers_or_strings() {
    for wire in [WireValue::Double(2.0), WireValue::Int(2), s("2"), s("2.")] {
        assert_eq!(decode(&wire, &Type::Float), Ok(Value::Float(2.0)), "{wire:?}");
    }
    assert!(decode(&s("two"), &Type::Float).is_err());
}

#[test]
fn truth_comes_only_as_itself() {
    assert_eq!(decode(&WireValue::Bool(true), &Type::Bool), Ok(Value::Bool(true)));
    for bad in [s("true"), s("1"), WireValue::Int(1)] {
        assert!(decode(&bad, &Type::Bool).is_err(), "{bad:?}");
    }
}

#[test]
fn strings_come_only_as_strings() {
    assert!(decode(&WireValue::Int(1), &STRING).is_err());
    assert!(decode(&WireValue::Array(vec![]), &STRING).is_err());
}

#[test]
fn times_come_with_or_without_hyphens_and_zone() {
    let at = Ok(Value::Time("20250319T04:16:24Z".parse().unwrap()));
    for text in [
        "20250319T04:16:24Z",
        "2025-03-19T04:16:24Z",
        "20250319T04:16:24",
        "2025-03-19T04:16:24",
    ] {
        assert_eq!(decode(&WireValue::DateTime(text.to_owned()), &Type::DateTime), at);
        assert_eq!(decode(&s(text), &Type::DateTime), at);
    }
    assert!(decode(&s("yesterday"), &Type::DateTime).is_err());
}

#[test]
fn enums_are_exact_and_the_error_names_the_value() {
    assert_eq!(decode(&s("Green"), &Type::Enum(&COLOUR)), Ok(Value::str("Green")));
    let error = ApiError::from(decode(&s("green"), &Type::Enum(&COLOUR)).unwrap_err());
    assert_eq!(error.code, "INTERNAL_ERROR");
    assert!(error.params[0].contains("green"));
}

#[test]
fn what_is_no_reference_is_an_invalid_handle() {
    assert_eq!(decode(&s(""), &VM), Ok(Value::Ref(Ref::NULL)));
    assert_eq!(decode(&s("OpaqueRef:NULL"), &VM), Ok(Value::Ref(Ref::NULL)));
    let error = ApiError::from(decode(&s("bogus"), &VM).unwrap_err());
    assert_eq!(error, ApiError::new("HANDLE_INVALID", ["VM", "bogus"]));
}

#[test]
fn keys_of_maps_are_strings_of_their_type() {
    let map = WireValue::Struct(vec![("3".to_owned(), s("x")), ("4".to_owned(), s("y"))]);
    let Ok(Value::Map(read)) = decode(&map, &Type::Map(&INT, &STRING)) else {
        panic!("not a map")
    };
    assert_eq!(read.get(&Value::Int(3)), Some(&Value::str("x")));
    assert!(decode(&map, &Type::Map(&VM, &STRING)).is_err());
    assert!(decode(&WireValue::Array(vec![]), &Type::Map(&INT, &STRING)).is_err());
}

#[test]
fn an_optional_may_be_nil() {
    assert_eq!(decode(&WireValue::Nil, &Type::Option(&INT)), Ok(Value::Void));
    assert_eq!(decode(&s("5"), &Type::Option(&INT)), Ok(Value::Int(5)));
}

#[test]
fn a_record_for_create_takes_defaults_and_ignores_what_only_the_server_sets() {
    let given = WireValue::Struct(vec![
        ("name_label".to_owned(), s("net")),
        ("uuid".to_owned(), s("mine")),
        ("MTU".to_owned(), s("9000")),
        ("other_config".to_owned(), WireValue::Struct(Vec::new())),
        ("no_such_field".to_owned(), WireValue::Nil),
    ]);
    let read = decode(&given, &Type::Record("network")).unwrap();
    assert_eq!(read.member("name_label"), Some(&Value::str("net")));
    assert_eq!(read.member("MTU"), Some(&Value::Int(9000)));
    assert_eq!(read.member("name_description"), Some(&Value::str("")));
    assert_eq!(read.member("uuid"), None);
    assert_eq!(read.member("no_such_field"), None);
}

#[test]
fn a_record_without_a_mandatory_member_is_refused() {
    let error = decode(&WireValue::Struct(Vec::new()), &Type::Record("VBD")).unwrap_err();
    assert!(
        matches!(error, TypeError::Missing { class: "VBD", .. }),
        "{error:?}"
    );
    assert!(decode(&WireValue::Array(Vec::new()), &Type::Record("VBD")).is_err());
}

#[test]
fn a_record_of_a_server_keeps_every_field_it_has() {
    let sent = WireValue::Struct(vec![
        ("uuid".to_owned(), s("theirs")),
        ("managed".to_owned(), WireValue::Bool(true)),
    ]);
    let read = decode_result(&sent, &Type::Record("network")).unwrap();
    assert_eq!(read.member("uuid"), Some(&Value::str("theirs")));
    assert_eq!(read.member("name_label"), None);
}
