//! [`Hypervisor`] for a simulated host.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::{
    Bytes, ConsoleEndpoints, CountedDomain, CpuTuning, DeviceNumbers, DiskIndex, DiskSource, DiskSpec,
    Domain, DomainEvent, DomainEventKind, DomainShape, DomainSpec, DomainState, DomainStatistics,
    ForeignDomain, HostFacts, HostStatistics, Hypervisor, HypervisorError, MergeProgress, Merged,
    MigrateOptions, MigrateTarget, MigrationEndpoint, NicIndex, NicSpec, PauseReason, ProgressSink, Result,
    StartMode, StopReason,
};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::{Carried, SimDomain, name_of_source};
use crate::faults::{Faults, Operation};
use crate::host::{GuestEnd, Shared, SimHypervisor, State};
use crate::{devices, foreign, guest, image, load, transfer};

impl SimHypervisor {
    /// Runs an operation between its fault and its answer.
    #[tracing::instrument(name = "hypervisor", skip_all, fields(operation = name))]
    async fn run<T>(
        &self,
        operation: Operation,
        name: &'static str,
        act: impl FnOnce(&Shared) -> Result<T>,
    ) -> Result<T> {
        let fault = self.shared.faults.strike(operation, name).await?;
        let answer = act(&self.shared)?;
        Faults::reply(fault, name, answer)
    }

    /// What the guest does a moment after it was asked.
    fn ask_guest(&self, vm: Uuid, end: GuestEnd) -> Result<()> {
        let mut state = self.shared.state();
        let domain = state.find(vm)?;
        if domain.state != DomainState::Running {
            let operation = if end == GuestEnd::Reboot {
                "reboot"
            } else {
                "shutdown"
            };
            return Err(HypervisorError::WrongState {
                vm,
                operation,
                actual: domain.state,
            });
        }
        if domain.deaf {
            return Ok(());
        }
        domain.wanted_off = end == GuestEnd::PowerOff;
        let (shared, id, delay) = (self.shared.clone(), domain.id, self.shared.settings.guest_delay);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            // Another domain of that VM may have been started meanwhile.
            let same = shared.state().domains.get(&vm).is_some_and(|d| d.id == id);
            match end {
                _ if !same => {}
                // Asked for from outside, so the machine is reset whatever the spec wants for the guest's own reboots.
                GuestEnd::Reboot => reset(&shared, vm).unwrap_or(()),
                GuestEnd::PowerOff | GuestEnd::Crash => shared.guest_ends(vm, end),
            }
        });
        Ok(())
    }
}

/// The domain if the same operation has brought it here, an error if another has.
fn already_here(state: &State, spec: &DomainSpec) -> Result<Option<Domain>> {
    match state.domains.get(&spec.uuid) {
        None => Ok(None),
        Some(there) if there.carried.spec.operation == spec.operation => Ok(Some(there.overview())),
        Some(there) => Err(HypervisorError::AlreadyExists {
            vm: spec.uuid,
            by: Some(there.carried.spec.operation.clone()),
        }),
    }
}

fn first_state(mode: StartMode) -> DomainState {
    match mode {
        StartMode::Running => DomainState::Running,
        StartMode::Paused => DomainState::Paused(PauseReason::Requested),
    }
}

/// Refuses what would take more memory than there is.
fn memory_for(shared: &Shared, spec: &DomainSpec) -> Result<()> {
    let free = shared.memory_free();
    if spec.memory.maximum > free {
        let source = format!("{} wanted, {free} free", spec.memory.maximum).into();
        return Err(HypervisorError::NoMemory { source });
    }
    Ok(())
}

fn reset(shared: &Shared, vm: Uuid) -> Result<()> {
    let mut state = shared.state();
    state.find(vm)?.reset();
    shared.tell(vm, DomainEventKind::Rebooted);
    Ok(())
}

fn bring(shared: &Shared, carried: Carried, mode: StartMode) -> Result<Domain> {
    let mut state = shared.state();
    if let Some(there) = already_here(&state, &carried.spec)? {
        return Ok(there);
    }
    let vm = carried.spec.uuid;
    if carried.spec.tpm {
        // A new module makes itself a seed of its own.
        state
            .tpms
            .entry(vm)
            .or_insert_with(|| Uuid::new_v4().as_bytes().to_vec());
    }
    let domain = SimDomain::new(state.next_id(), carried, first_state(mode));
    let overview = domain.overview();
    state.domains.insert(vm, domain);
    shared.tell(vm, DomainEventKind::Started);
    Ok(overview)
}

#[async_trait]
impl Hypervisor for SimHypervisor {
    async fn host_facts(&self) -> Result<HostFacts> {
        self.run(Operation::Read, "host facts", |shared| {
            Ok(HostFacts {
                memory_free: shared.memory_free(),
                ..shared.settings.facts.clone()
            })
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Domain>> {
        self.run(Operation::Read, "list", |s| {
            Ok(s.state().domains.values().map(SimDomain::overview).collect())
        })
        .await
    }

    async fn state(&self, vm: Uuid) -> Result<Option<Domain>> {
        self.run(Operation::Read, "state", |s| {
            Ok(s.state().domains.get(&vm).map(SimDomain::overview))
        })
        .await
    }

    async fn start(&self, spec: &DomainSpec, mode: StartMode) -> Result<Domain> {
        self.run(Operation::Start, "start", |shared| {
            if let Some(there) = already_here(&shared.state(), spec)? {
                return Ok(there);
            }
            memory_for(shared, spec)?;
            bring(shared, SimDomain::boot(0, spec, DomainState::Off).carried, mode)
        })
        .await
    }

    async fn pause(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Pause, "pause", |shared| {
            let mut state = shared.state();
            let domain = state.find(vm)?;
            match domain.state {
                DomainState::Paused(_) => {}
                DomainState::Running => {
                    domain.set_state(DomainState::Paused(PauseReason::Requested));
                    shared.tell(vm, DomainEventKind::Paused);
                }
                actual => {
                    return Err(HypervisorError::WrongState {
                        vm,
                        operation: "pause",
                        actual,
                    });
                }
            }
            Ok(())
        })
        .await
    }

    async fn unpause(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Unpause, "unpause", |shared| {
            let mut state = shared.state();
            let domain = state.find(vm)?;
            match domain.state {
                DomainState::Running => {}
                DomainState::Paused(_) => {
                    domain.set_state(DomainState::Running);
                    shared.tell(vm, DomainEventKind::Resumed);
                    shared.stall(domain);
                }
                actual => {
                    return Err(HypervisorError::WrongState {
                        vm,
                        operation: "unpause",
                        actual,
                    });
                }
            }
            Ok(())
        })
        .await
    }

    async fn suspend_to(&self, vm: Uuid, path: &Path) -> Result<()> {
        let fault = self.shared.faults.strike(Operation::Suspend, "suspend").await?;
        let (carried, before) = {
            let mut state = self.shared.state();
            let domain = state.find(vm)?;
            let before = domain.state;
            domain.set_state(DomainState::Paused(PauseReason::Saving));
            (domain.to_carry(), before)
        };
        let written = image::write(path, &carried).await;
        let mut state = self.shared.state();
        match written {
            Ok(()) => self.shared.remove(&mut state, vm, StopReason::Saved),
            Err(error) => {
                if let Ok(domain) = state.find(vm) {
                    domain.set_state(before);
                }
                return Err(error);
            }
        }
        Faults::reply(fault, "suspend", ())
    }

    async fn resume_from(&self, spec: &DomainSpec, path: &Path, mode: StartMode) -> Result<Domain> {
        let fault = self.shared.faults.strike(Operation::Resume, "resume").await?;
        let there = already_here(&self.shared.state(), spec)?;
        let domain = match there {
            Some(there) => there,
            None => {
                let carried = image::read(path, spec).await?;
                memory_for(&self.shared, &carried.spec)?;
                bring(&self.shared, carried, mode)?
            }
        };
        Faults::reply(fault, "resume", domain)
    }

    async fn shutdown(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Shutdown, "shutdown", |_| {
            self.ask_guest(vm, GuestEnd::PowerOff)
        })
        .await
    }

    async fn reboot(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Reboot, "reboot", |_| {
            self.ask_guest(vm, GuestEnd::Reboot)
        })
        .await
    }

    async fn destroy(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Destroy, "destroy", |shared| {
            shared.remove(&mut shared.state(), vm, StopReason::Destroyed);
            Ok(())
        })
        .await
    }

    async fn reset(&self, vm: Uuid) -> Result<()> {
        self.run(Operation::Reset, "reset", |shared| reset(shared, vm))
            .await
    }

    async fn attach_disk(&self, vm: Uuid, disk: &DiskSpec) -> Result<()> {
        self.run(Operation::Attach, "attach disk", |shared| {
            devices::attach_disk(shared, vm, disk)
        })
        .await
    }

    async fn detach_disk(&self, vm: Uuid, disk: DiskIndex) -> Result<()> {
        let fault = self
            .shared
            .faults
            .strike(Operation::Detach, "detach disk")
            .await?;
        devices::detach_disk(&self.shared, vm, disk, fault.as_ref())?;
        Faults::reply(fault, "detach disk", ())
    }

    async fn change_media(&self, vm: Uuid, drive: DiskIndex, source: &DiskSource) -> Result<()> {
        self.run(Operation::Attach, "change media", |s| {
            devices::change_media(s, vm, drive, source)
        })
        .await
    }

    async fn switch_disks(&self, vm: Uuid, disks: &[(DiskIndex, DiskSource)]) -> Result<()> {
        self.run(Operation::Freeze, "freeze disks", |shared| {
            devices::switch_disks(shared, vm, disks)
        })
        .await
    }

    async fn merge_below(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        _: &DiskSource,
        _: &DiskSource,
        _: MergeProgress,
    ) -> Result<Merged> {
        self.run(Operation::Freeze, "merge disk", |shared| {
            devices::has_disk(&shared.state().find(vm)?.carried.spec.disks, vm, disk)?;
            Ok(Merged::NotOpen)
        })
        .await
    }

    async fn merge_abort(&self, _: Uuid, _: DiskIndex) -> Result<()> {
        Ok(())
    }

    async fn mirror_disk(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        _: &DiskSource,
        _: MergeProgress,
    ) -> Result<Merged> {
        self.run(Operation::Freeze, "mirror disk", |shared| {
            devices::has_disk(&shared.state().find(vm)?.carried.spec.disks, vm, disk)?;
            Ok(Merged::NotOpen)
        })
        .await
    }

    async fn pivot_disk(&self, vm: Uuid, disk: DiskIndex, target: &DiskSource) -> Result<()> {
        let wanted = [(disk, target.clone())];
        self.run(Operation::Freeze, "go over to the mirror", |shared| {
            devices::switch_disks(shared, vm, &wanted)
        })
        .await
    }

    async fn resize_disk(&self, vm: Uuid, disk: DiskIndex, _: Bytes) -> Result<()> {
        self.run(Operation::Resize, "resize disk", |shared| {
            devices::has_disk(&shared.state().find(vm)?.carried.spec.disks, vm, disk)
        })
        .await
    }

    async fn attach_nic(&self, vm: Uuid, nic: &NicSpec) -> Result<()> {
        self.run(Operation::Attach, "attach interface", |shared| {
            devices::attach_nic(shared, vm, nic)
        })
        .await
    }

    async fn detach_nic(&self, vm: Uuid, nic: NicIndex) -> Result<()> {
        let fault = self
            .shared
            .faults
            .strike(Operation::Detach, "detach interface")
            .await?;
        devices::detach_nic(&self.shared, vm, nic, fault.as_ref())?;
        Faults::reply(fault, "detach interface", ())
    }

    async fn detach_usb(&self, vm: Uuid, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.run(Operation::Detach, "detach USB device", move |shared| {
            let mut state = shared.state();
            state.find(vm)?.carried.spec.usb.retain(|d| d.path != path);
            Ok(())
        })
        .await
    }

    async fn move_nic(&self, vm: Uuid, nic: NicIndex, bridge: &str) -> Result<()> {
        self.run(Operation::Attach, "move interface", |shared| {
            devices::move_nic(shared, vm, nic, bridge)
        })
        .await
    }

    async fn migrate_prepare(&self, spec: &DomainSpec) -> Result<MigrationEndpoint> {
        self.run(Operation::MigratePrepare, "prepare migration", |shared| {
            if let Some(there) = shared.state().domains.get(&spec.uuid) {
                let by = Some(there.carried.spec.operation.clone());
                return Err(HypervisorError::AlreadyExists { vm: spec.uuid, by });
            }
            memory_for(shared, spec)?;
            Ok(MigrationEndpoint {
                socket: shared.settings.socket.clone(),
            })
        })
        .await
    }

    async fn migrate_to(
        &self,
        vm: Uuid,
        target: &MigrateTarget,
        options: &MigrateOptions,
        progress: ProgressSink,
    ) -> Result<()> {
        let fault = self.shared.faults.strike(Operation::MigrateTo, "migrate").await?;
        let journey = transfer::Journey {
            vm,
            target: target.clone(),
            options: options.clone(),
            fault: fault.clone(),
        };
        // In a task of its own: a caller that goes away does not leave the domain halfway.
        let shared = Arc::clone(&self.shared);
        let deadline = options.deadline.unwrap_or(Duration::from_secs(3600));
        let task = tokio::spawn(async move { transfer::send(&shared, journey, deadline, progress).await });
        task.await.map_err(|source| HypervisorError::Failed {
            operation: "migrate",
            source: source.into(),
        })??;
        Faults::reply(fault, "migrate", ())
    }

    async fn dirty_rate(&self, vm: Uuid, _: Duration) -> Result<Option<Bytes>> {
        self.shared.state().find(vm)?;
        Ok(Some(self.shared.settings.dirty_rate))
    }

    async fn migrate_abort(&self, vm: Uuid) -> Result<()> {
        if let Some(leaving) = self.shared.state().find(vm)?.leaving.as_ref() {
            leaving.cancel();
        }
        Ok(())
    }

    async fn set_memory_target(&self, vm: Uuid, target: Bytes) -> Result<()> {
        self.run(Operation::Resize, "set memory", |shared| {
            let mut state = shared.state();
            let carried = &mut state.find(vm)?.carried;
            let most = carried.spec.memory.maximum;
            if target > most {
                return Err(HypervisorError::OutOfRange {
                    vm,
                    value: target,
                    least: Bytes(0),
                    most,
                });
            }
            carried.memory_target = target;
            Ok(())
        })
        .await
    }

    async fn set_vcpus(&self, vm: Uuid, count: u32) -> Result<()> {
        self.run(Operation::Resize, "set vcpus", |shared| {
            let mut state = shared.state();
            let carried = &mut state.find(vm)?.carried;
            if count == 0 || count > carried.spec.vcpus.maximum {
                let reason = format!("{count} of {} virtual CPUs", carried.spec.vcpus.maximum);
                return Err(HypervisorError::BadSpec { reason });
            }
            carried.vcpus = count;
            Ok(())
        })
        .await
    }

    async fn set_cpu_tuning(&self, vm: Uuid, tuning: &CpuTuning) -> Result<()> {
        let tuning = tuning.clone();
        self.run(Operation::Resize, "set processor shares", move |shared| {
            let mut state = shared.state();
            if let Some(cpu) = tuning.mask.iter().find(|cpu| **cpu >= shared.settings.facts.cpus) {
                let reason = format!("the host has no processor {cpu}");
                return Err(HypervisorError::BadSpec { reason });
            }
            state.find(vm)?.carried.tuning = tuning;
            Ok(())
        })
        .await
    }

    async fn put_tpm_state(&self, vm: Uuid, state: Option<&[u8]>) -> Result<()> {
        self.run(Operation::Resize, "lay down TPM state", |shared| {
            let mut all = shared.state();
            match state {
                Some(state) => all.tpms.insert(vm, state.to_vec()),
                None => all.tpms.remove(&vm),
            };
            Ok(())
        })
        .await
    }

    async fn tpm_state(&self, vm: Uuid) -> Result<Option<Vec<u8>>> {
        self.run(Operation::Read, "read TPM state", |shared| {
            Ok(shared.state().tpms.get(&vm).cloned())
        })
        .await
    }

    async fn consoles(&self, vm: Uuid) -> Result<ConsoleEndpoints> {
        self.run(Operation::Read, "consoles", |shared| {
            let mut state = shared.state();
            let spec = &state.find(vm)?.carried.spec;
            Ok(ConsoleEndpoints {
                vnc_socket: spec.vnc_socket.clone(),
                serial_pty: None,
                serial_log: spec.serial_log.clone(),
            })
        })
        .await
    }

    async fn statistics(&self, vm: Uuid) -> Result<DomainStatistics> {
        self.run(Operation::Read, "statistics", |shared| {
            Ok(load::domain(shared.state().find(vm)?))
        })
        .await
    }

    async fn all_statistics(&self) -> Result<BTreeMap<Uuid, CountedDomain>> {
        // Read in the background at any time: a fault meant for something else must not strike here.
        let state = self.shared.state();
        Ok(state
            .domains
            .iter()
            .map(|(vm, domain)| {
                let counted = CountedDomain {
                    id: domain.id,
                    running: domain.state == DomainState::Running,
                    statistics: load::domain(domain),
                };
                (*vm, counted)
            })
            .collect())
    }

    async fn host_statistics(&self) -> Result<HostStatistics> {
        Ok(load::host(&self.shared))
    }

    async fn foreign(&self) -> Result<Vec<ForeignDomain>> {
        self.run(Operation::Read, "foreign", |shared| {
            Ok(shared.state().foreign.values().cloned().collect())
        })
        .await
    }

    async fn definition(&self, vm: Uuid) -> Result<Option<String>> {
        Ok(foreign::definition(&self.shared, vm))
    }

    async fn adopt(&self, vm: Uuid, operation: &str, numbers: &DeviceNumbers) -> Result<Domain> {
        self.run(Operation::Adopt, "adopt", |shared| {
            foreign::adopt(shared, vm, operation, numbers)
        })
        .await
    }

    async fn disown(&self, vm: Uuid, definition: Option<&str>) -> Result<()> {
        self.run(Operation::Adopt, "disown", |shared| {
            foreign::disown(shared, vm, definition)
        })
        .await
    }

    async fn drift(&self, spec: &DomainSpec) -> Result<Vec<String>> {
        let spec = spec.clone();
        self.run(Operation::Read, "look for changes", move |shared| {
            let found = shared.state().find(spec.uuid)?.shape();
            Ok(DomainShape::wanted(&spec, name_of_source).differences(&found))
        })
        .await
    }

    async fn guest_agent(&self, vm: Uuid, command: &str) -> Result<String> {
        guest::answer(self.shared.state().find(vm)?, command)
    }

    fn events(&self) -> broadcast::Receiver<DomainEvent> {
        self.shared.subscribe()
    }
}
