//! The tests that every driver must pass, as plain functions over a [`Fixture`] that the driver's own tests supply.

mod devices;
mod image;
mod lifecycle;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::device::{DiskSpec, NicSpec};
use crate::domain::DomainSpec;
use crate::{Hypervisor, HypervisorError};

/// What a driver under test brings along.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The driver, freshly connected or always the same.
    async fn hypervisor(&self) -> Arc<dyn Hypervisor>;

    /// A small domain with a new uuid, which the test may start.
    async fn spec(&self, name: &str) -> DomainSpec;

    /// What the driver under test cannot do at all, so that those tests are skipped.
    fn lacks(&self) -> BTreeSet<Capability>;

    /// Where a save image may be written; nothing is there yet.
    fn image_path(&self, vm: Uuid) -> PathBuf;

    /// A disk that can be plugged, with an index that [`Fixture::spec`] leaves free.
    async fn spare_disk(&self) -> DiskSpec;

    /// An interface that can be plugged, with an index that [`Fixture::spec`] leaves free.
    async fn spare_nic(&self) -> NicSpec;

    /// Returns when the guest listens to its power button and to plugging.
    async fn guest_is_up(&self, vm: Uuid);

    /// How long anything may take.
    fn limit(&self) -> Duration;
}

/// Something that a driver may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Save and restore.
    Images,
    /// Plugging of disks.
    DiskHotplug,
    /// Plugging of interfaces.
    NicHotplug,
    /// A balloon.
    Balloon,
    /// A reset that keeps the domain's id.
    ResetInPlace,
    /// A guest that powers off when asked.
    GuestShutdown,
    /// A guest that reboots when asked.
    GuestReboot,
    /// Console endpoints.
    Consoles,
    /// Counters of disks and interfaces.
    DeviceStatistics,
    /// An event for the reset.
    RebootEvents,
}

/// What a run of the contract found, if nothing is broken.
#[derive(Debug, Default)]
pub struct Report {
    /// Names of the tests that passed, and how long they took.
    pub passed: Vec<(&'static str, Duration)>,
    /// Names of the tests that were not run, and what was lacking.
    pub skipped: Vec<(&'static str, Capability)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, took) in &self.passed {
            writeln!(f, "passed {name} in {took:.2?}")?;
        }
        for (name, what) in &self.skipped {
            writeln!(f, "skipped {name}: the driver lacks {what:?}")?;
        }
        Ok(())
    }
}

/// A test that a driver did not pass.
#[derive(Debug, thiserror::Error)]
#[error("{test}: {what}")]
pub struct Broken {
    /// Name of the test.
    pub test: &'static str,
    /// What was found.
    pub what: String,
}

/// What one test says about itself.
type Verdict = std::result::Result<(), String>;

/// Makes an error of a false condition.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
use ensure;

/// Runs all tests one after another.
///
/// # Errors
/// The first test that is not passed. Its domains have been destroyed by then.
pub async fn run(fixture: &dyn Fixture) -> std::result::Result<Report, Broken> {
    let mut report = Report::default();
    let lacks = fixture.lacks();
    macro_rules! tests {
        ($($module:ident :: $test:ident [$($needs:ident),*];)*) => {$(
            let name = stringify!($test);
            let needs: &[Capability] = &[$(Capability::$needs),*];
            match needs.iter().find(|c| lacks.contains(c)) {
                Some(lacking) => report.skipped.push((name, *lacking)),
                None => {
                    let hypervisor = fixture.hypervisor().await;
                    let before = uuids(hypervisor.as_ref()).await.map_err(|what| Broken { test: name, what })?;
                    let began = std::time::Instant::now();
                    let verdict = $module::$test(fixture, hypervisor.as_ref()).await;
                    // Whatever a test leaves behind goes, or the next one would find it.
                    for vm in uuids(hypervisor.as_ref()).await.map_err(|what| Broken { test: name, what })? {
                        if !before.contains(&vm) {
                            let _ = hypervisor.destroy(vm).await;
                        }
                    }
                    verdict.map_err(|what| Broken { test: name, what })?;
                    report.passed.push((name, began.elapsed()));
                }
            }
        )*};
    }
    tests! {
        lifecycle::an_absent_domain_has_no_state[];
        lifecycle::operations_on_an_absent_domain_say_so[];
        lifecycle::a_started_domain_runs_and_is_listed[];
        lifecycle::starting_twice_by_one_operation_is_one_start[];
        lifecycle::starting_twice_by_two_operations_is_refused[];
        lifecycle::a_domain_can_start_paused[];
        lifecycle::pausing_twice_and_unpausing_twice_succeed[];
        lifecycle::destroying_twice_succeeds[];
        lifecycle::a_domain_can_start_again_after_its_end[];
        lifecycle::a_reset_keeps_the_domain[ResetInPlace];
        lifecycle::a_guest_powers_off_when_asked[GuestShutdown];
        lifecycle::a_guest_reboots_when_asked[GuestReboot, RebootEvents];
        lifecycle::facts_are_plausible[];
        watch::events_come_in_order[];
        watch::a_reset_is_an_event[ResetInPlace, RebootEvents];
        image::a_saved_domain_comes_back[Images];
        image::a_saved_domain_can_come_back_paused[Images];
        image::resuming_twice_by_one_operation_is_one_resume[Images];
        image::a_missing_image_is_refused[Images];
        image::an_image_of_another_domain_is_refused[Images];
        devices::a_disk_comes_and_goes[DiskHotplug];
        devices::another_disk_with_the_same_index_is_refused[DiskHotplug];
        devices::a_disk_that_is_not_there_cannot_be_frozen_or_grown[DiskHotplug];
        devices::an_interface_comes_and_goes[NicHotplug];
        devices::detaching_what_is_not_there_succeeds[DiskHotplug];
        devices::memory_above_the_maximum_is_refused[Balloon];
        devices::counters_of_a_live_domain_are_there[];
        devices::consoles_are_where_the_spec_wanted_them[Consoles];
    }
    Ok(report)
}

/// The domains that are there.
async fn uuids(hypervisor: &dyn Hypervisor) -> std::result::Result<BTreeSet<Uuid>, String> {
    Ok(hypervisor
        .list()
        .await
        .map_err(said)?
        .into_iter()
        .map(|d| d.uuid)
        .collect())
}

/// An error as text with all its causes.
fn said(error: HypervisorError) -> String {
    error.chain()
}

/// Polls until the probe answers yes.
async fn wait_for<F, Fut>(what: &str, limit: Duration, mut probe: F) -> Verdict
where
    F: FnMut() -> Fut,
    Fut: Future<Output = std::result::Result<bool, String>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        if probe().await? {
            return Ok(());
        }
        ensure!(
            tokio::time::Instant::now() < deadline,
            "waited {limit:?} for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Polls until the domain is absent.
async fn wait_for_absence(hypervisor: &dyn Hypervisor, vm: Uuid, limit: Duration) -> Verdict {
    wait_for("the domain is gone", limit, async || {
        Ok(hypervisor
            .state(vm)
            .await
            .map_err(said)?
            .is_none_or(|d| !d.state.is_live()))
    })
    .await
}
