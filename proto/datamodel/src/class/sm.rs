//! The class `SM`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("SM", "rio", "A SM of the pool.").fields(FIELDS);

/// `image_format_type`
pub const IMAGE_FORMAT_TYPE: model::Enum = model::Enum::new("image_format_type", &["raw", "vhd", "qcow2"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "name_label",
        Text,
        "rio",
        "Name shown to people; need not be unique.",
    )
    .default(Default::Text("")),
    Field::runtime("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime("type", Text, "rio", "Kind of the object."),
    Field::runtime("vendor", Text, "rio", "The vendor."),
    Field::runtime("copyright", Text, "rio", "The copyright."),
    Field::runtime("version", Text, "rio", "Version."),
    Field::runtime("required_api_version", Text, "rio", "The required api version."),
    Field::runtime(
        "configuration",
        TEXT_MAP,
        "rio",
        "The configuration, as keys and values.",
    ),
    Field::runtime("capabilities", TEXTS, "miami", "What this can do.")
        .default(Default::EmptySet)
        .deprecated("clearwater"),
    Field::runtime(
        "features",
        Map(&Text, &Int),
        "clearwater",
        "The features, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("driver_filename", Text, "orlando", "The driver filename.").default(Default::Text("")),
    Field::runtime(
        "required_cluster_stack",
        TEXTS,
        "dundee",
        "The set of required cluster stack.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "supported_image_formats",
        Set(&Enum(&IMAGE_FORMAT_TYPE)),
        "26.15.0",
        "The set of supported image formats.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::internal(
        "host_pending_features",
        Map(&Ref("host"), &TEXTS),
        "rio",
        "The host pending features, as keys and values.",
    ),
];
