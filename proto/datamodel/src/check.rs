//! What must hold of the description as a whole; run as a test.

use std::collections::BTreeSet;

use crate::generic::{self, Full};
use crate::model::{Class, Default, Field, Life, Qualifier, Role, Type};
use crate::{CLASSES, class, enums, errors, releases, roles};

/// Everything that is wrong, one line each; empty when all is well.
pub fn problems() -> Vec<String> {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for class in CLASSES {
        if !names.insert(class.name.to_ascii_lowercase()) {
            wrong.push(format!("{}: a second class of this name", class.name));
        }
        check_class(class, &mut wrong);
    }
    check_enums(&mut wrong);
    check_errors(&mut wrong);
    wrong
}

fn check_class(class: &'static Class, wrong: &mut Vec<String>) {
    let mut fields = BTreeSet::new();
    let mut internal_begun = false;
    life(class.name, &class.life, wrong);
    sentence(class.name, class.doc, wrong);
    for field in class.fields {
        let at = format!("{}.{}", class.name, field.name);
        if !fields.insert(field.name) {
            wrong.push(format!("{at}: a second field of this name"));
        }
        if internal_begun && !field.internal {
            wrong.push(format!("{at}: stands after an internal field"));
        }
        internal_begun |= field.internal;
        life(&at, &field.life, wrong);
        sentence(&at, field.doc, wrong);
        known(&at, &field.ty, wrong);
        fits(&at, &field.ty, &field.default, wrong);
        relation(class, field, &at, wrong);
        if !field.key_roles.is_empty() && !field.ty.is_map() {
            wrong.push(format!("{at}: roles of keys without keys"));
        }
    }
    if class.in_database && !class.internal && !fields.contains("uuid") {
        wrong.push(format!("{}: rows without uuid", class.name));
    }
    if class.internal && (!class.messages.is_empty() || class.events || class.getters) {
        wrong.push(format!("{}: internal, yet seen by clients", class.name));
    }
    let mut messages = BTreeSet::new();
    for message in generic::messages(class) {
        let at = format!("{}.{}", class.name, message.name);
        if !messages.insert(message.name.clone()) {
            wrong.push(format!("{at}: a second message of this name"));
        }
        check_message(&at, &message, wrong);
    }
}

fn check_message(at: &str, message: &Full, wrong: &mut Vec<String>) {
    life(at, &message.life, wrong);
    sentence(at, &message.doc, wrong);
    known(at, &message.result, wrong);
    let mut names = BTreeSet::new();
    let mut optional = false;
    for param in &message.params {
        let at = format!("{at}({})", param.name);
        if !names.insert(param.name) {
            wrong.push(format!("{at}: a second parameter of this name"));
        }
        known(&at, &param.ty, wrong);
        fits(&at, &param.ty, &param.default, wrong);
        if optional && param.default == Default::None {
            wrong.push(format!("{at}: must be given, yet follows one that need not"));
        }
        optional |= param.default != Default::None;
    }
    for code in message.written.map(|m| m.errors).unwrap_or_default() {
        if !errors::all().iter().any(|e| e.code == *code) {
            wrong.push(format!("{at}: declares {code}, which the catalogue lacks"));
        }
    }
    if message.written.is_some_and(|m| m.no_session && m.is_async) {
        wrong.push(format!("{at}: asynchronous without a session"));
    }
}

/// Both halves of a relation must know each other, and one of them must hold it.
fn relation(owner: &Class, field: &Field, at: &str, wrong: &mut Vec<String>) {
    let Some((other, holder)) = field.rows_of.or(field.paired_with) else {
        return;
    };
    if !matches!(field.ty, Type::Set(Type::Ref(of)) if *of == other) {
        wrong.push(format!("{at}: not a set of {other}"));
    }
    if field.rows_of.is_some() && field.qualifier != Qualifier::Runtime {
        wrong.push(format!("{at}: computed, yet settable"));
    }
    let Some(held) = class(other).and_then(|c| c.fields.iter().find(|f| f.name == holder)) else {
        wrong.push(format!("{at}: no field {other}.{holder}"));
        return;
    };
    let mut back = Vec::new();
    held.ty.classes(&mut back);
    if back != [owner.name] {
        wrong.push(format!("{at}: {other}.{holder} does not refer to {}", owner.name));
    }
    let mirrored = match field.rows_of {
        None => held.rows_of == Some((owner.name, field.name)),
        Some(_) if held.ty.is_set() => held.paired_with == Some((owner.name, field.name)),
        Some(_) => held.rows_of.is_none(),
    };
    if !mirrored {
        wrong.push(format!("{at}: {other}.{holder} does not point back"));
    }
}

/// The default must be of the type.
fn fits(at: &str, ty: &Type, default: &Default, wrong: &mut Vec<String>) {
    let ok = match (default, ty) {
        (Default::None, _) => true,
        (Default::Text(member), Type::Enum(e)) => e.members.contains(member),
        (Default::Text(_), Type::Text)
        | (Default::Int(_), Type::Int)
        | (Default::Float(_), Type::Float)
        | (Default::Bool(_), Type::Bool)
        | (Default::Epoch, Type::Time)
        | (Default::Null, Type::Ref(_))
        | (Default::EmptySet, Type::Set(_))
        | (Default::Ints(_), Type::Set(Type::Int))
        | (Default::Refs(_), Type::Set(Type::Ref(_)))
        | (Default::EmptyMap, Type::Map(..))
        | (Default::Pairs(_), Type::Map(Type::Text, Type::Text)) => true,
        _ => false,
    };
    if !ok {
        wrong.push(format!("{at}: {default:?} is not of type {ty}"));
    }
}

fn known(at: &str, ty: &Type, wrong: &mut Vec<String>) {
    let mut used = Vec::new();
    ty.classes(&mut used);
    for name in used.into_iter().filter(|name| class(name).is_none()) {
        wrong.push(format!("{at}: no class {name}"));
    }
}

fn life(at: &str, life: &Life, wrong: &mut Vec<String>) {
    for release in [Some(life.since), life.deprecated, life.removed].into_iter().flatten() {
        if !releases::is_release(release) {
            wrong.push(format!("{at}: no release {release}"));
        }
    }
}

fn sentence(at: &str, doc: &str, wrong: &mut Vec<String>) {
    if !doc.ends_with('.') || !doc.starts_with(|c: char| c.is_uppercase()) {
        wrong.push(format!("{at}: not described by a sentence: {doc:?}"));
    }
}

fn check_enums(wrong: &mut Vec<String>) {
    let mut all = Vec::new();
    for class in CLASSES {
        for field in class.fields {
            field.ty.enums(&mut all);
        }
    }
    for one in enums() {
        if all.iter().any(|other| other.name == one.name && *other != one) {
            wrong.push(format!("enum {}: two definitions", one.name));
        }
        if one.members.is_empty() || one.members.iter().collect::<BTreeSet<_>>().len() != one.members.len() {
            wrong.push(format!("enum {}: members missing or twice", one.name));
        }
    }
}

fn check_errors(wrong: &mut Vec<String>) {
    let codes: Vec<_> = errors::all().iter().map(|e| e.code).collect();
    for pair in codes.windows(2) {
        if pair[0] == pair[1] {
            wrong.push(format!("error {}: twice", pair[0]));
        }
    }
    let mut roles = roles::ROLES.iter().map(|r| r.role);
    if !roles.clone().zip(roles.by_ref().skip(1)).all(|(higher, lower)| higher > lower) {
        wrong.push("roles: not from highest to lowest".into());
    }
}

/// What the description says, one fact a line, in an order of its own; our own additions left out.
///
/// Its fingerprint is compared with that of XenServer's published model, so that an edit which
/// changes a fact of the API does not go unnoticed.
pub fn facts() -> Vec<String> {
    let mut lines = Vec::new();
    for class in CLASSES.iter().filter(|c| !c.internal) {
        // Only here do messages live in the database; to clients they look as before.
        let in_database = class.in_database && class.name != "message";
        let flags =
            [class.events, class.stored && in_database, in_database, class.get_all, class.constructible];
        lines.push(format!("class|{}|{}|{}", class.name, history(&class.life), bits(&flags)));
        for field in class.fields.iter().filter(|f| !releases::is_own(f.life.since)) {
            lines.push(field_fact(class, field));
        }
        for message in generic::messages(class).iter().filter(|m| !releases::is_own(m.life.since)) {
            lines.push(message_fact(class, message));
        }
    }
    for one in enums() {
        lines.push(format!("enum|{}|{}", one.name, one.members.join(",")));
    }
    lines.sort();
    lines
}

fn field_fact(class: &Class, field: &Field) -> String {
    if field.internal {
        return format!("internal|{}.{}|{}", class.name, field.name, field.ty);
    }
    let qualifier = match field.qualifier {
        Qualifier::ReadWrite => "RW",
        Qualifier::Constructor => "RO/constructor",
        Qualifier::Runtime => "RO/runtime",
    };
    // XenServer stores this half of the relation too.
    let stored_there = class.name == "PVS_site" && field.name == "cache_storage";
    let own_rows = (field.rows_of.is_some() || field.paired_with.is_some()) && !stored_there;
    format!(
        "field|{}.{}|{}|{qualifier}|{}|{}|{}|{}",
        class.name,
        field.name,
        field.ty,
        preset(&field.default),
        history(&field.life),
        bits(&[field.volatile, own_rows]),
        keys(field.key_roles)
    )
}

fn message_fact(class: &Class, message: &Full) -> String {
    let params: Vec<_> =
        message.params.iter().map(|p| format!("{}:{}={}", p.name, p.ty, preset(&p.default))).collect();
    let written = message.written;
    let flag = |of: fn(&crate::Message) -> bool| written.is_some_and(of);
    // XenServer lets every reader list secrets by expression. We do not; see `Class::reader`.
    let role = if class.name == "secret" && message.hidden && written.is_none() {
        Role::ReadOnly
    } else {
        message.role
    };
    // The field's key roles apply to its derived messages; only written ones carry their own in the model.
    let keys = written.map(|m| keys(m.key_roles)).unwrap_or_default();
    format!(
        "message|{}.{}|{}|{}|{}|{}|{}{}|{}|{}|{}|{keys}",
        class.name,
        message.name,
        if written.is_some() { "custom" } else { "auto" },
        params.join(","),
        message.result,
        written.map(|m| m.errors.join(",")).unwrap_or_default(),
        role_name(role),
        if message.client_cert { "+client-cert" } else { "" },
        history(&message.life),
        bits(&[
            message.is_async,
            flag(|m| m.no_session),
            flag(|m| m.pool_only),
            message.hidden,
            flag(|m| m.idle),
            flag(|m| m.secret)
        ]),
        written.and_then(|m| m.extension).unwrap_or("-"),
    )
}

/// The name of a role, `local-root` included.
pub fn role_name(role: Role) -> &'static str {
    roles::ROLES.iter().find(|r| r.role == role).map_or("local-root", |r| r.name)
}

fn keys(roles: &[(&str, Role)]) -> String {
    roles.iter().map(|(k, r)| format!("{k}={}", role_name(*r))).collect::<Vec<_>>().join(",")
}

fn bits(flags: &[bool]) -> String {
    flags.iter().map(|set| if *set { '1' } else { '0' }).collect()
}

fn history(life: &Life) -> String {
    let release = |r: Option<&'static str>| r.unwrap_or("-");
    let prototyped = bits(&[life.prototyped]);
    format!("{}|{prototyped}|{}|{}", life.since, release(life.deprecated), release(life.removed))
}

fn preset(default: &Default) -> String {
    match default {
        Default::None => "none".into(),
        Default::Text(text) => format!("\"{text}\""),
        Default::Int(number) => number.to_string(),
        Default::Float(number) => number.to_string(),
        Default::Bool(truth) => truth.to_string(),
        Default::Epoch => "epoch".into(),
        Default::Null => "null".into(),
        Default::EmptySet => "[]".into(),
        Default::Ints(items) => {
            format!("[{}]", items.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
        }
        Default::Refs(items) => format!("[{}]", items.join(",")),
        Default::EmptyMap => "{}".into(),
        Default::Pairs(items) => {
            format!("{{{}}}", items.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","))
        }
    }
}

/// FNV-1a over lines, 64 bits.
pub fn fingerprint(lines: &[String]) -> u64 {
    lines.join("\n").bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod test;
