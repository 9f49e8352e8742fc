//! What is to be known of every verb: its name, whether it changes anything, which VM it is about.

use uuid::Uuid;

use super::HostCommand;
use crate::measured::Measured;

impl HostCommand {
    /// The verb alone, for logs and traces.
    pub fn verb(&self) -> &'static str {
        match self {
            HostCommand::Facts => "facts",
            HostCommand::ArmLease { .. } => "arm_lease",
            HostCommand::DisarmLease => "disarm_lease",
            HostCommand::ListDomains => "list_domains",
            HostCommand::DomainState { .. } => "domain_state",
            HostCommand::StartDomain { .. } => "start_domain",
            HostCommand::PauseDomain { .. } => "pause_domain",
            HostCommand::UnpauseDomain { .. } => "unpause_domain",
            HostCommand::SuspendDomain { .. } => "suspend_domain",
            HostCommand::ResumeDomain { .. } => "resume_domain",
            HostCommand::ShutdownDomain { .. } => "shutdown_domain",
            HostCommand::RebootDomain { .. } => "reboot_domain",
            HostCommand::ResetDomain { .. } => "reset_domain",
            HostCommand::DestroyDomain { .. } => "destroy_domain",
            HostCommand::AttachDisk { .. } => "attach_disk",
            HostCommand::DetachDisk { .. } => "detach_disk",
            HostCommand::ChangeMedia { .. } => "change_media",
            HostCommand::FreezeDisks { .. } => "freeze_disks",
            HostCommand::ResizeDisk { .. } => "resize_disk",
            HostCommand::AttachNic { .. } => "attach_nic",
            HostCommand::DetachNic { .. } => "detach_nic",
            HostCommand::DetachUsb { .. } => "detach_usb",
            HostCommand::MoveNic { .. } => "move_nic",
            HostCommand::SetNicPolicy { .. } => "set_nic_policy",
            HostCommand::SetMemoryTarget { .. } => "set_memory_target",
            HostCommand::SetVcpus { .. } => "set_vcpus",
            HostCommand::SetCpuTuning { .. } => "set_cpu_tuning",
            HostCommand::TpmState { .. } => "tpm_state",
            HostCommand::ConsolePaths { .. } => "console_paths",
            HostCommand::DomainStatistics { .. } => "domain_statistics",
            HostCommand::DataSources { .. } => "data_sources",
            HostCommand::QueryDataSource { .. } => "query_data_source",
            HostCommand::RecordDataSource { .. } => "record_data_source",
            HostCommand::ForgetDataSource { .. } => "forget_data_source",
            HostCommand::SrCreate { .. } => "sr_create",
            HostCommand::SrPlug { .. } => "sr_plug",
            HostCommand::SrUnplug { .. } => "sr_unplug",
            HostCommand::SrScan { .. } => "sr_scan",
            HostCommand::SrDestroy { .. } => "sr_destroy",
            HostCommand::SrProbe { .. } => "sr_probe",
            HostCommand::VolumeCreate { .. } => "volume_create",
            HostCommand::VolumeClone { .. } => "volume_clone",
            HostCommand::VolumeCopy { .. } => "volume_copy",
            HostCommand::VolumeCopyInto { .. } => "volume_copy_into",
            HostCommand::ListForeign => "list_foreign",
            HostCommand::AdoptDomain { .. } => "adopt_domain",
            HostCommand::DisownDomain { .. } => "disown_domain",
            HostCommand::VolumeSnapshot { .. } => "volume_snapshot",
            HostCommand::VolumeChecksum { .. } => "volume_checksum",
            HostCommand::VolumeTrack { .. } => "volume_track",
            HostCommand::VolumeUntrack { .. } => "volume_untrack",
            HostCommand::VolumeDestroyData { .. } => "volume_destroy_data",
            HostCommand::VolumeChanges { .. } => "volume_changes",
            HostCommand::SrMerges { .. } => "sr_merges",
            HostCommand::MergeVolumes { .. } => "merge_volumes",
            HostCommand::MirrorDisk { .. } => "mirror_disk",
            HostCommand::PivotDisk { .. } => "pivot_disk",
            HostCommand::EndMirror { .. } => "end_mirror",
            HostCommand::JobProgress { .. } => "job_progress",
            HostCommand::JobCancel { .. } => "job_cancel",
            HostCommand::VolumeResize { .. } => "volume_resize",
            HostCommand::VolumeDestroy { .. } => "volume_destroy",
            HostCommand::VolumeStat { .. } => "volume_stat",
            HostCommand::EnsureBridge { .. } => "ensure_bridge",
            HostCommand::RemoveBridge { .. } => "remove_bridge",
            HostCommand::Reach { .. } => "reach",
            HostCommand::ListNics => "list_nics",
            HostCommand::PrepareIncoming { .. } => "prepare_incoming",
            HostCommand::CancelIncoming { .. } => "cancel_incoming",
            HostCommand::MigrateOut { .. } => "migrate_out",
            HostCommand::MigrationProgress { .. } => "migration_progress",
            HostCommand::MigrateAbort { .. } => "migrate_abort",
            HostCommand::ReviveDomain { .. } => "revive_domain",
            HostCommand::SettleLeftover { .. } => "settle_leftover",
            HostCommand::Machine { .. } => "machine",
        }
    }

    /// Whether it would bring a guest to life on the host, at once or once it has arrived.
    pub fn brings_a_guest(&self) -> bool {
        matches!(
            self,
            HostCommand::StartDomain { .. }
                | HostCommand::ResumeDomain { .. }
                | HostCommand::PrepareIncoming { .. }
        )
    }

    /// Whether it only looks: such a call is never kept as an operation, each is answered afresh.
    pub fn only_reads(&self) -> bool {
        if let HostCommand::Machine { verb } = self {
            return verb.only_reads();
        }
        matches!(
            self,
            HostCommand::Facts
                | HostCommand::ListDomains
                | HostCommand::DomainState { .. }
                | HostCommand::TpmState { .. }
                | HostCommand::ConsolePaths { .. }
                | HostCommand::DomainStatistics { .. }
                | HostCommand::DataSources { .. }
                | HostCommand::QueryDataSource { .. }
                | HostCommand::SrScan { .. }
                | HostCommand::SrProbe { .. }
                | HostCommand::VolumeStat { .. }
                | HostCommand::Reach { .. }
                | HostCommand::VolumeChecksum { .. }
                | HostCommand::VolumeChanges { .. }
                | HostCommand::SrMerges { .. }
                | HostCommand::JobProgress { .. }
                | HostCommand::ListNics
                | HostCommand::ListForeign
                | HostCommand::MigrationProgress { .. }
        )
    }

    /// The VM it is about, if it is about one. Commands on one VM are carried out one after another.
    pub fn vm(&self) -> Option<Uuid> {
        match self {
            HostCommand::StartDomain { request, .. }
            | HostCommand::ResumeDomain { request, .. }
            | HostCommand::PrepareIncoming { request } => Some(request.vm),
            HostCommand::DomainState { vm }
            | HostCommand::PauseDomain { vm }
            | HostCommand::UnpauseDomain { vm }
            | HostCommand::SuspendDomain { vm, .. }
            | HostCommand::ShutdownDomain { vm }
            | HostCommand::RebootDomain { vm }
            | HostCommand::ResetDomain { vm }
            | HostCommand::DestroyDomain { vm }
            | HostCommand::AttachDisk { vm, .. }
            | HostCommand::DetachDisk { vm, .. }
            | HostCommand::ChangeMedia { vm, .. }
            | HostCommand::FreezeDisks { vm, .. }
            | HostCommand::ResizeDisk { vm, .. }
            | HostCommand::AttachNic { vm, .. }
            | HostCommand::DetachNic { vm, .. }
            | HostCommand::DetachUsb { vm, .. }
            | HostCommand::MoveNic { vm, .. }
            | HostCommand::SetNicPolicy { vm, .. }
            | HostCommand::SetMemoryTarget { vm, .. }
            | HostCommand::SetVcpus { vm, .. }
            | HostCommand::SetCpuTuning { vm, .. }
            | HostCommand::TpmState { vm }
            | HostCommand::ConsolePaths { vm }
            | HostCommand::DomainStatistics { vm }
            | HostCommand::CancelIncoming { vm }
            | HostCommand::MigrateOut { vm, .. }
            | HostCommand::MigrationProgress { vm }
            | HostCommand::MigrateAbort { vm }
            | HostCommand::AdoptDomain { vm, .. }
            | HostCommand::DisownDomain { vm }
            | HostCommand::ReviveDomain { vm }
            | HostCommand::SettleLeftover { vm, .. } => Some(*vm),
            HostCommand::MirrorDisk { mirror, .. }
            | HostCommand::PivotDisk { mirror }
            | HostCommand::EndMirror { mirror } => Some(mirror.vm),
            HostCommand::DataSources { of }
            | HostCommand::QueryDataSource { of, .. }
            | HostCommand::RecordDataSource { of, .. }
            | HostCommand::ForgetDataSource { of, .. } => match of {
                Measured::Vm(vm) => Some(*vm),
                Measured::Host | Measured::Sr(_) => None,
            },
            HostCommand::Facts
            | HostCommand::ArmLease { .. }
            | HostCommand::DisarmLease
            | HostCommand::ListDomains
            | HostCommand::SrCreate { .. }
            | HostCommand::SrPlug { .. }
            | HostCommand::SrUnplug { .. }
            | HostCommand::SrScan { .. }
            | HostCommand::SrDestroy { .. }
            | HostCommand::SrProbe { .. }
            | HostCommand::VolumeCreate { .. }
            | HostCommand::VolumeClone { .. }
            | HostCommand::VolumeCopy { .. }
            | HostCommand::VolumeCopyInto { .. }
            | HostCommand::ListForeign
            | HostCommand::VolumeSnapshot { .. }
            | HostCommand::VolumeResize { .. }
            | HostCommand::VolumeDestroy { .. }
            | HostCommand::VolumeStat { .. }
            | HostCommand::VolumeChecksum { .. }
            | HostCommand::VolumeTrack { .. }
            | HostCommand::VolumeUntrack { .. }
            | HostCommand::VolumeDestroyData { .. }
            | HostCommand::VolumeChanges { .. }
            | HostCommand::SrMerges { .. }
            | HostCommand::MergeVolumes { .. }
            | HostCommand::JobProgress { .. }
            | HostCommand::JobCancel { .. }
            | HostCommand::EnsureBridge { .. }
            | HostCommand::RemoveBridge { .. }
            | HostCommand::ListNics
            | HostCommand::Reach { .. }
            | HostCommand::Machine { .. } => None,
        }
    }
}
