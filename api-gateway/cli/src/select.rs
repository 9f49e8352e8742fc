//! Objects that a command is for, chosen by what is known of them.
//!
//! `list` and the commands that take VMs, hosts or storage by their fields share these rules: several filters must all
//! hold, maps are looked into with `field:key=value`, sets with `field:contains=member`.

use proto_types::Value;

use crate::client::{Client, Object};
use crate::command_line::Params;
use crate::context::Context;
use crate::error_text;
use crate::failure::Failure;
use crate::records::{self, Field, Kind, Shown, shown};

/// A filter whose field is known.
enum Part<'a> {
    /// The printed value.
    Whole(&'a Field),
    /// One member of a set.
    Member(&'a Field),
    /// One key of a map.
    Key(&'a Field, &'a str),
}

/// Finds the field that a filter or parameter means.
fn part<'a>(kind: &'a Kind, name: &'a str) -> Result<Part<'a>, Failure> {
    if let Some(field) = kind.field(name) {
        return Ok(Part::Whole(field));
    }
    let unknown = || Failure::cli(format!("Unknown field '{name}'"));
    if let Some((stem, rest)) = name.split_once(':') {
        let field = kind.field(stem).ok_or_else(unknown)?;
        return match (field.tag.is_set(), field.tag.is_map()) {
            (true, _) => Ok(Part::Member(field)).and_then(|part| contains(rest).map(|()| part)),
            (_, true) => Ok(Part::Key(field, rest)),
            (false, false) => Err(Failure::cli(format!("Field '{stem}' is not a set or map"))),
        };
    }
    // As old scripts have it, with a hyphen: the longest name that fits.
    let rest_of = |field: &Field| {
        name.strip_prefix(field.name)
            .and_then(|rest| rest.strip_prefix('-'))
    };
    let longest = |is: fn(&Field) -> bool| {
        let fitting = kind
            .fields()
            .iter()
            .filter(|field| is(field) && rest_of(field).is_some());
        fitting.max_by_key(|field| field.name.len())
    };
    if let Some(field) = longest(|field| field.tag.is_map()) {
        return Ok(Part::Key(field, rest_of(field).unwrap_or_default()));
    }
    match longest(|field| field.tag.is_set()) {
        Some(field) => contains(rest_of(field).unwrap_or_default()).map(|()| Part::Member(field)),
        None => Err(unknown()),
    }
}

fn contains(word: &str) -> Result<(), Failure> {
    if word == "contains" {
        return Ok(());
    }
    Err(Failure::cli(
        "Invalid syntax for set filtering (should be set-param:contains=key)",
    ))
}

/// The name of the field that a filter looks at, if it is one.
pub fn field(kind: &Kind, name: &str) -> Option<&'static str> {
    match part(kind, name) {
        Ok(Part::Whole(field) | Part::Member(field) | Part::Key(field, _)) => Some(field.name),
        Err(_) => None,
    }
}

/// The field and key that `name:key` or `name-key` mean, for setting.
pub enum Target<'a> {
    /// A whole field.
    Whole(&'a Field),
    /// One key of a map.
    Key(&'a Field, &'a str),
}

/// Finds what is to be set.
///
/// # Errors
/// When there is no such field, or it is a set.
pub fn target<'a>(kind: &'a Kind, name: &'a str) -> Result<Target<'a>, Failure> {
    match part(kind, name) {
        Ok(Part::Whole(field)) => Ok(Target::Whole(field)),
        Ok(Part::Key(field, key)) => Ok(Target::Key(field, key)),
        Ok(Part::Member(_)) => Err(Failure::cli("Cannot param-set on set fields")),
        Err(failure) => Err(failure),
    }
}

fn holds(
    client: &Client,
    kind: &Kind,
    part: &Part<'_>,
    value: &str,
    object: &Object,
) -> Result<bool, Failure> {
    let read = |field: &Field| shown(client, kind.class, field, object);
    let same = |field: &Field, a: &str, b: &str| {
        if field.any_case {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    };
    Ok(match part {
        Part::Whole(field) => same(field, &read(field)?.joined(field.commas), value),
        Part::Member(field) => read(field)?
            .members()
            .iter()
            .any(|member| same(field, member, value)),
        Part::Key(field, key) => {
            let found: Shown = read(field)?;
            let pair = found.pairs().iter().find(|(name, _)| same(field, name, key));
            pair.is_some_and(|(_, text)| same(field, text, value))
        }
    })
}

/// Fields whose text in the database is what `xe` prints, so that the server can choose by them.
const CHOSEN_BY_SERVER: &[(&str, &str)] = &[
    ("uuid", "uuid"),
    ("name-label", "name__label"),
    ("is-a-template", "is_a_template"),
    ("is-a-snapshot", "is_a_snapshot"),
    ("is-control-domain", "is_control_domain"),
];

/// An expression that is true of every object the filters can leave.
pub fn expression(kind: &Kind, filters: &[(&str, &str)]) -> String {
    let mut terms = Vec::new();
    for (name, value) in filters {
        if part(kind, name).is_err() {
            // What is wrong with it is only said if there is an object that it could be wrong about.
            break;
        }
        let column = CHOSEN_BY_SERVER.iter().find(|(field, _)| field == name);
        let known = kind.field(name).is_some_and(|field| !field.is_computed());
        if let (Some((_, column)), true, false) = (column, known, value.contains('"')) {
            terms.push(format!("(field \"{column}\" = \"{value}\")"));
        }
    }
    if terms.is_empty() {
        return "true".to_owned();
    }
    terms.join(" and ")
}

/// Objects for which all filters hold.
///
/// # Errors
/// When a filter names no field, unless there is no object left by then.
pub fn filtered(
    client: &Client,
    kind: &Kind,
    mut objects: Vec<Object>,
    filters: &[(&str, &str)],
) -> Result<Vec<Object>, Failure> {
    for (name, value) in filters {
        if objects.is_empty() {
            return Ok(objects);
        }
        let part = part(kind, name)?;
        let (Part::Whole(field) | Part::Member(field) | Part::Key(field, _)) = &part;
        records::prepare_for(client, kind, field, &objects)?;
        let mut left = Vec::with_capacity(objects.len());
        for object in objects {
            if holds(client, kind, &part, value, &object)? {
                left.push(object);
            }
        }
        objects = left;
    }
    Ok(objects)
}

/// Which VMs a command may be for, beyond guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    /// Only guests.
    Nothing,
    /// Control domains too.
    Control,
    /// Templates and snapshots too.
    Templates,
    /// Both.
    Both,
}

/// What is selected, and how people call it when there is none or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// VMs, also of some other kind.
    Vms(Also),
    /// Hosts.
    Hosts,
    /// Storage repositories.
    Srs,
}

/// Whether a command may be for several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    /// With `--multiple`.
    IfTold,
    /// Never.
    Never,
    /// Always.
    Always,
}

impl What {
    fn kind(self) -> &'static Kind {
        records::of_class(self.class())
    }

    /// The class of the API.
    pub fn class(self) -> &'static str {
        match self {
            What::Vms(_) => "VM",
            What::Hosts => "host",
            What::Srs => "SR",
        }
    }

    /// The parameter that names one by uuid or name.
    fn name(self) -> &'static str {
        match self {
            What::Vms(_) => "vm",
            What::Hosts => "host",
            What::Srs => "sr",
        }
    }

    /// Fields that this parameter may mean, in records and in the query language.
    fn named_by(self) -> &'static [(&'static str, &'static str)] {
        match self {
            What::Vms(_) | What::Srs => &[("uuid", "uuid"), ("name_label", "name__label")],
            What::Hosts => &[
                ("uuid", "uuid"),
                ("name_label", "name__label"),
                ("hostname", "hostname"),
            ],
        }
    }

    fn none_found(self) -> &'static str {
        match self {
            What::Vms(_) => "No matching VMs found",
            What::Hosts | What::Srs => "No matching hosts found",
        }
    }

    fn too_many(self, several: Several) -> String {
        let (found, one) = match self {
            What::Vms(_) => ("Multiple matches VMs found.", "one VM"),
            What::Hosts => ("Multiple matching hosts found.", "one host"),
            What::Srs => ("Multiple matching SRs found.", "one SR"),
        };
        match several {
            Several::Never => format!("{found} Operation can only be performed on {one} at a time"),
            Several::IfTold | Several::Always => {
                format!("{found} --multiple required to complete the operation")
            }
        }
    }
}

/// Everything that fits what was typed; `own` are the parameters of the command itself.
///
/// # Errors
/// When a filter names no field.
pub fn select(client: &Client, params: &Params, what: What, own: &[&str]) -> Result<Vec<Object>, Failure> {
    let kind = what.kind();
    let mut filters = Vec::new();
    if let What::Vms(also) = what {
        if matches!(also, Also::Nothing | Also::Control) {
            filters.push(("is-a-template", "false"));
        }
        if matches!(also, Also::Nothing | Also::Templates) {
            filters.push(("is-control-domain", "false"));
        }
    }
    let mut typed = params.selectors(own);
    let by_name = typed.iter().position(|(key, _)| *key == what.name());
    let named = by_name.map(|position| typed.remove(position).1);
    filters.extend(typed);
    let mut expression = expression(kind, &filters);
    // The literals of this language hold no quotes.
    if let Some(name) = named.filter(|name| !name.contains('"')) {
        let fields = what
            .named_by()
            .iter()
            .map(|(_, column)| format!("(field \"{column}\" = \"{name}\")"));
        let either = fields.collect::<Vec<_>>().join(" or ");
        // Nothing binds tighter than anything else either, so that the alternatives need their own brackets.
        expression = if expression == "true" {
            either
        } else {
            format!("{expression} and ({either})")
        };
    }
    let mut objects = client.objects(kind.class, &expression)?;
    if let Some(name) = named {
        objects.retain(|object| {
            what.named_by()
                .iter()
                .any(|(field, _)| object.text(field) == name)
        });
    }
    filtered(client, kind, objects, &filters)
}

/// Does something to each object selected and answers what came of it.
///
/// # Errors
/// When nothing or too much is selected; what fails for one object; for several, all that failed, after all were
/// tried.
pub fn each<T>(
    cx: &mut Context<'_>,
    what: What,
    several: Several,
    own: &[&str],
    mut work: impl FnMut(&mut Context<'_>, &Object) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let objects = select(cx.client, cx.params, what, own)?;
    match objects.as_slice() {
        [] => Err(Failure::cli(what.none_found())),
        [one] => watched(cx, what, one, &mut work).map(|result| vec![result]),
        all => {
            let told = several == Several::Always || cx.params.truth("multiple")?;
            if several == Several::Never || !told {
                return Err(Failure::cli(what.too_many(several)));
            }
            let mut done = Vec::new();
            let mut failed = Vec::new();
            for object in all {
                match watched(cx, what, object, &mut work) {
                    Ok(result) => done.push(result),
                    Err(Failure::Exit(code)) => return Err(Failure::Exit(code)),
                    Err(failure) => {
                        let text = error_text::of_one(cx.client, &failure);
                        failed.push((object.text("uuid").to_owned(), text));
                    }
                }
            }
            failed.reverse();
            done.reverse();
            if failed.is_empty() {
                Ok(done)
            } else {
                Err(Failure::Several(failed))
            }
        }
    }
}

/// The priority below which messages about a VM are shown while something is done to it.
const LEAST_PRIORITY: i64 = 5;

/// Does the work and shows the messages that the pool has left about it.
fn watched<T>(
    cx: &mut Context<'_>,
    what: What,
    object: &Object,
    work: &mut impl FnMut(&mut Context<'_>, &Object) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (What::Vms(_), Some(wanted)) = (what, cx.params.get("message-priority")) else {
        return work(cx, object);
    };
    let wanted = wanted.parse().unwrap_or(LEAST_PRIORITY);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since
        .ok()
        .and_then(|time| i64::try_from(time.as_secs()).ok())
        .unwrap_or(0);
    let result = work(cx, object)?;
    let args = [
        Value::str("VM"),
        Value::str(object.text("uuid")),
        Value::Time(proto_types::DateTime(since)),
    ];
    // These are remarks: a pool that cannot tell them has still done what was asked.
    if let Ok(gateway_codec::WireValue::Struct(messages)) = cx.client.call("message.get", &args) {
        for (reference, record) in messages {
            let message = Object { reference, record };
            let priority = message.text("priority").parse().unwrap_or(LEAST_PRIORITY);
            if priority < wanted {
                let time = message.record.member("timestamp").map(crate::client::text_of);
                cx.out.complain(&format!(
                    "Message: time={} priority={priority} name='{}'",
                    time.unwrap_or_default(),
                    message.text("name")
                ));
            }
        }
    }
    Ok(result)
}

/// The host of a uuid, name or host name.
///
/// # Errors
/// When there is none.
pub fn host(client: &Client, name: &str) -> Result<String, Failure> {
    let hosts = client.objects("host", "true")?;
    let found = hosts
        .iter()
        .find(|host| host.text("name_label") == name || host.text("uuid") == name);
    found
        .map(|host| host.reference.clone())
        .ok_or_else(|| Failure::cli(format!("Host {name} not found")))
}

#[cfg(test)]
mod test {
    use super::*;

    fn vm() -> &'static Kind {
        records::kind("vm").unwrap()
    }

    #[test]
    fn the_server_chooses_by_what_it_stores_as_printed() {
        assert_eq!(expression(vm(), &[]), "true");
        assert_eq!(expression(vm(), &[("power-state", "running")]), "true");
        assert_eq!(
            expression(
                vm(),
                &[
                    ("is-a-template", "false"),
                    ("name-label", "a b"),
                    ("power-state", "running")
                ]
            ),
            "(field \"is_a_template\" = \"false\") and (field \"name__label\" = \"a b\")"
        );
        assert_eq!(expression(vm(), &[("name-label", "a\"b")]), "true");
    }

    #[test]
    fn a_wrong_filter_is_not_hidden_by_a_later_one() {
        assert_eq!(expression(vm(), &[("no-such", "x"), ("uuid", "y")]), "true");
    }

    #[test]
    fn parts_of_maps_and_sets_are_found() {
        assert!(matches!(part(vm(), "name-label"), Ok(Part::Whole(_))));
        assert!(matches!(part(vm(), "other-config:a:b"), Ok(Part::Key(_, "a:b"))));
        assert!(matches!(part(vm(), "other-config-a"), Ok(Part::Key(f, "a")) if f.name == "other-config"));
        assert!(matches!(part(vm(), "tags:contains"), Ok(Part::Member(_))));
        assert!(matches!(
            part(vm(), "allowed-operations-contains"),
            Ok(Part::Member(_))
        ));
        let said = |name| part(vm(), name).err().unwrap().to_string();
        assert_eq!(said("nonsense"), "Error: Unknown field 'nonsense'");
        assert_eq!(
            said("name-label:x"),
            "Error: Field 'name-label' is not a set or map"
        );
        assert_eq!(
            said("tags:x"),
            "Error: Invalid syntax for set filtering (should be set-param:contains=key)"
        );
    }

    #[test]
    fn sets_cannot_be_set() {
        assert!(matches!(target(vm(), "order"), Ok(Target::Whole(_))));
        assert!(matches!(
            target(vm(), "xenstore-data:vm-data/a"),
            Ok(Target::Key(_, "vm-data/a"))
        ));
        assert_eq!(
            target(vm(), "tags:contains").err().unwrap().to_string(),
            "Error: Cannot param-set on set fields"
        );
    }
}
