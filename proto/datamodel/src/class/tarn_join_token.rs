//! The internal class `tarn_join_token`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_join_token", "A token that admits one host to the pool.").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("hash", Text, "tarn-1", "SHA-256 of the token, in hex."),
    Field::internal("expires", Time, "tarn-1", "When it stops to admit."),
    Field::internal("created_by", Text, "tarn-1", "Who made it."),
];
