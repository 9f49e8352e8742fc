//! What the generated views and parameters are made of: reading one value of a row, of a known type.

use std::collections::BTreeMap;

use crate::{ApiError, Args, DateTime, Ref, Value};

static VOID: Value = Value::Void;
static EMPTY: BTreeMap<Value, Value> = BTreeMap::new();

/// The value at a position; nothing where the row is too short, as rows written by an older release are.
pub(crate) fn at(row: &[Value], index: usize) -> &Value {
    row.get(index).unwrap_or(&VOID)
}

pub(crate) fn text(row: &[Value], index: usize) -> &str {
    at(row, index).as_str()
}

pub(crate) fn int(row: &[Value], index: usize) -> i64 {
    at(row, index).as_int()
}

pub(crate) fn float(row: &[Value], index: usize) -> f64 {
    at(row, index).as_float()
}

pub(crate) fn truth(row: &[Value], index: usize) -> bool {
    at(row, index).as_bool()
}

pub(crate) fn time(row: &[Value], index: usize) -> DateTime {
    at(row, index).as_time()
}

pub(crate) fn reference(row: &[Value], index: usize) -> Ref {
    at(row, index).as_ref()
}

pub(crate) fn refs(row: &[Value], index: usize) -> Vec<Ref> {
    at(row, index).as_refs()
}

pub(crate) fn set(row: &[Value], index: usize) -> &[Value] {
    at(row, index).as_set()
}

pub(crate) fn map(row: &[Value], index: usize) -> &BTreeMap<Value, Value> {
    at(row, index).as_map().unwrap_or(&EMPTY)
}

/// The text of an optional field, if there is one.
pub(crate) fn maybe_text(row: &[Value], index: usize) -> Option<&str> {
    if let Value::Str(text) = at(row, index) {
        Some(text)
    } else {
        None
    }
}

/// The enum member given as an argument.
pub(crate) fn member<E>(
    args: &Args,
    index: usize,
    name: &str,
    parse: fn(&str) -> Option<E>,
) -> Result<E, ApiError> {
    let text = args.text(index)?;
    parse(text).ok_or_else(|| ApiError::new("INVALID_VALUE", [name, text]))
}
