//! What a host can do with domains: the [`Hypervisor`] trait, its vocabulary, and the contract every driver passes.
//!
//! A driver keeps no configuration: domains are transient, the pool owns what they are made of and hands the
//! whole [`DomainSpec`] over at each start. Every call has a deadline inside the driver, and is idempotent as far
//! as its own comment says; [`HypervisorError::TimedOut`] means *unknown*, so ask with [`Hypervisor::state`].
#![forbid(unsafe_code)]

pub mod contract;
pub mod device;
pub mod domain;
pub mod error;
pub mod event;
pub mod foreign;
pub mod host;
pub mod migrate;
pub mod shape;
pub mod statistics;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

pub use device::{
    DiskBus, DiskCache, DiskErrorPolicy, DiskFormat, DiskIndex, DiskKind, DiskSource, DiskSpec, ImageBelow,
    NetworkLogin, NicIndex, NicModel, NicSpec,
};
pub use domain::{
    Boot, BootDevice, Clock, CpuModel, CpuTuning, Domain, DomainSpec, DomainState, EndAction, EndActions,
    Firmware, FwCfg, MemorySpec, PauseReason, Platform, StartMode, UsbSpec, VcpuSpec,
};
pub use error::{ErrorKind, HypervisorError, Result};
pub use event::{DomainEvent, DomainEventKind, StopReason};
pub use foreign::{DeviceNumbers, ForeignDisk, ForeignDomain, ForeignNic};
pub use host::{Accelerator, ConsoleEndpoints, HostFacts};
pub use migrate::{
    DestinationChanges, EMULATED_DOWNTIME, MigrateOptions, MigrateProgress, MigrateTarget, MigrationEndpoint,
    ProgressSink,
};
pub use proto_types::Bytes;
pub use shape::{DomainShape, NicShape};
pub use statistics::{
    CountedDomain, DiskStatistics, DomainStatistics, HostStatistics, LinkStatistics, MemoryStatistics,
    NicStatistics,
};

/// Told now and then how far a merge is, in thousandths.
pub type MergeProgress = Arc<dyn Fn(u32) + Send + Sync>;

/// Who has moved the bytes of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The hypervisor.
    ByHypervisor,
    /// Nobody: this driver's domains do not open images. The caller may do it.
    NotOpen,
}

/// The domains of one host.
///
/// All methods may be called at once from many tasks. Dropping a returned future does not undo what it began:
/// the driver finishes the call in the background, unless the comment says otherwise.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// What the host is and has; memory figures are of this moment.
    async fn host_facts(&self) -> Result<HostFacts>;

    /// All domains of this host that the pool could own, in no particular order.
    async fn list(&self) -> Result<Vec<Domain>>;

    /// One domain as it is now, or `None` if this host has none by that uuid.
    async fn state(&self, vm: Uuid) -> Result<Option<Domain>>;

    /// Starts a transient domain.
    ///
    /// Idempotent by [`DomainSpec::operation`]: a domain that runs already and was started by the same operation is
    /// a success and is left as it is.
    ///
    /// # Errors
    /// [`HypervisorError::AlreadyExists`] if another operation has started it.
    async fn start(&self, spec: &DomainSpec, mode: StartMode) -> Result<Domain>;

    /// Stops the virtual CPUs; the domain keeps its memory. Pausing a paused domain succeeds.
    async fn pause(&self, vm: Uuid) -> Result<()>;

    /// Lets the virtual CPUs go on. Unpausing a running domain succeeds.
    async fn unpause(&self, vm: Uuid) -> Result<()>;

    /// Writes memory and device state to `image` and ends the domain.
    ///
    /// On failure the domain is left running (or paused, as it was). A half-written image may remain.
    async fn suspend_to(&self, vm: Uuid, image: &Path) -> Result<()>;

    /// Brings a domain back from a save image; disks and bridges are taken from `spec`, everything else from the image.
    ///
    /// Idempotent by [`DomainSpec::operation`] like [`Hypervisor::start`]. The image is left in place.
    ///
    /// # Errors
    /// [`HypervisorError::BadImage`] if the image cannot be read or belongs to another domain.
    async fn resume_from(&self, spec: &DomainSpec, image: &Path, mode: StartMode) -> Result<Domain>;

    /// Asks the guest to power off and returns at once; the outcome is a [`DomainEventKind::Stopped`].
    ///
    /// The end counts as wanted: `on_poweroff` of the spec no longer restarts the guest.
    async fn shutdown(&self, vm: Uuid) -> Result<()>;

    /// Asks the guest to reboot and returns at once; the outcome is a [`DomainEventKind::Rebooted`].
    async fn reboot(&self, vm: Uuid) -> Result<()>;

    /// Ends the domain at once, without asking the guest. An absent domain is a success.
    async fn destroy(&self, vm: Uuid) -> Result<()>;

    /// Resets the machine in place, as its reset button would; the domain keeps its id.
    async fn reset(&self, vm: Uuid) -> Result<()>;

    /// Adds a disk to a live domain. A disk that is there already with the same source is a success.
    ///
    /// # Errors
    /// [`HypervisorError::DeviceExists`] if another disk has that index.
    async fn attach_disk(&self, vm: Uuid, disk: &DiskSpec) -> Result<()>;

    /// Takes a disk away and waits until the guest has let go of it. A disk that is not there is a success.
    ///
    /// # Errors
    /// [`HypervisorError::DetachRefused`] if the guest said no, [`HypervisorError::DetachTimedOut`] if it said nothing
    /// within the driver's limit; in the latter case it may still go later.
    async fn detach_disk(&self, vm: Uuid, disk: DiskIndex) -> Result<()>;

    /// Puts a medium into the drive of a CD, or takes it out with [`DiskSource::Empty`].
    async fn change_media(&self, vm: Uuid, drive: DiskIndex, source: &DiskSource) -> Result<()>;

    /// Has a live domain write to these sources from now on, all of them at the same moment. Each is an empty overlay over
    /// what its disk writes now; what is below is written no more. A disk that has its source already is left as it is.
    ///
    /// # Errors
    /// [`HypervisorError::NoSuchDevice`]; nothing has changed then.
    async fn switch_disks(&self, vm: Uuid, disks: &[(DiskIndex, DiskSource)]) -> Result<()>;

    /// Moves what `top` holds into `base`, both below a disk's topmost image and next to one another, and leaves `top`
    /// out of the disk's chain. Returns when that is done; a merge under way is joined, a done one is a success.
    ///
    /// # Errors
    /// [`HypervisorError::Aborted`] after [`Hypervisor::merge_abort`]; the chain is as before then.
    async fn merge_below(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        top: &DiskSource,
        base: &DiskSource,
        progress: MergeProgress,
    ) -> Result<Merged>;

    /// Calls off the merge of a disk. Without one it succeeds and does nothing.
    async fn merge_abort(&self, vm: Uuid, disk: DiskIndex) -> Result<()>;

    /// Copies a disk of a live domain into `target`, which is there already and as large, and keeps the two in step from then
    /// on: what the guest writes is in both before it hears that it is written. Returns once they are equal; a copy under
    /// way is joined, and a disk that has gone over already is a success. [`Merged::NotOpen`] means that this hypervisor
    /// writes no image of its own, so that a plain copy will do.
    ///
    /// # Errors
    /// [`HypervisorError::Aborted`] after [`Hypervisor::merge_abort`], which also ends a copy that is in step: the domain
    /// goes on with the image it had.
    async fn mirror_disk(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        target: &DiskSource,
        progress: MergeProgress,
    ) -> Result<Merged>;

    /// Has a disk that is in step with `target` write there alone. Idempotent: one that has gone over is left as it is.
    ///
    /// # Errors
    /// [`HypervisorError::Aborted`] if there is no copy in step any more.
    async fn pivot_disk(&self, vm: Uuid, disk: DiskIndex, target: &DiskSource) -> Result<()>;

    /// Tells a live domain that a disk is larger, and makes its image so. Idempotent.
    async fn resize_disk(&self, vm: Uuid, disk: DiskIndex, size: Bytes) -> Result<()>;

    /// Adds a network interface to a live domain. One with the same index and MAC already there is a success.
    async fn attach_nic(&self, vm: Uuid, nic: &NicSpec) -> Result<()>;

    /// Takes a network interface away, as [`Hypervisor::detach_disk`].
    async fn detach_nic(&self, vm: Uuid, nic: NicIndex) -> Result<()>;

    /// Takes a USB device of the host's from a live domain. Idempotent.
    async fn detach_usb(&self, vm: Uuid, path: &str) -> Result<()>;

    /// Moves a network interface of a live domain to another bridge of the host, which must be there. Idempotent.
    ///
    /// # Errors
    /// [`HypervisorError::NoSuchDevice`].
    async fn move_nic(&self, vm: Uuid, nic: NicIndex, bridge: &str) -> Result<()>;

    /// On the destination: checks that the domain could come here and makes the folders it needs.
    ///
    /// Changes nothing that would need undoing. The answer names the local socket to which the source's traffic
    /// (see [`MigrateTarget::control_socket`]) must be forwarded.
    ///
    /// # Errors
    /// [`HypervisorError::AlreadyExists`] if a domain with that uuid is here.
    async fn migrate_prepare(&self, spec: &DomainSpec) -> Result<MigrationEndpoint>;

    /// On the source: moves a live domain away and returns when it runs on the destination.
    ///
    /// On an error the domain may be on either side, never running on both: ask both with [`Hypervisor::state`].
    ///
    /// # Errors
    /// [`HypervisorError::Aborted`] after [`Hypervisor::migrate_abort`].
    async fn migrate_to(
        &self,
        vm: Uuid,
        target: &MigrateTarget,
        options: &MigrateOptions,
        progress: ProgressSink,
    ) -> Result<()>;

    /// Calls off the migration (or save) of a domain, which then goes on here. Without one it succeeds and does nothing.
    async fn migrate_abort(&self, vm: Uuid) -> Result<()>;

    /// Measures for so long what a live domain writes to its memory, and answers what that is in a second; `None` if this
    /// hypervisor cannot tell.
    async fn dirty_rate(&self, vm: Uuid, over: std::time::Duration) -> Result<Option<Bytes>> {
        let _ = (vm, over);
        Ok(None)
    }

    /// Sets the balloon target; the guest may take seconds to follow, or never do so without a balloon driver. Idempotent.
    ///
    /// # Errors
    /// [`HypervisorError::OutOfRange`] above the domain's maximum.
    async fn set_memory_target(&self, vm: Uuid, target: Bytes) -> Result<()>;

    /// Sets the number of virtual CPUs in use, between one and the domain's maximum. Idempotent.
    async fn set_vcpus(&self, vm: Uuid, count: u32) -> Result<()>;

    /// Sets how a live domain's virtual CPUs share the host's processors. Idempotent.
    ///
    /// # Errors
    /// [`HypervisorError::BadSpec`] for a processor that the host has not.
    async fn set_cpu_tuning(&self, vm: Uuid, tuning: &CpuTuning) -> Result<()>;

    /// Lays down what a domain's trusted platform module is to hold when it starts here next; without a state it starts
    /// as new. No domain of that VM may be here. Idempotent.
    async fn put_tpm_state(&self, vm: Uuid, state: Option<&[u8]>) -> Result<()>;

    /// What the trusted platform module of a domain held when it was last here; `None` if it never had one here.
    async fn tpm_state(&self, vm: Uuid) -> Result<Option<Vec<u8>>>;

    /// Where the consoles of a live domain are reached on this host.
    async fn consoles(&self, vm: Uuid) -> Result<ConsoleEndpoints>;

    /// Counters of a live domain, from its start on.
    async fn statistics(&self, vm: Uuid) -> Result<DomainStatistics>;

    /// Counters of every live domain at once, as far as they are to be had without waiting for a busy one.
    async fn all_statistics(&self) -> Result<BTreeMap<Uuid, CountedDomain>>;

    /// Counters of the host itself.
    async fn host_statistics(&self) -> Result<HostStatistics>;

    /// All live domains that the pool did not start, in no particular order.
    async fn foreign(&self) -> Result<Vec<ForeignDomain>>;

    /// What would start such a domain again on this host, in the hypervisor's own words; nothing if nothing would. May hold
    /// a password.
    async fn definition(&self, vm: Uuid) -> Result<Option<String>>;

    /// Makes a live domain that the pool did not start one of its own, without the guest's noticing: `operation` stands for
    /// its start, and its devices have these numbers from now on. Its definition goes, so the caller must have kept it for
    /// [`Hypervisor::disown`]. Idempotent by the operation.
    ///
    /// # Errors
    /// [`HypervisorError::AlreadyExists`] if another operation has started it.
    async fn adopt(&self, vm: Uuid, operation: &str, numbers: &DeviceNumbers) -> Result<Domain>;

    /// Gives a domain back that was taken over and has not been ended since: the pool has nothing to do with it any more, and
    /// it has the definition that it had. Idempotent.
    async fn disown(&self, vm: Uuid, definition: Option<&str>) -> Result<()>;

    /// What is different about a live domain from the spec that its owner keeps of it, in words for people: what others have
    /// changed. Only what can change while it runs is looked at.
    async fn drift(&self, spec: &DomainSpec) -> Result<Vec<String>>;

    /// Sends one JSON command to the guest agent and returns its JSON answer.
    ///
    /// # Errors
    /// [`HypervisorError::NoGuestAgent`] if none answers.
    async fn guest_agent(&self, vm: Uuid, command: &str) -> Result<String>;

    /// Everything that happens to domains from now on, whoever caused it, in order per domain.
    ///
    /// A receiver that lags, and every receiver after [`DomainEventKind::Resync`], must read [`Hypervisor::list`] again.
    fn events(&self) -> broadcast::Receiver<DomainEvent>;
}
