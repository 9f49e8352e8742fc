//! `ova.xml`: the records of an archive as one XML-RPC value.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_codec::{Limits, WireValue, typed, xmlrpc};
use pool_domain::Database;
use pool_domain::decide::export::Exported;
use pool_domain::decide::import::ImportedObject;
use proto_types::generated::{host, network, pool, sr, vbd, vdi, vif, vm};
use proto_types::schema::Type;
use proto_types::{ApiError, ClassId, Ref, Value};
use uuid::Uuid;

/// The classes that are looked at; the others are of no use here.
const READ: &[ClassId] = &[
    host::CLASS,
    sr::CLASS,
    vdi::CLASS,
    vm::CLASS,
    network::CLASS,
    vbd::CLASS,
    vif::CLASS,
];

/// Fields that say what is going on rather than what an object is.
const PASSING: &[&str] = &["allowed_operations", "current_operations"];

/// What an archive says of itself.
#[derive(Clone, Debug)]
pub struct Ova {
    /// The version of the archive's form: checksums follow each piece from 1 on, a table of them comes last below 2.
    pub version: i64,
    /// The objects.
    pub objects: Vec<ImportedObject>,
}

/// Writes the records. The version is one that every server reads.
pub fn write(db: &Database, exported: &Exported) -> String {
    let record = |members: Vec<(&str, Value)>| {
        Value::Record(
            members
                .into_iter()
                .map(|(name, value)| (Arc::from(name), value))
                .collect(),
        )
    };
    let software = |key: &str| {
        let master = db
            .rows(pool::CLASS)
            .next()
            .map(|p| p.get(pool::MASTER).as_ref())?;
        let row = db.of_class(host::CLASS, master)?;
        row.get(host::SOFTWARE_VERSION).get(key).map(Value::str)
    };
    let said = |key: &'static str| (key, software(key).unwrap_or_else(|| Value::str("")));
    let version = record(vec![
        said("hostname"),
        said("date"),
        said("product_version"),
        said("product_brand"),
        said("build_number"),
        ("xapi_major", Value::Int(1)),
        ("xapi_minor", Value::Int(20)),
        ("export_vsn", Value::Int(2)),
    ]);
    let objects = exported.objects.iter().map(|object| {
        record(vec![
            ("class", Value::str(object.class)),
            ("id", Value::str(&object.id)),
            ("snapshot", object.record.clone()),
        ])
    });
    let objects = Value::Set(objects.collect());
    xmlrpc::task_result(&record(vec![("version", version), ("objects", objects)]))
}

fn bad(text: impl std::fmt::Display) -> ApiError {
    ApiError::new("IMPORT_ERROR", [format!("ova.xml: {text}")])
}

/// Reads the records.
///
/// # Errors
/// `IMPORT_ERROR [text]`.
pub fn read(bytes: &[u8]) -> Result<Ova, ApiError> {
    let value = xmlrpc::decode_value(bytes.trim_ascii(), &Limits::RESPONSE).map_err(bad)?;
    let version = match value.member("version").and_then(|v| v.member("export_vsn")) {
        Some(WireValue::Int(number)) => *number,
        Some(WireValue::String(text)) => text.trim().parse().map_err(|_| bad("export_vsn is no number"))?,
        // The earliest ones do not say.
        _ => 0,
    };
    let Some(WireValue::Array(items)) = value.member("objects") else {
        return Err(bad("it has no objects"));
    };
    let of_item = |item: &WireValue| {
        let text = |name| item.member(name).and_then(WireValue::as_str).map(str::to_owned);
        text("class")
            .zip(text("id"))
            .ok_or_else(|| bad("an object has no class or id"))
    };
    let mut references: HashMap<String, Ref> = HashMap::new();
    for item in items {
        let (_, id) = of_item(item)?;
        if references
            .insert(id.clone(), Ref::from_uuid(Uuid::new_v4()))
            .is_some()
        {
            return Err(bad(format!("{id} stands twice")));
        }
    }
    let mut objects = Vec::new();
    for item in items {
        let (class, id) = of_item(item)?;
        let Some(known) = READ.iter().find(|c| c.name() == class) else {
            continue;
        };
        let snapshot = item
            .member("snapshot")
            .ok_or_else(|| bad(format!("{id} has no record")))?;
        let record = record(*known, snapshot, &references).map_err(|error| bad(format!("{id}: {error}")))?;
        let reference = references.get(&id).copied().unwrap_or_default();
        objects.push(ImportedObject {
            class,
            id,
            reference,
            record,
        });
    }
    Ok(Ova { version, objects })
}

/// A record by the types of its class, with references of this archive's objects.
fn record(
    class: ClassId,
    snapshot: &WireValue,
    references: &HashMap<String, Ref>,
) -> Result<Value, typed::TypeError> {
    let fields = class.def().fields.iter();
    let members = fields
        .filter(|f| !f.internal && f.derived_from.is_none() && !PASSING.contains(&f.name))
        .filter_map(|f| Some((f, snapshot.member(f.name)?)))
        .map(|(f, value)| {
            let value = typed::decode(&here(value, &f.ty, references), &f.ty)?;
            Ok((Arc::from(f.name), value))
        });
    members.collect::<Result<Vec<_>, _>>().map(Value::Record)
}

/// Puts references of this archive's objects in the place of their names, null for those it does not have.
fn here(value: &WireValue, ty: &Type, references: &HashMap<String, Ref>) -> WireValue {
    match (value, ty) {
        (WireValue::String(name), Type::Ref(_)) => {
            WireValue::String(references.get(name).copied().unwrap_or(Ref::NULL).to_string())
        }
        (WireValue::Array(items), Type::Set(item)) => {
            WireValue::Array(items.iter().map(|value| here(value, item, references)).collect())
        }
        (WireValue::Struct(members), Type::Map(_, item)) => WireValue::Struct(
            members
                .iter()
                .map(|(name, value)| (name.clone(), here(value, item, references)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

/// The pairs of a table of checksums.
///
/// # Errors
/// `IMPORT_ERROR [text]`.
pub fn read_table(bytes: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    match xmlrpc::decode_value(bytes.trim_ascii(), &Limits::RESPONSE).map_err(bad)? {
        WireValue::Struct(members) => Ok(members
            .into_iter()
            .map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()))
            .collect()),
        _ => Err(bad("the table of checksums is none")),
    }
}

#[cfg(test)]
mod test;
