//! The agent itself: what it is made of, and the way of one command.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use node_commands::{CommandError, CommandErrorKind, Facts, Failure, HostCommand, HostReply};
use node_hypervisor::Hypervisor;
use node_network::NetworkDriver;
use node_storage::{SrTable, Tracking};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;
use uuid::Uuid;

use crate::drift::Drift;
use crate::events::{HostEvents, Hub};
use crate::fence::Fence;
use crate::guard::Guard;
use crate::guests::Guests;
use crate::holdings::Holdings;
use crate::jobs::Jobs;
use crate::kept_networks::KeptNetworks;
use crate::known_guests::KnownGuests;
use crate::metrics::Metrics;
use crate::migration::Migrations;
use crate::networks;
use crate::operations::{Operations, Outcome};
use crate::settings::AgentSettings;
use crate::storage::Plugs;
use crate::timings::Timings;
use crate::tunnel::TunnelDialer;
use crate::tunnel_ends::Served;
use crate::turns::{Turns, turn_of};
use crate::{events, guard, machine, metrics, reconcile};

/// What an agent is put together from.
pub struct AgentParts {
    /// The host's uuid.
    pub host: Uuid,
    /// Its hypervisor.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// Its repositories.
    pub storage: Arc<SrTable>,
    /// Its bridges.
    pub network: Arc<dyn NetworkDriver>,
    /// The way to other hosts, for migrations.
    pub dialer: Arc<dyn TunnelDialer>,
    /// What an operator can set.
    pub settings: AgentSettings,
}

/// Plays failures of this host's node.
pub trait Drills: Send + Sync {
    /// Begins to, soon after this returns; the node goes on by itself when the time is over.
    ///
    /// # Errors
    /// Why not, for instance since another one is being played.
    fn begin(&self, failure: Failure, time: Duration) -> Result<(), String>;
}

/// An agent that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state on disk cannot be read or is not to be believed.
    #[error("the agent's state cannot be read")]
    State(#[source] io::Error),
}

/// One host's agent. Clones are the same agent; it stops telling events when the last one is dropped.
#[derive(Clone)]
pub struct Agent {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) host: Uuid,
    pub(crate) node_start: Uuid,
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    pub(crate) storage: Arc<SrTable>,
    pub(crate) network: Arc<dyn NetworkDriver>,
    pub(crate) dialer: Arc<dyn TunnelDialer>,
    pub(crate) settings: AgentSettings,
    pub(crate) fence: Fence,
    pub(crate) guard: Guard,
    pub(crate) operations: Operations,
    pub(crate) turns: Turns,
    pub(crate) holdings: Holdings,
    pub(crate) known: KnownGuests,
    pub(crate) plugs: Plugs,
    pub(crate) kept: KeptNetworks,
    pub(crate) migrations: Migrations,
    pub(crate) served: Served,
    pub(crate) jobs: Jobs,
    pub(crate) hub: Hub,
    pub(crate) metrics: Metrics,
    pub(crate) guests: Guests,
    pub(crate) drift: Drift,
    pub(crate) timings: Timings,
    /// When this node started, in seconds since 1970.
    pub(crate) started: i64,
    /// The host is on its way down and tells nothing more.
    pub(crate) leaving: AtomicBool,
    /// Who plays failures, if anybody does.
    pub(crate) drills: OnceLock<Arc<dyn Drills>>,
    _stop: DropGuard,
}

impl Agent {
    /// Reads the state, plugs again what was plugged when the node stopped (in the background), and begins to listen to
    /// the hypervisor. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when the state cannot be read.
    pub async fn start(parts: AgentParts) -> Result<Agent, StartError> {
        let AgentParts {
            host,
            hypervisor,
            storage,
            network,
            dialer,
            settings,
        } = parts;
        let state = &settings.state_dir;
        for folder in [state, &settings.spool_dir()] {
            tokio::fs::create_dir_all(folder)
                .await
                .map_err(StartError::State)?;
        }
        let fence = Fence::load(state.join("term")).await.map_err(StartError::State)?;
        let guard = Guard::load(settings.guard.clone()).map_err(StartError::State)?;
        let holdings = Holdings::load(state.join("domains"))
            .await
            .map_err(StartError::State)?;
        let known = KnownGuests::load(settings.guard.guests_file.clone(), holdings.domains().await)
            .map_err(StartError::State)?;
        let plugs = Plugs::load(state.join("plugged.json"))
            .await
            .map_err(StartError::State)?;
        let metrics = Metrics::load(host, settings.archive_dir())
            .await
            .map_err(StartError::State)?;
        let kept = KeptNetworks::load(state.join("networks.json"))
            .await
            .map_err(StartError::State)?;
        let stop = CancellationToken::new();
        let agent = Agent {
            inner: Arc::new(Inner {
                host,
                node_start: Uuid::new_v4(),
                hypervisor,
                storage,
                network,
                dialer,
                settings,
                fence,
                guard,
                operations: Operations::default(),
                turns: Turns::default(),
                holdings,
                known,
                plugs,
                kept,
                migrations: Migrations::default(),
                served: Served::default(),
                jobs: Jobs::default(),
                hub: Hub::new(),
                metrics,
                guests: Guests::default(),
                drift: Drift::default(),
                timings: Timings::default(),
                started: machine::now(),
                leaving: AtomicBool::new(false),
                drills: OnceLock::new(),
                _stop: stop.clone().drop_guard(),
            }),
        };
        // First of all: the lease of an earlier run may be over.
        guard::spawn(&agent, &stop);
        events::spawn(&agent, &stop);
        reconcile::spawn(&agent, &stop);
        metrics::sampler::spawn(&agent, &stop);
        Ok(agent)
    }

    /// Says who plays failures here; only the first word counts.
    pub fn practise_with(&self, drills: Arc<dyn Drills>) {
        let _ = self.inner.drills.set(drills);
    }

    /// What was counted on this host, and its archives.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The host's uuid.
    pub fn host(&self) -> Uuid {
        self.inner.host
    }

    /// The highest term seen.
    pub fn term(&self) -> u64 {
        self.inner.fence.seen()
    }

    /// Carries one command out.
    ///
    /// The same operation id again is the same call: it joins the one under way, or gets its answer. Dropping the future
    /// does not stop the work.
    ///
    /// # Errors
    /// `Fenced` if a newer term has been seen, also while the command waited for its turn; else as the command says.
    pub async fn execute(&self, term: u64, operation: Uuid, command: HostCommand) -> Outcome {
        self.inner.fence.admit(term).await?;
        let span = tracing::info_span!("command", verb = command.verb(), %operation, term);
        let agent = self.clone();
        if command.only_reads() {
            return agent.carry_out(term, command).instrument(span).await;
        }
        let fingerprint = fingerprint(&command)?;
        let work = async move {
            let vm = command.vm();
            let outcome = agent.carry_out(term, command).await;
            match &outcome {
                Ok(_) => tracing::debug!(?vm, "done"),
                Err(error) => tracing::info!(?vm, kind = ?error.kind, %error, "not done"),
            }
            outcome
        };
        self.inner
            .operations
            .run(operation, fingerprint, work.instrument(span))
            .await
    }

    /// All that happens on this host, beginning with its present state, for a listener of this term. Ends when a newer
    /// term is seen.
    ///
    /// # Errors
    /// `Fenced`.
    pub async fn watch(&self, term: u64) -> Result<HostEvents, CommandError> {
        self.inner.fence.admit(term).await?;
        if self.inner.leaving.load(Ordering::SeqCst) {
            return Err(CommandError::new(CommandErrorKind::Busy, "the host is going down").retryable());
        }
        Ok(events::listen(self, term))
    }

    async fn carry_out(&self, term: u64, command: HostCommand) -> Outcome {
        if let HostCommand::DestroyDomain { vm } = &command {
            // A save or a migration would hold the turn for minutes; without one this does nothing.
            let _ = self.inner.hypervisor.migrate_abort(*vm).await;
        }
        let _turn = match turn_of(&command) {
            Some(turn) => Some(self.inner.turns.take(turn).await),
            None => None,
        };
        // It may have waited long enough for another leader to come.
        self.inner.fence.still(term)?;
        let lapses = self.inner.guard.lapses();
        self.inner.guard.check(&command)?;
        let (verb, began) = (command.verb(), std::time::Instant::now());
        let outcome = self.do_it(command, lapses).await;
        self.inner.timings.note(verb, began.elapsed());
        outcome
    }

    async fn do_it(&self, command: HostCommand, lapses: u64) -> Outcome {
        match command {
            HostCommand::Facts => self.facts().await,
            HostCommand::ArmLease { length } => self.inner.guard.arm(length),
            HostCommand::DisarmLease => self.inner.guard.disarm(),
            HostCommand::ListDomains => Ok(HostReply::Domains(self.inner.hypervisor.list().await?)),
            HostCommand::DomainState { vm } => Ok(HostReply::Domain(self.inner.hypervisor.state(vm).await?)),
            HostCommand::StartDomain { request, mode } => {
                let started = self.start_domain(&request, mode).await;
                self.unless_lapsed(lapses, request.vm, started).await
            }
            HostCommand::PauseDomain { vm } => done(self.inner.hypervisor.pause(vm).await),
            HostCommand::UnpauseDomain { vm } => done(self.inner.hypervisor.unpause(vm).await),
            HostCommand::SuspendDomain { vm, image } => self.suspend_domain(vm, &image).await,
            HostCommand::ResumeDomain { request, image, mode } => {
                let resumed = self.resume_domain(&request, &image, mode).await;
                self.unless_lapsed(lapses, request.vm, resumed).await
            }
            HostCommand::ShutdownDomain { vm } => done(self.inner.hypervisor.shutdown(vm).await),
            HostCommand::RebootDomain { vm } => done(self.inner.hypervisor.reboot(vm).await),
            HostCommand::ResetDomain { vm } => done(self.inner.hypervisor.reset(vm).await),
            HostCommand::DestroyDomain { vm } => self.destroy_domain(vm).await,
            HostCommand::SettleLeftover {
                vm,
                id,
                operation,
                fate,
            } => self.settle_leftover(vm, id, operation, fate).await,
            HostCommand::AttachDisk { vm, disk } => self.attach_disk(vm, &disk).await,
            HostCommand::DetachDisk { vm, userdevice } => self.detach_disk(vm, userdevice).await,
            HostCommand::ChangeMedia {
                vm,
                userdevice,
                volume,
            } => self.change_media(vm, userdevice, volume).await,
            HostCommand::FreezeDisks { vm, disks } => self.freeze_disks(vm, &disks).await,
            HostCommand::ResizeDisk {
                vm,
                userdevice,
                volume,
                virtual_size,
            } => self.resize_disk(vm, userdevice, &volume, virtual_size).await,
            HostCommand::AttachNic { vm, nic } => self.attach_nic(vm, &nic).await,
            HostCommand::DetachNic { vm, device } => self.detach_nic(vm, device).await,
            HostCommand::DetachUsb { vm, path } => self.detach_usb(vm, &path).await,
            HostCommand::MoveNic { vm, nic } => self.move_nic(vm, &nic).await,
            HostCommand::SetNicPolicy { vm, nic } => self.set_nic_policy(vm, &nic).await,
            HostCommand::SetMemoryTarget { vm, target } => self.set_memory_target(vm, target).await,
            HostCommand::SetVcpus { vm, count } => self.set_vcpus(vm, count).await,
            HostCommand::SetCpuTuning { vm, tuning } => {
                done(self.inner.hypervisor.set_cpu_tuning(vm, &tuning).await)
            }
            HostCommand::TpmState { vm } => self.tpm_state(vm).await,
            HostCommand::ConsolePaths { vm } => {
                Ok(HostReply::Consoles(self.inner.hypervisor.consoles(vm).await?))
            }
            HostCommand::DomainStatistics { vm } => Ok(HostReply::Statistics(Box::new(
                self.inner.hypervisor.statistics(vm).await?,
            ))),
            HostCommand::DataSources { of } => self.inner.metrics.data_sources(of),
            HostCommand::QueryDataSource { of, name } => self.inner.metrics.query_data_source(of, &name),
            HostCommand::RecordDataSource { of, name } => self.inner.metrics.record_data_source(of, &name),
            HostCommand::ForgetDataSource { of, name } => self.inner.metrics.forget_data_source(of, &name),
            HostCommand::SrCreate { sr } => self.sr_create(&sr).await,
            HostCommand::SrPlug { sr } => self.sr_plug(&sr).await,
            HostCommand::SrUnplug { sr } => self.sr_unplug(sr).await,
            HostCommand::SrScan { sr } => self.sr_scan(sr).await,
            HostCommand::SrDestroy { sr } => self.sr_destroy(&sr).await,
            HostCommand::SrProbe { probe } => self.sr_probe(&probe).await,
            HostCommand::VolumeCreate { volume, fill } => self.volume_create(&volume, fill).await,
            HostCommand::VolumeClone { source, uuid } => self.volume_clone(&source, uuid).await,
            HostCommand::VolumeCopy { source, sr, uuid } => self.volume_copy(&source, sr, uuid).await,
            HostCommand::ListForeign => Ok(HostReply::Foreign(self.inner.hypervisor.foreign().await?)),
            HostCommand::AdoptDomain { vm, start_id, disks } => self.adopt_domain(vm, start_id, &disks).await,
            HostCommand::DisownDomain { vm } => self.disown_domain(vm).await,
            HostCommand::VolumeCopyInto {
                source,
                target,
                base,
                job,
            } => self.volume_copy_into(&source, &target, base.as_ref(), job).await,
            HostCommand::VolumeSnapshot { source, uuid } => self.volume_snapshot(&source, uuid).await,
            HostCommand::VolumeResize { volume, virtual_size } => {
                self.volume_resize(&volume, virtual_size).await
            }
            HostCommand::VolumeDestroy { volume } => self.volume_destroy(&volume).await,
            HostCommand::VolumeStat { volume } => self.volume_stat(&volume).await,
            HostCommand::VolumeChecksum { volume } => self.volume_checksum(&volume).await,
            HostCommand::VolumeTrack { volume } => self.volume_track(&volume, Tracking::On).await,
            HostCommand::VolumeUntrack { volume } => self.volume_track(&volume, Tracking::Off).await,
            HostCommand::VolumeDestroyData { volume } => self.volume_destroy_data(&volume).await,
            HostCommand::VolumeChanges { volume, since } => self.volume_changes(&volume, &since).await,
            HostCommand::SrMerges { sr } => self.sr_merges(sr).await,
            HostCommand::MergeVolumes {
                sr,
                merge,
                domain,
                job,
            } => self.merge_volumes(sr, &merge, domain, job).await,
            HostCommand::MirrorDisk { mirror, job } => self.mirror_disk(&mirror, job).await,
            HostCommand::PivotDisk { mirror } => self.pivot_disk(&mirror).await,
            HostCommand::EndMirror { mirror } => self.end_mirror(&mirror).await,
            HostCommand::JobProgress { job } => Ok(HostReply::Progress(self.inner.jobs.progress(job))),
            HostCommand::JobCancel { job } => {
                self.inner.jobs.cancel(job);
                Ok(HostReply::Done)
            }
            HostCommand::EnsureBridge { bridge } => {
                self.ensure_bridge(&bridge).await?;
                self.bridge_facts(&bridge.name).await
            }
            HostCommand::RemoveBridge { bridge } => self.remove_bridge(&bridge).await,
            HostCommand::Reach { address, port } => networks::reach(address, port).await,
            HostCommand::ListNics => Ok(HostReply::Nics(self.nics().await?)),
            HostCommand::PrepareIncoming { request } => self.prepare_incoming(&request).await,
            HostCommand::CancelIncoming { vm } => self.cancel_incoming(vm).await,
            HostCommand::MigrateOut {
                vm,
                destination,
                options,
            } => self.migrate_out(vm, destination, options).await,
            HostCommand::MigrationProgress { vm } => self.migration_progress(vm).await,
            HostCommand::MigrateAbort { vm } => self.migrate_abort(vm).await,
            HostCommand::ReviveDomain { vm } => self.revive_domain(vm).await,
            HostCommand::Machine { verb } => self.machine(verb).await,
        }
    }

    async fn facts(&self) -> Outcome {
        let host = self.inner.hypervisor.host_facts().await?;
        let mut capabilities = std::collections::BTreeSet::new();
        if let Ok(kernel) = self.inner.network.features().await {
            for (name, there) in [
                ("bridge", kernel.bridge),
                ("veth", kernel.veth),
                ("vlan", kernel.vlan),
                ("bond", kernel.bond),
                ("vxlan", kernel.vxlan),
                ("gre", kernel.gre),
                ("filter", kernel.filter),
            ] {
                if there {
                    capabilities.insert(name.to_owned());
                }
            }
        }
        if machine::has_keys(self.inner.settings.machine.firmware_dir.as_deref()) {
            capabilities.insert("secure-boot".to_owned());
        }
        Ok(HostReply::Facts(Box::new(Facts {
            host,
            nics: self.nics().await?,
            node_version: node_commands::release().to_owned(),
            capabilities,
            sr_types: self
                .inner
                .storage
                .descriptions()
                .map(|d| d.kind.to_owned())
                .collect(),
            booted: machine::booted(),
            started: self.inner.started,
            bios_strings: machine::bios_strings(),
            certificates: self.keeper().map(|keeper| keeper.shown()).unwrap_or_default(),
        })))
    }
}

/// `Done`, if the hypervisor did it.
pub(crate) fn done(answer: node_hypervisor::Result<()>) -> Outcome {
    answer.map(|()| HostReply::Done).map_err(CommandError::from)
}

/// Tells commands apart, so that an operation id is not used for two of them.
fn fingerprint(command: &HostCommand) -> Result<u64, CommandError> {
    let bytes = serde_json::to_vec(command)
        .map_err(|error| CommandError::new(CommandErrorKind::Unreadable, error.to_string()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(hasher.finish())
}
