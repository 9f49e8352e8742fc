//! The internal class `tarn_setting`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_setting", "A setting of the pool that has no place in the API.").fields(FIELDS);

const FIELDS: &[Field] =
    &[Field::internal("key", Text, "tarn-1", "Name."), Field::internal("value", Text, "tarn-1", "Value.")];
