//! The value of a field as people read it.

use std::borrow::Cow;

use gateway_codec::WireValue;
use proto_types::ClassId;
use proto_types::schema::Type;

use super::field::{Field, NOT_IN_DATABASE, Source};
use crate::client::{Client, NULL, Object, pairs, text_of, texts};
use crate::failure::Failure;

/// A value with its parts still told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One text.
    Text(String),
    /// Members.
    Set(Vec<String>),
    /// Keys and values.
    Map(Vec<(String, String)>),
}

impl Shown {
    /// One text.
    pub fn text(text: impl Into<String>) -> Shown {
        Shown::Text(text.into())
    }

    /// The members of a set.
    pub fn members(&self) -> &[String] {
        if let Shown::Set(members) = self {
            members
        } else {
            &[]
        }
    }

    /// The pairs of a map.
    pub fn pairs(&self) -> &[(String, String)] {
        if let Shown::Map(pairs) = self { pairs } else { &[] }
    }

    /// In one line.
    pub fn joined(&self, commas: bool) -> String {
        let separator = if commas { ", " } else { "; " };
        match self {
            Shown::Text(text) => text.clone(),
            Shown::Set(members) => members.join(separator),
            Shown::Map(pairs) => {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                pairs.join("; ")
            }
        }
    }
}

/// Reads a field of an object.
///
/// # Errors
/// When it must be asked for and the answer is an error that says more than that the object is gone.
pub fn shown(client: &Client, class: &'static str, field: &Field, object: &Object) -> Result<Shown, Failure> {
    if let Source::Computed(compute) = field.source {
        return match compute(client, object) {
            Err(failure) if failure.code() == Some("HANDLE_INVALID") => {
                Ok(Shown::text("<invalid reference>"))
            }
            other => other,
        };
    }
    let Some((reference, other)) = field.via else {
        return Ok(read(client, class, field, &object.record));
    };
    let record = client.known_record(other, object.text(reference));
    Ok(match record {
        Some(record) => read(client, other, field, &record),
        None if field.tag.is_map() => Shown::Text(field.absent.to_owned()),
        None => Shown::text(field.absent),
    })
}

/// Reads a field of a record of its class.
fn read(client: &Client, class: &'static str, field: &Field, record: &WireValue) -> Shown {
    let Some(value) = record.member(field.column) else {
        return Shown::text("");
    };
    let ty = type_of(class, field.column);
    match (field.source, ty) {
        (Source::Label, Some(Type::Ref(other))) => {
            let label = client.known_label(other, value.as_str().unwrap_or(NULL));
            Shown::Text(label.unwrap_or_else(|| NOT_IN_DATABASE.to_owned()))
        }
        (Source::HiddenRefs(other), _) => Shown::Set(
            texts(value)
                .iter()
                .map(|reference| uuid(client, other, reference))
                .collect(),
        ),
        (Source::Values, Some(Type::Map(_, item))) => {
            let values = pairs(value)
                .into_iter()
                .map(|(_, value)| plain(item, &value).into_owned());
            Shown::Set(values.collect())
        }
        (_, Some(ty)) => typed(client, ty, value),
        (_, None) => Shown::Text(text_of(value)),
    }
}

/// The type of a field.
pub fn type_of(class: &str, column: &str) -> Option<&'static Type> {
    let def = ClassId::by_name(class)?.def();
    def.fields
        .iter()
        .find(|field| field.name == column)
        .map(|field| &field.ty)
}

fn typed(client: &Client, ty: &'static Type, value: &WireValue) -> Shown {
    match (ty, value) {
        (Type::Set(item), WireValue::Array(items)) => {
            Shown::Set(items.iter().map(|value| one(client, item, value)).collect())
        }
        (Type::Map(key, item), WireValue::Struct(members)) => {
            let pair = |(name, value): &(String, WireValue)| {
                (plain(key, name).into_owned(), one(client, item, value))
            };
            Shown::Map(members.iter().map(pair).collect())
        }
        (ty, value) => Shown::Text(one(client, ty, value)),
    }
}

fn one(client: &Client, ty: &'static Type, value: &WireValue) -> String {
    match ty {
        Type::Ref(class) => uuid(client, class, value.as_str().unwrap_or(NULL)),
        ty => plain(ty, &text_of(value)).into_owned(),
    }
}

fn uuid(client: &Client, class: &'static str, reference: &str) -> String {
    let uuid = client.known_uuid(class, reference);
    uuid.unwrap_or_else(|| NOT_IN_DATABASE.to_owned())
}

/// A text of some type as people read it.
fn plain<'a>(ty: &Type, text: &'a str) -> Cow<'a, str> {
    match ty {
        Type::Enum(def) => member(def.name, text),
        _ => Cow::Borrowed(text),
    }
}

/// The members of enums that `xe` spells otherwise than the API.
fn member<'a>(name: &str, text: &'a str) -> Cow<'a, str> {
    let fixed = match (name, text) {
        ("vm_power_state", _) => return Cow::Owned(text.to_lowercase()),
        ("on_normal_exit", "destroy") => "Destroy",
        ("on_normal_exit", "restart") => "Restart",
        ("on_crash_behaviour", "destroy") => "Destroy",
        ("on_crash_behaviour", "coredump_and_destroy") => "Core dump and destroy",
        ("on_crash_behaviour", "restart") => "Restart",
        ("on_crash_behaviour", "coredump_and_restart") => "Core dump and restart",
        ("on_crash_behaviour", "preserve") => "Preserve",
        ("on_crash_behaviour", "rename_restart") => "Rename restart",
        ("vdi_type", "system") => "System",
        ("vdi_type", "user") => "User",
        ("vdi_type", "ephemeral") => "Ephemeral",
        ("vdi_type", "suspend") => "Suspend",
        ("vdi_type", "crashdump") => "Crashdump",
        ("vdi_type", "ha_statefile") => "HA statefile",
        ("vdi_type", "metadata") => "Metadata",
        ("vdi_type", "redo_log") => "Redo log",
        ("vdi_type", "pvs_cache") => "PVS cache",
        ("vdi_type", "cbt_metadata") => "CBT metadata",
        ("console_protocol", _) => return Cow::Owned(text.to_uppercase()),
        ("task_allowed_operations", "cancel") => "Cancel",
        ("task_allowed_operations", "destroy") => "Destroy",
        ("host_allowed_operations", "vm_start") => "VM.start",
        ("host_allowed_operations", "vm_resume") => "VM.resume",
        ("host_allowed_operations", "vm_migrate") => "VM.migrate",
        ("storage_operations", _) => return Cow::Owned(storage_operation(text)),
        ("vm_operations", "assert_operation_valid") => "assertoperationvalid",
        ("vm_operations", "data_source_op") => "data_sources_op",
        ("tristate_type", "yes") => "true",
        ("tristate_type", "no") => "false",
        ("domain_type", "pv_in_pvh") => "pv-in-pvh",
        ("allocation_algorithm", "depth_first") => "depth-first",
        ("allocation_algorithm", "breadth_first") => "breadth-first",
        ("pvs_proxy_status", "incompatible_write_cache_mode") => "incompatible-write-cache-mode",
        ("pvs_proxy_status", "incompatible_protocol_version") => "incompatible-protocol-version",
        _ => return Cow::Borrowed(text),
    };
    Cow::Borrowed(fixed)
}

/// `vdi_create` is `VDI.create` here.
fn storage_operation(text: &str) -> String {
    match text.split_once('_') {
        Some((class @ ("vdi" | "pbd"), verb)) => format!("{}.{verb}", class.to_uppercase()),
        _ => text.to_owned(),
    }
}

/// The member of an enum that a word of `xe` means.
pub fn member_meant(name: &str, members: &[&'static str], word: &str) -> Option<&'static str> {
    let spelt =
        |m: &&&'static str| m.eq_ignore_ascii_case(word) || member(name, m).eq_ignore_ascii_case(word);
    members.iter().find(spelt).copied()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn enums_have_spellings_of_their_own() {
        assert_eq!(member("vm_power_state", "Halted"), "halted");
        assert_eq!(member("storage_operations", "vdi_create"), "VDI.create");
        assert_eq!(member("storage_operations", "scan"), "scan");
        assert_eq!(member("vdi_type", "ha_statefile"), "HA statefile");
        assert_eq!(member("vdi_type", "rrd"), "rrd");
        assert_eq!(member("console_protocol", "rfb"), "RFB");
    }

    #[test]
    fn words_are_read_in_whatever_case_and_spelling() {
        let members = &["balance-slb", "active-backup", "lacp"];
        assert_eq!(member_meant("bond_mode", members, "LACP"), Some("lacp"));
        assert_eq!(
            member_meant("on_boot", &["reset", "persist"], "Reset"),
            Some("reset")
        );
        assert_eq!(
            member_meant("domain_type", &["hvm", "pv_in_pvh"], "pv-in-pvh"),
            Some("pv_in_pvh")
        );
        assert_eq!(member_meant("on_boot", &["reset", "persist"], "no"), None);
    }

    #[test]
    fn parts_are_joined_by_semicolons_or_commas() {
        let set = Shown::Set(vec!["a".into(), "b".into()]);
        assert_eq!(set.joined(false), "a; b");
        assert_eq!(set.joined(true), "a, b");
        let map = Shown::Map(vec![("k".into(), "v".into()), ("l".into(), "w".into())]);
        assert_eq!(map.joined(false), "k: v; l: w");
    }
}
