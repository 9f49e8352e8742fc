//! What the agent inside a guest tells: the row of its `VM_guest_metrics`.

use std::collections::BTreeMap;

use proto_types::generated::{vif, vm, vm_guest_metrics};
use proto_types::{Field, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;

/// What an agent said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestFacts {
    /// Version of the agent, such as `7.2.22`.
    pub agent_version: String,
    /// The system in one line, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os_name: String,
    /// Its short name, such as `debian`.
    pub distro: String,
    /// Its version, such as `12.4`.
    pub os_version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The guest's own name for itself.
    pub hostname: String,
    /// Addresses by hardware address, without prefix length.
    pub interfaces: Vec<(String, Vec<String>)>,
    /// What the agent can do, by the names clients look for: `feature-shutdown` and the like.
    pub features: Vec<String>,
}

/// Notes what the agent of a VM's guest said.
pub fn told(draft: &mut Draft<'_>, reference: Ref, facts: &GuestFacts) {
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    let fields = described(draft.db(), &row, facts);
    let known = draft
        .db()
        .of_class(vm_guest_metrics::CLASS, row.get(vm::GUEST_METRICS).as_ref())
        .cloned();
    let now = draft.facts().now;
    match known {
        Some(old) => {
            if fields.iter().any(|(f, v)| old.get(*f) != v) {
                draft.update(old.reference, fields);
                draft.set(old.reference, vm_guest_metrics::LAST_UPDATED, now);
            }
        }
        None => {
            let made = draft.insert(vm_guest_metrics::CLASS, fields);
            draft.set(made, vm_guest_metrics::LAST_UPDATED, now);
            draft.set(reference, vm::GUEST_METRICS, made);
        }
    }
}

/// Notes that the agent is no longer heard. What it said last stays to be read.
pub fn silent(draft: &mut Draft<'_>, reference: Ref) {
    let metrics = metrics_of(draft.db(), reference);
    let live = draft
        .db()
        .of_class(vm_guest_metrics::CLASS, metrics)
        .is_some_and(|m| m.get(vm_guest_metrics::LIVE).as_bool());
    if live {
        let now = draft.facts().now;
        draft.update(
            metrics,
            vec![
                (vm_guest_metrics::LIVE, false.into()),
                (vm_guest_metrics::LAST_UPDATED, now.into()),
            ],
        );
    }
}

/// Forgets what an agent said in an earlier life of the VM.
pub fn forget(draft: &mut Draft<'_>, reference: Ref) {
    let metrics = metrics_of(draft.db(), reference);
    if !metrics.is_null() {
        draft.delete(metrics);
        draft.set(reference, vm::GUEST_METRICS, Ref::NULL);
    }
}

fn metrics_of(db: &Database, reference: Ref) -> Ref {
    db.of_class(vm::CLASS, reference)
        .map_or(Ref::NULL, |v| v.get(vm::GUEST_METRICS).as_ref())
}

fn described(db: &Database, row: &Row, facts: &GuestFacts) -> Vec<(Field, Value)> {
    let mut os: BTreeMap<&str, &str> = BTreeMap::from([
        ("name", facts.os_name.as_str()),
        ("uname", facts.kernel.as_str()),
        ("distro", facts.distro.as_str()),
    ]);
    let mut parts = facts.os_version.split('.');
    os.insert("major", parts.next().unwrap_or_default());
    os.insert("minor", parts.next().unwrap_or_default());
    os.retain(|_, value| !value.is_empty());
    let mut other: BTreeMap<&str, &str> = facts.features.iter().map(|f| (f.as_str(), "1")).collect();
    if !facts.hostname.is_empty() {
        other.insert("data-hostname", facts.hostname.as_str());
    }
    vec![
        (vm_guest_metrics::OS_VERSION, Value::string_map(os)),
        (
            vm_guest_metrics::PV_DRIVERS_VERSION,
            drivers_version(&facts.agent_version),
        ),
        (vm_guest_metrics::PV_DRIVERS_UP_TO_DATE, true.into()),
        (vm_guest_metrics::NETWORKS, networks(db, row, facts)),
        (vm_guest_metrics::OTHER, Value::string_map(other)),
        (vm_guest_metrics::LIVE, true.into()),
        // A guest with the agent has virtio drivers: that is how the agent is reached.
        (vm_guest_metrics::PV_DRIVERS_DETECTED, true.into()),
        (vm_guest_metrics::CAN_USE_HOTPLUG_VBD, "yes".into()),
        (vm_guest_metrics::CAN_USE_HOTPLUG_VIF, "yes".into()),
    ]
}

/// `major`, `minor`, `micro`, `build`; -1 for a part that is not known.
fn drivers_version(text: &str) -> Value {
    let mut parts = text.split(['.', '-', '+']);
    let mut number = || {
        parts
            .next()
            .filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
            .unwrap_or("-1")
            .to_owned()
    };
    let (major, minor, micro) = (number(), number(), number());
    Value::string_map([
        ("major", major),
        ("minor", minor),
        ("micro", micro),
        ("build", "-1".to_owned()),
    ])
}

/// Addresses by the VIF's device: `0/ip` for the first IPv4 one, `0/ipv4/0`, `0/ipv6/0` and so on.
fn networks(db: &Database, row: &Row, facts: &GuestFacts) -> Value {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for reference in row.get(vm::VIFS).as_refs() {
        let Some(nic) = db.of_class(vif::CLASS, reference) else {
            continue;
        };
        let device = nic.get(vif::DEVICE).as_str();
        let mac = nic.get(vif::MAC).as_str();
        let addresses = facts
            .interfaces
            .iter()
            .filter(|(m, _)| m.eq_ignore_ascii_case(mac))
            .flat_map(|(_, addresses)| addresses);
        let (mut v4, mut v6) = (0u32, 0u32);
        for address in addresses {
            if address.contains(':') {
                found.insert(format!("{device}/ipv6/{v6}"), address.clone());
                v6 = v6.saturating_add(1);
            } else {
                if v4 == 0 {
                    found.insert(format!("{device}/ip"), address.clone());
                }
                found.insert(format!("{device}/ipv4/{v4}"), address.clone());
                v4 = v4.saturating_add(1);
            }
        }
    }
    Value::string_map(found)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_version_with_missing_parts_says_so() {
        let of = |text: &str, part: &str| drivers_version(text).get(part).map(str::to_owned);
        assert_eq!(of("7.2.22", "micro").as_deref(), Some("22"));
        assert_eq!(of("8.1-rc", "minor").as_deref(), Some("1"));
        assert_eq!(of("8.1-rc", "micro").as_deref(), Some("-1"));
        assert_eq!(of("", "major").as_deref(), Some("-1"));
    }
}
