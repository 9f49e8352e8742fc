//! The class `VDI`.

mod enums;
mod fields;
mod messages;

use crate::vocabulary::*;
pub use enums::*;
use fields::FIELDS;
use messages::MESSAGES;

/// Description of the class.
pub const CLASS: Class = Class::new("VDI", "rio", "A virtual disk in a storage repository.")
    .constructible()
    .writer(VmAdmin)
    .fields(FIELDS)
    .messages(MESSAGES);
