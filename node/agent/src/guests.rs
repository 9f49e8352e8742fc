//! What the agents inside guests say. Each is asked now and then; what has changed is told to whoever leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::StreamExt;
use node_commands::GuestReport;
use node_hypervisor::{DomainState, Hypervisor};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::agent::{Agent, Inner};

/// Guests asked at once.
const AT_ONCE: usize = 8;
/// Longest text taken from a guest.
const LONGEST: usize = 256;
/// Most interfaces taken from a guest, and most addresses of each.
const MOST: usize = 32;

/// The last word of every guest.
#[derive(Default)]
pub(crate) struct Guests {
    last: Mutex<HashMap<Uuid, GuestReport>>,
    /// An agent came or went: ask now rather than at the next round.
    pub(crate) wake: Arc<Notify>,
}

impl Guests {
    /// All that have said something and have not fallen silent.
    pub(crate) fn all(&self) -> Vec<(Uuid, GuestReport)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(|(vm, report)| (*vm, report.clone())).collect()
    }

    /// Takes a new word in. Returns whether it differs from the last one.
    fn note(&self, vm: Uuid, report: Option<&GuestReport>) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match report {
            Some(report) if last.get(&vm) == Some(report) => false,
            Some(report) => {
                last.insert(vm, report.clone());
                true
            }
            None => last.remove(&vm).is_some(),
        }
    }

    /// Forgets those that are not here any more.
    fn keep(&self, here: &[Uuid]) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|vm, _| here.contains(vm));
    }
}

/// Asks round after round, until stopped. Nobody listening, nobody is asked.
pub(crate) async fn follow(pace: std::time::Duration, inner: Weak<Inner>) {
    loop {
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        if agent.inner.hub.has_listeners() {
            agent.ask_guests().await;
        }
        // Waiting must not keep the agent alive.
        let wake = Arc::clone(&agent.inner.guests.wake);
        drop(agent);
        let woken = tokio::time::timeout(pace, wake.notified()).await;
        if woken.is_ok() {
            // An agent that has just come needs a moment, and so does a crowd of them.
            tokio::time::sleep(std::time::Duration::from_millis(500).min(pace)).await;
        }
    }
}

impl Agent {
    async fn ask_guests(&self) {
        let Ok(domains) = self.inner.hypervisor.list().await else {
            return;
        };
        let running: Vec<Uuid> = domains
            .iter()
            .filter(|d| d.state == DomainState::Running)
            .map(|d| d.uuid)
            .collect();
        let here: Vec<Uuid> = domains.iter().map(|d| d.uuid).collect();
        self.inner.guests.keep(&here);
        futures::stream::iter(running)
            .for_each_concurrent(AT_ONCE, |vm| async move {
                let report = ask(self.inner.hypervisor.as_ref(), vm).await;
                if self.inner.guests.note(vm, report.as_ref()) {
                    self.inner.hub.tell_guest(vm, report);
                }
            })
            .await;
    }
}

/// Asks one guest; nothing if its agent does not answer.
async fn ask(hypervisor: &dyn Hypervisor, vm: Uuid) -> Option<GuestReport> {
    let info = call(hypervisor, vm, "guest-info").await?;
    let commands: Vec<String> = info
        .get("supported_commands")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|c| c.get("enabled").and_then(Value::as_bool).unwrap_or(false))
        .filter_map(|c| c.get("name")?.as_str().map(clipped))
        .take(256)
        .collect();
    let has = |name: &str| commands.iter().any(|c| c == name);
    let mut report = GuestReport {
        agent_version: text(&info, "version"),
        ..GuestReport::default()
    };
    if has("guest-get-osinfo")
        && let Some(os) = call(hypervisor, vm, "guest-get-osinfo").await
    {
        report.os_name = text(&os, "pretty-name");
        report.distro = text(&os, "id");
        report.os_version = text(&os, "version-id");
        report.kernel = text(&os, "kernel-release");
    }
    if has("guest-get-host-name")
        && let Some(name) = call(hypervisor, vm, "guest-get-host-name").await
    {
        report.hostname = text(&name, "host-name");
    }
    if has("guest-network-get-interfaces")
        && let Some(list) = call(hypervisor, vm, "guest-network-get-interfaces").await
    {
        report.interfaces = interfaces(&list);
    }
    report.commands = commands;
    Some(report)
}

async fn call(hypervisor: &dyn Hypervisor, vm: Uuid, command: &str) -> Option<Value> {
    let request = format!(r#"{{"execute":"{command}"}}"#);
    let answer = hypervisor.guest_agent(vm, &request).await.ok()?;
    let mut answer: Value = serde_json::from_str(&answer).ok()?;
    answer.get_mut("return").map(Value::take)
}

/// What a guest says is bounded: it is a guest.
fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

fn text(of: &Value, key: &str) -> String {
    of.get(key)
        .and_then(Value::as_str)
        .map(clipped)
        .unwrap_or_default()
}

fn interfaces(list: &Value) -> Vec<(String, Vec<String>)> {
    let of = |entry: &Value| {
        let addresses = entry
            .get("ip-addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|a| a.get("ip-address")?.as_str())
            // What is no address is not passed on.
            .filter_map(|a| a.parse::<std::net::IpAddr>().ok())
            .filter(|a| !a.is_loopback())
            .take(MOST)
            .map(|a| a.to_string())
            .collect::<Vec<_>>();
        (text(entry, "hardware-address"), addresses)
    };
    list.as_array()
        .into_iter()
        .flatten()
        .map(of)
        .filter(|(mac, addresses)| !mac.is_empty() && !addresses.is_empty())
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_a_guest_says_is_bounded_and_checked() {
        let list = serde_json::json!([
            {"name": "lo", "hardware-address": "00:00:00:00:00:00",
             "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": 8}]},
            {"name": "eth0", "hardware-address": "02:00:00:00:00:01",
             "ip-addresses": [{"ip-address": "192.0.2.7"}, {"ip-address": "fe80::1"}, {"ip-address": "<script>"}, 5]},
            {"name": "odd"}, 7,
        ]);
        assert_eq!(
            interfaces(&list),
            [(
                "02:00:00:00:00:01".to_owned(),
                vec!["192.0.2.7".to_owned(), "fe80::1".to_owned()]
            )]
        );
        assert_eq!(clipped(&"x".repeat(1000)).len(), LONGEST);
        assert_eq!(clipped("a\u{0}b\nc"), "abc");
    }

    #[test]
    fn only_news_is_news() {
        let guests = Guests::default();
        let (vm, report) = (Uuid::from_u128(1), GuestReport::default());
        assert!(guests.note(vm, Some(&report)));
        assert!(!guests.note(vm, Some(&report)));
        assert!(guests.note(vm, None));
        assert!(!guests.note(vm, None));
        assert!(guests.note(vm, Some(&report)));
        guests.keep(&[]);
        assert!(guests.all().is_empty());
    }
}
