//! Hosts: their rows when they come, their liveness, their leaving.

use std::collections::BTreeMap;

use proto_types::generated::{
    host, host_cpu, host_metrics, network, pbd, pif, pif_metrics, pool, sr, tarn_member, vm,
};
use proto_types::{ApiError, Bytes, DateTime, Ref, Value};

use crate::database::{Database, Index};
use crate::decide::host_life::{self, Since};
use crate::decide::message::{self, Notice};
use crate::decide::{licence, vm_create};
use crate::draft::Draft;
use crate::{placement, vm_rules};

/// What a host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The host's uuid.
    pub uuid: String,
    /// Its name.
    pub hostname: String,
    /// Management address, without port.
    pub address: String,
    /// Logical processors.
    pub cpus: u32,
    /// Sockets.
    pub sockets: u32,
    /// Processor vendor.
    pub cpu_vendor: String,
    /// Processor model.
    pub cpu_model: String,
    /// MHz.
    pub cpu_mhz: u32,
    /// Processor flags, separated by blanks.
    pub cpu_flags: String,
    /// All memory.
    pub memory_total: Bytes,
    /// Free memory.
    pub memory_free: Bytes,
    /// Versions by component: `tarn`, `libvirt`, `qemu`, `linux`.
    pub versions: BTreeMap<String, String>,
    /// Whether guests run with hardware help: `kvm` or `tcg`.
    pub accelerator: String,
    /// Physical network interfaces.
    pub nics: Vec<NicFacts>,
    /// When the host booted.
    pub booted: DateTime,
    /// When its node started.
    pub started: DateTime,
    /// Strings of its firmware, by the names that VMs have for theirs.
    pub bios_strings: BTreeMap<String, String>,
}

/// One physical network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NicFacts {
    /// Device, such as `eth0`.
    pub device: String,
    /// Hardware address.
    pub mac: String,
    /// Bytes.
    pub mtu: i64,
    /// Whether a cable is in.
    pub carrier: bool,
    /// Mbit/s, 0 if unknown.
    pub speed: i64,
    /// IPv4 address, empty if none.
    pub ip: String,
    /// Netmask, empty if none.
    pub netmask: String,
    /// Default gateway by this interface, empty if none.
    pub gateway: String,
    /// Whether both directions work at once.
    pub duplex: bool,
    /// Driver of the kernel.
    pub driver: String,
    /// Where it is plugged, empty if nowhere.
    pub pci_path: String,
}

/// How a member of the Raft group is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberFacts {
    /// Raft's number of the node.
    pub node_id: u64,
    /// Port of the node-to-node service.
    pub grpc_port: u16,
    /// Port of the API.
    pub api_port: u16,
}

/// Makes the rows of a host that joins: itself, metrics, processors, interfaces and their networks, its control
/// domain's record, its plugs of shared SRs.
///
/// # Errors
/// `HOSTS_NOT_HOMOGENEOUS` is not raised here; a uuid that is in the pool already is `OPERATION_NOT_ALLOWED`.
pub fn join(draft: &mut Draft<'_>, facts: &HostFacts, member: &MemberFacts) -> Result<Ref, ApiError> {
    if draft.db().by_uuid(host::CLASS, &facts.uuid).is_some() {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["The host is in this pool already"],
        ));
    }
    let now = draft.facts().now;
    let reference = draft.facts().reference();
    let metrics = draft.insert(
        host_metrics::CLASS,
        vec![
            (host_metrics::MEMORY_TOTAL, facts.memory_total.into()),
            (host_metrics::MEMORY_FREE, facts.memory_free.into()),
            (host_metrics::LIVE, true.into()),
            (host_metrics::LAST_UPDATED, now.into()),
        ],
    );
    let mut fields = vec![
        (host::UUID, facts.uuid.as_str().into()),
        (host::NAME_LABEL, facts.hostname.as_str().into()),
        (host::NAME_DESCRIPTION, "Default install".into()),
        (host::METRICS, metrics.into()),
        (host::ENABLED, true.into()),
    ];
    fields.extend(described(facts));
    draft.insert_as(host::CLASS, reference, fields);
    let control = control_domain(draft, facts, reference);
    draft.set(reference, host::CONTROL_DOMAIN, control);
    for number in 0..facts.cpus.min(1024) {
        draft.insert(
            host_cpu::CLASS,
            vec![
                (host_cpu::HOST, reference.into()),
                (host_cpu::NUMBER, i64::from(number).into()),
                (host_cpu::VENDOR, facts.cpu_vendor.as_str().into()),
                (host_cpu::SPEED, i64::from(facts.cpu_mhz).into()),
                (host_cpu::MODELNAME, facts.cpu_model.as_str().into()),
                (host_cpu::FLAGS, facts.cpu_flags.as_str().into()),
            ],
        );
    }
    for (position, nic) in facts.nics.iter().enumerate() {
        join_nic(draft, reference, position, nic, &facts.address);
    }
    let place = member_fields(reference, &facts.address, member, now);
    draft.insert(tarn_member::CLASS, place);
    join_shared_storage(draft, reference);
    super::vlan::follow_master(draft, reference);
    Ok(reference)
}

/// A host that is in the pool already comes back with nothing of the pool's log, perhaps on other hardware and at another
/// address. Its objects stay; its place in the group is made anew.
pub fn comes_back(draft: &mut Draft<'_>, reference: Ref, address: &str, member: &MemberFacts) {
    let old: Vec<Ref> = draft
        .db()
        .rows(tarn_member::CLASS)
        .filter(|m| m.get(tarn_member::HOST).as_ref() == reference)
        .map(|m| m.reference)
        .collect();
    for row in old {
        draft.delete(row);
    }
    draft.set(reference, host::ADDRESS, address);
    let joined = draft.facts().now;
    draft.insert(
        tarn_member::CLASS,
        member_fields(reference, address, member, joined),
    );
}

/// The row that makes a host a member that votes.
pub(super) fn member_fields(
    reference: Ref,
    address: &str,
    member: &MemberFacts,
    now: DateTime,
) -> Vec<(proto_types::Field, Value)> {
    vec![
        (
            tarn_member::NODE_ID,
            Value::Int(i64::from_ne_bytes(member.node_id.to_ne_bytes())),
        ),
        (tarn_member::HOST, reference.into()),
        (tarn_member::ADDRESS, address.into()),
        (tarn_member::GRPC_PORT, i64::from(member.grpc_port).into()),
        (tarn_member::API_PORT, i64::from(member.api_port).into()),
        (tarn_member::JOINED, now.into()),
    ]
}

/// Fields that follow from what a host says of itself; the same at join and whenever its node starts.
pub fn described(facts: &HostFacts) -> Vec<(proto_types::Field, Value)> {
    let version = |name: &str| facts.versions.get(name).cloned().unwrap_or_default();
    let software = [
        ("product_version", "8.3.0".to_owned()),
        ("product_version_text", "8.3".to_owned()),
        ("product_version_text_short", "8.3".to_owned()),
        ("product_brand", "Tarn".to_owned()),
        ("platform_name", "Tarn".to_owned()),
        ("platform_version", "3.4.0".to_owned()),
        ("build_number", version("tarn")),
        ("hostname", facts.hostname.clone()),
        ("date", "2026-11-24".to_owned()),
        ("xapi", "25.6".to_owned()),
        ("xapi_build", "25.6.0".to_owned()),
        ("linux", version("linux")),
        ("network_backend", "bridge".to_owned()),
        ("db_schema", "5.790".to_owned()),
        ("tarn", version("tarn")),
        ("libvirt", version("libvirt")),
        ("qemu", version("qemu")),
        ("accelerator", facts.accelerator.clone()),
    ];
    let cpu = [
        ("cpu_count", facts.cpus.to_string()),
        ("socket_count", facts.sockets.max(1).to_string()),
        ("threads_per_core", "1".to_owned()),
        ("vendor", facts.cpu_vendor.clone()),
        ("speed", facts.cpu_mhz.to_string()),
        ("modelname", facts.cpu_model.clone()),
        ("family", String::new()),
        ("model", String::new()),
        ("stepping", String::new()),
        ("flags", facts.cpu_flags.clone()),
        ("features", String::new()),
        ("features_pv", String::new()),
        ("features_hvm", String::new()),
    ];
    vec![
        (host::HOSTNAME, facts.hostname.as_str().into()),
        (host::ADDRESS, facts.address.as_str().into()),
        (host::API_VERSION_MAJOR, Value::Int(2)),
        (host::API_VERSION_MINOR, Value::Int(23)),
        (host::API_VERSION_VENDOR, "XenSource".into()),
        (host::SOFTWARE_VERSION, Value::string_map(software)),
        (host::CPU_INFO, Value::string_map(cpu)),
        (
            host::CAPABILITIES,
            Value::strings(["hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"]),
        ),
        (host::SCHED_POLICY, "credit".into()),
        (host::EDITION, licence::EDITION.into()),
        (host::EDITIONS, Value::strings([licence::EDITION])),
        (host::BIOS_STRINGS, Value::string_map(facts.bios_strings.iter())),
        (host::LICENSE_PARAMS, Value::string_map(licence::parameters())),
        (
            host::LICENSE_SERVER,
            Value::string_map([("address", "localhost"), ("port", "27000")]),
        ),
        (
            host::VIRTUAL_HARDWARE_PLATFORM_VERSIONS,
            Value::Set(vec![0.into(), 1.into(), 2.into()]),
        ),
        (
            host::OTHER_CONFIG,
            Value::string_map([
                ("agent_start_time", format!("{}.", facts.started.0)),
                ("boot_time", format!("{}.", facts.booted.0)),
            ]),
        ),
        (host::TLS_VERIFICATION_ENABLED, true.into()),
        (host::HTTPS_ONLY, true.into()),
        (host::MEMORY_OVERHEAD, Bytes::mib(128).into()),
    ]
}

/// The record that stands for the host's own system; clients filter it out but expect it.
fn control_domain(draft: &mut Draft<'_>, facts: &HostFacts, on: Ref) -> Ref {
    let memory = Bytes::mib(512);
    let metrics = vm_create::new_metrics(draft, i64::from(facts.cpus));
    draft.insert(
        vm::CLASS,
        vec![
            (
                vm::NAME_LABEL,
                format!("Control domain on host: {}", facts.hostname).into(),
            ),
            (
                vm::NAME_DESCRIPTION,
                "The domain which manages physical devices and manages other domains".into(),
            ),
            (vm::IS_CONTROL_DOMAIN, true.into()),
            (vm::POWER_STATE, vm_rules::RUNNING.into()),
            (vm::RESIDENT_ON, on.into()),
            (vm::AFFINITY, on.into()),
            (vm::DOMID, Value::Int(0)),
            (vm::METRICS, metrics.into()),
            (vm::MEMORY_STATIC_MAX, memory.into()),
            (vm::MEMORY_DYNAMIC_MAX, memory.into()),
            (vm::MEMORY_DYNAMIC_MIN, memory.into()),
            (vm::MEMORY_STATIC_MIN, memory.into()),
            (vm::VCPUS_MAX, i64::from(facts.cpus).into()),
            (vm::VCPUS_AT_STARTUP, i64::from(facts.cpus).into()),
        ],
    )
}

fn join_nic(draft: &mut Draft<'_>, on: Ref, position: usize, nic: &NicFacts, management: &str) {
    let bridge = format!("xenbr{position}");
    let found = draft
        .db()
        .rows(network::CLASS)
        .find(|n| n.get(network::BRIDGE).as_str() == bridge)
        .map(|n| n.reference);
    let net = found.unwrap_or_else(|| {
        draft.insert(
            network::CLASS,
            vec![
                (
                    network::NAME_LABEL,
                    format!("Pool-wide network {position}").into(),
                ),
                (network::BRIDGE, bridge.into()),
                (network::MTU, nic.mtu.into()),
                (network::MANAGED, true.into()),
            ],
        )
    });
    let now = draft.facts().now;
    let metrics = draft.insert(
        pif_metrics::CLASS,
        vec![
            (pif_metrics::CARRIER, nic.carrier.into()),
            (pif_metrics::SPEED, nic.speed.into()),
            (pif_metrics::DUPLEX, nic.duplex.into()),
            (pif_metrics::DEVICE_NAME, nic.driver.as_str().into()),
            (pif_metrics::PCI_BUS_PATH, nic.pci_path.as_str().into()),
            (pif_metrics::LAST_UPDATED, now.into()),
        ],
    );
    let is_management = !management.is_empty() && nic.ip == management;
    draft.insert(
        pif::CLASS,
        vec![
            (pif::HOST, on.into()),
            (pif::NETWORK, net.into()),
            (pif::DEVICE, nic.device.as_str().into()),
            (pif::MAC, nic.mac.as_str().into()),
            (pif::MTU, nic.mtu.into()),
            (pif::VLAN, Value::Int(-1)),
            (pif::METRICS, metrics.into()),
            (pif::PHYSICAL, true.into()),
            (pif::MANAGED, true.into()),
            (pif::MANAGEMENT, is_management.into()),
            (pif::CURRENTLY_ATTACHED, true.into()),
            (
                pif::IP_CONFIGURATION_MODE,
                if nic.ip.is_empty() { "None" } else { "Static" }.into(),
            ),
            (pif::IP, nic.ip.as_str().into()),
            (pif::NETMASK, nic.netmask.as_str().into()),
            (pif::GATEWAY, nic.gateway.as_str().into()),
        ],
    );
}

/// A joining host gets a plug for every shared SR, set up as on the others; its agent plugs them.
fn join_shared_storage(draft: &mut Draft<'_>, on: Ref) {
    let shared: Vec<(Ref, Value)> = draft
        .db()
        .rows(sr::CLASS)
        .filter(|s| s.get(sr::SHARED).as_bool())
        .filter_map(|s| {
            let first = s
                .get(sr::PBDS)
                .as_refs()
                .into_iter()
                .find_map(|r| draft.db().of_class(pbd::CLASS, r))?;
            Some((s.reference, first.get(pbd::DEVICE_CONFIG).clone()))
        })
        .collect();
    for (storage, config) in shared {
        draft.insert(
            pbd::CLASS,
            vec![
                (pbd::HOST, on.into()),
                (pbd::SR, storage.into()),
                (pbd::DEVICE_CONFIG, config),
                (pbd::WANTED, true.into()),
            ],
        );
    }
}

/// Notes that a host answers, or no longer does. Only the change goes into the log.
///
/// A host that stopped answering keeps its VMs in the records: whether they run is not known.
pub fn set_live(draft: &mut Draft<'_>, reference: Ref, live: bool) {
    let Some(row) = draft.db().of_class(host::CLASS, reference).cloned() else {
        return;
    };
    let metrics = row.get(host::METRICS).as_ref();
    let now = draft.facts().now;
    let is_live = placement::is_live(draft.db(), &row);
    if is_live == live {
        return;
    }
    if live {
        host_life::is_heard(draft, &row);
    }
    draft.update(
        metrics,
        vec![
            (host_metrics::LIVE, live.into()),
            (host_metrics::LAST_UPDATED, now.into()),
        ],
    );
    draft.touch(reference);
}

/// Notes what a host said of itself, and says what has happened to it since it last did.
pub fn refresh(draft: &mut Draft<'_>, reference: Ref, facts: &HostFacts) -> Since {
    let Some(row) = draft.db().of_class(host::CLASS, reference).cloned() else {
        return Since::Nothing;
    };
    let since = host_life::since(&row, facts);
    if since != Since::Nothing {
        host_life::came_up(draft, &row);
    }
    let mut fields = described(facts);
    // Clients keep their own keys in other_config: only the two of the agent change.
    let mut other = row.get(host::OTHER_CONFIG).as_map().cloned().unwrap_or_default();
    for (field, value) in &fields {
        if *field == host::OTHER_CONFIG {
            other.extend(value.as_map().cloned().unwrap_or_default());
        }
    }
    fields.retain(|(f, _)| *f != host::OTHER_CONFIG);
    fields.push((host::OTHER_CONFIG, Value::Map(other)));
    draft.update(reference, fields);
    let metrics = row.get(host::METRICS).as_ref();
    draft.update(
        metrics,
        vec![
            (host_metrics::MEMORY_TOTAL, facts.memory_total.into()),
            (host_metrics::MEMORY_FREE, facts.memory_free.into()),
        ],
    );
    since
}

/// The pool's master has changed.
pub fn new_master(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().only(pool::CLASS).cloned() else {
        return;
    };
    if row.get(pool::MASTER).as_ref() == reference {
        return;
    }
    draft.set(row.reference, pool::MASTER, reference);
    let uuid = draft
        .db()
        .of_class(host::CLASS, reference)
        .map(|h| h.uuid().to_owned())
        .unwrap_or_default();
    let notice = Notice {
        name: "POOL_MASTER_TRANSITION",
        priority: 4,
        cls: "Host",
        object: &uuid,
        body: message::host_in_words(draft.db(), reference),
    };
    message::add(draft, &notice);
}

/// Makes the records agree with the domains a host reports: what the records say runs there and does not is
/// halted. Returns the VMs that were.
///
/// Only for a host that has answered: silence says nothing. `gone` names the VMs that were looked for once more and are not
/// there, with the version their rows had before: one that has changed since may run again.
pub fn reconcile_domains(
    draft: &mut Draft<'_>,
    on: Ref,
    reported: &[(String, bool)],
    gone: &[(Ref, Index)],
) -> Vec<Ref> {
    let resident: Vec<Ref> = draft
        .db()
        .of_class(host::CLASS, on)
        .map(|h| h.get(host::RESIDENT_VMS).as_refs())
        .unwrap_or_default();
    let mut ended = Vec::new();
    for reference in resident {
        let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
            continue;
        };
        if row.get(vm::IS_CONTROL_DOMAIN).as_bool() || vm_rules::is_busy(&row) {
            continue;
        }
        match reported.iter().find(|(uuid, _)| uuid == row.uuid()) {
            Some((_, paused)) => {
                let state = if *paused {
                    vm_rules::PAUSED
                } else {
                    vm_rules::RUNNING
                };
                draft.set(reference, vm::POWER_STATE, state);
            }
            // A list may be older than a guest that has been started since.
            None if !gone.contains(&(reference, row.version)) => {}
            None => {
                draft.note(reference);
                super::ha::lost(draft, reference);
                ended.push(reference);
            }
        }
    }
    ended
}

/// VMs that the records say run on a host and that it does not report, while an operation is at work on them.
pub fn missing_but_busy(db: &Database, on: Ref, reported: &[(String, bool)]) -> Vec<Ref> {
    let Some(row) = db.of_class(host::CLASS, on) else {
        return Vec::new();
    };
    row.get(host::RESIDENT_VMS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vm::CLASS, r))
        .filter(|v| !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
        .filter(|v| !reported.iter().any(|(uuid, _)| uuid == v.uuid()))
        .filter(|v| vm_rules::is_busy(v))
        .map(|v| v.reference)
        .collect()
}

/// Removes a host that leaves: its rows, plugs, interfaces, and its own storage.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_HAS_RESIDENT_VMS [host]`.
pub fn leave(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(host::CLASS, reference)?;
    let control = row.get(host::CONTROL_DOMAIN).as_ref();
    if row
        .get(host::RESIDENT_VMS)
        .as_refs()
        .iter()
        .any(|v| *v != control)
    {
        return Err(ApiError::new("HOST_HAS_RESIDENT_VMS", [reference.to_string()]));
    }
    host_life::forget(draft, &row);
    for plug in row.get(host::PBDS).as_refs() {
        let storage = draft
            .db()
            .of_class(pbd::CLASS, plug)
            .map_or(Ref::NULL, |p| p.get(pbd::SR).as_ref());
        let own = draft
            .db()
            .of_class(sr::CLASS, storage)
            .is_some_and(|s| !s.get(sr::SHARED).as_bool());
        draft.delete(plug);
        if own {
            super::storage::forget(draft, storage);
        }
    }
    for nic in row.get(host::PIFS).as_refs() {
        let metrics = draft
            .db()
            .of_class(pif::CLASS, nic)
            .map_or(Ref::NULL, |p| p.get(pif::METRICS).as_ref());
        draft.delete(metrics);
        draft.delete(nic);
    }
    for cpu in row.get(host::HOST_CPUS).as_refs() {
        draft.delete(cpu);
    }
    vm_create::remove(draft, control);
    draft.delete(row.get(host::METRICS).as_ref());
    super::certificate::forget_host(draft, reference);
    super::usb::forget_host(draft, reference);
    super::authority::forget_host(draft, row.uuid());
    let members: Vec<Ref> = members(draft.db())
        .into_iter()
        .filter(|(_, h)| *h == reference)
        .map(|(m, _)| m)
        .collect();
    for member in members {
        draft.delete(member);
    }
    draft.delete(reference);
    Ok(())
}

/// Member rows and the hosts they stand for.
pub fn members(db: &Database) -> Vec<(Ref, Ref)> {
    db.rows(tarn_member::CLASS)
        .map(|m| (m.reference, m.get(tarn_member::HOST).as_ref()))
        .collect()
}
