//! The internal class `tarn_credential`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_credential", "A name that may log in, and the hash of its password.")
        .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("name", Text, "tarn-1", "Name given at login."),
    Field::internal("hash", Text, "tarn-1", "Hash of the password in PHC form."),
    Field::internal("subject", Text, "tarn-1", "Subject identifier; empty for the local superuser."),
];
