//! The class `PCI`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PCI", "boston", "A PCI device of a host.").fields(FIELDS).messages(MESSAGES);

/// `pci_dom0_access`
pub const PCI_DOM0_ACCESS: model::Enum =
    model::Enum::new("pci_dom0_access", &["enabled", "disable_on_reboot", "disabled", "enable_on_reboot"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "boston", "Unique identifier of the object."),
    Field::fixed("class_id", Text, "boston", "The class id.").default(Default::Text("")),
    Field::fixed("class_name", Text, "boston", "The class name.").default(Default::Text("")),
    Field::fixed("vendor_id", Text, "boston", "The vendor id.").default(Default::Text("")),
    Field::fixed("vendor_name", Text, "boston", "The vendor name.").default(Default::Text("")),
    Field::fixed("device_id", Text, "boston", "The device id.").default(Default::Text("")),
    Field::fixed("device_name", Text, "boston", "The device name.").default(Default::Text("")),
    Field::fixed("host", Ref("host"), "boston", "The host this belongs to.").default(Default::Null),
    Field::fixed("pci_id", Text, "boston", "The pci id.").default(Default::Text("")),
    Field::runtime("dependencies", Set(&Ref("PCI")), "boston", "The dependencies, as a set of references."),
    Field::settable("other_config", TEXT_MAP, "boston", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::fixed("subsystem_vendor_id", Text, "clearwater-whetstone", "The subsystem vendor id.")
        .default(Default::Text("")),
    Field::fixed("subsystem_vendor_name", Text, "clearwater-whetstone", "The subsystem vendor name.")
        .default(Default::Text("")),
    Field::fixed("subsystem_device_id", Text, "clearwater-whetstone", "The subsystem device id.")
        .default(Default::Text("")),
    Field::fixed("subsystem_device_name", Text, "clearwater-whetstone", "The subsystem device name.")
        .default(Default::Text("")),
    Field::fixed("driver_name", Text, "kolkata", "The driver name.").default(Default::Text("")),
    Field::internal("functions", Int, "boston", "The functions, a number."),
    Field::internal(
        "virtual_functions",
        Set(&Ref("PCI")),
        "boston",
        "The virtual functions, as a set of references.",
    )
    .rows_of("PCI", "physical_function"),
    Field::internal("physical_function", Ref("PCI"), "boston", "The physical function: a PCI."),
    Field::internal("attached_VMs", Set(&Ref("VM")), "boston", "The attached VMs, as a set of references.")
        .paired_with("VM", "attached_PCIs"),
    Field::internal(
        "scheduled_to_be_attached_to",
        Ref("VM"),
        "boston",
        "The scheduled to be attached to: a VM.",
    ),
];

const MESSAGES: &[Message] = &[
    Message::new("disable_dom0_access", "24.14.0", PoolOperator, "Disables dom0 access of the PCI.")
        .params(&[Param::new("self", Ref("PCI"))])
        .result(Enum(&PCI_DOM0_ACCESS))
        .or_async()
        .prototyped(),
    Message::new("enable_dom0_access", "24.14.0", PoolOperator, "Enables dom0 access of the PCI.")
        .params(&[Param::new("self", Ref("PCI"))])
        .result(Enum(&PCI_DOM0_ACCESS))
        .or_async()
        .prototyped(),
    Message::new("get_dom0_access_status", "24.14.0", PoolOperator, "Answers dom0 access status of the PCI.")
        .params(&[Param::new("self", Ref("PCI"))])
        .result(Enum(&PCI_DOM0_ACCESS))
        .or_async()
        .prototyped(),
];
