//! The commands that every kind of object has: `list` and `param-*`.

use crate::client::Object;
use crate::command_line::STANDARD;
use crate::context::Context;
use crate::failure::Failure;
use crate::records::write::{self, Change};
use crate::records::{self, Field, Kind, Shown, field::Setter, shown};
use crate::select::{self, Target};
use proto_types::ApiError;

/// One of these commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `list`
    List,
    /// `param-list`
    ParamList,
    /// `param-get`
    ParamGet,
    /// `param-set`
    ParamSet,
    /// `param-add`
    ParamAdd,
    /// `param-remove`
    ParamRemove,
    /// `param-clear`
    ParamClear,
}

/// All of them, as they are called.
pub const VERBS: &[(Verb, &str)] = &[
    (Verb::List, "list"),
    (Verb::ParamAdd, "param-add"),
    (Verb::ParamClear, "param-clear"),
    (Verb::ParamGet, "param-get"),
    (Verb::ParamList, "param-list"),
    (Verb::ParamRemove, "param-remove"),
    (Verb::ParamSet, "param-set"),
];

impl Verb {
    /// Whether the kind has it at all: nothing can be set where nothing is settable.
    pub fn suits(self, kind: &Kind) -> bool {
        let some = |is: fn(&Field) -> bool| kind.visible().any(is);
        match self {
            Verb::List | Verb::ParamList | Verb::ParamGet => true,
            Verb::ParamSet => some(|f| write::is_settable(f) || write::has_settable_keys(f)),
            Verb::ParamAdd | Verb::ParamRemove => some(is_addable),
            Verb::ParamClear => some(is_clearable),
        }
    }

    /// Parameters that it needs.
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Verb::List => &[],
            Verb::ParamList | Verb::ParamSet => &["uuid"],
            Verb::ParamGet | Verb::ParamAdd | Verb::ParamClear => &["uuid", "param-name"],
            Verb::ParamRemove => &["uuid", "param-name", "param-key"],
        }
    }

    /// Parameters that it takes besides.
    pub fn optional(self, kind: &Kind) -> Vec<String> {
        let names = kind.visible().map(|field| field.name.to_owned());
        match self {
            Verb::List => {
                let sets = kind.visible().filter(|field| field.tag.is_set());
                let sets: Vec<String> = sets.map(|field| format!("{}:contains", field.name)).collect();
                let first = ["params".to_owned(), "database:".to_owned()];
                first.into_iter().chain(names).chain(sets).collect()
            }
            Verb::ParamSet => {
                let whole = kind
                    .visible()
                    .filter(|f| write::is_settable(f))
                    .map(|f| f.name.to_owned());
                let keys = kind
                    .visible()
                    .filter(|f| write::has_settable_keys(f))
                    .map(|f| format!("{}:", f.name));
                whole.chain(keys).collect()
            }
            Verb::ParamGet => vec!["param-key".to_owned(), "database:".to_owned()],
            Verb::ParamAdd => vec!["param-key".to_owned()],
            Verb::ParamList => vec!["database:".to_owned()],
            Verb::ParamRemove | Verb::ParamClear => Vec::new(),
        }
    }

    /// What it does, for the help.
    pub fn help(self, kind: &Kind) -> String {
        let name = kind.name;
        match self {
            Verb::List => format!(
                "Lists every {name} for which all given filters hold. Keys of maps are compared with \
                 'field:key=value', members of sets with 'field:contains=member'."
            ),
            Verb::ParamList => format!("Lists all fields of the {name} with the uuid."),
            Verb::ParamGet => {
                "Prints one field of the object with the uuid; of a map, with 'param-key', the value \
                               of one key."
                    .to_owned()
            }
            Verb::ParamSet => "Sets fields of the object with the uuid. A key of a map is set with \
                               'field:key=value'."
                .to_owned(),
            Verb::ParamAdd => "Adds to a set (param-key=member) or to a map (key=value ...).".to_owned(),
            Verb::ParamRemove => "Removes a member from a set or a key from a map.".to_owned(),
            Verb::ParamClear => {
                let names: Vec<&str> = kind
                    .visible()
                    .filter(|f| is_clearable(f))
                    .map(|f| f.name)
                    .collect();
                format!("Empties a field, which can be one of {}.", names.join(","))
            }
        }
    }
}

fn is_addable(field: &Field) -> bool {
    matches!(field.tag, records::Tag::Srw | records::Tag::Mrw)
}

fn is_clearable(field: &Field) -> bool {
    write::is_settable(field) || field.tag.is_set() || field.tag.is_map()
}

/// Carries one out.
///
/// # Errors
/// What its parameters and the API refuse.
pub fn run(cx: &mut Context<'_>, kind: &'static Kind, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List => list(cx, kind),
        Verb::ParamList => param_list(cx, kind),
        Verb::ParamGet => param_get(cx, kind),
        Verb::ParamSet => param_set(cx, kind),
        Verb::ParamAdd => param_add(cx, kind),
        Verb::ParamRemove => param_remove(cx, kind),
        Verb::ParamClear => param_clear(cx, kind),
    }
}

/// The fields that `params=` names, or the default ones.
///
/// Their order is always that of the kind.
pub fn chosen<'a>(kind: &'a Kind, asked: Option<&str>, default: &[&str]) -> Vec<&'a Field> {
    let asked: Option<Vec<&str>> = asked.map(|text| text.split(',').collect());
    let wanted = match &asked {
        Some(names) if names.as_slice() == ["all"] => &[],
        Some(names) => names.as_slice(),
        None => default,
    };
    kind.fields()
        .iter()
        .filter(|field| wanted.is_empty() || wanted.contains(&field.name))
        .filter(|field| !field.hidden)
        .collect()
}

fn list(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let typed = cx
        .params
        .0
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let typed =
        typed.filter(|(key, _)| *key != "params" && !STANDARD.contains(key) && !key.starts_with("database:"));
    let filters: Vec<(&str, &str)> = kind.filters.iter().copied().chain(typed).collect();
    let everything = cx.params.truth("all")?;
    let expression = if everything {
        "true".to_owned()
    } else {
        select::expression(kind, &filters)
    };
    let fields = chosen(kind, cx.params.get("params"), kind.listed);
    let columns = columns(kind, &fields, &filters);
    let mut objects = cx
        .client
        .objects_with(kind.class, &expression, columns.as_deref())?;
    if kind.class == "role" && objects.iter().any(|role| !role.texts("subroles").is_empty()) {
        // Where permissions are rows too, they are the roles that hold no others.
        objects.retain(|role| !role.texts("subroles").is_empty());
    }
    if !everything {
        objects = select::filtered(cx.client, kind, objects, &filters)?;
    }
    let objects: Vec<&Object> = objects.iter().collect();
    let rows = records::printed(cx.client, kind.class, &fields, &objects, true)?;
    cx.out.table(&rows);
    Ok(())
}

/// The columns that a list looks at; nothing if some field may look at any.
fn columns(kind: &'static Kind, shown: &[&Field], filters: &[(&str, &str)]) -> Option<Vec<&'static str>> {
    // References are remembered by uuid and name; the subroles tell roles from permissions.
    let mut columns = vec!["uuid", "name_label", "subroles"];
    let shown = shown
        .iter()
        .filter(|field| !field.expensive)
        .map(|field| field.name);
    let filtered = filters.iter().filter_map(|(name, _)| select::field(kind, name));
    for name in shown.chain(filtered) {
        let field = kind.field(name)?;
        if field.is_computed() {
            return None;
        }
        columns.push(field.via.map_or(field.column, |(reference, _)| reference));
    }
    Some(columns)
}

/// The object of the uuid.
fn object(cx: &Context<'_>, kind: &'static Kind) -> Result<Object, Failure> {
    let reference = cx.named(kind.class, "uuid")?;
    cx.client.object(kind.class, &reference)
}

fn param_list(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    let fields: Vec<&Field> = kind.visible().collect();
    let rows = records::printed(cx.client, kind.class, &fields, &[&object], false)?;
    cx.out.table(&rows);
    Ok(())
}

/// The field that `param-name` names.
fn field(cx: &Context<'_>, kind: &'static Kind) -> Result<&'static Field, Failure> {
    let name = cx.params.required("param-name")?;
    kind.field(name).ok_or_else(|| {
        let code = "Missing parameter".into();
        Failure::Api(ApiError {
            code,
            params: vec![name.to_owned()],
        })
    })
}

fn param_get(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    let field = field(cx, kind)?;
    let value = shown(cx.client, kind.class, field, &object)?;
    let text = match cx.params.get("param-key") {
        Some(key) if field.tag.is_map() => {
            let pair = value.pairs().iter().find(|(name, _)| name == key);
            let missing = || Failure::cli(format!("Key {key} not found in map"));
            pair.map(|(_, text)| text.clone()).ok_or_else(missing)?
        }
        _ => value.joined(field.commas),
    };
    cx.out.value(&text);
    Ok(())
}

/// What was typed beyond the names that every command knows.
fn own<'a>(cx: &'a Context<'_>, known: &[&str]) -> Vec<(&'a str, &'a str)> {
    let typed = cx
        .params
        .0
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    typed
        .filter(|(key, _)| !known.contains(key) && !STANDARD.contains(key))
        .collect()
}

fn param_set(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    // Maps that are set as a whole wait until all of their keys are known.
    let mut whole: Vec<(&Field, Vec<(String, String)>)> = Vec::new();
    for (name, value) in own(cx, &["uuid"]) {
        match select::target(kind, name)? {
            Target::Whole(field) => write::set(cx.client, kind, field, &object, value)?,
            Target::Key(field, key) if matches!(field.setter, Setter::Whole(_)) => {
                let pair = (key.to_owned(), value.to_owned());
                match whole.iter_mut().find(|(known, _)| known.name == field.name) {
                    Some((_, pairs)) => pairs.push(pair),
                    None => whole.push((field, vec![pair])),
                }
            }
            Target::Key(field, key) => write::set_key(cx.client, kind, field, &object, key, value)?,
        }
    }
    for (field, pairs) in whole {
        write::set_whole(cx.client, kind, field, &object, &pairs)?;
    }
    Ok(())
}

fn param_add(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    let field = field(cx, kind)?;
    match field.tag {
        records::Tag::Srw => {
            let key = cx.params.get("param-key").ok_or_else(|| {
                Failure::cli(
                    "When adding a key to a set, use the syntax: *-param-add param-name=<name> param-key=<key>",
                )
            })?;
            write::change_member(cx.client, kind, field, &object, Change::Add, key)
        }
        records::Tag::Mrw => {
            for (key, value) in own(cx, &["uuid", "param-name", "param-key"]) {
                write::add_key(cx.client, kind, field, &object, key, value)?;
            }
            Ok(())
        }
        records::Tag::Sro | records::Tag::Mro => Err(Failure::cli("Parameter is read-only")),
        records::Tag::Ro | records::Tag::Rw => {
            Err(Failure::cli("Can only add to parameters of type Set or Map"))
        }
    }
}

fn param_remove(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    let field = field(cx, kind)?;
    let key = cx.params.required("param-key")?;
    let value = shown(cx.client, kind.class, field, &object)?;
    match field.tag {
        records::Tag::Srw if value.members().iter().any(|member| member == key) => {
            write::change_member(cx.client, kind, field, &object, Change::Remove, key)
        }
        records::Tag::Srw => Err(Failure::cli(format!("Key {key} is not in the set"))),
        records::Tag::Mrw if value.pairs().iter().any(|(name, _)| name == key) => {
            write::remove_key(cx.client, kind, field, &object, key)
        }
        records::Tag::Mrw => Err(Failure::cli(format!("Key {key} is not in map"))),
        records::Tag::Sro | records::Tag::Mro => {
            Err(Failure::cli("Cannot remove parameters from read-only map"))
        }
        records::Tag::Ro | records::Tag::Rw => {
            Err(Failure::cli("Can only remove from parameters of type Set or Map"))
        }
    }
}

fn param_clear(cx: &mut Context<'_>, kind: &'static Kind) -> Result<(), Failure> {
    let object = object(cx, kind)?;
    let field = field(cx, kind)?;
    match (field.tag, field.setter) {
        (_, Setter::Whole(_)) => write::set_whole(cx.client, kind, field, &object, &[]),
        (records::Tag::Srw, _) => {
            for member in members(cx, kind, field, &object)? {
                write::change_member(cx.client, kind, field, &object, Change::Remove, &member)?;
            }
            Ok(())
        }
        // In one go: the guest sees no half of it.
        _ if field.name == "xenstore-data" => write::set_whole(cx.client, kind, field, &object, &[]),
        (records::Tag::Mrw, _) => {
            for (key, _) in object.map(field.column) {
                write::remove_key(cx.client, kind, field, &object, &key)?;
            }
            Ok(())
        }
        (records::Tag::Rw, _) => write::set(cx.client, kind, field, &object, "")
            .map_err(|_| Failure::cli("Cannot clear this parameter")),
        (records::Tag::Ro | records::Tag::Sro | records::Tag::Mro, _) => {
            Err(Failure::cli("Can only clear RW parameters"))
        }
    }
}

fn members(
    cx: &Context<'_>,
    kind: &'static Kind,
    field: &Field,
    object: &Object,
) -> Result<Vec<String>, Failure> {
    match shown(cx.client, kind.class, field, object)? {
        Shown::Set(members) => Ok(members),
        Shown::Text(_) | Shown::Map(_) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn fields_keep_the_order_of_their_kind() {
        let vm = records::kind("vm").unwrap();
        let names = |asked| {
            chosen(vm, asked, vm.listed)
                .iter()
                .map(|f| f.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["uuid", "name-label", "power-state"]);
        assert_eq!(names(Some("power-state,uuid")), ["uuid", "power-state"]);
        assert_eq!(names(Some("none")), Vec::<&str>::new());
        let all = names(Some("all"));
        assert!(all.len() > 80 && !all.contains(&"NVRAM"));
    }

    #[test]
    fn a_list_looks_at_no_more_than_it_needs() {
        let vm = records::kind("vm").unwrap();
        let shown = chosen(vm, None, vm.listed);
        let looked_at = columns(vm, &shown, &[("is-a-template", "false"), ("other-config:a", "b")]).unwrap();
        for column in [
            "uuid",
            "name_label",
            "power_state",
            "is_a_template",
            "other_config",
        ] {
            assert!(looked_at.contains(&column), "{column}");
        }
        assert!(!looked_at.contains(&"platform"));
        let metric = chosen(vm, Some("hvm"), &[]);
        assert!(columns(vm, &metric, &[]).unwrap().contains(&"metrics"));
        let sr = records::kind("sr").unwrap();
        assert_eq!(columns(sr, &chosen(sr, None, sr.listed), &[]), None);
    }

    #[test]
    fn kinds_that_cannot_be_changed_have_no_commands_to_change_them() {
        let role = records::kind("role").unwrap();
        assert!(Verb::ParamGet.suits(role));
        assert!(!Verb::ParamSet.suits(role) && !Verb::ParamAdd.suits(role) && !Verb::ParamClear.suits(role));
        assert!(Verb::ParamSet.suits(records::kind("vm").unwrap()));
    }
}
