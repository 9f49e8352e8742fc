//! `generated.rs`: the tables of all classes and messages.

use std::fmt::Write;

use crate::lower::{Model, constant};

/// Renders the file.
pub fn file(model: &Model) -> String {
    let mut out = super::head("proto/datamodel/src");
    out.push('\n');
    let mut modules: Vec<_> = model.classes.iter().map(|c| c.module.as_str()).collect();
    modules.extend(["enums", "errors", "permissions"]);
    modules.sort_unstable();
    for module in modules {
        let _ = writeln!(out, "pub mod {module};");
    }
    out.push_str("\nuse crate::schema::{ClassDef, MessageDef, MessageId};\n");
    out.push_str(
        "\n/// Every class; [`crate::ClassId`] is the position.\npub static CLASSES: &[&ClassDef] = &[\n",
    );
    for class in &model.classes {
        let _ = writeln!(out, "    &{}::DEF,", class.module);
    }
    out.push_str("];\n\n/// The number of each class.\npub mod class {\n    use crate::ClassId;\n\n");
    for class in &model.classes {
        let _ = writeln!(
            out,
            "    /// `{}`\n    pub const {}: ClassId = ClassId({});",
            class.class.name,
            class.class.name.to_ascii_uppercase(),
            class.index
        );
    }
    out.push_str("}\n\n/// Every message, sorted by full name; [`MessageId`] is the position.\npub static MESSAGES: &[&MessageDef] = &[\n");
    let sorted = sorted_messages(model);
    for (_, class, index) in &sorted {
        let _ = writeln!(out, "    &{}::MESSAGES[{index}],", model.classes[*class].module);
    }
    out.push_str("];\n\n/// The number of each message with a meaning of its own.\npub mod messages {\n");
    for (index, class) in model.classes.iter().enumerate() {
        let own: Vec<_> = class
            .messages
            .iter()
            .enumerate()
            .filter(|(_, m)| m.written.is_some())
            .collect();
        if own.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "    /// Messages of `{}`.\n    pub mod {} {{\n        use crate::MessageId;\n\n",
            class.class.name, class.module
        );
        for (at, message) in own {
            let id = sorted
                .iter()
                .position(|(_, c, m)| (*c, *m) == (index, at))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "        /// {}\n        pub const {}: MessageId = MessageId({id});",
                message.doc,
                constant(&message.name).trim_end_matches('_')
            );
        }
        out.push_str("    }\n");
    }
    out.push_str(
        "}\n\n/// Finds a message by its full name, such as `VM.start`.\n\
         pub fn find(full_name: &str) -> Option<MessageId> {\n    \
         let index = MESSAGES.binary_search_by(|m| m.full_name.cmp(full_name)).ok()?;\n    \
         u16::try_from(index).ok().map(MessageId)\n}\n",
    );
    out
}

/// Full name, class, position in the class; sorted by name.
fn sorted_messages(model: &Model) -> Vec<(String, usize, usize)> {
    let mut all: Vec<_> = model
        .classes
        .iter()
        .enumerate()
        .flat_map(|(c, class)| {
            class
                .messages
                .iter()
                .enumerate()
                .map(move |(m, msg)| (format!("{}.{}", class.class.name, msg.name), c, m))
        })
        .collect();
    all.sort();
    all
}
