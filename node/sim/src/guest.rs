//! The agent inside a simulated guest: the few commands that the pool sends, in QEMU's words.

use node_hypervisor::{DomainState, HypervisorError, Result};
use serde_json::{Value, json};

use crate::domain::SimDomain;

/// What this agent can do.
const COMMANDS: &[&str] = &[
    "guest-info",
    "guest-get-osinfo",
    "guest-get-host-name",
    "guest-network-get-interfaces",
    "guest-shutdown",
];

/// Answers one command; a guest that does not run answers nothing.
pub(crate) fn answer(domain: &SimDomain, command: &str) -> Result<String> {
    let spec = &domain.carried.spec;
    if !spec.guest_agent || domain.state != DomainState::Running {
        return Err(HypervisorError::NoGuestAgent { vm: spec.uuid });
    }
    let request: Value = serde_json::from_str(command).map_err(|source| HypervisorError::Failed {
        operation: "guest agent",
        source: source.into(),
    })?;
    let name = request.get("execute").and_then(Value::as_str).unwrap_or_default();
    let result = match name {
        "guest-info" => json!({
            "version": "7.2.22",
            "supported_commands": COMMANDS
                .iter()
                .map(|name| json!({"name": name, "enabled": true, "success-response": true}))
                .collect::<Vec<_>>(),
        }),
        "guest-get-osinfo" => json!({
            "id": "simulated",
            "name": "Simulated GNU/Linux",
            "pretty-name": "Simulated GNU/Linux 1.2",
            "version": "1.2",
            "version-id": "1.2",
            "kernel-release": "0.0-sim",
            "machine": "x86_64",
        }),
        "guest-get-host-name" => json!({"host-name": spec.name}),
        "guest-network-get-interfaces" => Value::Array(
            spec.nics
                .iter()
                .map(|nic| {
                    json!({
                        "name": format!("eth{}", nic.index.0),
                        "hardware-address": nic.mac,
                        "ip-addresses": addresses(&nic.mac),
                    })
                })
                .collect(),
        ),
        other => {
            return Err(HypervisorError::Failed {
                operation: "guest agent",
                source: format!("the agent knows no {other:?}").into(),
            });
        }
    };
    Ok(json!({ "return": result }).to_string())
}

/// Addresses that follow from the card's own, so that they are the same wherever the guest runs.
fn addresses(mac: &str) -> Vec<Value> {
    let octets: Vec<u8> = mac
        .split(':')
        .filter_map(|part| u8::from_str_radix(part, 16).ok())
        .collect();
    let [.., a, b, c] = octets.as_slice() else {
        return Vec::new();
    };
    vec![
        json!({"ip-address-type": "ipv4", "ip-address": format!("10.{a}.{b}.{c}"), "prefix": 8}),
        json!({"ip-address-type": "ipv6", "ip-address": format!("fe80::{a:x}:{b:x}:{c:x}"), "prefix": 64}),
    ]
}
