//! Objects as rows to print.

use super::Kind;
use super::field::{Field, Source};
use super::shown::{shown, type_of};
use crate::client::{Client, Object};
use crate::failure::Failure;
use crate::output::Row;
use proto_types::schema::Type;

/// What lists print for a field that would cost a call for each object.
const EXPENSIVE: &str = "<expensive field>";

/// Rows with the given fields of objects. In lists, expensive fields are named only.
///
/// # Errors
/// As [`shown`].
pub fn printed(
    client: &Client,
    class: &'static str,
    fields: &[&Field],
    objects: &[&Object],
    in_list: bool,
) -> Result<Vec<Row>, Failure> {
    prepare(client, class, fields, objects)?;
    let mut rows = Vec::with_capacity(objects.len());
    for object in objects {
        let mut row = Row::with_capacity(fields.len());
        for field in fields {
            let value = if in_list && field.expensive {
                EXPENSIVE.to_owned()
            } else {
                shown(client, class, field, object)?.joined(field.commas)
            };
            row.push((field.heading(), value));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Fetches what one field of many objects refers to.
///
/// # Errors
/// As every call.
pub fn prepare_for(client: &Client, kind: &Kind, field: &Field, objects: &[Object]) -> Result<(), Failure> {
    let objects: Vec<&Object> = objects.iter().collect();
    prepare(client, kind.class, &[field], &objects)
}

/// Fetches what many fields are going to refer to in one call for each class.
fn prepare(
    client: &Client,
    class: &'static str,
    fields: &[&Field],
    objects: &[&Object],
) -> Result<(), Failure> {
    for field in fields {
        match (field.via, field.source) {
            (Some((_, other)), _) => client.expect_references(other, objects.len())?,
            (None, Source::Computed(_)) => {}
            (None, _) => {
                if let Some(other) = type_of(class, field.column).and_then(referred) {
                    client.expect_references(other, references(field, objects))?;
                }
            }
        }
    }
    Ok(())
}

/// The class that a type refers to.
fn referred(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Ref(class) => Some(class),
        Type::Set(Type::Ref(class)) => Some(class),
        _ => None,
    }
}

/// How many different objects a field of these objects refers to.
fn references(field: &Field, objects: &[&Object]) -> usize {
    let mut all: Vec<&str> = Vec::new();
    for object in objects {
        match object.record.member(field.column) {
            Some(gateway_codec::WireValue::Array(items)) => {
                all.extend(items.iter().filter_map(|i| i.as_str()))
            }
            Some(value) => all.extend(value.as_str()),
            None => {}
        }
    }
    all.sort_unstable();
    all.dedup();
    all.retain(|reference| *reference != crate::client::NULL);
    all.len()
}
