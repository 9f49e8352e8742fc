//! What others have changed about the pool's domains: each is compared now and then with what it was made from, and whoever
//! leads is told what has been different for two looks in a row. A single look may fall into a command.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use node_commands::HostEvent;
use node_hypervisor::{Domain, DomainSpec, DomainState, PauseReason};
use uuid::Uuid;

use crate::agent::{Agent, Inner};

/// Longest text about one difference: names of files and devices are others' choice.
const LONGEST: usize = 300;
/// Most differences of one domain that are told.
const MOST: usize = 16;

/// What is different, by domain.
pub(crate) type Differences = BTreeMap<Uuid, Vec<String>>;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Drift {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// At the last look.
    seen: Differences,
    /// What whoever leads knows; nothing before the second look.
    told: Option<Differences>,
}

impl Drift {
    /// What was told last, if anything was: what somebody who is new must know.
    pub(crate) fn told(&self) -> Option<Differences> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.told.clone()
    }

    /// Takes in a look at all domains. Returns what is to be told, if that is news.
    fn note(&self, found: Differences) -> Option<Differences> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = state.told.clone().unwrap_or_default();
        let steady = |vm: &Uuid, now: &Vec<String>| state.seen.get(vm) == Some(now);
        let mut news: Differences = found
            .iter()
            .filter(|(vm, now)| steady(vm, now))
            .map(|(vm, now)| (*vm, now.clone()))
            .collect();
        for (vm, now) in &found {
            // While it changes, the last word on it holds.
            if !steady(vm, now)
                && let Some(before) = told.get(vm)
            {
                news.insert(*vm, before.clone());
            }
        }
        state.seen = found;
        let is_news = state.told.as_ref() != Some(&news);
        state.told = Some(news.clone());
        is_news.then_some(news)
    }
}

/// Looks round after round, until stopped. Nobody listening, nobody looks.
pub(crate) async fn follow(pace: Duration, inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(pace).await;
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        if agent.inner.hub.has_listeners() {
            agent.look_for_drift().await;
        }
    }
}

impl Agent {
    async fn look_for_drift(&self) {
        let Ok(domains) = self.inner.hypervisor.list().await else {
            return;
        };
        let mut found = Differences::new();
        for domain in domains {
            let Some(spec) = self.to_compare(&domain).await else {
                continue;
            };
            // One that is gone, or busy, is looked at the next time.
            let Ok(mut differences) = self.inner.hypervisor.drift(&spec).await else {
                continue;
            };
            if differences.is_empty() {
                continue;
            }
            differences.truncate(MOST);
            for text in &mut differences {
                *text = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
            }
            found.insert(domain.uuid, differences);
        }
        if let Some(domains) = self.inner.drift.note(found) {
            self.tell(HostEvent::Drift { domains });
        }
    }

    /// What a domain was made from, if it is one that stays as it is for now.
    async fn to_compare(&self, domain: &Domain) -> Option<DomainSpec> {
        let steady = matches!(
            domain.state,
            DomainState::Running | DomainState::Paused(PauseReason::Requested | PauseReason::DiskError)
        );
        if !steady || self.inner.migrations.expects(domain.uuid) {
            return None;
        }
        self.inner.holdings.of(domain.uuid).await?.spec
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn of(text: &[&str]) -> Differences {
        let vm = Uuid::from_u128(1);
        let texts: Vec<String> = text.iter().map(|t| (*t).to_owned()).collect();
        if texts.is_empty() {
            Differences::new()
        } else {
            [(vm, texts)].into()
        }
    }

    #[test]
    fn only_what_lasts_is_told_and_once() {
        let drift = Drift::default();
        assert_eq!(drift.told(), None);
        assert_eq!(
            drift.note(of(&["a"])),
            Some(of(&[])),
            "the first word: nothing is known to be different"
        );
        assert_eq!(drift.note(of(&[])), None, "it was a passing thing");
        assert_eq!(drift.note(of(&["a"])), None);
        assert_eq!(drift.note(of(&["a"])), Some(of(&["a"])));
        assert_eq!(drift.note(of(&["a"])), None);
        assert_eq!(
            drift.note(of(&["a", "b"])),
            None,
            "what was told holds until the rest is sure"
        );
        assert_eq!(drift.note(of(&["a", "b"])), Some(of(&["a", "b"])));
        assert_eq!(drift.told(), Some(of(&["a", "b"])));
        assert_eq!(drift.note(of(&[])), Some(of(&[])));
    }
}
