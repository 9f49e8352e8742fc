//! Documents of the pool's objects: written, read, and refused.

use proto_types::DateTime;
use proto_types::generated::{secret, vm};

use super::*;
use crate::apply::apply;
use crate::draft::Draft;
use crate::facts::Facts;
use crate::transaction::Origin;

fn database() -> Database {
    let facts = Facts::counting(DateTime(1_000));
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let odd = "it's <a> & \"b\"\n\u{1}c";
    let map = Value::Map([(Value::str("k'1"), Value::str(odd))].into());
    draft.insert(
        vm::CLASS,
        vec![
            (vm::NAME_LABEL, odd.into()),
            (vm::TAGS, Value::strings(["a b", "c"])),
            (vm::OTHER_CONFIG, map),
            (vm::MEMORY_STATIC_MAX, Value::Int(1 << 40)),
        ],
    );
    draft.insert(secret::CLASS, vec![(secret::VALUE, "x".into())]);
    let made = draft.finish(uuid::Uuid::nil(), Origin::default());
    apply(&mut db, 1, &made);
    db
}

fn document(db: &Database) -> String {
    pieces(db).collect()
}

#[test]
fn rows_come_back_as_they_were() {
    let db = database();
    let rows = read(&document(&db)).unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let was = db.get(row.reference).unwrap();
        for (field, value) in &row.fields {
            match was.get(*field) {
                // What XML has no word for is not there any more.
                Value::Str(text) => assert_eq!(value.as_str(), text.replace('\u{1}', "")),
                Value::Map(_) if *field == vm::OTHER_CONFIG => {
                    assert_eq!(value.get("k'1"), Some("it's <a> & \"b\"\nc"));
                }
                same => assert_eq!(value, same, "{field:?}"),
            }
        }
        assert!(
            row.class == secret::CLASS || row.get(vm::VBDS).is_none(),
            "it follows from others"
        );
    }
}

#[test]
fn what_is_no_such_document_is_refused_with_its_place() {
    let good = document(&database());
    let other = good.replace("value=\"5\"", "value=\"6\"");
    assert_eq!(read(&other), Err(NotADatabase::Version("6".into())));
    let bad = [
        String::new(),
        "<database/>".to_owned(),
        "<!DOCTYPE a><database/>".to_owned(),
        "<row ref='x'/>".to_owned(),
        good.replace("<manifest>", "<manifest><row/>"),
        good.replace(
            "memory_static_max=\"1099511627776\"",
            "memory_static_max=\"much\"",
        ),
        good.replace("ref=\"OpaqueRef:", "ref=\""),
        good.chars().take(good.len() / 2).collect(),
    ];
    for text in bad {
        let found = read(&text);
        assert!(
            matches!(found, Err(NotADatabase::Malformed(_))),
            "{found:?} of {text:.60}"
        );
    }
    let unknown = good
        .replace(" name_label=", " name_of_tomorrow=")
        .replace("table name=\"secret\"", "table name=\"moon\"");
    assert_eq!(read(&unknown).unwrap().len(), 1, "what is not known is left out");
}
