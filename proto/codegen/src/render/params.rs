//! The parameters of each message with a meaning of its own, as a struct.

use std::fmt::Write;

use proto_datamodel::Type;
use proto_datamodel::model::Kind;

use crate::lower::{ClassModel, pascal, snake};

/// Renders the module `params` of a class.
pub fn module(out: &mut String, class: &ClassModel) {
    let with_struct = |m: &&proto_datamodel::generic::Full| {
        m.kind == Kind::Custom && m.life.removed.is_none() && !m.params.is_empty()
    };
    let messages: Vec<_> = class.messages.iter().filter(with_struct).collect();
    if messages.is_empty() {
        return;
    }
    out.push_str("\n/// Arguments by name and type; messages without parameters or taken away have none.\npub mod params {\n");
    for message in messages {
        let secret = message.written.is_some_and(|m| m.secret);
        let name = pascal(&message.name);
        let _ = write!(
            out,
            "    /// Arguments of `{}.{}`.\n    #[derive(Clone{})]\n    pub struct {name} {{\n",
            class.class.name,
            message.name,
            // What must not be logged cannot be printed either.
            if secret { "" } else { ", Debug" }
        );
        let mut reads = String::new();
        for (index, param) in message.params.iter().enumerate() {
            let (ty, expr) = argument(&param.ty, index, param.name);
            let field = snake(param.name);
            let _ = writeln!(out, "        /// `{}`\n        pub {field}: {ty},", param.ty);
            let _ = writeln!(reads, "                {field}: {expr},");
        }
        let _ = write!(
            out,
            "    }}\n\n    impl {name} {{\n        /// Takes checked arguments apart; fails when one is missing.\n        \
             pub fn from_args(args: &crate::Args) -> Result<Self, crate::ApiError> {{\n            Ok(Self {{\n\
             {reads}            }})\n        }}\n    }}\n\n"
        );
    }
    // The last struct leaves an empty line too much.
    out.truncate(out.trim_end().len());
    out.push_str("\n}\n");
}

fn argument(ty: &Type, index: usize, name: &str) -> (String, String) {
    match ty {
        Type::Text => ("String".into(), format!("args.text({index})?.to_owned()")),
        Type::Int => ("i64".into(), format!("args.int({index})?")),
        Type::Float => ("f64".into(), format!("args.at({index})?.as_float()")),
        Type::Bool => ("bool".into(), format!("args.truth({index})?")),
        Type::Time => ("crate::DateTime".into(), format!("args.at({index})?.as_time()")),
        Type::Ref(_) => ("crate::Ref".into(), format!("args.reference({index})?")),
        Type::Set(Type::Ref(_)) => ("Vec<crate::Ref>".into(), format!("args.at({index})?.as_refs()")),
        Type::Enum(e) => {
            let path = format!("crate::generated::enums::{}", pascal(e.name));
            let expr = format!("crate::view::member(args, {index}, {name:?}, {path}::parse)?");
            (path, expr)
        }
        Type::Void
        | Type::Set(_)
        | Type::Map(..)
        | Type::Record(_)
        | Type::AnyRecord
        | Type::EventBatch
        | Type::Maybe(_) => ("crate::Value".into(), format!("args.at({index})?.clone()")),
    }
}
