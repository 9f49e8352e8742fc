//! The templates a new pool has.

use proto_types::generated::vm;
use proto_types::{Bytes, Value};

use crate::decide::vm_create;
use crate::draft::Draft;

/// One template.
struct Template {
    name: &'static str,
    distro: &'static str,
    memory: Bytes,
    disk: Bytes,
    uefi: bool,
    install_methods: &'static str,
}

const fn linux(
    name: &'static str,
    distro: &'static str,
    memory_mib: u64,
    disk_gib: u64,
    uefi: bool,
) -> Template {
    Template {
        name,
        distro,
        memory: Bytes::mib(memory_mib),
        disk: Bytes::gib(disk_gib),
        uefi,
        install_methods: "cdrom,http,ftp,nfs",
    }
}

/// Names as XenServer's users know them, the guide's own example first.
const TEMPLATES: &[Template] = &[
    linux("Debian Etch 4.0", "debianlike", 256, 8, false),
    linux("Debian Bookworm 12", "debianlike", 1024, 10, true),
    linux("Debian Bullseye 11", "debianlike", 1024, 10, true),
    linux("Ubuntu Jammy Jellyfish 22.04", "debianlike", 1024, 10, true),
    linux("Ubuntu Noble Numbat 24.04", "debianlike", 2048, 20, true),
    linux("Red Hat Enterprise Linux 8", "rhlike", 2048, 20, true),
    linux("Red Hat Enterprise Linux 9", "rhlike", 2048, 20, true),
    linux("Rocky Linux 9", "rhlike", 2048, 20, true),
    linux("AlmaLinux 9", "rhlike", 2048, 20, true),
    linux("CentOS Stream 9", "rhlike", 2048, 20, true),
    linux("SUSE Linux Enterprise 15 (64-bit)", "sleslike", 2048, 20, true),
    linux("CoreOS", "", 1024, 5, true),
];

/// Makes all default templates.
pub fn make_all(draft: &mut Draft<'_>) {
    for template in TEMPLATES {
        make(draft, template);
    }
    for (name, memory, disk) in [
        ("Windows 10 (64-bit)", 2048, 32),
        ("Windows 11", 4096, 64),
        ("Windows Server 2019 (64-bit)", 2048, 32),
        ("Windows Server 2022 (64-bit)", 2048, 32),
    ] {
        let template = Template {
            name,
            distro: "",
            memory: Bytes::mib(memory),
            disk: Bytes::gib(disk),
            uefi: true,
            install_methods: "cdrom",
        };
        make(draft, &template);
    }
    // The one that fits anything: no disks of its own.
    let other = Template {
        name: "Other install media",
        distro: "",
        memory: Bytes::mib(256),
        disk: Bytes(0),
        uefi: false,
        install_methods: "cdrom",
    };
    make(draft, &other);
}

fn make(draft: &mut Draft<'_>, template: &Template) {
    let mut other = vec![
        ("default_template".to_owned(), "true".to_owned()),
        ("mac_seed".to_owned(), draft.facts().uuid_text()),
        ("install-methods".to_owned(), template.install_methods.to_owned()),
    ];
    if !template.distro.is_empty() {
        other.push(("linux_template".to_owned(), "true".to_owned()));
        other.push(("install-distro".to_owned(), template.distro.to_owned()));
    }
    if template.disk.get() > 0 {
        let size = template.disk.get();
        other.push((
            "disks".to_owned(),
            format!(
                r#"<provision><disk device="0" size="{size}" sr="" bootable="true" type="system"/></provision>"#
            ),
        ));
    }
    let platform = [
        ("acpi", "1"),
        ("apic", "true"),
        ("pae", "true"),
        ("nx", "true"),
        ("viridian", "false"),
        ("hpet", "true"),
        ("vga", "std"),
        ("videoram", "8"),
        (
            "device-model",
            if template.uefi {
                "qemu-upstream-uefi"
            } else {
                "qemu-upstream-compat"
            },
        ),
        ("secureboot", "false"),
    ];
    let mut boot = vec![("order", "cdn")];
    if template.uefi {
        boot.push(("firmware", "uefi"));
    }
    let memory = template.memory;
    let recommendations = concat!(
        r#"<restrictions><restriction field="memory-static-max" max="1649267441664"/>"#,
        r#"<restriction field="vcpus-max" max="64"/>"#,
        r#"<restriction property="number-of-vbds" max="255"/>"#,
        r#"<restriction property="number-of-vifs" max="7"/></restrictions>"#
    );
    let metrics = vm_create::new_metrics(draft, 1);
    draft.insert(
        vm::CLASS,
        vec![
            (vm::NAME_LABEL, template.name.into()),
            (
                vm::NAME_DESCRIPTION,
                format!("Template for {} guests", template.name).into(),
            ),
            (vm::IS_A_TEMPLATE, true.into()),
            (vm::IS_DEFAULT_TEMPLATE, true.into()),
            (vm::POWER_STATE, crate::vm_rules::HALTED.into()),
            (vm::DOMAIN_TYPE, "hvm".into()),
            (vm::HVM_BOOT_POLICY, "BIOS order".into()),
            (vm::HVM_BOOT_PARAMS, Value::string_map(boot)),
            (vm::PLATFORM, Value::string_map(platform)),
            (vm::OTHER_CONFIG, Value::string_map(other)),
            (vm::RECOMMENDATIONS, recommendations.into()),
            (vm::MEMORY_STATIC_MAX, memory.into()),
            (vm::MEMORY_DYNAMIC_MAX, memory.into()),
            (vm::MEMORY_DYNAMIC_MIN, memory.into()),
            (vm::MEMORY_STATIC_MIN, memory.into()),
            (vm::MEMORY_TARGET, memory.into()),
            (vm::VCPUS_MAX, Value::Int(1)),
            (vm::VCPUS_AT_STARTUP, Value::Int(1)),
            (vm::ACTIONS_AFTER_SHUTDOWN, "destroy".into()),
            (vm::ACTIONS_AFTER_REBOOT, "restart".into()),
            (vm::ACTIONS_AFTER_CRASH, "restart".into()),
            (vm::METRICS, metrics.into()),
            (vm::DOMID, Value::Int(-1)),
        ],
    );
}
