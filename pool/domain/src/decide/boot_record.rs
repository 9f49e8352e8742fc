//! What a VM was started with, kept in `last_booted_record`: a change while it runs does not alter it.
//!
//! ```text
//! text  = line*            one line for each value, tab between the parts, `\\ \n \t` escaped
//! line  = field TAB value          a number or text
//!       | field TAB key TAB value  one entry of a map; a map without lines is empty
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use proto_types::generated::vm;
use proto_types::{ApiError, Field, Ref, Value};

use crate::database::Database;
use crate::query;
use crate::row::Row;
use crate::vm_rules;

/// The fields that take effect at boot.
const FIELDS: &[Field] = &[
    vm::MEMORY_STATIC_MAX,
    vm::MEMORY_STATIC_MIN,
    vm::MEMORY_DYNAMIC_MAX,
    vm::MEMORY_DYNAMIC_MIN,
    vm::VCPUS_MAX,
    vm::VCPUS_AT_STARTUP,
    vm::VCPUS_PARAMS,
    vm::PV_BOOTLOADER,
    vm::PV_BOOTLOADER_ARGS,
    vm::PV_KERNEL,
    vm::PV_RAMDISK,
    vm::PV_ARGS,
    vm::HVM_BOOT_POLICY,
    vm::HVM_BOOT_PARAMS,
    vm::HVM_SHADOW_MULTIPLIER,
    vm::PLATFORM,
    vm::PCI_BUS,
    vm::RECOMMENDATIONS,
];

/// The text for `last_booted_record`.
pub fn take(row: &Row) -> String {
    let mut text = String::new();
    let mut line = |parts: &[&str]| {
        let escaped: Vec<String> = parts.iter().map(|p| escape(p)).collect();
        text.push_str(&escaped.join("\t"));
        text.push('\n');
    };
    for field in FIELDS {
        let name = field.def().name;
        match row.get(*field) {
            Value::Map(map) => {
                for (key, value) in map {
                    line(&[name, key.as_str(), value.as_str()]);
                }
            }
            Value::Int(number) => line(&[name, &number.to_string()]),
            Value::Float(number) => line(&[name, &number.to_string()]),
            other => line(&[name, other.as_str()]),
        }
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// The kept values. What cannot be read is left out.
fn read(row: &Row) -> BTreeMap<&'static str, Value> {
    let mut found: BTreeMap<&'static str, Value> = BTreeMap::new();
    for line in row.get(vm::LAST_BOOTED_RECORD).as_str().split('\n') {
        let parts: Vec<String> = line.split('\t').map(unescape).collect();
        let Some(field) = FIELDS
            .iter()
            .find(|f| Some(f.def().name) == parts.first().map(String::as_str))
        else {
            continue;
        };
        let name = field.def().name;
        match (row.get(*field), parts.as_slice()) {
            (Value::Map(_), [_, key, value]) => {
                let mut map = match found.remove(name) {
                    Some(Value::Map(map)) => map,
                    _ => BTreeMap::new(),
                };
                map.insert(key.into(), value.into());
                found.insert(name, Value::Map(map));
            }
            (Value::Int(_), [_, value]) => {
                found.extend(value.parse::<i64>().ok().map(|n| (name, Value::Int(n))));
            }
            (Value::Float(_), [_, value]) => {
                found.extend(value.parse::<f64>().ok().map(|n| (name, Value::Float(n))));
            }
            (_, [_, value]) => {
                found.insert(name, value.into());
            }
            _ => {}
        }
    }
    if !found.is_empty() {
        for field in FIELDS.iter().filter(|f| matches!(row.get(**f), Value::Map(_))) {
            found.entry(field.def().name).or_insert_with(Value::empty_map);
        }
    }
    found
}

/// The record as clients see it, with what the VM was started with in place of what has been set since. A halted VM
/// was started with nothing: its record is as it stands.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn of(db: &Database, reference: Ref) -> Result<Value, ApiError> {
    let row = query::find(db, vm::CLASS, reference)?;
    let Value::Record(members) = query::record(db, row) else {
        return Err(ApiError::internal("a record is not one"));
    };
    if row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED {
        return Ok(Value::Record(members));
    }
    let mut kept = read(row);
    let members: Vec<(Arc<str>, Value)> = members
        .into_iter()
        .map(|(name, value)| {
            let then = kept.remove(&*name);
            (name, then.unwrap_or(value))
        })
        .collect();
    Ok(Value::Record(members))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn escaping_loses_nothing() {
        for text in ["", "plain", "a\tb\nc\\d", "\\n", "\\\\t", "ends with \\"] {
            assert_eq!(unescape(&escape(text)), text);
            assert!(!escape(text).contains(['\n', '\t']));
        }
    }
}
