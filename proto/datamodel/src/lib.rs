//! The XenAPI described once: classes, fields, messages, enums, errors, roles and releases, as constants.
//!
//! This is the source. `proto-codegen` turns it into `proto/types/src/generated`; nothing else reads it. To add
//! a field or message, write one entry in `class/<class>.rs` and run `cargo xtask codegen`.
//!
//! ```text
//! class/*.rs ─┐
//! errors.rs   ├─> generic.rs adds get_X, set_X, ... ─> proto-codegen ─> proto/types/src/generated
//! roles.rs   ─┘        check.rs keeps it sound
//! ```
#![forbid(unsafe_code)]

pub mod check;
pub mod class;
pub mod errors;
pub mod generic;
pub mod model;
pub mod releases;
pub mod roles;

pub use class::CLASSES;
pub use model::{Class, Default, Enum, Field, Life, Message, Param, Qualifier, Role, Type};

/// What the files of classes import.
pub(crate) mod vocabulary {
    pub(crate) use crate::model::Kind;
    pub(crate) use crate::model::Role::*;
    pub(crate) use crate::model::Type::*;
    pub(crate) use crate::model::{Class, Default, Field, Message, Param};
}

/// A class by its name.
pub fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().copied().find(|c| c.name == name)
}

/// Every enum that a field, parameter or result uses, by name.
pub fn enums() -> Vec<&'static Enum> {
    let mut found: Vec<&'static Enum> = Vec::new();
    for class in CLASSES {
        for field in class.fields {
            field.ty.enums(&mut found);
        }
        for message in class.messages {
            message.result.enums(&mut found);
            for param in message.params {
                param.ty.enums(&mut found);
            }
        }
    }
    found.sort_by_key(|e| e.name);
    found.dedup_by_key(|e| e.name);
    found
}
