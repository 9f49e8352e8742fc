//! The class `vdi_nbd_server_info`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("vdi_nbd_server_info", "inverness", "How to read a disk over the network.")
        .record_only()
        .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("exportname", Text, "inverness", "The exportname."),
    Field::runtime("address", Text, "inverness", "The address."),
    Field::runtime("port", Int, "inverness", "The port, a number."),
    Field::runtime("cert", Text, "inverness", "The cert."),
    Field::runtime("subject", Text, "inverness", "The subject."),
];
