//! `<class>.rs`: constants of the fields, the description, the view and the parameters.

use std::fmt::Write;

use proto_datamodel::generic::Full;
use proto_datamodel::model::Kind;
use proto_datamodel::{Default, Field, Qualifier, Role};

use crate::lower::{ClassModel, constant, default_expr, type_expr};
use crate::render::{params, views};

/// Renders the file.
pub fn file(class: &ClassModel) -> String {
    let source = format!("proto/datamodel/src/class/{}.rs", class.module);
    let mut out = super::head(&source);
    let body = body(class);
    out.push('\n');
    let known = [
        "ClassDef",
        "Default",
        "FieldDef",
        "MessageDef",
        "MessageKind",
        "ParamDef",
        "Qualifier",
        "Role",
        "Type",
    ];
    let used: Vec<_> = known
        .into_iter()
        .filter(|n| {
            uses(&body, &format!("{n}::")) || uses(&body, &format!("{n} {{")) || uses(&body, &format!("[{n}"))
        })
        .collect();
    if body.contains("enums::") {
        out.push_str("use crate::generated::enums;\n");
    }
    let _ = writeln!(out, "use crate::schema::{{{}}};", used.join(", "));
    out.push_str(if class.class.fields.is_empty() {
        "use crate::ClassId;\n"
    } else {
        "use crate::{ClassId, Field, Value, view};\n"
    });
    out.push_str(&body);
    out
}

/// Says whether a name stands somewhere, not as the end of a longer one.
fn uses(body: &str, name: &str) -> bool {
    body.match_indices(name)
        .any(|(at, _)| !body[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

fn body(class: &ClassModel) -> String {
    let mut out = String::new();
    let c = class.class;
    let _ = write!(
        out,
        "\n/// The class `{}`: {}\npub const CLASS: ClassId = ClassId({});\n\n",
        c.name,
        lower_first(c.doc),
        class.index
    );
    for (index, field) in c.fields.iter().enumerate() {
        let _ = writeln!(
            out,
            "/// {} `{}`.\npub const {}: Field = Field {{ class: CLASS, index: {index} }};",
            field.doc,
            field.ty,
            constant(field.name)
        );
    }
    let _ = write!(
        out,
        "\n/// The description.\npub static DEF: ClassDef = ClassDef {{\n    name: {:?},\n    since: {:?},\n    \
         events: {},\n    in_database: {},\n    stored: {},\n    get_all: {},\n    internal: {},\n    \
         messages: MESSAGES,\n    doc: {:?},\n    fields: &[\n",
        c.name, c.life.since, c.events, c.in_database, c.stored, c.get_all, c.internal, c.doc
    );
    for field in c.fields {
        field_def(&mut out, field);
    }
    out.push_str("    ],\n};\n");
    if class.messages.iter().any(|m| param_list(class, m) == "SELF") {
        let _ = write!(
            out,
            "\nconst SELF: &[ParamDef] = &[ParamDef::new(\"self\", Type::Ref({:?}))];\n",
            c.name
        );
    }
    out.push_str("\n/// Its messages.\npub static MESSAGES: &[MessageDef] = &[\n");
    for message in &class.messages {
        message_def(&mut out, class, message);
    }
    out.push_str("];\n");
    views::view(&mut out, class);
    params::module(&mut out, class);
    out
}

fn field_def(out: &mut String, field: &Field) {
    let mut parts = Vec::new();
    match field.qualifier {
        Qualifier::ReadWrite => parts.push("qualifier: Qualifier::ReadWrite".into()),
        Qualifier::Constructor => parts.push("qualifier: Qualifier::Constructor".into()),
        Qualifier::Runtime => (),
    }
    if field.default != Default::None {
        parts.push(format!("default: {}", default_expr(&field.default)));
    }
    if let Some((class, holder)) = field.rows_of {
        parts.push(format!("derived_from: Some(({class:?}, {holder:?}))"));
    }
    if field.volatile {
        parts.push("volatile: true".into());
    }
    if field.internal {
        parts.push("internal: true".into());
    }
    if !field.key_roles.is_empty() {
        parts.push(format!("key_roles: {}", key_roles(field.key_roles)));
    }
    if let Some(release) = field.life.removed {
        parts.push(format!("removed: Some({release:?})"));
    }
    let base = format!(
        "FieldDef::new({:?}, {}, {:?}, {:?})",
        field.name,
        type_expr(&field.ty),
        field.life.since,
        field.doc
    );
    entry(out, "        ", "FieldDef", parts, &base);
}

fn message_def(out: &mut String, class: &ClassModel, message: &Full) {
    let mut parts = Vec::new();
    if message.kind != Kind::Custom {
        parts.push(format!("kind: MessageKind::{:?}", message.kind));
    }
    if !message.params.is_empty() {
        parts.push(format!("params: {}", param_list(class, message)));
    }
    if message.result != proto_datamodel::Type::Void {
        parts.push(format!("result: {}", type_expr(&message.result)));
    }
    if message.role != Role::ReadOnly {
        parts.push(format!("role: Role::{:?}", message.role));
    }
    if !message.key_roles.is_empty() {
        parts.push(format!("key_roles: {}", key_roles(message.key_roles)));
    }
    let written = message.written;
    let errors = written.map(|m| m.errors).unwrap_or_default();
    if !errors.is_empty() {
        parts.push(format!("errors: &{errors:?}"));
    }
    if let Some(script) = written.and_then(|m| m.extension) {
        parts.push(format!("extension: Some({script:?})"));
    }
    let flags = [
        ("is_async", message.is_async),
        ("no_session", written.is_some_and(|m| m.no_session)),
        ("pool_only", written.is_some_and(|m| m.pool_only)),
        ("hidden", message.hidden),
        ("secret", written.is_some_and(|m| m.secret)),
        ("removed", message.life.removed.is_some()),
        ("deprecated", message.life.deprecated.is_some()),
        ("client_cert", message.client_cert),
        ("idle", written.is_some_and(|m| m.idle)),
    ];
    parts.extend(
        flags
            .into_iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| format!("{name}: true")),
    );
    let base = format!(
        "MessageDef::new(CLASS, {:?}, {:?}, {:?}, {:?})",
        message.name,
        format!("{}.{}", class.class.name, message.name),
        message.life.since,
        message.doc
    );
    entry(out, "    ", "MessageDef", parts, &base);
}

/// One element of a table, on one line if it fits.
fn entry(out: &mut String, indent: &str, ty: &str, parts: Vec<String>, base: &str) {
    let line = if parts.is_empty() {
        format!("{indent}{base},")
    } else {
        format!("{indent}{ty} {{ {}, ..{base} }},", parts.join(", "))
    };
    if parts.is_empty() || line.len() <= 110 {
        let _ = writeln!(out, "{line}");
        return;
    }
    let _ = writeln!(out, "{indent}{ty} {{");
    let inner = format!("{indent}    ");
    let mut row = inner.clone();
    for part in parts {
        if row.len() > inner.len() && row.len() + part.len() + 2 > 110 {
            let _ = writeln!(out, "{}", row.trim_end());
            row.clone_from(&inner);
        }
        row.push_str(&part);
        row.push_str(", ");
    }
    let _ = writeln!(out, "{}", row.trim_end());
    let _ = writeln!(out, "{inner}..{base}\n{indent}}},");
}

/// Parameters; the lists that derived messages share go by the name of a constant.
fn param_list(class: &ClassModel, message: &Full) -> String {
    let own = proto_datamodel::Type::Ref(class.class.name);
    let shape: Vec<_> = message
        .params
        .iter()
        .map(|p| (p.name, p.default == Default::None && p.ty == own))
        .collect();
    if shape == [("self", true)] {
        return "SELF".into();
    }
    let params = message.params.iter().map(|p| match p.default {
        Default::None => format!("ParamDef::new({:?}, {})", p.name, type_expr(&p.ty)),
        _ => format!(
            "ParamDef::optional({:?}, {}, {})",
            p.name,
            type_expr(&p.ty),
            default_expr(&p.default)
        ),
    });
    format!("&[{}]", params.collect::<Vec<_>>().join(", "))
}

fn key_roles(roles: &[(&str, Role)]) -> String {
    let all: Vec<_> = roles
        .iter()
        .map(|(key, role)| format!("({key:?}, Role::{role:?})"))
        .collect();
    format!("&[{}]", all.join(", "))
}

/// The sentence as the second half of another.
fn lower_first(doc: &str) -> String {
    let (article, rest) = doc.split_once(' ').unwrap_or((doc, ""));
    if matches!(article, "A" | "An" | "The" | "One" | "What") {
        format!("{} {rest}", article.to_ascii_lowercase())
    } else {
        doc.to_owned()
    }
}
