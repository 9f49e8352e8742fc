//! The class `SM`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("SM", "rio", "A storage driver and what it can do.").fields(FIELDS);

/// `image_format_type`
pub const IMAGE_FORMAT_TYPE: model::Enum = model::Enum::new("image_format_type", &["raw", "vhd", "qcow2"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::runtime("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime("type", Text, "rio", "Name of the driver, as in the type of an SR."),
    Field::runtime("vendor", Text, "rio", "Who made the driver."),
    Field::runtime("copyright", Text, "rio", "Copyright notice."),
    Field::runtime("version", Text, "rio", "Version of the driver."),
    Field::runtime("required_api_version", Text, "rio", "Version of the drivers' interface it needs."),
    Field::runtime(
        "configuration",
        TEXT_MAP,
        "rio",
        "Keys of a connection that the driver knows, and what they mean.",
    ),
    Field::runtime("capabilities", TEXTS, "miami", "Features without their versions; see `features`.")
        .default(Default::EmptySet)
        .deprecated("clearwater"),
    Field::runtime(
        "features",
        Map(&Text, &Int),
        "clearwater",
        "What the driver can do, by name and version.",
    )
    .default(Default::EmptyMap),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("driver_filename", Text, "orlando", "Where the driver is on the host.")
        .default(Default::Text("")),
    Field::runtime(
        "required_cluster_stack",
        TEXTS,
        "dundee",
        "Cluster stacks of which the driver needs one.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "supported_image_formats",
        Set(&Enum(&IMAGE_FORMAT_TYPE)),
        "26.15.0",
        "Formats of disks, the preferred one first.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::internal(
        "host_pending_features",
        Map(&Ref("host"), &TEXTS),
        "rio",
        "Features that some hosts have and others lack.",
    ),
];
