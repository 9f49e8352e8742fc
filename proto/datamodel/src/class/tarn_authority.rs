//! The internal class `tarn_authority`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_authority", "A certificate authority of the pool, with its key.").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("certificate", Text, "tarn-1", "Certificate, PEM."),
    Field::internal("key", Text, "tarn-1", "Private key, PEM; never leaves the pool."),
    Field::internal("not_after", Time, "tarn-1", "When the certificate expires."),
    Field::internal("active", Bool, "tarn-1", "True for the one that signs."),
];
