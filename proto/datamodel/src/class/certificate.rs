//! The class `Certificate`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("Certificate", "stockholm", "A certificate that a host has or trusts.").fields(FIELDS);

/// `certificate_type`
pub const CERTIFICATE_TYPE: model::Enum =
    model::Enum::new("certificate_type", &["ca", "host", "host_internal", "pinned"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "stockholm", "Unique identifier of the object."),
    Field::runtime("name", Text, "1.294.0", "The name.").default(Default::Text("")),
    Field::runtime("type", Enum(&CERTIFICATE_TYPE), "1.294.0", "Kind of the object.")
        .default(Default::Text("host")),
    Field::fixed("host", Ref("host"), "stockholm", "The host this belongs to.").default(Default::Null),
    Field::fixed("not_before", Time, "stockholm", "Time of not before.").default(Default::Epoch),
    Field::fixed("not_after", Time, "stockholm", "Time of not after.").default(Default::Epoch),
    Field::fixed("fingerprint", Text, "stockholm", "The fingerprint.")
        .default(Default::Text(""))
        .deprecated("24.19.0"),
    Field::fixed("fingerprint_sha256", Text, "24.20.0", "The fingerprint sha256.")
        .default(Default::Text(""))
        .prototyped(),
    Field::fixed("fingerprint_sha1", Text, "24.20.0", "The fingerprint sha1.")
        .default(Default::Text(""))
        .prototyped(),
    Field::fixed(
        "purpose",
        Set(&Enum(&crate::class::pool::CERTIFICATE_PURPOSE)),
        "26.13.0",
        "The set of purpose.",
    )
    .default(Default::EmptySet)
    .prototyped(),
];
