//! The XML of a whole domain.

use node_hypervisor::{
    Accelerator, Boot, BootDevice, Clock, CpuModel, DiskKind, DomainSpec, EndAction, Firmware,
    HypervisorError, Result,
};

use super::tree::Element;
use super::{NAMESPACE, devices, smbios};

/// The least number of ports into which something can be plugged while the guest runs.
const SPARE_PORTS: usize = 8;
/// The least number of PCIe ports in all; more would only slow the guest's boot.
const LEAST_PORTS: usize = 14;
/// Devices of every machine that take a port: channel, SCSI, balloon, random numbers.
const FIXED_DEVICES: usize = 4;

/// For which kind of connection the XML is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// QEMU.
    Qemu {
        /// What executes the guest.
        accelerator: Accelerator,
        /// Machine type, for instance `q35` or `pc-q35-7.2`.
        machine: String,
    },
    /// libvirt's own test driver, which knows few devices.
    Test,
}

fn bad(reason: impl Into<String>) -> HypervisorError {
    HypervisorError::BadSpec {
        reason: reason.into(),
    }
}

/// The document for libvirt. May touch disks' files, so it can block.
pub(crate) fn domain(spec: &DomainSpec, dialect: &Dialect) -> Result<Element> {
    check(spec)?;
    let kind = match dialect {
        Dialect::Test => "test",
        Dialect::Qemu {
            accelerator: Accelerator::Kvm,
            ..
        } => "kvm",
        Dialect::Qemu { .. } => "qemu",
    };
    let mut root = Element::new("domain")
        .with("type", kind)
        .leaf("name", domain_name(spec))
        .leaf("uuid", spec.uuid.to_string())
        .child(metadata(&spec.operation))
        .child(kib("memory", spec.memory.maximum.kib_ceil()))
        .child(kib("currentMemory", spec.memory.target.kib_ceil()))
        .child(
            Element::new("vcpu")
                .with("placement", "static")
                .with("current", spec.vcpus.at_startup.to_string())
                .text(spec.vcpus.maximum.to_string()),
        );
    if let Dialect::Qemu { accelerator, machine } = dialect {
        if !spec.fw_cfg.is_empty() {
            root.children.push(fw_cfg(spec)?);
        }
        if !spec.bios_strings.is_empty() {
            root.children.push(smbios::sysinfo(spec)?);
        }
        root.children.push(os(spec, machine)?);
        root.children.push(features(spec, *accelerator));
        root.children.push(cpu(&spec.cpu, *accelerator)?);
    } else {
        root.children.push(Element::new("os").leaf("type", "hvm"));
    }
    root.children.push(clock(spec.platform.clock));
    let actions = spec.end_actions;
    root = root
        .leaf("on_poweroff", lifecycle_name(actions.on_poweroff))
        .leaf("on_reboot", lifecycle_name(actions.on_reboot))
        .leaf("on_crash", crash_name(actions.on_crash));
    Ok(root.child(device_list(spec, dialect)?))
}

/// Refuses what no dialect can carry out.
fn check(spec: &DomainSpec) -> Result<()> {
    if spec.vcpus.at_startup == 0 || spec.vcpus.at_startup > spec.vcpus.maximum {
        return Err(bad(format!(
            "{} of {} virtual CPUs",
            spec.vcpus.at_startup, spec.vcpus.maximum
        )));
    }
    if spec.memory.maximum.0 == 0 || spec.memory.target > spec.memory.maximum {
        return Err(bad(format!(
            "{} of {} of memory",
            spec.memory.target, spec.memory.maximum
        )));
    }
    for (place, disk) in spec.disks.iter().enumerate() {
        if spec
            .disks
            .iter()
            .skip(place + 1)
            .any(|other| other.index == disk.index)
        {
            return Err(bad(format!("{} is there twice", disk.index)));
        }
    }
    for (place, nic) in spec.nics.iter().enumerate() {
        if spec
            .nics
            .iter()
            .skip(place + 1)
            .any(|other| other.index == nic.index)
        {
            return Err(bad(format!("{} is there twice", nic.index)));
        }
    }
    Ok(())
}

/// A name that is unique on a host and that people recognise.
pub(crate) fn domain_name(spec: &DomainSpec) -> String {
    let plain: String = spec
        .name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(32)
        .collect();
    let plain = plain.trim_matches(|c| c == '-' || c == '.');
    if plain.is_empty() {
        spec.uuid.to_string()
    } else {
        format!("{plain}-{}", spec.uuid)
    }
}

/// What the driver notes with a domain.
pub(crate) fn note(operation: &str) -> Element {
    Element::new("tarn:domain")
        .with("xmlns:tarn", NAMESPACE)
        .with("operation", operation)
}

fn metadata(operation: &str) -> Element {
    Element::new("metadata").child(note(operation))
}

fn kib(name: &str, kib: u64) -> Element {
    Element::new(name).with("unit", "KiB").text(kib.to_string())
}

fn fw_cfg(spec: &DomainSpec) -> Result<Element> {
    let mut info = Element::new("sysinfo").with("type", "fwcfg");
    for entry in &spec.fw_cfg {
        let name = &entry.name;
        // Source: QEMU docs/specs/fw_cfg: users' names begin with "opt/" and fit into 56 bytes with the final zero.
        let plain = |c: char| c.is_ascii_graphic() && c != ',';
        if !name.starts_with("opt/") || name.len() > 55 || !name.chars().all(plain) {
            return Err(bad(format!("{name:?} is no name for a fw_cfg entry")));
        }
        if entry
            .value
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return Err(bad(format!("the value of {name:?} has control characters")));
        }
        info.children.push(
            Element::new("entry")
                .with("name", name.as_str())
                .text(entry.value.as_str()),
        );
    }
    Ok(info)
}

fn os(spec: &DomainSpec, machine: &str) -> Result<Element> {
    let mut os = Element::new("os");
    let kind = Element::new("type")
        .with("arch", "x86_64")
        .with("machine", machine)
        .text("hvm");
    match &spec.firmware {
        Firmware::Bios => os.children.push(kind),
        Firmware::Uefi {
            secure_boot,
            enrolled_keys,
            nvram,
        } => {
            let feature = |name: &str, wanted: bool| {
                Element::new("feature")
                    .with("enabled", if wanted { "yes" } else { "no" })
                    .with("name", name.to_owned())
            };
            os = os
                .with("firmware", "efi")
                .child(kind)
                .child(
                    Element::new("firmware")
                        .child(feature("enrolled-keys", *secure_boot && *enrolled_keys))
                        .child(feature("secure-boot", *secure_boot)),
                )
                .leaf("nvram", devices::path_text(nvram)?);
        }
    }
    if !spec.bios_strings.is_empty() {
        os.children.push(Element::new("smbios").with("mode", "sysinfo"));
    }
    if let Boot::Kernel { kernel, initrd, args } = &spec.boot {
        os = os.leaf("kernel", devices::path_text(kernel)?);
        if let Some(initrd) = initrd {
            os = os.leaf("initrd", devices::path_text(initrd)?);
        }
        if args.chars().any(char::is_control) {
            return Err(bad("the kernel's command line has control characters"));
        }
        if !args.is_empty() {
            os = os.leaf("cmdline", args.as_str());
        }
    }
    Ok(os)
}

fn features(spec: &DomainSpec, accelerator: Accelerator) -> Element {
    let mut features = Element::new("features");
    for (wanted, name) in [
        (spec.platform.acpi, "acpi"),
        (spec.platform.apic, "apic"),
        (spec.platform.pae, "pae"),
    ] {
        if wanted {
            features.children.push(Element::new(name));
        }
    }
    if matches!(
        spec.firmware,
        Firmware::Uefi {
            secure_boot: true,
            ..
        }
    ) {
        features.children.push(Element::new("smm").with("state", "on"));
    }
    // Emulation has no enlightenments.
    if spec.platform.viridian && accelerator == Accelerator::Kvm {
        let on = |name: &str| Element::new(name).with("state", "on");
        features.children.push(
            Element::new("hyperv")
                .with("mode", "custom")
                .child(on("relaxed"))
                .child(on("vapic"))
                .child(on("spinlocks").with("retries", "8191"))
                .child(on("vpindex"))
                .child(on("synic"))
                .child(on("stimer")),
        );
    }
    features
}

fn cpu(model: &CpuModel, accelerator: Accelerator) -> Result<Element> {
    let custom = |name: &str| {
        Element::new("cpu")
            .with("mode", "custom")
            .with("match", "exact")
            .with("check", "none")
            .child(Element::new("model").with("fallback", "forbid").text(name))
    };
    Ok(match (model, accelerator) {
        (CpuModel::Automatic, Accelerator::Kvm) => Element::new("cpu")
            .with("mode", "host-model")
            .with("check", "partial"),
        (CpuModel::Automatic, _) => custom("qemu64"),
        (CpuModel::HostPassthrough, Accelerator::Kvm) => Element::new("cpu")
            .with("mode", "host-passthrough")
            .with("migratable", "on"),
        (CpuModel::HostPassthrough, _) => {
            return Err(bad(
                "the host's own processor cannot be passed through by emulation",
            ));
        }
        (CpuModel::Named { model, features }, _) => {
            let mut cpu = custom(model);
            for feature in features {
                let (policy, name) = match (feature.strip_prefix('+'), feature.strip_prefix('-')) {
                    (Some(name), _) => ("require", name),
                    (_, Some(name)) => ("disable", name),
                    _ => return Err(bad(format!("the CPU feature {feature:?} has no sign"))),
                };
                cpu.children
                    .push(Element::new("feature").with("policy", policy).with("name", name));
            }
            cpu
        }
    })
}

fn clock(clock: Clock) -> Element {
    let element = Element::new("clock");
    match clock {
        Clock::Utc => element.with("offset", "utc"),
        Clock::LocalTime => element.with("offset", "localtime"),
        Clock::Offset(seconds) => element
            .with("offset", "variable")
            .with("adjustment", seconds.to_string())
            .with("basis", "utc"),
    }
}

/// libvirt's word for what follows a power-off or reboot. QEMU can neither preserve then nor dump.
pub(crate) fn lifecycle_name(action: EndAction) -> &'static str {
    match action {
        EndAction::Restart | EndAction::CoredumpAndRestart => "restart",
        EndAction::Destroy | EndAction::Preserve | EndAction::CoredumpAndDestroy => "destroy",
    }
}

fn crash_name(action: EndAction) -> &'static str {
    match action {
        EndAction::Destroy => "destroy",
        EndAction::Restart => "restart",
        EndAction::Preserve => "preserve",
        EndAction::CoredumpAndDestroy => "coredump-destroy",
        EndAction::CoredumpAndRestart => "coredump-restart",
    }
}

/// Which place each device has in the firmware's order.
struct BootOrder {
    disks: Vec<Option<u32>>,
    nics: Vec<Option<u32>>,
}

fn boot_order(spec: &DomainSpec) -> BootOrder {
    let mut order = BootOrder {
        disks: vec![None; spec.disks.len()],
        nics: vec![None; spec.nics.len()],
    };
    let Boot::Devices(kinds) = &spec.boot else {
        return order;
    };
    let mut disks: Vec<usize> = (0..spec.disks.len()).collect();
    disks.sort_by_key(|n| spec.disks.get(*n).map(|d| d.index));
    let mut nics: Vec<usize> = (0..spec.nics.len()).collect();
    nics.sort_by_key(|n| spec.nics.get(*n).map(|d| d.index));
    let mut last = 0;
    let mut number = |place: Option<&mut Option<u32>>| {
        if let Some(place) = place.filter(|p| p.is_none()) {
            last += 1;
            *place = Some(last);
        }
    };
    for kind in kinds {
        let wanted = match kind {
            BootDevice::Disk => DiskKind::Disk,
            BootDevice::Cdrom => DiskKind::Cdrom,
            BootDevice::Network => {
                nics.iter().for_each(|n| number(order.nics.get_mut(*n)));
                continue;
            }
        };
        for n in &disks {
            if spec.disks.get(*n).is_some_and(|d| d.kind == wanted) {
                number(order.disks.get_mut(*n));
            }
        }
    }
    order
}

fn device_list(spec: &DomainSpec, dialect: &Dialect) -> Result<Element> {
    let mut list = Element::new("devices");
    let order = boot_order(spec);
    let real = matches!(dialect, Dialect::Qemu { .. });
    if real {
        let ports = LEAST_PORTS
            .max(FIXED_DEVICES + spec.disks.len() + spec.nics.len() + SPARE_PORTS)
            .min(64);
        list.children.extend((1..=ports).map(|n| {
            Element::new("controller")
                .with("type", "pci")
                .with("index", n.to_string())
                .with("model", "pcie-root-port")
        }));
        // Always there, so that a CD or a SCSI disk can be plugged.
        list.children.push(
            Element::new("controller")
                .with("type", "scsi")
                .with("index", "0")
                .with("model", "virtio-scsi"),
        );
        list.children.push(
            Element::new("controller")
                .with("type", "virtio-serial")
                .with("index", "0"),
        );
    }
    for (disk, order) in spec.disks.iter().zip(&order.disks) {
        list.children.push(devices::disk(disk, *order)?);
    }
    for (nic, order) in spec.nics.iter().zip(&order.nics) {
        list.children.push(devices::nic(nic, *order)?);
    }
    if !real {
        return Ok(list);
    }
    let mut serial = Element::new("serial").with("type", "pty");
    if let Some(log) = &spec.serial_log {
        serial.children.push(
            Element::new("log")
                .with("file", devices::path_text(log)?)
                .with("append", "on"),
        );
    }
    list.children
        .push(serial.child(Element::new("target").with("port", "0")));
    if spec.guest_agent {
        list.children.push(
            Element::new("channel").with("type", "unix").child(
                Element::new("target")
                    .with("type", "virtio")
                    .with("name", "org.qemu.guest_agent.0"),
            ),
        );
    }
    for device in &spec.usb {
        list.children.push(devices::usb(device)?);
    }
    let screen = match &spec.vnc_socket {
        Some(socket) => {
            list.children.push(
                Element::new("graphics")
                    .with("type", "vnc")
                    .with("socket", devices::path_text(socket)?),
            );
            list.children
                .push(Element::new("input").with("type", "tablet").with("bus", "usb"));
            "vga"
        }
        None => "none",
    };
    let list = list
        .child(Element::new("video").child(Element::new("model").with("type", screen)))
        .child(
            Element::new("rng").with("model", "virtio").child(
                Element::new("backend")
                    .with("model", "random")
                    .text("/dev/urandom"),
            ),
        )
        .child(
            Element::new("memballoon")
                .with("model", "virtio")
                .child(Element::new("stats").with("period", "10")),
        )
        // Without it nobody outside hears of a crash.
        .child(Element::new("panic").with("model", "isa"));
    Ok(if spec.tpm { list.child(tpm()) } else { list })
}

/// An emulated TPM 2.0. What it holds stays on the host when the domain ends: the pool fetches it then.
fn tpm() -> Element {
    Element::new("tpm").with("model", "tpm-crb").child(
        Element::new("backend")
            .with("type", "emulator")
            .with("version", "2.0")
            .with("persistent_state", "yes"),
    )
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{
        Bytes, DiskFormat, DiskIndex, DiskSource, DiskSpec, FwCfg, NicIndex, NicModel, NicSpec,
    };
    use uuid::Uuid;

    fn dialect() -> Dialect {
        Dialect::Qemu {
            accelerator: Accelerator::Tcg,
            machine: "q35".into(),
        }
    }

    fn spec() -> DomainSpec {
        DomainSpec::new(
            "op",
            Uuid::from_u128(7),
            "a name / with <things>",
            Bytes::mib(128),
        )
    }

    #[test]
    fn usb_devices_of_the_host_are_named_by_where_they_are() {
        let mut wanted = spec();
        let stick = node_hypervisor::UsbSpec {
            path: "1-2.1".into(),
            bus: 1,
            device: 7,
        };
        wanted.usb = vec![stick];
        let root = domain(&wanted, &dialect()).unwrap();
        let list = &root.find("devices").unwrap().children;
        let device = list.iter().find(|d| d.name == "hostdev").unwrap();
        let address = device.find("source").unwrap().find("address").unwrap();
        assert_eq!(
            (address.attribute("bus"), address.attribute("device")),
            (Some("1"), Some("7"))
        );
        let live = super::super::live::LiveDomain::of(root);
        assert!(live.usb("1-2.1").is_some() && live.usb("1-2").is_none());
        wanted.usb[0].path = "1-2'/><x".into();
        assert!(domain(&wanted, &dialect()).is_err());
    }

    #[test]
    fn the_boot_order_goes_over_kinds_then_indices() {
        let mut spec = spec();
        spec.boot = Boot::Devices(vec![BootDevice::Cdrom, BootDevice::Disk, BootDevice::Network]);
        let file = |n: &str| DiskSource::File {
            path: n.into(),
            format: DiskFormat::Raw,
        };
        spec.disks = vec![
            DiskSpec::disk(DiskIndex(1), file("/b"), "b"),
            DiskSpec::disk(DiskIndex(0), file("/a"), "a"),
            DiskSpec::cdrom(DiskIndex(3), DiskSource::Empty),
        ];
        spec.nics = vec![NicSpec {
            index: NicIndex(0),
            mac: "02:00:00:00:00:01".into(),
            bridge: "br0".into(),
            tap: None,
            mtu: None,
            model: NicModel::Virtio,
        }];
        let order = boot_order(&spec);
        assert_eq!(order.disks, [Some(3), Some(2), Some(1)]);
        assert_eq!(order.nics, [Some(4)]);
    }

    #[test]
    fn impossible_specs_are_refused() {
        let mut twice = spec();
        twice.disks = vec![DiskSpec::cdrom(DiskIndex(0), DiskSource::Empty); 2];
        let mut no_cpu = spec();
        no_cpu.vcpus.at_startup = 0;
        let mut passthrough = spec();
        passthrough.cpu = CpuModel::HostPassthrough;
        let mut control = spec();
        control.fw_cfg = vec![FwCfg {
            name: "opt/x".into(),
            value: "\u{1}".into(),
        }];
        let mut foreign = spec();
        foreign.fw_cfg = vec![FwCfg {
            name: "etc/x".into(),
            value: String::new(),
        }];
        for bad in [twice, no_cpu, passthrough, control, foreign] {
            assert!(
                matches!(domain(&bad, &dialect()), Err(HypervisorError::BadSpec { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_name_is_plain_and_unique() {
        assert_eq!(
            domain_name(&spec()),
            format!("a-name---with--things-{}", Uuid::from_u128(7))
        );
        let unnamed = DomainSpec {
            name: "///".into(),
            ..spec()
        };
        assert_eq!(domain_name(&unnamed), Uuid::from_u128(7).to_string());
    }
}
