//! From the text of the settings and the environment to settings, or to all that is wrong with them.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result as FmtResult};

use toml::{Table, Value};

use super::Config;
use super::keys::{KEYS, Key, SECTIONS};

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The key, or the variable of the environment.
    place: String,
    /// Its value, as it was written, if it has one.
    value: Option<String>,
    /// What is wrong, and what is allowed.
    what: String,
}

impl Display for Complaint {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        match &self.value {
            Some(value) => write!(f, "{} = {value}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

fn complaint(place: impl Into<String>, value: Option<String>, what: impl Into<String>) -> Complaint {
    Complaint {
        place: place.into(),
        value,
        what: what.into(),
    }
}

/// Reads and checks settings.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn read(text: &str, environment: &BTreeMap<String, String>) -> Result<Config, Vec<Complaint>> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text
            .get(..at)
            .map_or(1, |before| before.matches('\n').count().saturating_add(1));
        vec![complaint(
            format!("line {line}"),
            None,
            format!("no TOML: {}", error.message()),
        )]
    })?;
    let mut complaints = of_file(&table);
    complaints.extend(overrides(&mut table, environment));
    for key in KEYS.iter().filter(|key| key.default.is_empty()) {
        if find(&table, key).is_none() {
            complaints.push(complaint(
                key.path(),
                None,
                format!("must be set; allowed: {}", key.allowed),
            ));
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let config: Config = Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| vec![complaint("settings", None, error.message())])?;
    let complaints = together(&config);
    if complaints.is_empty() {
        Ok(config)
    } else {
        Err(complaints)
    }
}

fn find<'a>(table: &'a Table, key: &Key) -> Option<&'a Value> {
    table.get(key.section)?.as_table()?.get(key.name)
}

fn names(of: impl Iterator<Item = &'static str>) -> String {
    of.collect::<Vec<_>>().join(", ")
}

/// Keys that there are not, and values that are not allowed.
fn of_file(table: &Table) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (section, content) in table {
        let Some(content) = content.as_table() else {
            let known = names(SECTIONS.iter().map(|(name, _)| *name));
            complaints.push(complaint(
                section,
                Some(content.to_string()),
                format!("stands outside the tables; they are {known}"),
            ));
            continue;
        };
        if !SECTIONS.iter().any(|(name, _)| name == section) {
            let known = names(SECTIONS.iter().map(|(name, _)| *name));
            complaints.push(complaint(
                format!("[{section}]"),
                None,
                format!("there is no such table; there are {known}"),
            ));
            continue;
        }
        for (name, value) in content {
            let Some(key) = KEYS.iter().find(|key| key.section == section && key.name == name) else {
                let known = names(
                    KEYS.iter()
                        .filter(|key| key.section == section)
                        .map(|key| key.name),
                );
                let what = format!("there is no such key; [{section}] has {known}");
                complaints.push(complaint(
                    format!("{section}.{name}"),
                    Some(value.to_string()),
                    what,
                ));
                continue;
            };
            if !(key.allows)(value) {
                let what = format!("not allowed; allowed: {}", key.allowed);
                complaints.push(complaint(key.path(), Some(value.to_string()), what));
            }
        }
    }
    complaints
}

/// What a variable's text stands for: TOML where the key wants a list or a number, else the text itself.
fn from_text(key: &Key, text: &str) -> Option<Value> {
    let as_text = Value::String(text.to_owned());
    if (key.allows)(&as_text) {
        return Some(as_text);
    }
    let parsed: Table = format!("value = {text}").parse().ok()?;
    let value = parsed.get("value").cloned()?;
    (key.allows)(&value).then_some(value)
}

/// Puts the environment's values in the place of the file's.
fn overrides(table: &mut Table, environment: &BTreeMap<String, String>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (variable, text) in environment {
        let Some(key) = KEYS.iter().find(|key| key.variable() == *variable) else {
            let of_section = |(section, _): &(&str, &str)| {
                variable.starts_with(&format!("TARN_{}_", section.to_uppercase()))
            };
            if SECTIONS.iter().any(of_section) {
                complaints.push(complaint(
                    variable,
                    Some(format!("{text:?}")),
                    "there is no such setting",
                ));
            }
            continue;
        };
        match from_text(key, text) {
            Some(value) => {
                let section = table
                    .entry(key.section)
                    .or_insert_with(|| Value::Table(Table::new()));
                if let Some(section) = section.as_table_mut() {
                    section.insert(key.name.to_owned(), value);
                }
            }
            None => {
                let what = format!("not allowed for {}; allowed: {}", key.path(), key.allowed);
                complaints.push(complaint(variable, Some(format!("{text:?}")), what));
            }
        }
    }
    complaints
}

/// What no key can say alone.
fn together(config: &Config) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let listen = &config.listen;
    let places = [
        ("listen.https", Some(listen.https)),
        ("listen.http", listen.http),
        ("listen.grpc", Some(listen.grpc)),
    ];
    for (position, (name, address)) in places.iter().enumerate() {
        let Some(address) = address else { continue };
        for (other_name, other) in places.iter().skip(position.saturating_add(1)) {
            let Some(other) = other else { continue };
            let overlaps =
                address.ip() == other.ip() || address.ip().is_unspecified() || other.ip().is_unspecified();
            if address.port() == other.port() && overlaps {
                let what = format!("{other_name} wants the same port; allowed: another port for one of them");
                complaints.push(complaint(*name, Some(format!("\"{address}\"")), what));
            }
        }
    }
    if config.node.name.is_empty() {
        complaints.push(complaint(
            "node.name",
            None,
            "the system has no host name; set one",
        ));
    }
    if config.limits.connections_per_address > config.limits.connections {
        let value = config.limits.connections_per_address.to_string();
        let what = format!(
            "more than limits.connections; allowed: at most {}",
            config.limits.connections
        );
        complaints.push(complaint("limits.connections_per_address", Some(value), what));
    }
    complaints
}

/// Full names of the keys whose values differ.
pub fn differing(old: &Config, new: &Config) -> Vec<String> {
    let table = |config: &Config| Table::try_from(config).unwrap_or_default();
    let (old, new) = (table(old), table(new));
    KEYS.iter()
        .filter(|key| find(&old, key) != find(&new, key))
        .map(Key::path)
        .collect()
}

#[cfg(test)]
mod test;
