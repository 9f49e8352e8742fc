//! The class `pool`.

mod enums;
mod fields;
mod messages;

use crate::vocabulary::*;
pub use enums::*;
use fields::FIELDS;
use messages::MESSAGES;

/// Description of the class.
pub const CLASS: Class = Class::new("pool", "rio", "The pool as a whole: there is exactly one.")
    .no_by_name()
    .fields(FIELDS)
    .messages(MESSAGES);
