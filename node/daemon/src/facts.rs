//! What a host's agent says of itself, as the pool's decisions take it.

use std::collections::BTreeMap;

use node_commands::Facts;
use node_hypervisor::Accelerator;
use pool_domain::decide::host::HostFacts;
use pool_ops::network::on_hosts::card_facts;
use proto_types::DateTime;
use uuid::Uuid;

/// Translates an agent's facts.
pub fn host_facts(host: Uuid, name: &str, address: &str, facts: &Facts) -> HostFacts {
    let h = &facts.host;
    let versions = BTreeMap::from([
        ("tarn".to_owned(), facts.node_version.clone()),
        ("libvirt".to_owned(), h.driver_version.clone()),
        ("qemu".to_owned(), h.hypervisor_version.clone()),
        ("linux".to_owned(), h.kernel.clone()),
    ]);
    HostFacts {
        uuid: host.to_string(),
        hostname: name.to_owned(),
        address: address.to_owned(),
        cpus: h.cpus,
        sockets: h.sockets,
        cpu_vendor: h.cpu_vendor.clone(),
        cpu_model: h.cpu_model_name.clone(),
        cpu_mhz: h.cpu_mhz,
        cpu_flags: h.cpu_flags.join(" "),
        memory_total: h.memory_total,
        memory_free: h.memory_free,
        versions,
        accelerator: match h.accelerator {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
            Accelerator::Simulated => "simulated",
        }
        .to_owned(),
        nics: facts.nics.iter().map(card_facts).collect(),
        booted: DateTime(facts.booted),
        started: DateTime(facts.started),
        bios_strings: facts.bios_strings.clone(),
    }
}
