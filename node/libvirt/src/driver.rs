//! [`Hypervisor`] over libvirt.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::{
    Accelerator, Bytes, ConsoleEndpoints, CountedDomain, CpuTuning, DeviceNumbers, DiskIndex, DiskSource,
    DiskSpec, Domain, DomainEvent, DomainSpec, DomainStatistics, ForeignDomain, HostFacts, HostStatistics,
    Hypervisor, HypervisorError, MergeProgress, Merged, MigrateOptions, MigrateTarget, MigrationEndpoint,
    NicIndex, NicSpec, ProgressSink, Result, StartMode,
};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use virt::connect::Connect;

use crate::accelerator;
use crate::adopt;
use crate::bridge::{Bridge, Job, Lane, find};
use crate::bulk::{self, Numbers};
use crate::config::{LibvirtConfig, Limits};
use crate::device_plugging::{self, Device};
use crate::drift;
use crate::error::Fault;
use crate::mirror::Mirror;
use crate::xml::domain::Dialect;
use crate::{host, image, layers, lifecycle, migrate, mirror, passwords, statistics, tpm, tuning};

/// How often the connection is looked after when libvirt says nothing.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// The domains of this host, driven through libvirt. Clones share one connection.
#[derive(Clone)]
pub struct LibvirtHypervisor {
    inner: Arc<Inner>,
}

struct Inner {
    bridge: Bridge,
    config: LibvirtConfig,
    accelerator: Accelerator,
    dialect: Dialect,
    numbers: Numbers,
    _watching: DropGuard,
}

impl LibvirtHypervisor {
    /// Finds out how guests are executed here and connects, again and again if it must.
    ///
    /// Succeeds without libvirt too; calls then end in [`HypervisorError::Disconnected`] until it is there.
    pub async fn new(config: LibvirtConfig) -> LibvirtHypervisor {
        let accelerator = match config.accelerator {
            Some(accelerator) => accelerator,
            None if config.is_test() => Accelerator::Simulated,
            None => accelerator::probe(&config.emulator).await,
        };
        let dialect = if config.is_test() {
            Dialect::Test
        } else {
            Dialect::Qemu {
                accelerator,
                machine: config.machine.clone(),
            }
        };
        let bridge = Bridge::new(config.uri.clone());
        let stop = CancellationToken::new();
        let job = Job {
            operation: "connect",
            vm: None,
            limit: config.limits.short,
            lane: Lane::Short,
        };
        // Events must flow from the beginning, not from the first call on.
        if let Err(error) = bridge.call(job, |_| Ok(())).await {
            tracing::warn!(
                uri = config.uri,
                error = error.chain(),
                "libvirt is not reached yet"
            );
        }
        tokio::spawn(stop.clone().run_until_cancelled_owned(watch(bridge.clone(), job)));
        let inner = Inner {
            bridge,
            config,
            accelerator,
            dialect,
            numbers: Numbers::default(),
            _watching: stop.drop_guard(),
        };
        LibvirtHypervisor {
            inner: Arc::new(inner),
        }
    }

    fn limits(&self) -> Limits {
        self.inner.config.limits
    }

    fn job(&self, operation: &'static str, vm: Option<Uuid>, limit: Duration) -> Job {
        Job {
            operation,
            vm,
            limit,
            lane: Lane::Short,
        }
    }

    async fn short<T, F>(&self, operation: &'static str, vm: Option<Uuid>, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    {
        self.inner
            .bridge
            .call(self.job(operation, vm, self.limits().short), act)
            .await
    }

    async fn lifecycle<T, F>(&self, operation: &'static str, vm: Uuid, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    {
        self.inner
            .bridge
            .call(self.job(operation, Some(vm), self.limits().lifecycle), act)
            .await
    }

    fn long_job(&self, operation: &'static str, vm: Uuid) -> Job {
        Job {
            operation,
            vm: Some(vm),
            limit: self.limits().long,
            lane: Lane::Long,
        }
    }
}

/// Keeps the connection open, so that events go on after libvirt was restarted.
async fn watch(bridge: Bridge, job: Job) {
    let mut said = false;
    loop {
        match bridge.call(job, |_| Ok(())).await {
            Ok(()) => said = false,
            Err(error) if !said => {
                said = true;
                tracing::warn!(error = error.chain(), "libvirt is not reached; trying on");
            }
            Err(_) => {}
        }
        let pause = if said { LOOK_AFTER / 10 } else { LOOK_AFTER };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = bridge.lost() => tracing::warn!("the connection to libvirt is lost"),
        }
    }
}

#[async_trait]
impl Hypervisor for LibvirtHypervisor {
    async fn host_facts(&self) -> Result<HostFacts> {
        let accelerator = self.inner.accelerator;
        self.short("host facts", None, move |c| host::facts(c, accelerator))
            .await
    }

    async fn list(&self) -> Result<Vec<Domain>> {
        self.short("list", None, lifecycle::list).await
    }

    async fn state(&self, vm: Uuid) -> Result<Option<Domain>> {
        self.short("state", Some(vm), move |c| lifecycle::look(c, vm))
            .await
    }

    async fn start(&self, spec: &DomainSpec, mode: StartMode) -> Result<Domain> {
        let (spec, dialect) = (spec.clone(), self.inner.dialect.clone());
        self.lifecycle("start", spec.uuid, move |c| {
            passwords::tell_of(c, &spec.disks)?;
            lifecycle::start(c, &spec, &dialect, mode)
        })
        .await
    }

    async fn pause(&self, vm: Uuid) -> Result<()> {
        self.short("pause", Some(vm), move |c| lifecycle::pause(c, vm))
            .await
    }

    async fn unpause(&self, vm: Uuid) -> Result<()> {
        self.short("unpause", Some(vm), move |c| lifecycle::unpause(c, vm))
            .await
    }

    async fn suspend_to(&self, vm: Uuid, path: &Path) -> Result<()> {
        let path = path.to_owned();
        let job = self.long_job("suspend", vm);
        self.inner
            .bridge
            .call(job, move |c| image::suspend_to(c, vm, &path))
            .await
    }

    async fn resume_from(&self, spec: &DomainSpec, path: &Path, mode: StartMode) -> Result<Domain> {
        let (spec, path, dialect) = (spec.clone(), path.to_owned(), self.inner.dialect.clone());
        let job = self.long_job("resume", spec.uuid);
        self.inner
            .bridge
            .call(job, move |c| {
                passwords::tell_of(c, &spec.disks)?;
                image::resume_from(c, &spec, &path, &dialect, mode)
            })
            .await
    }

    async fn shutdown(&self, vm: Uuid) -> Result<()> {
        self.lifecycle("shutdown", vm, move |c| lifecycle::shutdown(c, vm))
            .await
    }

    async fn reboot(&self, vm: Uuid) -> Result<()> {
        self.lifecycle("reboot", vm, move |c| lifecycle::reboot(c, vm))
            .await
    }

    async fn destroy(&self, vm: Uuid) -> Result<()> {
        self.lifecycle("destroy", vm, move |c| lifecycle::destroy(c, vm))
            .await
    }

    async fn reset(&self, vm: Uuid) -> Result<()> {
        self.lifecycle("reset", vm, move |c| lifecycle::reset(c, vm))
            .await
    }

    async fn attach_disk(&self, vm: Uuid, disk: &DiskSpec) -> Result<()> {
        let disk = disk.clone();
        self.short("attach disk", Some(vm), move |c| {
            passwords::tell(c, &disk.source)?;
            device_plugging::attach_disk(c, vm, &disk)
        })
        .await
    }

    async fn detach_disk(&self, vm: Uuid, disk: DiskIndex) -> Result<()> {
        let job = self.job("detach disk", Some(vm), self.limits().short);
        let patience = self.limits().detach;
        device_plugging::detach(&self.inner.bridge, job, vm, Device::Disk(disk), patience).await
    }

    async fn change_media(&self, vm: Uuid, drive: DiskIndex, source: &DiskSource) -> Result<()> {
        let source = source.clone();
        self.short("change media", Some(vm), move |c| {
            passwords::tell(c, &source)?;
            device_plugging::change_media(c, vm, drive, &source)
        })
        .await
    }

    async fn switch_disks(&self, vm: Uuid, disks: &[(DiskIndex, DiskSource)]) -> Result<()> {
        let disks = disks.to_vec();
        self.lifecycle("freeze disks", vm, move |c| layers::switch(c, vm, &disks))
            .await
    }

    async fn merge_below(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        top: &DiskSource,
        base: &DiskSource,
        progress: MergeProgress,
    ) -> Result<Merged> {
        let job = self.job("merge disk", Some(vm), self.limits().short);
        let what = layers::Merge {
            vm,
            disk,
            top: top.clone(),
            base: base.clone(),
        };
        layers::merge(&self.inner.bridge, job, what, progress).await
    }

    async fn merge_abort(&self, vm: Uuid, disk: DiskIndex) -> Result<()> {
        self.short("call merge off", Some(vm), move |c| layers::abort(c, vm, disk))
            .await
    }

    async fn mirror_disk(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        target: &DiskSource,
        progress: MergeProgress,
    ) -> Result<Merged> {
        let job = self.job("mirror disk", Some(vm), self.limits().short);
        let (target, opened) = (target.clone(), target.clone());
        self.short("tell a password", Some(vm), move |c| passwords::tell(c, &opened))
            .await?;
        mirror::mirror(&self.inner.bridge, job, Mirror { vm, disk, target }, progress).await?;
        Ok(Merged::ByHypervisor)
    }

    async fn pivot_disk(&self, vm: Uuid, disk: DiskIndex, target: &DiskSource) -> Result<()> {
        let job = self.job("go over to the mirror", Some(vm), self.limits().short);
        let target = target.clone();
        mirror::pivot(&self.inner.bridge, job, Mirror { vm, disk, target }).await
    }

    async fn resize_disk(&self, vm: Uuid, disk: DiskIndex, size: Bytes) -> Result<()> {
        self.short("resize disk", Some(vm), move |c| {
            layers::resize(c, vm, disk, size)
        })
        .await
    }

    async fn attach_nic(&self, vm: Uuid, nic: &NicSpec) -> Result<()> {
        let nic = nic.clone();
        self.short("attach interface", Some(vm), move |c| {
            device_plugging::attach_nic(c, vm, &nic)
        })
        .await
    }

    async fn detach_nic(&self, vm: Uuid, nic: NicIndex) -> Result<()> {
        let job = self.job("detach interface", Some(vm), self.limits().short);
        let patience = self.limits().detach;
        device_plugging::detach(&self.inner.bridge, job, vm, Device::Nic(nic), patience).await
    }

    async fn detach_usb(&self, vm: Uuid, path: &str) -> Result<()> {
        let job = self.job("detach USB device", Some(vm), self.limits().short);
        let patience = self.limits().detach;
        let device = Device::Usb(path.to_owned());
        device_plugging::detach(&self.inner.bridge, job, vm, device, patience).await
    }

    async fn move_nic(&self, vm: Uuid, nic: NicIndex, bridge: &str) -> Result<()> {
        let bridge = bridge.to_owned();
        self.short("move interface", Some(vm), move |c| {
            device_plugging::move_nic(c, vm, nic, &bridge)
        })
        .await
    }

    async fn migrate_prepare(&self, spec: &DomainSpec) -> Result<MigrationEndpoint> {
        let Some(socket) = self.inner.config.migration_socket() else {
            return Err(HypervisorError::Unsupported {
                what: "socket to which migrations could come".into(),
            });
        };
        let spec = spec.clone();
        self.short("prepare migration", Some(spec.uuid), move |c| {
            passwords::tell_of(c, &spec.disks)?;
            migrate::prepare(c, &spec)
        })
        .await?;
        Ok(MigrationEndpoint { socket })
    }

    async fn migrate_to(
        &self,
        vm: Uuid,
        target: &MigrateTarget,
        options: &MigrateOptions,
        progress: ProgressSink,
    ) -> Result<()> {
        let leading = migrate::migrate_to(
            self.inner.bridge.clone(),
            self.inner.accelerator,
            self.long_job("migrate", vm),
            target.clone(),
            options.clone(),
            progress,
        );
        // In a task of its own: a caller that goes away must not take the deadline with it.
        match tokio::spawn(leading).await {
            Ok(outcome) => outcome,
            Err(source) => Err(HypervisorError::Failed {
                operation: "migrate",
                source: source.into(),
            }),
        }
    }

    async fn dirty_rate(&self, vm: Uuid, over: Duration) -> Result<Option<Bytes>> {
        let job = self.job("measure writes", Some(vm), self.limits().short);
        migrate::dirty_rate(&self.inner.bridge, job, over).await
    }

    async fn migrate_abort(&self, vm: Uuid) -> Result<()> {
        self.short("abort migration", Some(vm), move |c| migrate::abort(c, vm))
            .await
    }

    async fn set_memory_target(&self, vm: Uuid, target: Bytes) -> Result<()> {
        self.short("set memory", Some(vm), move |c| {
            statistics::set_memory_target(c, vm, target)
        })
        .await
    }

    async fn set_vcpus(&self, vm: Uuid, count: u32) -> Result<()> {
        self.short("set virtual CPUs", Some(vm), move |c| {
            statistics::set_vcpus(c, vm, count)
        })
        .await
    }

    async fn set_cpu_tuning(&self, vm: Uuid, tuning: &CpuTuning) -> Result<()> {
        let tuning = tuning.clone();
        self.short("set processor shares", Some(vm), move |c| {
            tuning::set(c, vm, &tuning)
        })
        .await
    }

    async fn put_tpm_state(&self, vm: Uuid, state: Option<&[u8]>) -> Result<()> {
        tpm::put(&self.inner.config.tpm_dir, vm, state).await
    }

    async fn tpm_state(&self, vm: Uuid) -> Result<Option<Vec<u8>>> {
        tpm::read(&self.inner.config.tpm_dir, vm).await
    }

    async fn consoles(&self, vm: Uuid) -> Result<ConsoleEndpoints> {
        self.short("consoles", Some(vm), move |c| statistics::consoles(c, vm))
            .await
    }

    async fn statistics(&self, vm: Uuid) -> Result<DomainStatistics> {
        self.short("statistics", Some(vm), move |c| statistics::statistics(c, vm))
            .await
    }

    async fn all_statistics(&self) -> Result<BTreeMap<Uuid, CountedDomain>> {
        let numbers = self.inner.numbers.clone();
        self.short("all statistics", None, move |c| bulk::all_statistics(c, &numbers))
            .await
    }

    async fn host_statistics(&self) -> Result<HostStatistics> {
        tokio::task::spawn_blocking(bulk::host_statistics)
            .await
            .map_err(|source| HypervisorError::Failed {
                operation: "host statistics",
                source: source.into(),
            })
    }

    async fn foreign(&self) -> Result<Vec<ForeignDomain>> {
        self.short("list others' domains", None, adopt::list).await
    }

    async fn definition(&self, vm: Uuid) -> Result<Option<String>> {
        self.short("read definition", Some(vm), move |c| adopt::definition(c, vm))
            .await
    }

    async fn adopt(&self, vm: Uuid, operation: &str, numbers: &DeviceNumbers) -> Result<Domain> {
        let (operation, numbers) = (operation.to_owned(), numbers.clone());
        self.short("adopt", Some(vm), move |c| {
            adopt::adopt(c, vm, &operation, &numbers)
        })
        .await
    }

    async fn disown(&self, vm: Uuid, definition: Option<&str>) -> Result<()> {
        let definition = definition.map(str::to_owned);
        self.short("disown", Some(vm), move |c| {
            adopt::disown(c, vm, definition.as_deref())
        })
        .await
    }

    async fn drift(&self, spec: &DomainSpec) -> Result<Vec<String>> {
        let (vm, spec) = (spec.uuid, spec.clone());
        self.short("look for changes", Some(vm), move |c| drift::look(c, &spec))
            .await
    }

    async fn guest_agent(&self, vm: Uuid, command: &str) -> Result<String> {
        let (command, patience) = (command.to_owned(), self.limits().agent);
        let seconds = i32::try_from(patience.as_secs().max(1)).unwrap_or(i32::MAX);
        self.short("guest agent", Some(vm), move |c| {
            Ok(find(c, vm)?.qemu_agent_command(&command, seconds, 0)?)
        })
        .await
    }

    fn events(&self) -> broadcast::Receiver<DomainEvent> {
        self.inner.bridge.events()
    }
}
