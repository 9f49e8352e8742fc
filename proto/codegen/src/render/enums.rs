//! `enums.rs`: each enum as a Rust enum, and its members for the schema.

use std::fmt::Write;

use crate::lower::{Model, constant, pascal};

/// Renders the file.
pub fn file(model: &Model) -> String {
    let mut out = super::head("proto/datamodel/src/class");
    out.push_str("\nuse std::fmt;\nuse std::str::FromStr;\n\nuse crate::schema::EnumDef;\n");
    out.push_str(
        "\n/// The text names no member of the enum.\n#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]\n\
         #[error(\"not a member of {0}\")]\npub struct NotAMember(pub &'static str);\n",
    );
    out.push_str(MACRO);
    for one in &model.enums {
        let (name, def) = (pascal(one.name), constant(one.name));
        let _ = write!(
            out,
            "\n/// Members of `{0}`.\npub static {def}: EnumDef = EnumDef {{\n    name: {0:?},\n    members: &[\n",
            one.name
        );
        for member in one.members {
            let _ = writeln!(out, "        {member:?},");
        }
        let _ = write!(out, "    ],\n}};\n\nwire_enum! {{ {name}, {:?};\n", one.name);
        for member in one.members {
            let _ = writeln!(out, "    {} = {member:?},", pascal(member));
        }
        out.push_str("}\n");
    }
    out
}

/// Seventy enums spelled out would be most of the compile time of the crate.
const MACRO: &str = r#"
/// An enum whose members have a spelling on the wire.
macro_rules! wire_enum {
    ($name:ident, $wire:literal; $($member:ident = $text:literal,)+) => {
        #[doc = concat!("`", $wire, "`.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`.")] $member,)+
        }

        impl $name {
            /// Every member, in the order of the data model.
            pub const ALL: &'static [$name] = &[$($name::$member,)+];

            /// The spelling on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$member => $text,)+ }
            }

            /// The member of this exact spelling.
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$member),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = NotAMember;

            fn from_str(text: &str) -> Result<Self, NotAMember> {
                $name::parse(text).ok_or(NotAMember($wire))
            }
        }

        impl From<$name> for crate::Value {
            fn from(member: $name) -> Self {
                crate::Value::str(member.as_str())
            }
        }
    };
}
"#;
