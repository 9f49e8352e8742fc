//! The class `pool`.

mod enums;
mod fields;
mod messages;

use crate::vocabulary::*;
pub use enums::*;
use fields::FIELDS;
use messages::MESSAGES;

/// Description of the class.
pub const CLASS: Class = Class::new("pool", "rio", "A pool of the pool.")
    .no_by_name()
    .fields(FIELDS)
    .messages(MESSAGES);
