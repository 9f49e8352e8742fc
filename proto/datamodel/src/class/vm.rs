//! The class `VM`.

mod enums;
mod fields;
mod messages;

use crate::vocabulary::*;
pub use enums::*;
use fields::FIELDS;
use messages::MESSAGES;

/// Description of the class.
pub const CLASS: Class =
    Class::new("VM", "rio", "A virtual machine, a template for some, or a snapshot of one.")
        .constructible()
        .writer(VmAdmin)
        .fields(FIELDS)
        .messages(MESSAGES);
