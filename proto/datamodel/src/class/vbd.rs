//! The class `VBD`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("VBD", "rio", "A block device of a VM: a disk, or a drive perhaps empty.")
        .constructible()
        .writer(VmAdmin)
        .fields(FIELDS)
        .messages(MESSAGES);

/// `vbd_operations`
pub const VBD_OPERATIONS: model::Enum = model::Enum::new(
    "vbd_operations",
    &["attach", "eject", "insert", "plug", "unplug", "unplug_force", "pause", "unpause"],
);

/// `vbd_type`
pub const VBD_TYPE: model::Enum = model::Enum::new("vbd_type", &["CD", "Disk", "Floppy"]);

/// `vbd_mode`
pub const VBD_MODE: model::Enum = model::Enum::new("vbd_mode", &["RO", "RW"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VBD_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VBD_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::fixed("VM", Ref("VM"), "rio", "The VM this belongs to."),
    Field::fixed("VDI", Ref("VDI"), "rio", "The disk in it; null if empty."),
    Field::fixed("device", Text, "rio", "Name the guest knows it by, such as `xvda`.")
        .default(Default::Text("")),
    Field::settable(
        "userdevice",
        Text,
        "rio",
        "Position that the client asked for: a number or `autodetect`.",
    ),
    Field::settable("bootable", Bool, "rio", "True if it may be booted from."),
    Field::fixed("mode", Enum(&VBD_MODE), "rio", "Whether it may be written."),
    Field::settable("type", Enum(&VBD_TYPE), "rio", "Disk, CD or floppy."),
    Field::settable("unpluggable", Bool, "miami", "True if it can be taken away while the VM runs.")
        .default(Default::Bool(true)),
    Field::runtime("storage_lock", Bool, "rio", "True while it is locked below the API."),
    Field::fixed("empty", Bool, "rio", "True for a drive without medium."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values."),
    Field::fixed("currently_attached", Bool, "rio", "True while attached.").default(Default::Bool(false)),
    Field::runtime("status_code", Int, "rio", "Last error of the device as a number."),
    Field::runtime("status_detail", Text, "rio", "Last error of the device as text."),
    Field::runtime("runtime_properties", TEXT_MAP, "rio", "What the running device says of itself."),
    Field::settable("qos_algorithm_type", Text, "rio", "Name of the throttling algorithm."),
    Field::settable("qos_algorithm_params", TEXT_MAP, "rio", "Settings of the throttling algorithm."),
    Field::runtime("qos_supported_algorithms", TEXTS, "rio", "Throttling algorithms on offer."),
    Field::runtime("metrics", Ref("VBD_metrics"), "rio", "The object that holds the metrics.")
        .default(Default::Null)
        .deprecated("tampa")
        .removed("tampa"),
    Field::internal("reserved", Bool, "rio", "True while a VM that starts claims it."),
];

const MESSAGES: &[Message] = &[
    Message::new("eject", "rio", VmOperator, "Takes the medium out of the drive.")
        .params(&[Param::new("vbd", Ref("VBD"))])
        .errors(&["VBD_NOT_REMOVABLE_MEDIA", "VBD_IS_EMPTY"])
        .or_async(),
    Message::new("insert", "rio", VmOperator, "Puts a disk into the drive.")
        .params(&[Param::new("vbd", Ref("VBD")), Param::new("vdi", Ref("VDI"))])
        .errors(&["VBD_NOT_REMOVABLE_MEDIA", "VBD_NOT_EMPTY"])
        .or_async(),
    Message::new("plug", "rio", VmAdmin, "Attaches it to the running VM.")
        .params(&[Param::new("self", Ref("VBD"))])
        .or_async(),
    Message::new("unplug", "rio", VmAdmin, "Detaches it from the running VM, which must agree.")
        .params(&[Param::new("self", Ref("VBD"))])
        .errors(&["DEVICE_DETACH_REJECTED", "DEVICE_ALREADY_DETACHED"])
        .or_async(),
    Message::new("unplug_force", "rio", VmAdmin, "Detaches it whether or not the guest agrees.")
        .params(&[Param::new("self", Ref("VBD"))])
        .or_async(),
    Message::new("set_mode", "rio", VmAdmin, "Says whether it may be written; the VM must be halted.")
        .params(&[Param::new("self", Ref("VBD")), Param::new("value", Enum(&VBD_MODE))])
        .or_async(),
    Message::new("assert_attachable", "rio", VmAdmin, "Fails unless it could be attached.")
        .params(&[Param::new("self", Ref("VBD"))])
        .or_async(),
    Message::new("unplug_force_no_safety_check", "symc", VmAdmin, "Detached it without a thought.")
        .params(&[Param::new("self", Ref("VBD"))])
        .or_async()
        .hidden()
        .deprecated("ely"),
    Message::new("pause", "symc", VmAdmin, "Holds its traffic up, and answers a token.")
        .params(&[Param::new("self", Ref("VBD"))])
        .result(Text)
        .or_async()
        .hidden(),
    Message::new("unpause", "symc", VmAdmin, "Lets its traffic go on.")
        .params(&[Param::new("self", Ref("VBD")), Param::optional("token", Text, Default::Text(""))])
        .or_async()
        .hidden(),
];
