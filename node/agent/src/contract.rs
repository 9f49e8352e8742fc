//! What the source of a migration finds out before it agrees to a contract: how fast its guest writes, and what the way to
//! the destination has been seen to carry.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use migration::contract::{self, Load, Means, Terms};
use node_commands::{CommandError, CommandErrorKind};
use node_hypervisor::{Accelerator, EMULATED_DOWNTIME, MigrateOptions, MigrateProgress};
use proto_types::Bytes;
use uuid::Uuid;

use crate::agent::Agent;

/// How long the guest is watched.
const WATCHED: Duration = Duration::from_secs(1);
/// A migration that carried less says little of what the way carries.
const TELLING: Bytes = Bytes(256 * 1024 * 1024);

/// What the ways to other hosts have been seen to carry in a second.
#[derive(Default)]
pub(crate) struct Links(Mutex<HashMap<Uuid, Bytes>>);

impl Links {
    /// Learns from a migration that has arrived. One that was held back tells of its limit, not of the way.
    pub(crate) fn learn(&self, to: Uuid, limit: Option<Bytes>, figures: &MigrateProgress) {
        let milliseconds = figures.elapsed.as_millis();
        if limit.is_some() || figures.processed < TELLING || milliseconds == 0 {
            return;
        }
        let rate = u128::from(figures.processed.0) * 1000 / milliseconds;
        let rate = Bytes(u64::try_from(rate).unwrap_or(u64::MAX));
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(to, rate);
    }

    fn to(&self, host: Uuid) -> Option<Bytes> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&host)
            .copied()
    }
}

impl Agent {
    /// Measures the guest, chooses the means, and answers what it writes in a second.
    ///
    /// # Errors
    /// `Unsupported` with what cannot be kept. A guest that cannot be measured is not refused.
    pub(crate) async fn agree(
        &self,
        vm: Uuid,
        to: Uuid,
        terms: Terms,
        options: &mut MigrateOptions,
    ) -> Result<Option<Bytes>, CommandError> {
        if terms == Terms::default() {
            return Ok(None);
        }
        let hypervisor = &self.inner.hypervisor;
        if let Some(agreed) = terms.max_downtime.filter(|agreed| *agreed < EMULATED_DOWNTIME)
            && matches!(hypervisor.host_facts().await, Ok(facts) if facts.accelerator == Accelerator::Tcg)
        {
            return Err(CommandError::new(
                CommandErrorKind::Unsupported,
                format!(
                    "{} ms are agreed to, and the guest is emulated: its pause cannot be held below {} ms without harm to it",
                    agreed.as_millis(),
                    EMULATED_DOWNTIME.as_millis()
                ),
            ));
        }
        let (rate, memory) = match (
            hypervisor.dirty_rate(vm, WATCHED).await,
            hypervisor.statistics(vm).await,
        ) {
            (Ok(Some(rate)), Ok(statistics)) => (rate, statistics.memory.actual),
            _ => return Ok(None),
        };
        let link = match (options.bandwidth, self.inner.migrations.links.to(to)) {
            (Some(limit), Some(seen)) => Some(limit.min(seen)),
            (limit, seen) => limit.or(seen),
        };
        let load = Load {
            memory,
            dirty_rate: rate,
            link,
        };
        let allowed = Means {
            auto_converge: options.auto_converge,
            compress: options.compress,
        };
        let means = contract::choose(terms, load, allowed)
            .map_err(|breach| CommandError::new(CommandErrorKind::Unsupported, breach.to_string()))?;
        tracing::info!(%vm, ?load, ?means, "agrees to a contract");
        options.auto_converge = means.auto_converge;
        options.compress = means.compress;
        Ok(Some(rate))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_way_is_measured_by_migrations_that_nothing_held_back() {
        let (links, to) = (Links::default(), Uuid::from_u128(1));
        let carried = |mib: u64, seconds: u64| MigrateProgress {
            processed: Bytes::mib(mib),
            elapsed: Duration::from_secs(seconds),
            ..MigrateProgress::default()
        };
        links.learn(to, Some(Bytes::mib(10)), &carried(1000, 100));
        links.learn(to, None, &carried(100, 1));
        links.learn(to, None, &carried(1000, 0));
        assert_eq!(links.to(to), None);
        links.learn(to, None, &carried(1000, 10));
        assert_eq!(links.to(to), Some(Bytes::mib(100)));
        links.learn(to, Some(Bytes::mib(10)), &carried(1000, 100));
        assert_eq!(links.to(to), Some(Bytes::mib(100)));
    }
}
