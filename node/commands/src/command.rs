//! The verbs, one variant each.

mod properties;

use node_hypervisor::{CpuTuning, StartMode};
use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{DiskRequest, DomainRequest, MirrorRequest, NicRequest, VolumeRef};
use crate::machine::MachineVerb;
use crate::measured::Measured;
use crate::migration::{MigrationDestination, MigrationOptions};
use crate::network::BridgeRequest;
use crate::storage::{FreezeRequest, MergeFacts, ProbeRequest, SrSpec, VolumeFill, VolumeRequest};

/// Something the leader asks of a host.
///
/// The same operation id again joins the call under way, or gets its answer. "Idempotent" below means more: that the
/// verb may be sent again under *another* operation id, as after a restart of the host's node, with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostCommand {
    /// What the host is and has. Answers [`crate::HostReply::Facts`]. Changes nothing.
    Facts,
    /// From now on the host needs a lease to run guests, beginning with one of this length; see [`crate::lease`].
    /// Idempotent. Errors: `Unsupported` if no watchdog of the host has been heard lately.
    ArmLease {
        /// How long, in milliseconds.
        length: u64,
    },
    /// The host needs no lease any more. Idempotent.
    DisarmLease,
    /// All domains of the host. Answers [`crate::HostReply::Domains`]. Changes nothing.
    ListDomains,
    /// One domain. Answers [`crate::HostReply::Domain`], `None` if it is not here. Changes nothing.
    DomainState {
        /// The VM.
        vm: Uuid,
    },
    /// Makes the bridges, opens the volumes and starts the domain. Answers [`crate::HostReply::Domain`].
    ///
    /// Idempotent by [`DomainRequest::start_id`]: a domain that this start made is left as it is. Errors:
    /// `AlreadyExists` (another start made it), `NoMemory`, `BadSpec`, and those of storage and network.
    StartDomain {
        /// What to start.
        request: Box<DomainRequest>,
        /// Whether its CPUs run at once.
        mode: StartMode,
    },
    /// Stops the CPUs. Idempotent. Errors: `NoSuchDomain`, `WrongState`. Answers `Done`, as all below unless said.
    PauseDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Lets the CPUs go on. Idempotent. Errors: `NoSuchDomain`, `WrongState`.
    UnpauseDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Writes memory and devices to a volume (made before, large enough) and ends the domain.
    ///
    /// The volume must be as large as the VM's memory and what its devices may need (a fourth more and 100 MiB will do).
    /// Idempotent. On failure the domain goes on.
    SuspendDomain {
        /// The VM.
        vm: Uuid,
        /// Where the memory goes.
        image: VolumeRef,
    },
    /// Brings a domain back from its image, which is left in place. Answers [`crate::HostReply::Domain`].
    ///
    /// Idempotent by [`DomainRequest::start_id`]. Errors as `StartDomain`, and `BadImage`.
    ResumeDomain {
        /// What comes back; disks and networks are as here, the rest as in the image.
        request: Box<DomainRequest>,
        /// Where its memory is.
        image: VolumeRef,
        /// Whether its CPUs run at once.
        mode: StartMode,
    },
    /// Asks the guest to power off and answers at once; the end comes as an event. Errors: `NoSuchDomain`.
    ShutdownDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Asks the guest to reboot and answers at once; that it did comes as an event. Errors: `NoSuchDomain`.
    RebootDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Presses the reset button. Errors: `NoSuchDomain`. Twice is two resets.
    ResetDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Ends the domain at once and lets go of its volumes. Idempotent: an absent domain is a success.
    DestroyDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Adds a disk to a live domain. Idempotent. Errors: `DeviceExists`, `NoSuchDomain`, storage.
    AttachDisk {
        /// The VM.
        vm: Uuid,
        /// The disk.
        disk: DiskRequest,
    },
    /// Takes a disk from a live domain and waits for the guest's consent. Idempotent.
    /// Errors: `DetachRefused`, `DetachTimedOut`.
    DetachDisk {
        /// The VM.
        vm: Uuid,
        /// The disk's number.
        userdevice: u16,
    },
    /// Puts a medium into a CD drive, or takes it out. Idempotent. Errors: `NoSuchDevice`, storage.
    ChangeMedia {
        /// The VM.
        vm: Uuid,
        /// The drive's number.
        userdevice: u16,
        /// The medium; `None` empties the drive.
        volume: Option<VolumeRef>,
    },
    /// Freezes what disks of a live domain hold, all at the same moment, each as a new volume that nobody writes; the
    /// domain goes on. Idempotent by the new uuids. Answers [`crate::HostReply::Volumes`], in the order asked for.
    /// Errors: `NoSuchDomain`, `NoSuchDevice`, storage.
    FreezeDisks {
        /// The VM.
        vm: Uuid,
        /// Its disks.
        disks: Vec<FreezeRequest>,
    },
    /// Makes a disk of a live domain larger, and tells its guest. Idempotent. Answers [`crate::HostReply::Volume`].
    ResizeDisk {
        /// The VM.
        vm: Uuid,
        /// The disk's number.
        userdevice: u16,
        /// Its volume.
        volume: VolumeRef,
        /// The new size the guest sees.
        virtual_size: Bytes,
    },
    /// Makes the bridge and adds an interface to a live domain. Idempotent. Errors: `DeviceExists`, `NoSuchDomain`.
    AttachNic {
        /// The VM.
        vm: Uuid,
        /// The interface.
        nic: NicRequest,
    },
    /// Takes an interface from a live domain and waits for the guest's consent. Idempotent.
    DetachNic {
        /// The VM.
        vm: Uuid,
        /// The interface's number.
        device: u16,
    },
    /// Takes a USB device of the host's from a live domain. Idempotent.
    DetachUsb {
        /// The VM.
        vm: Uuid,
        /// Where the device is plugged in.
        path: String,
    },
    /// Moves an interface of a live domain to another bridge, which is made if missing, under the interface's policy.
    /// Idempotent. Errors: `NoSuchDomain`, `NoSuchDevice`.
    MoveNic {
        /// The VM.
        vm: Uuid,
        /// The interface as it is to be.
        nic: NicRequest,
    },
    /// Holds an interface of a live domain to a policy. Idempotent. Errors: `Unsupported` if the host cannot filter.
    SetNicPolicy {
        /// The VM.
        vm: Uuid,
        /// The interface as it is to be.
        nic: NicRequest,
    },
    /// Sets the balloon target. Idempotent. Errors: `OutOfRange`.
    SetMemoryTarget {
        /// The VM.
        vm: Uuid,
        /// New target.
        target: Bytes,
    },
    /// Sets the number of CPUs in use. Idempotent. Errors: `BadSpec`, `Unsupported`.
    SetVcpus {
        /// The VM.
        vm: Uuid,
        /// New number, at least one.
        count: u32,
    },
    /// Sets how the CPUs of a live domain share the host's processors. Idempotent. Errors: `BadSpec`, `Unsupported`.
    SetCpuTuning {
        /// The VM.
        vm: Uuid,
        /// How.
        tuning: CpuTuning,
    },
    /// What the trusted platform module of a domain held when it was last here. Answers [`crate::HostReply::Tpm`].
    /// Changes nothing.
    TpmState {
        /// The VM.
        vm: Uuid,
    },
    /// Where the consoles are on this host. Answers [`crate::HostReply::Consoles`]. Changes nothing.
    ConsolePaths {
        /// The VM.
        vm: Uuid,
    },
    /// Counters of a live domain. Answers [`crate::HostReply::Statistics`]. Changes nothing.
    DomainStatistics {
        /// The VM.
        vm: Uuid,
    },
    /// What is measured of something on this host. Answers [`crate::HostReply::DataSources`], empty if nothing is.
    /// Changes nothing.
    DataSources {
        /// Of what.
        of: Measured,
    },
    /// The newest value of an archived source. Answers [`crate::HostReply::Number`]. Changes nothing.
    /// Errors: `NoSuchDataSource`.
    QueryDataSource {
        /// Of what.
        of: Measured,
        /// The source's name.
        name: String,
    },
    /// Begins to archive a source. Idempotent. Errors: `NoSuchDataSource`.
    RecordDataSource {
        /// Of what.
        of: Measured,
        /// The source's name.
        name: String,
    },
    /// Drops the archives of a source. Errors: `NoSuchDataSource` if it has none.
    ForgetDataSource {
        /// Of what.
        of: Measured,
        /// The source's name.
        name: String,
    },

    /// Makes a new repository: prepares the place, which must be empty or already that repository. Idempotent.
    SrCreate {
        /// What to make.
        sr: SrSpec,
    },
    /// Makes a repository usable on this host. Idempotent. Answers [`crate::HostReply::Sr`].
    SrPlug {
        /// Which one, and how to reach it from here.
        sr: SrSpec,
    },
    /// Lets go of a repository. Idempotent. Errors: `Busy` if a domain of this host has a volume of it open.
    SrUnplug {
        /// Which one.
        sr: Uuid,
    },
    /// What is on a plugged repository. Answers [`crate::HostReply::Scan`]. Changes nothing. Errors: `SrNotPlugged`.
    SrScan {
        /// Which one.
        sr: Uuid,
    },
    /// Takes everything off a repository and unplugs it. Idempotent. Errors: `Busy` if it holds volumes.
    SrDestroy {
        /// Which one, and how to reach it, since it need not be plugged.
        sr: SrSpec,
    },
    /// What repositories could be made or found with these parameters. Answers [`crate::HostReply::Found`].
    SrProbe {
        /// Where to look.
        probe: ProbeRequest,
    },
    /// Makes a volume, empty or filled. Idempotent by its uuid. Answers [`crate::HostReply::Volume`].
    VolumeCreate {
        /// What to make.
        volume: VolumeRequest,
        /// What it holds at first.
        fill: VolumeFill,
    },
    /// Makes a volume that begins as another one of the same repository, sharing its blocks where the repository can.
    /// Both may be written afterwards. Idempotent by the new uuid. Answers [`crate::HostReply::Volume`].
    VolumeClone {
        /// The one to begin with; no domain may have it open for writing.
        source: VolumeRef,
        /// The new one's uuid.
        uuid: Uuid,
    },
    /// Makes a full copy, also into another repository. Idempotent by the new uuid. Answers `Volume`.
    VolumeCopy {
        /// What is copied.
        source: VolumeRef,
        /// The repository of the copy.
        sr: Uuid,
        /// The copy's uuid.
        uuid: Uuid,
    },
    /// Lists the live domains that the pool did not start. Answers [`crate::HostReply::Foreign`].
    ListForeign,
    /// Makes such a domain one of the pool's, without the guest's noticing. Its disks and interfaces have the numbers of
    /// [`node_hypervisor::DeviceNumbers::of`]; each disk that has a medium is one of the volumes. Idempotent by `start_id`.
    /// Answers [`crate::HostReply::Domain`].
    AdoptDomain {
        /// Which one.
        vm: Uuid,
        /// Stands for its start.
        start_id: Uuid,
        /// Its disks, as if it were started with them.
        disks: Vec<DiskRequest>,
    },
    /// Gives back a domain that was taken over: it runs on as it did before. Idempotent.
    DisownDomain {
        /// Which one.
        vm: Uuid,
    },
    /// Writes what a volume holds over another one that is there, from its beginning; with a base, only what differs from
    /// that. Repeated, it copies anew. Answers `Volume`.
    VolumeCopyInto {
        /// What is copied.
        source: VolumeRef,
        /// What is written over; nobody may have it open.
        target: VolumeRef,
        /// What the target is taken to hold already.
        base: Option<VolumeRef>,
        /// The job.
        job: Uuid,
    },
    /// Freezes the content of a volume as a new one that nobody writes. Idempotent by the new uuid. Answers `Volume`.
    VolumeSnapshot {
        /// The one to freeze.
        source: VolumeRef,
        /// The frozen one's uuid.
        uuid: Uuid,
    },
    /// Reads all that a volume holds. Answers [`crate::HostReply::Checksum`]. Changes nothing.
    VolumeChecksum {
        /// Which one; no domain may have it open for writing.
        volume: VolumeRef,
    },
    /// Begins to note what is written to a volume. Idempotent.
    VolumeTrack {
        /// Which one.
        volume: VolumeRef,
    },
    /// Ends that. Idempotent.
    VolumeUntrack {
        /// Which one.
        volume: VolumeRef,
    },
    /// Takes the data of a tracked snapshot away; what it tells of changes stays. Idempotent. Errors: as `VolumeDestroy`.
    VolumeDestroyData {
        /// Which one.
        volume: VolumeRef,
    },
    /// Which blocks were written since an earlier snapshot. Answers [`crate::HostReply::Blocks`]. Changes nothing.
    VolumeChanges {
        /// The later one; no domain may have it open for writing.
        volume: VolumeRef,
        /// The snapshot.
        since: VolumeRef,
    },
    /// Parents that snapshots have left behind and that could go. Answers [`crate::HostReply::Merges`]. Changes nothing.
    SrMerges {
        /// The repository.
        sr: Uuid,
    },
    /// Moves what one parent holds into the one below it, and takes it away. Idempotent: one that is gone is a success.
    /// Errors: `Busy` if a domain other than the one told has it open.
    MergeVolumes {
        /// The repository.
        sr: Uuid,
        /// What goes.
        merge: MergeFacts,
        /// The live domain of this host that has both open, and the number of its disk.
        domain: Option<(Uuid, u16)>,
        /// By which progress is asked for, and an end.
        job: Uuid,
    },
    /// Copies a disk of a live domain into another volume, which is there, blank and as large, and keeps the two in step
    /// until `PivotDisk` or `EndMirror`. Answers once they are equal. Idempotent.
    /// Errors: `NoSuchDomain`, `NoSuchDevice`, storage.
    MirrorDisk {
        /// Which disk, and where it goes.
        mirror: MirrorRequest,
        /// By which progress is asked for, and an end.
        job: Uuid,
    },
    /// Has the guest go over to the volume that its disk is in step with, and lets go of the one it had. Idempotent.
    /// Errors: `NoSuchDomain`; the volumes were in step then, as long as it lived.
    PivotDisk {
        /// Which disk, and where it goes.
        mirror: MirrorRequest,
    },
    /// Ends what `MirrorDisk` began; the guest goes on with the volume it has. Idempotent.
    EndMirror {
        /// Which disk, and where it was to go.
        mirror: MirrorRequest,
    },
    /// How far a long command is. Answers [`crate::HostReply::Progress`]. Changes nothing.
    JobProgress {
        /// The job: of a copy the new volume's uuid.
        job: Uuid,
    },
    /// Calls a long command off; it ends soon, in one way or the other. Idempotent.
    JobCancel {
        /// The job.
        job: Uuid,
    },
    /// Makes a volume larger. Idempotent. Errors: storage's, if it would become smaller. Answers `Volume`.
    VolumeResize {
        /// Which one.
        volume: VolumeRef,
        /// The new size the guest sees.
        virtual_size: Bytes,
    },
    /// Takes a volume away. Idempotent: an absent one is a success. Errors: `Busy` if a domain of this host has it open.
    VolumeDestroy {
        /// Which one.
        volume: VolumeRef,
    },
    /// Measures a volume. Answers [`crate::HostReply::Volume`]. Changes nothing.
    VolumeStat {
        /// Which one.
        volume: VolumeRef,
    },

    /// Makes a bridge as described, or changes one to be so. Idempotent. Answers [`crate::HostReply::Bridge`].
    /// Errors: `Unsupported` if the host's kernel cannot.
    EnsureBridge {
        /// The bridge.
        bridge: Box<BridgeRequest>,
    },
    /// Takes a bridge away with the VLAN, bond or tunnel that was made for it; the card gets its addresses back, of a
    /// bond the first one. Idempotent: an absent one is a success. Errors: `Busy` if taps are on it.
    RemoveBridge {
        /// The bridge as it was asked for.
        bridge: Box<BridgeRequest>,
    },
    /// Whether this host reaches a port at an address. Changes nothing. Errors: `Network` if it does not.
    Reach {
        /// The address.
        address: std::net::IpAddr,
        /// The TCP port.
        port: u16,
    },
    /// The host's network cards. Answers [`crate::HostReply::Nics`]. Changes nothing.
    ListNics,

    /// On the destination: makes bridges, opens volumes, checks that the domain may come, and keeps a place for it.
    ///
    /// Idempotent by VM. Answers [`crate::HostReply::Incoming`]. Errors: `AlreadyExists` if the domain is here,
    /// `NoMemory`, storage and network.
    PrepareIncoming {
        /// The VM as it would be started here.
        request: Box<DomainRequest>,
    },
    /// On the destination: lets go of what `PrepareIncoming` took. Idempotent. A domain that has arrived and *runs* is
    /// not touched (`WrongState`); one that still waits for its memory is destroyed.
    CancelIncoming {
        /// The VM.
        vm: Uuid,
    },
    /// On the source: begins to move a domain away and answers at once; ask with `MigrationProgress`.
    ///
    /// Idempotent by VM while the migration is under way. Errors: `NoSuchDomain`, `WrongState`, `Busy`.
    MigrateOut {
        /// The VM.
        vm: Uuid,
        /// Where it goes.
        destination: MigrationDestination,
        /// How it goes.
        options: MigrationOptions,
    },
    /// On the source: how far it is, or how it ended. Answers [`crate::HostReply::Migration`]. Changes nothing.
    /// The outcome is kept until the next migration of the VM or the node's restart (then `NoSuchMigration`: look
    /// where the domain is).
    MigrationProgress {
        /// The VM.
        vm: Uuid,
    },
    /// On the source: calls it off and waits until it has ended one way or the other. Idempotent.
    /// Answers [`crate::HostReply::Migration`] with the outcome: it may have been too late.
    MigrateAbort {
        /// The VM.
        vm: Uuid,
    },
    /// On the source, once the destination holds nothing: ends what is under way, also if this node does not know of it,
    /// and lets the guest go on if an attempt has left it paused. Idempotent. Answers [`crate::HostReply::Domain`], `None`
    /// if the guest has ended.
    ReviveDomain {
        /// The VM.
        vm: Uuid,
    },
    /// Settles what was seen of a VM that nobody is at work on, if it is still here: a later domain of the same VM, which may
    /// have come while the command was on its way, is left alone. Idempotent. Answers [`crate::HostReply::Domain`]: what it
    /// found and settled, `None` if that is here no more.
    SettleLeftover {
        /// The VM.
        vm: Uuid,
        /// The number of the domain that was seen.
        id: i64,
        /// What had started it.
        operation: Option<String>,
        /// What becomes of it.
        fate: Fate,
    },

    /// Something of the machine itself. Answers [`crate::HostReply::Machine`].
    Machine {
        /// What.
        verb: MachineVerb,
    },
}

/// What becomes of a domain that was left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It should not run here: as [`HostCommand::DestroyDomain`].
    End,
    /// A migration left it paused, and it goes on: as [`HostCommand::ReviveDomain`].
    GoOn,
    /// A migration left it paused, and it runs elsewhere: as [`HostCommand::CancelIncoming`].
    Cancel,
}
