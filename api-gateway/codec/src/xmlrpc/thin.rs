//! Leaves fields out of an answer with many records before it is decoded.
//!
//! The answer to `get_all_records` holds every field of every object; a client that shows three of a hundred spends
//! its time on the others. This only looks for angle brackets, which is many times as quick as reading.

use memchr::memchr_iter;

/// How deep in structs the fields of records lie: status and value, references, fields.
const RECORD: usize = 3;

/// An answer without the members of records that are not to be kept, for [`super::decode_response`].
///
/// Nothing, if the answer is not written as servers write: with other elements in between, attributes, comments or
/// sections of raw text. Then it has to be decoded as it is. What is wrong with the rest shows when it is decoded.
pub fn thinned(bytes: &[u8], keep: &dyn Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().checked_div(8).unwrap_or_default());
    let mut structs = 0_usize;
    // Up to here everything is either in `out` or left out.
    let mut done = 0_usize;
    let mut member: Option<usize> = None;
    // Members inside the one that is being left out, itself included.
    let mut leaving = 0_usize;
    for at in memchr_iter(b'<', bytes) {
        let tag = bytes.get(at..)?;
        if leaving > 0 {
            if tag.starts_with(b"</member>") {
                leaving = leaving.checked_sub(1)?;
                if leaving == 0 {
                    done = at.checked_add(b"</member>".len())?;
                }
            } else if tag.starts_with(b"<member>") {
                leaving = leaving.checked_add(1)?;
            } else if tag.starts_with(b"<!") {
                return None;
            }
            continue;
        }
        if let Some(start) = member.take() {
            // The name comes first, without anything in between.
            let name_at = start.checked_add(b"<member>".len())?;
            let text = tag.strip_prefix(b"<name>").filter(|_| at == name_at)?;
            let end = memchr::memchr(b'<', text)?;
            let name = std::str::from_utf8(text.get(..end)?).ok()?;
            // A name with an entity in it is none of ours to judge.
            if !name.contains('&') && !keep(name) {
                out.extend_from_slice(bytes.get(done..start)?);
                done = start;
                leaving = 1;
            }
        } else if tag.starts_with(b"<struct>") {
            structs = structs.checked_add(1)?;
        } else if tag.starts_with(b"</struct>") {
            structs = structs.checked_sub(1)?;
        } else if structs == RECORD && tag.starts_with(b"<member>") {
            member = Some(at);
        } else if tag.starts_with(b"<!") || tag.starts_with(b"<struct ") || tag.starts_with(b"<member ") {
            return None;
        }
    }
    if leaving > 0 || structs > 0 {
        return None;
    }
    out.extend_from_slice(bytes.get(done..)?);
    Some(out)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::xmlrpc::{decode_response, success};
    use crate::{Limits, Outcome, WireValue};
    use proto_types::Value;

    fn records() -> Value {
        let record = |uuid: &str| {
            Value::Record(vec![
                ("uuid".into(), Value::str(uuid)),
                (
                    "other_config".into(),
                    Value::string_map([("uuid", "<&>"), ("name", "")]),
                ),
                ("tags".into(), Value::strings(["a", "b"])),
                ("empty".into(), Value::empty_map()),
                ("last".into(), Value::Bool(true)),
            ])
        };
        Value::Record(vec![
            ("OpaqueRef:1".into(), record("1")),
            ("OpaqueRef:2".into(), record("2")),
        ])
    }

    fn read(bytes: &[u8]) -> WireValue {
        match decode_response(bytes, &Limits::RESPONSE).unwrap() {
            Outcome::Success(value) => value,
            Outcome::Failure(error) => panic!("{error}"),
        }
    }

    fn names(value: &WireValue) -> Vec<&str> {
        match value {
            WireValue::Struct(members) => members.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn only_fields_of_records_are_left_out() {
        let bytes = success(&records());
        let thin = thinned(&bytes, &|name| name == "uuid" || name == "other_config").unwrap();
        assert!(thin.len() < bytes.len());
        let value = read(&thin);
        assert_eq!(names(&value), ["OpaqueRef:1", "OpaqueRef:2"]);
        let second = value.member("OpaqueRef:2").unwrap();
        assert_eq!(names(second), ["uuid", "other_config"]);
        let whole = read(&bytes);
        let same = whole.member("OpaqueRef:2").unwrap();
        assert_eq!(second.member("other_config"), same.member("other_config"));
    }

    #[test]
    fn what_is_kept_is_what_is_decoded() {
        let bytes = success(&records());
        for field in ["uuid", "other_config", "tags", "empty", "last"] {
            let value = read(&thinned(&bytes, &|name| name == field).unwrap());
            let whole = read(&bytes);
            for reference in ["OpaqueRef:1", "OpaqueRef:2"] {
                let (thin, all) = (value.member(reference).unwrap(), whole.member(reference).unwrap());
                assert_eq!(names(thin), [field]);
                assert_eq!(thin.member(field), all.member(field));
            }
        }
        assert_eq!(read(&thinned(&bytes, &|_| true).unwrap()), read(&bytes));
    }

    #[test]
    fn anything_unusual_is_left_to_the_decoder() {
        let text = String::from_utf8(success(&records())).unwrap();
        let drop_all: &dyn Fn(&str) -> bool = &|_| false;
        let refused = |text: String| thinned(text.as_bytes(), drop_all).is_none();
        assert!(refused(
            text.replace("<member><name>uuid", "<member><!-- --><name>uuid")
        ));
        assert!(refused(text.replace("<member><name>uuid", "<member> <name>uuid")));
        assert!(refused(text.replace("<struct>", "<struct a=\"b\">")));
        assert!(refused(text.replace("</struct></value></member>", "")));
        let cut = text.split_at(text.len() / 2).0;
        assert!(refused(cut.to_owned()));
    }

    #[test]
    fn answers_without_records_stay_as_they_are() {
        let bytes = success(&Value::strings(["a"]));
        assert_eq!(thinned(&bytes, &|_| false).unwrap(), bytes);
    }
}
