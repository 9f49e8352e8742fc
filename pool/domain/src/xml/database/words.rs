//! Values as the text of attributes: plain ones as they are, sets and maps as lists in parentheses, with quotes around what
//! is within: `('a' 'b')`, `(('key' 'value'))`.

use std::collections::BTreeMap;

use proto_types::schema::Type;
use proto_types::{DateTime, Ref, Value};

/// Lists within lists: a map's pairs within a set are the deepest that fields have.
const DEEPEST: u32 = 8;

/// A value's text.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::Void => String::new(),
        Value::Str(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Ref(reference) => reference.to_string(),
        Value::Set(items) => list(items.iter().map(item)),
        Value::Map(map) => list(map.iter().map(|(k, v)| list([item(k), item(v)]))),
        // No field is one.
        Value::Record(members) => list(members.iter().map(|(_, v)| item(v))),
    }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("({})", items.join(" "))
}

fn item(value: &Value) -> String {
    let text = write(value);
    match value {
        Value::Set(_) | Value::Map(_) | Value::Record(_) => text,
        _ => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

/// The value that a text stands for in a field of a type; nothing if none.
pub(super) fn read(text: &str, ty: &Type) -> Option<Value> {
    match ty {
        Type::Set(_) | Type::Map(..) => {
            let mut rest = text;
            let tree = tree(&mut rest, 0)?;
            rest.trim().is_empty().then(|| of_tree(&tree, ty))?
        }
        _ => plain(text, ty),
    }
}

fn plain(text: &str, ty: &Type) -> Option<Value> {
    Some(match ty {
        Type::String => Value::str(text),
        Type::Enum(def) => {
            let is_member = def.members.contains(&text);
            is_member.then(|| Value::str(text))?
        }
        Type::Int => Value::Int(text.parse().ok()?),
        Type::Float => Value::Float(text.parse().ok()?),
        Type::Bool => Value::Bool(text.parse().ok()?),
        Type::DateTime => Value::Time(text.parse::<DateTime>().ok()?),
        Type::Ref(_) => Value::Ref(text.parse::<Ref>().ok()?),
        Type::Option(_) if text.is_empty() => Value::Void,
        Type::Option(inner) => read(text, inner)?,
        Type::Void | Type::Record(_) | Type::Set(_) | Type::Map(..) => return None,
    })
}

/// A list as it is written.
enum Tree {
    Leaf(String),
    List(Vec<Tree>),
}

fn tree(rest: &mut &str, depth: u32) -> Option<Tree> {
    let text = rest.trim_start();
    if let Some(inner) = text.strip_prefix('(') {
        let mut items = Vec::new();
        *rest = inner;
        loop {
            let text = rest.trim_start();
            if let Some(after) = text.strip_prefix(')') {
                *rest = after;
                return Some(Tree::List(items));
            }
            if depth >= DEEPEST {
                return None;
            }
            items.push(tree(rest, depth + 1)?);
        }
    }
    let quoted = text.strip_prefix('\'')?;
    let mut leaf = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => {
                *rest = quoted.get(at + 1..)?;
                return Some(Tree::Leaf(leaf));
            }
            '\\' => leaf.push(chars.next()?.1),
            c => leaf.push(c),
        }
    }
    None
}

fn of_tree(tree: &Tree, ty: &Type) -> Option<Value> {
    match (tree, ty) {
        (Tree::List(items), Type::Set(inner)) => {
            let items = items.iter().map(|item| of_tree(item, inner));
            items.collect::<Option<Vec<_>>>().map(Value::Set)
        }
        (Tree::List(items), Type::Map(keys, values)) => {
            let mut map = BTreeMap::new();
            for item in items {
                let Tree::List(pair) = item else { return None };
                let [key, value] = pair.as_slice() else {
                    return None;
                };
                map.insert(of_tree(key, keys)?, of_tree(value, values)?);
            }
            Some(Value::Map(map))
        }
        (Tree::Leaf(text), ty) => plain(text, ty),
        (Tree::List(_), _) => None,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        const TEXTS: Type = Type::Set(&Type::String);
        const MAP: Type = Type::Map(&Type::String, &Type::String);
        let odd = "it's a \\ (b) \n\t \u{e4}";
        let map: BTreeMap<Value, Value> = [("a", odd), ("", ""), ("b c", "d")]
            .map(|(k, v)| (Value::str(k), Value::str(v)))
            .into();
        let pairs = [
            (Value::str(odd), Type::String),
            (Value::str("(a"), Type::String),
            (Value::Int(-7), Type::Int),
            (Value::Float(0.25), Type::Float),
            (Value::Bool(true), Type::Bool),
            (Value::Time(DateTime(1_700_000_000)), Type::DateTime),
            (Value::Ref(Ref::NULL), Type::Ref("VM")),
            (Value::strings([odd, "", "b"]), TEXTS),
            (Value::strings(Vec::<String>::new()), TEXTS),
            (Value::Map(map), MAP),
            (Value::Set(vec![Value::strings(["a"])]), Type::Set(&TEXTS)),
            (Value::Void, Type::Option(&Type::Int)),
        ];
        for (value, ty) in pairs {
            let text = write(&value);
            assert_eq!(read(&text, &ty).as_ref(), Some(&value), "{text}");
        }
        assert_eq!(write(&Value::strings(["a", "it's"])), "('a' 'it\\'s')");
    }

    #[test]
    fn what_is_no_value_is_none() {
        const TEXTS: Type = Type::Set(&Type::String);
        let deep = "(".repeat(100_000);
        for bad in [
            "",
            "(",
            "('a'",
            "('a' b)",
            "('a') 'b'",
            "'a'",
            "('a\\",
            deep.as_str(),
        ] {
            assert_eq!(read(bad, &TEXTS), None, "{bad:.20}");
        }
        assert_eq!(read("(('a'))", &Type::Map(&Type::String, &Type::String)), None);
        assert_eq!(read("x", &Type::Int), None);
    }
}
