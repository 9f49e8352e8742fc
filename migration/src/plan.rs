//! What a client's options mean.

use std::collections::BTreeMap;
use std::time::Duration;

use proto_types::{ApiError, Bytes, Ref};
use serde::{Deserialize, Serialize};

/// How a migration is to be done. Written to the log with its saga.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationPlan {
    /// The network whose addresses are used; `None` is the management network.
    pub network: Option<Ref>,
    /// Compress memory.
    pub compress: bool,
    /// Slow a guest down that writes faster than the network carries.
    pub auto_converge: bool,
    /// Skip the checks that are only cautious (processor features); never those without which it cannot run.
    pub force: bool,
    /// Longest pause of the guest that is agreed to: it is not moved rather than paused for longer.
    pub max_downtime: Option<Duration>,
    /// Longest time for the whole that is agreed to: it is called off after that.
    pub deadline: Option<Duration>,
    /// Upper limit per second.
    pub bandwidth: Option<Bytes>,
}

/// What the pool says where the client says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolDefaults {
    /// `pool.migration_compression`.
    pub compress: bool,
}

impl MigrationPlan {
    /// Where the client says nothing at all.
    pub fn by_default(defaults: PoolDefaults) -> MigrationPlan {
        MigrationPlan {
            compress: defaults.compress,
            auto_converge: true,
            ..MigrationPlan::default()
        }
    }

    /// Reads the options of `VM.pool_migrate`. `live` is ignored: it always is. Unknown options are ignored, as clients
    /// send those of other releases.
    ///
    /// # Errors
    /// `INVALID_VALUE [option, value]`.
    pub fn from_options(
        options: &BTreeMap<String, String>,
        defaults: PoolDefaults,
    ) -> Result<MigrationPlan, ApiError> {
        let mut plan = MigrationPlan::by_default(defaults);
        for (name, text) in options {
            let wrong = || ApiError::new("INVALID_VALUE", [name.clone(), text.clone()]);
            match name.as_str() {
                "network" => plan.network = text.parse::<Ref>().map_err(|_| wrong())?.some(),
                "compress" => plan.compress = truth(text).ok_or_else(wrong)?,
                "auto_converge" => plan.auto_converge = truth(text).ok_or_else(wrong)?,
                "force" => plan.force = truth(text).ok_or_else(wrong)?,
                "max_downtime_ms" => {
                    let milliseconds = text.parse().ok().filter(|ms| *ms > 0).ok_or_else(wrong)?;
                    plan.max_downtime = Some(Duration::from_millis(milliseconds));
                }
                "deadline_s" => {
                    let seconds = text.parse().ok().filter(|s| *s > 0).ok_or_else(wrong)?;
                    plan.deadline = Some(Duration::from_secs(seconds));
                }
                "bandwidth_mib" => {
                    let mebibytes = text.parse().ok().filter(|mib| *mib > 0).ok_or_else(wrong)?;
                    plan.bandwidth = Some(Bytes::mib(mebibytes));
                }
                _ => {}
            }
        }
        Ok(plan)
    }
}

/// Reads a truth value as other parts of the API spell it.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<MigrationPlan, ApiError> {
        let options = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        MigrationPlan::from_options(&options, PoolDefaults { compress: true })
    }

    #[test]
    fn what_the_client_leaves_out_is_the_pools_choice() {
        let plan = read(&[("live", "true"), ("of-another-release", "x")]).unwrap();
        assert!(plan.compress && plan.auto_converge && !plan.force);
    }

    #[test]
    fn the_client_overrides_the_pool() {
        let plan = read(&[
            ("compress", "false"),
            ("force", "true"),
            ("max_downtime_ms", "300"),
            ("deadline_s", "90"),
        ])
        .unwrap();
        assert!(!plan.compress && plan.force);
        assert_eq!(plan.max_downtime, Some(Duration::from_millis(300)));
        assert_eq!(plan.deadline, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_value_that_does_not_read_is_named() {
        let error = read(&[("compress", "perhaps")]).unwrap_err();
        assert_eq!(error.description(), ["INVALID_VALUE", "compress", "perhaps"]);
    }
}
