//! The exact bytes of answers, and what is accepted of calls.

use gateway_codec::{Call, DecodeError, Limits, Outcome, ValueWriter, WireValue, jsonrpc, xmlrpc};
use proto_types::{ApiError, DateTime, Ref, Value};

fn xml(value: Value) -> String {
    xmlrpc::task_result(&value)
}

fn json(value: &Value) -> String {
    let mut writer = jsonrpc::JsonWriter::new(Vec::new());
    writer.value(value);
    String::from_utf8(writer.into_bytes()).expect("JSON is text")
}

fn s(text: &str) -> WireValue {
    WireValue::String(text.to_owned())
}

/// A record with one of everything.
fn everything() -> Value {
    Value::Record(vec![
        ("label".into(), Value::str("a<b>&\"c'")),
        ("number".into(), Value::Int(-5)),
        ("absent".into(), Value::Void),
        ("set".into(), Value::strings(["x", "y"])),
        ("map".into(), Value::string_map([("k", "v")])),
        (
            "valid_ref_counts".into(),
            Value::Map([(Value::str("vm"), Value::Int(3))].into()),
        ),
    ])
}

#[test]
fn values_have_exactly_the_bytes_of_xenserver() {
    let reference = Ref::from_uuid("6c5f2b1a-0000-4000-8000-00000000abcd".parse().unwrap());
    let table = [
        (Value::str("text"), "<value>text</value>"),
        (Value::str(""), "<value></value>"),
        (Value::str("<&>\""), "<value>&lt;&amp;&gt;&quot;</value>"),
        (
            Value::str("a\u{1}b\0c\u{fffe}d\u{ffff}e\u{fffd}f\u{1f600}"),
            "<value>abcde\u{fffd}f\u{1f600}</value>",
        ),
        (Value::str("a\tb\nc\rd"), "<value>a\tb\nc&#13;d</value>"),
        (Value::Int(123), "<value>123</value>"),
        (Value::Int(i64::MIN), "<value>-9223372036854775808</value>"),
        (Value::Bool(true), "<value><boolean>1</boolean></value>"),
        (Value::Bool(false), "<value><boolean>0</boolean></value>"),
        (Value::Float(1.0), "<value><double>1</double></value>"),
        (Value::Float(0.5), "<value><double>0.5</double></value>"),
        (
            Value::Time(DateTime::EPOCH),
            "<value><dateTime.iso8601>19700101T00:00:00Z</dateTime.iso8601></value>",
        ),
        (Value::Ref(Ref::NULL), "<value>OpaqueRef:NULL</value>"),
        (
            Value::Ref(reference),
            "<value>OpaqueRef:6c5f2b1a-0000-4000-8000-00000000abcd</value>",
        ),
        (Value::Void, "<value></value>"),
        (Value::Set(vec![]), "<value><array><data/></array></value>"),
        (Value::empty_map(), "<value><struct/></value>"),
        (Value::Record(vec![]), "<value><struct/></value>"),
        (
            Value::Set(vec![Value::Set(vec![]), Value::str("<data>")]),
            "<value><array><data><value><array><data/></array></value><value>&lt;data&gt;</value></data></array></value>",
        ),
        (
            Value::Map([(Value::Int(7), Value::Ref(Ref::NULL))].into()),
            "<value><struct><member><name>7</name><value>OpaqueRef:NULL</value></member></struct></value>",
        ),
        (
            everything(),
            "<value><struct><member><name>label</name><value>a&lt;b&gt;&amp;&quot;c'</value></member>\
             <member><name>number</name><value>-5</value></member>\
             <member><name>set</name><value><array><data><value>x</value><value>y</value></data></array></value></member>\
             <member><name>map</name><value><struct><member><name>k</name><value>v</value></member></struct></value></member>\
             <member><name>valid_ref_counts</name><value><struct><member><name>vm</name><value><i4>3</i4></value></member>\
             </struct></value></member></struct></value>",
        ),
    ];
    for (value, bytes) in table {
        assert_eq!(xml(value), bytes);
    }
}

#[test]
fn answers_have_exactly_the_envelope_of_xenserver() {
    assert_eq!(
        String::from_utf8(xmlrpc::success(&Value::Void)).unwrap(),
        "<?xml version=\"1.0\"?><methodResponse><params><param><value><struct><member><name>Status</name>\
         <value>Success</value></member><member><name>Value</name><value></value></member></struct></value></param>\
         </params></methodResponse>"
    );
    assert_eq!(
        String::from_utf8(xmlrpc::failure(&ApiError::new("HANDLE_INVALID", ["VM", "x<"]))).unwrap(),
        "<?xml version=\"1.0\"?><methodResponse><params><param><value><struct><member><name>Status</name>\
         <value>Failure</value></member><member><name>ErrorDescription</name><value><array><data>\
         <value>HANDLE_INVALID</value><value>VM</value><value>x&lt;</value></data></array></value></member></struct>\
         </value></param></params></methodResponse>"
    );
    assert_eq!(
        String::from_utf8(xmlrpc::bare(|w| w.strings(["a.b"]))).unwrap(),
        "<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data><value>a.b</value></data></array>\
         </value></param></params></methodResponse>"
    );
}

#[test]
fn json_values_have_their_own_forms() {
    let table = [
        (Value::str("a\"\\\n\t\u{1}é"), "\"a\\\"\\\\\\n\\t\\u0001é\""),
        (Value::Int(123), "123"),
        (Value::Float(0.5), "0.5"),
        (Value::Bool(true), "true"),
        (Value::Time(DateTime::EPOCH), "\"19700101T00:00:00Z\""),
        (Value::Void, "\"\""),
        (Value::Set(vec![]), "[]"),
        (Value::empty_map(), "{}"),
        (
            Value::Set(vec![Value::Set(vec![]), Value::Int(1), Value::empty_map()]),
            "[[],1,{}]",
        ),
        (
            everything(),
            "{\"label\":\"a<b>&\\\"c'\",\"number\":-5,\"set\":[\"x\",\"y\"],\"map\":{\"k\":\"v\"},\"valid_ref_counts\":{\"vm\":3}}",
        ),
    ];
    for (value, bytes) in table {
        assert_eq!(json(&value), bytes);
    }
}

#[test]
fn json_answers_follow_the_version_of_the_call() {
    let error = ApiError::new("X", ["p"]);
    for (call, success, failure) in [
        (
            r#"{"method":"m","params":[],"id":0}"#,
            r#"{"result":1,"error":null,"id":0}"#,
            r#"{"result":null,"error":["X","p"],"id":0}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"m","params":[],"id":"a\u0062"}"#,
            r#"{"jsonrpc":"2.0","result":1,"id":"a\u0062"}"#,
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"X","data":["p"]},"id":"a\u0062"}"#,
        ),
    ] {
        let (_, envelope) = jsonrpc::decode_call(call.as_bytes(), &Limits::CALL).unwrap();
        let good = jsonrpc::success(&envelope, &Value::Int(1));
        let bad = jsonrpc::failure(&envelope, &error);
        assert_eq!(std::str::from_utf8(&good).unwrap(), success);
        assert_eq!(std::str::from_utf8(&bad).unwrap(), failure);
        assert_eq!(
            jsonrpc::decode_response(&good, &Limits::CALL).unwrap(),
            Outcome::Success(WireValue::Int(1))
        );
        assert_eq!(
            jsonrpc::decode_response(&bad, &Limits::CALL).unwrap(),
            Outcome::Failure(error.clone())
        );
    }
    for bad in [
        "[]",
        "{}",
        r#"[{"method":"m","id":1}]"#,
        r#"{"method":"m","id":{}}"#,
        r#"{"jsonrpc":"3.0","method":"m","id":1}"#,
    ] {
        assert!(
            jsonrpc::decode_call(bad.as_bytes(), &Limits::CALL).is_err(),
            "{bad}"
        );
    }
}

fn one(value: &str) -> Result<WireValue, DecodeError> {
    xmlrpc::decode_value(value.as_bytes(), &Limits::CALL)
}

#[test]
fn values_are_read_in_every_form_that_clients_send() {
    let table = [
        ("<value>text</value>", s("text")),
        ("<value/>", s("")),
        ("<value><string/></value>", s("")),
        ("<value>  kept </value>", s("  kept ")),
        ("<value> <string> kept </string> </value>", s(" kept ")),
        (
            "<value>a &lt;&amp;&gt; &#65;&#x42;&apos;&quot;</value>",
            s("a <&> AB'\""),
        ),
        ("<value><![CDATA[<raw>&amp;]]></value>", s("<raw>&amp;")),
        ("<value>a<!-- no -->b</value>", s("ab")),
        ("<value>a\r\nb\rc&#13;d</value>", s("a\nb\nc\rd")),
        ("<value><int> 5 </int></value>", WireValue::Int(5)),
        ("<value><i4>-5</i4></value>", WireValue::Int(-5)),
        (
            "<value><i8>9223372036854775807</i8></value>",
            WireValue::Int(i64::MAX),
        ),
        ("<value><boolean>1</boolean></value>", WireValue::Bool(true)),
        (
            "<value><double>-1.5e3</double></value>",
            WireValue::Double(-1500.0),
        ),
        (
            "<value><dateTime.iso8601>20250319T04:16:24Z</dateTime.iso8601></value>",
            WireValue::DateTime("20250319T04:16:24Z".to_owned()),
        ),
        ("<value><nil/></value>", WireValue::Nil),
        ("<value><array><data/></array></value>", WireValue::Array(vec![])),
        (
            "<value><array>\n<data>\n<value>a</value>\n</data>\n</array></value>",
            WireValue::Array(vec![s("a")]),
        ),
        ("<value><struct/></value>", WireValue::Struct(vec![])),
        (
            "<value>\n<struct>\n<member>\n<name> k</name>\n<value>v</value>\n</member>\n</struct>\n</value>",
            WireValue::Struct(vec![(" k".to_owned(), s("v"))]),
        ),
        (
            "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<value>é</value>\n",
            s("é"),
        ),
    ];
    for (bytes, value) in table {
        assert_eq!(one(bytes), Ok(value), "{bytes}");
    }
}

#[test]
fn what_is_no_value_is_malformed() {
    for bad in [
        "",
        "x",
        "<value>",
        "<value></x>",
        "<value><int></int></value>",
        "<value><int>9223372036854775808</int></value>",
        "<value><boolean>2</boolean></value>",
        "<value>x<int>1</int></value>",
        "<value><int>1</int>x</value>",
        "<value><int>1</int><int>2</int></value>",
        "<value><string><b/></string></value>",
        "<value>&unknown;</value>",
        "<value>&#0;</value>",
        "<value>&#xd800;</value>",
        "<value>&#1;</value>",
        "<value>&#x110000;</value>",
        "<value>a & b</value>",
        "<value><base64>AA==</base64></value>",
        "<value/><value/>",
        "<value/>x",
        "<!DOCTYPE value [<!ENTITY a 'b'>]><value>&a;</value>",
        "<value><array><value/></array></value>",
        "<value><struct><member><value/><name/></member></struct></value>",
        "<value><nil>x</nil></value>",
        "<value><struct><member><name>k</name></member></struct></value>",
        "<value",
        "<!--",
        "<![CDATA[",
    ] {
        assert!(
            matches!(one(bad), Err(DecodeError::Malformed { .. })),
            "{bad}: {:?}",
            one(bad)
        );
    }
}

#[test]
fn text_that_cannot_be_sent_back_is_an_invalid_value() {
    let code = |bytes: &[u8]| {
        let error = xmlrpc::decode_value(bytes, &Limits::CALL).unwrap_err();
        error
            .api_error()
            .map(|e| (e.code.into_owned(), e.params[1].clone()))
    };
    assert_eq!(
        code(b"<value>a\xffb</value>"),
        Some(("INVALID_VALUE".to_owned(), "a\u{fffd}b".to_owned()))
    );
    assert_eq!(
        code(b"<value>a\x01b</value>"),
        Some(("INVALID_VALUE".to_owned(), "a\u{fffd}b".to_owned()))
    );
    assert_eq!(code(b"<value>"), None);
    let json = br#"{"method":"m","params":["a\u0001b"],"id":1}"#;
    assert!(matches!(
        jsonrpc::decode_call(json, &Limits::CALL),
        Err(DecodeError::BadText { .. })
    ));
}

#[test]
fn calls_are_read_with_and_without_parameters() {
    let call = |bytes: &str| xmlrpc::decode_call(bytes.as_bytes(), &Limits::CALL);
    let wanted = Call {
        method: "VM.start".to_owned(),
        params: vec![s("ref"), WireValue::Bool(false)],
    };
    assert_eq!(
        call(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>VM.start</methodName>\n<params>\n<param>\n<value><string>ref\
              </string></value>\n</param><param><value><boolean>0</boolean></value></param></params>\n</methodCall>\n"
        ),
        Ok(wanted)
    );
    for bare in [
        "<methodCall><methodName> m </methodName></methodCall>",
        "<methodCall><methodName>m</methodName><params/></methodCall>",
    ] {
        assert_eq!(
            call(bare),
            Ok(Call {
                method: "m".to_owned(),
                params: vec![]
            })
        );
    }
    for bad in [
        "<methodCall/>",
        "<methodCall><methodName/></methodCall>",
        "<methodCall><methodName>m</methodName><params><value/></params></methodCall>",
        "<methodCall><methodName>m</methodName><params/>",
        "<methodResponse><params><param><value/></param></params></methodResponse>",
        "<methodCall><methodName>m</methodName><params/></methodCall><methodCall/>",
    ] {
        assert!(call(bad).is_err(), "{bad}");
    }
}

#[test]
fn bombs_are_refused_by_every_limit() {
    let limits = Limits {
        bytes: 10_000,
        depth: 10,
        values: 100,
        string: 50,
    };
    let wrap = |inner: String| format!("<value>{inner}</value>").into_bytes();
    let over = |bytes: Vec<u8>, what: &str| match xmlrpc::decode_value(&bytes, &limits) {
        Err(DecodeError::TooLarge { of, .. }) => assert_eq!(of, what),
        other => panic!("{what}: {other:?}"),
    };
    over(wrap("x".repeat(10_001)), "bytes");
    over(wrap("x".repeat(51)), "bytes in one string");
    over(wrap("&lt;".repeat(51)), "bytes in one string");
    over(
        wrap(format!("<array><data>{}</data></array>", "<value/>".repeat(100))),
        "values",
    );
    over(
        wrap(format!(
            "{}{}",
            "<array><data><value>".repeat(10),
            "</value></data></array>".repeat(10)
        )),
        "levels",
    );
    let deep = format!(
        "{{\"method\":\"m\",\"params\":[{}{}],\"id\":1}}",
        "[".repeat(40),
        "]".repeat(40)
    );
    assert!(matches!(
        jsonrpc::decode_call(deep.as_bytes(), &Limits::CALL),
        Err(DecodeError::TooLarge { .. })
    ));
    let deeper = "[".repeat(200_000);
    assert!(jsonrpc::decode_call(deeper.as_bytes(), &Limits::CALL).is_err());
    let nested = "<value><array><data>".repeat(15_000);
    assert!(xmlrpc::decode_value(nested.as_bytes(), &Limits::CALL).is_err());
}

#[test]
fn a_client_understands_every_answer() {
    let read = |bytes: &[u8]| xmlrpc::decode_response(bytes, &Limits::RESPONSE).unwrap();
    assert_eq!(read(&xmlrpc::success(&Value::Int(4))), Outcome::Success(s("4")));
    let error = ApiError::new("HOST_IS_SLAVE", ["192.0.2.1"]);
    assert_eq!(read(&xmlrpc::failure(&error)), Outcome::Failure(error));
    assert_eq!(
        read(&xmlrpc::bare(|w| w.strings(["a"]))),
        Outcome::Success(WireValue::Array(vec![s("a")]))
    );
    let fault = b"<methodResponse><fault><value><struct><member><name>faultString</name><value>no</value></member></struct>\
                  </value></fault></methodResponse>";
    assert_eq!(read(fault), Outcome::Failure(ApiError::new("Fault", ["no"])));
}
