//! What is written is read back, for any value.

use gateway_codec::{Limits, Outcome, WireValue, jsonrpc, typed, xmlrpc};
use proptest::prelude::*;
use proto_types::schema::Type;
use proto_types::{DateTime, Ref, Value};

static STRING: Type = Type::String;
static INT: Type = Type::Int;
static REF: Type = Type::Ref("VM");
static STRINGS: Type = Type::Set(&STRING);

/// A type and a value of it.
fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    let text = "[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,20}";
    let reference = any::<u128>().prop_map(|n| Value::Ref(Ref::from_uuid(uuid(n))));
    prop_oneof![
        text.prop_map(|t| (Type::String, Value::from(t))),
        any::<i64>().prop_map(|n| (Type::Int, Value::Int(n))),
        any::<bool>().prop_map(|b| (Type::Bool, Value::Bool(b))),
        (-1_000_000_i64..1_000_000).prop_map(|n| {
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let number = n as f64 / 64.0;
            (Type::Float, Value::Float(number))
        }),
        (0_i64..4_000_000_000).prop_map(|t| (Type::DateTime, Value::Time(DateTime(t)))),
        reference.prop_map(|r| (REF, r)),
        prop::collection::vec(any::<i64>(), 0..5).prop_map(|v| (
            Type::Set(&INT),
            Value::Set(v.into_iter().map(Value::Int).collect())
        )),
        prop::collection::btree_map(
            any::<i64>().prop_map(Value::Int),
            prop::collection::vec(text, 0..3).prop_map(Value::strings),
            0..5
        )
        .prop_map(|m| (Type::Map(&INT, &STRINGS), Value::Map(m))),
        prop::collection::btree_map(
            text.prop_map(Value::from),
            any::<i64>().prop_map(Value::Int),
            0..5
        )
        .prop_map(|m| (Type::Map(&STRING, &INT), Value::Map(m))),
    ]
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

proptest! {
    #[test]
    fn xml_answers_read_back((ty, value) in typed_value()) {
        let bytes = xmlrpc::success(&value);
        let Outcome::Success(wire) = xmlrpc::decode_response(&bytes, &Limits::RESPONSE).unwrap() else { panic!("failure") };
        prop_assert_eq!(typed::decode_result(&wire, &ty).unwrap(), value);
    }

    #[test]
    fn xml_calls_read_back((ty, value) in typed_value(), method in "[A-Za-z._]{1,20}") {
        let bytes = xmlrpc::call(&method, &[Value::str("s"), value.clone()]);
        let call = xmlrpc::decode_call(&bytes, &Limits::CALL).unwrap();
        prop_assert_eq!(&call.method, &method);
        prop_assert_eq!(&call.params[0], &WireValue::String("s".to_owned()));
        prop_assert_eq!(typed::decode(&call.params[1], &ty).unwrap(), value);
    }

    #[test]
    fn json_calls_read_back((ty, value) in typed_value(), id in any::<u32>()) {
        let bytes = jsonrpc::call(u64::from(id), "a.b", std::slice::from_ref(&value));
        let (call, envelope) = jsonrpc::decode_call(&bytes, &Limits::CALL).unwrap();
        prop_assert_eq!(envelope.id.get(), id.to_string());
        prop_assert_eq!(typed::decode(&call.params[0], &ty).unwrap(), value.clone());
        let answer = jsonrpc::success(&envelope, &value);
        let Outcome::Success(wire) = jsonrpc::decode_response(&answer, &Limits::CALL).unwrap() else { panic!("failure") };
        prop_assert_eq!(typed::decode(&wire, &ty).unwrap(), value);
    }

    #[test]
    fn any_text_is_written_as_well_formed_xml(text in any::<String>()) {
        let kept: String = text.chars().filter(|c| gateway_codec::is_allowed_text(c.encode_utf8(&mut [0; 4]))).collect();
        let bytes = xmlrpc::task_result(&Value::from(text));
        prop_assert_eq!(xmlrpc::decode_value(bytes.as_bytes(), &Limits::CALL), Ok(WireValue::String(kept)));
    }
}
