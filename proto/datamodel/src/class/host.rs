//! The class `host`.

mod enums;
mod fields;
mod messages;

use crate::vocabulary::*;
pub use enums::*;
use fields::FIELDS;
use messages::MESSAGES;

/// Description of the class.
pub const CLASS: Class =
    Class::new("host", "rio", "A physical machine of the pool.").fields(FIELDS).messages(MESSAGES);
