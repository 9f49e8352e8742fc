//! The class `PVS_cache_storage`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PVS_cache_storage", "ely", "Where a host caches streamed disks.")
    .constructible()
    .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "ely", "Unique identifier of the object."),
    Field::fixed("host", Ref("host"), "ely", "The host this belongs to.").default(Default::Null),
    Field::fixed("SR", Ref("SR"), "ely", "The storage repository this belongs to.").default(Default::Null),
    Field::fixed("site", Ref("PVS_site"), "ely", "The site: a PVS site.").default(Default::Null),
    Field::fixed("size", Int, "ely", "Size in bytes.").default(Default::Int(21474836480)),
    Field::runtime("VDI", Ref("VDI"), "ely", "The VDI it belongs to.").default(Default::Null),
];
