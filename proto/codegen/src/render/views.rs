//! The typed view over a row: one getter per field.

use std::fmt::Write;

use proto_datamodel::{Default, Field, Type};

use crate::lower::{ClassModel, pascal, snake};

/// Renders the view of a class.
pub fn view(out: &mut String, class: &ClassModel) {
    if class.class.fields.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "\n/// A row of `{}`, read by type.\n#[derive(Clone, Copy)]\npub struct {}<'a>(pub &'a [Value]);\n\n\
         impl<'a> {1}<'a> {{\n",
        class.class.name, class.view
    );
    for (index, field) in class.class.fields.iter().enumerate() {
        let (ty, expr) = getter(field, index);
        let _ = write!(
            out,
            "    /// {}\n    pub fn {}(&self) -> {ty} {{\n        {expr}\n    }}\n",
            field.doc,
            snake(field.name)
        );
    }
    out.push_str("}\n");
}

fn getter(field: &Field, index: usize) -> (String, String) {
    let call = |function: &str| format!("view::{function}(self.0, {index})");
    match field.ty {
        Type::Text => ("&'a str".into(), call("text")),
        Type::Int => ("i64".into(), call("int")),
        Type::Float => ("f64".into(), call("float")),
        Type::Bool => ("bool".into(), call("truth")),
        Type::Time => ("crate::DateTime".into(), call("time")),
        Type::Ref(_) => ("crate::Ref".into(), call("reference")),
        Type::Set(Type::Ref(_)) => ("Vec<crate::Ref>".into(), call("refs")),
        Type::Set(_) => ("&'a [Value]".into(), call("set")),
        Type::Map(..) => ("&'a std::collections::BTreeMap<Value, Value>".into(), call("map")),
        Type::Maybe(Type::Text) => ("Option<&'a str>".into(), call("maybe_text")),
        Type::Enum(e) => {
            let name = format!("enums::{}", pascal(e.name));
            let fallback = match field.default {
                Default::Text(member) => member,
                _ => e.members.first().copied().unwrap_or_default(),
            };
            let expr = format!(
                "{name}::parse({}).unwrap_or({name}::{})",
                call("text"),
                pascal(fallback)
            );
            (name, expr)
        }
        Type::Void | Type::Record(_) | Type::AnyRecord | Type::EventBatch | Type::Maybe(_) => {
            ("&'a Value".into(), call("at"))
        }
    }
}
