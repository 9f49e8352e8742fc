//! The class `PIF_metrics`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PIF_metrics", "rio", "Link, speed and hardware of a host's network interface.")
        .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("io_read_kbs", Float, "rio", "The io read kbs.")
        .default(Default::Float(0.0))
        .volatile()
        .deprecated("tampa")
        .removed("tampa"),
    Field::runtime("io_write_kbs", Float, "rio", "The io write kbs.")
        .default(Default::Float(0.0))
        .volatile()
        .deprecated("tampa")
        .removed("tampa"),
    Field::runtime("carrier", Bool, "rio", "True if carrier."),
    Field::runtime("vendor_id", Text, "rio", "The vendor id."),
    Field::runtime("vendor_name", Text, "rio", "The vendor name."),
    Field::runtime("device_id", Text, "rio", "The device id."),
    Field::runtime("device_name", Text, "rio", "The device name."),
    Field::runtime("speed", Int, "rio", "The speed, a number."),
    Field::runtime("duplex", Bool, "rio", "True if duplex."),
    Field::runtime("pci_bus_path", Text, "rio", "The pci bus path."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured."),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];
