//! Tests of the small XML-RPC client.

use super::*;

#[test]
fn what_is_written_is_read_back() {
    let value = Value::map([
        ("Status", "Success".into()),
        (
            "Value",
            Value::List(vec![
                "a <b> & \"c\"".into(),
                true.into(),
                Value::Double(1.5),
                Value::Map(BTreeMap::new()),
                Value::List(Vec::new()),
                "".into(),
            ]),
        ),
    ]);
    let mut text = "<methodResponse><params><param>".to_owned();
    value.write(&mut text);
    text.push_str("</param></params></methodResponse>");
    assert_eq!(Parser::new(&text).response().unwrap(), value);
}

#[test]
fn short_forms_and_spacing_are_read() {
    let text = "<?xml version=\"1.0\"?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n\
        <member><name>a</name><value>x</value></member>\n\
        <member><name>b</name>\n<value><array><data/></array></value></member>\n\
        <member><name>c</name><value/></member></struct></value></param></params></methodResponse>";
    let value = Parser::new(text).response().unwrap();
    assert_eq!(value.field("a").unwrap(), &"x".into());
    assert_eq!(value.field("b").unwrap(), &Value::List(Vec::new()));
    assert_eq!(value.field("c").unwrap(), &"".into());
}

#[test]
fn a_chunked_body_is_joined() {
    assert_eq!(dechunk("3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n").unwrap(), "abcde");
}
