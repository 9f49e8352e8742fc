//! Domains: from the leader's description to one the hypervisor can start, and their ends.

use std::path::{Component, Path, PathBuf};

use node_commands::{
    BootRequest, CommandError, CommandErrorKind, DomainRequest, Fate, FirmwareRequest, HostReply,
};
use node_hypervisor::{Boot, Bytes, CpuTuning, DomainSpec, Firmware, FwCfg, MemorySpec, StartMode, VcpuSpec};
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::operations::Outcome;

/// What the names of values begin with that the guest can read.
const GUEST_DATA: &str = "opt/tarn/";
/// QEMU takes no longer names.
const LONGEST_NAME: usize = 55;

/// A file, if it lies in one of the folders; links are followed first.
pub(crate) async fn within(path: &Path, folders: &[PathBuf]) -> Result<PathBuf, CommandError> {
    let forbidden =
        |why: &str| CommandError::new(CommandErrorKind::Forbidden, format!("{}: {why}", path.display()));
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(forbidden("not a plain absolute path"));
    }
    let real = tokio::fs::canonicalize(path)
        .await
        .map_err(|error| forbidden(&error.to_string()))?;
    for folder in folders {
        if let Ok(folder) = tokio::fs::canonicalize(folder).await
            && real.starts_with(&folder)
        {
            return Ok(real);
        }
    }
    Err(forbidden("not in a folder that this host allows"))
}

/// The values that the guest may read: `vm-data` of the VM's `xenstore_data`.
fn guest_data(request: &DomainRequest) -> Result<Vec<FwCfg>, CommandError> {
    let mut values = Vec::new();
    for (key, value) in &request.guest_data {
        let key = key.trim_start_matches('/');
        if !key.starts_with("vm-data") {
            continue;
        }
        let name = format!("{GUEST_DATA}{key}");
        if name.len() > LONGEST_NAME {
            return Err(convert::bad_spec(format!(
                "{key:?} is longer than guests can be told"
            )));
        }
        values.push(FwCfg {
            name,
            value: value.clone(),
        });
    }
    Ok(values)
}

impl Agent {
    /// Makes the bridges, opens the volumes, and describes the domain to the hypervisor.
    pub(crate) async fn build(&self, request: &DomainRequest) -> Result<DomainSpec, CommandError> {
        let vm = request.vm;
        // Before there can be a guest: the watchdog ends only those that it knows.
        self.inner
            .known
            .add(vm)
            .map_err(|error| convert::files("note a guest for the watchdog", &error))?;
        let settings = &self.inner.settings;
        let mut spec = DomainSpec::new(
            request.start_id.to_string(),
            vm,
            &request.name,
            request.memory_static_max,
        );
        spec.memory = MemorySpec {
            maximum: request.memory_static_max,
            target: request.memory_target.min(request.memory_static_max),
        };
        spec.vcpus = VcpuSpec {
            maximum: request.vcpus_max,
            at_startup: request.vcpus_at_startup,
        };
        spec.cpu = request.cpu.clone();
        spec.firmware = match request.firmware {
            FirmwareRequest::Bios => Firmware::Bios,
            FirmwareRequest::Uefi {
                secure_boot,
                enrolled_keys,
                ..
            } => Firmware::Uefi {
                secure_boot,
                enrolled_keys,
                nvram: settings.nvram_dir.join(format!("{vm}.fd")),
            },
        };
        spec.boot = match &request.boot {
            BootRequest::Devices(order) => Boot::Devices(order.clone()),
            BootRequest::Kernel {
                kernel,
                ramdisk,
                args,
            } => Boot::Kernel {
                kernel: within(kernel, &settings.boot_dirs).await?,
                initrd: match ramdisk {
                    Some(path) => Some(within(path, &settings.boot_dirs).await?),
                    None => None,
                },
                args: args.clone(),
            },
        };
        spec.fw_cfg = guest_data(request)?;
        spec.bios_strings.clone_from(&request.bios_strings);
        spec.tpm = request.tpm.is_some();
        spec.usb = self.find_usb(&request.usb).await?;
        spec.end_actions = request.end_actions;
        spec.platform = request.platform;
        spec.serial_log = Some(settings.console_dir.join(format!("{vm}.log")));
        spec.vnc_socket = request
            .graphical_console
            .then(|| settings.console_dir.join(format!("{vm}.vnc")));
        for nic in &request.nics {
            spec.nics.push(self.open_nic(vm, nic).await?);
        }
        for disk in &request.disks {
            spec.disks.push(self.open_disk(vm, disk).await?);
        }
        Ok(spec)
    }

    pub(crate) async fn start_domain(&self, request: &DomainRequest, mode: StartMode) -> Outcome {
        let vm = request.vm;
        let refuse_rival = self.refuse_rival(request).await;
        refuse_rival?;
        let started = async {
            self.inner.migrations.forget_departure(request.vm);
            let spec = self.build(request).await?;
            self.lay_tpm(request).await?;
            self.clear_variables(request, &spec).await?;
            let domain = self.inner.hypervisor.start(&spec, mode).await?;
            self.remember(vm, spec).await;
            self.tune(request).await;
            Ok(HostReply::Domain(Some(domain)))
        }
        .await;
        if started.is_err() {
            self.release_if_absent(vm).await;
        }
        started
    }

    /// Takes away the firmware's variables of a domain that is to begin with new ones.
    async fn clear_variables(&self, request: &DomainRequest, spec: &DomainSpec) -> Result<(), CommandError> {
        let (FirmwareRequest::Uefi { anew: true, .. }, Firmware::Uefi { nvram, .. }) =
            (&request.firmware, &spec.firmware)
        else {
            return Ok(());
        };
        if self.inner.hypervisor.state(request.vm).await?.is_some() {
            // A repeated start finds its domain, which has begun with new ones.
            return Ok(());
        }
        match tokio::fs::remove_file(nvram).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CommandError::new(
                CommandErrorKind::Internal,
                format!("remove {}: {error}", nvram.display()),
            )),
            _ => Ok(()),
        }
    }

    /// Shares of the host's processors. A guest without them runs all the same: the host may have no way to keep them.
    async fn tune(&self, request: &DomainRequest) {
        if request.tuning == CpuTuning::default() {
            return;
        }
        let set = self.inner.hypervisor.set_cpu_tuning(request.vm, &request.tuning);
        if let Err(error) = set.await {
            tracing::warn!(vm = %request.vm, %error, "shares of processors are not kept");
        }
    }

    /// Refuses a start before it opens volumes, if another start's domain is here: its notes must not be overwritten.
    pub(crate) async fn refuse_rival(&self, request: &DomainRequest) -> Result<(), CommandError> {
        let mine = request.start_id.to_string();
        match self.inner.hypervisor.state(request.vm).await? {
            Some(domain) if domain.operation.as_deref() != Some(mine.as_str()) => {
                Err(node_hypervisor::HypervisorError::AlreadyExists {
                    vm: request.vm,
                    by: domain.operation,
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn remember(&self, vm: Uuid, spec: DomainSpec) {
        if let Err(error) = self.inner.holdings.made_from(vm, spec).await {
            tracing::warn!(%vm, %error, "what a domain was made from was not written");
        }
    }

    /// Notes that a domain is made another way now. What is not written is lost only when the node restarts.
    pub(crate) async fn note(&self, vm: Uuid, change: impl FnOnce(&mut DomainSpec) + Send) {
        if let Err(error) = self.inner.holdings.change(vm, change).await {
            tracing::warn!(%vm, %error, "what a domain is made of was not written");
        }
    }

    pub(crate) async fn set_memory_target(&self, vm: Uuid, target: Bytes) -> Outcome {
        self.inner.hypervisor.set_memory_target(vm, target).await?;
        self.note(vm, |spec| spec.memory.target = target).await;
        Ok(HostReply::Done)
    }

    pub(crate) async fn set_vcpus(&self, vm: Uuid, count: u32) -> Outcome {
        self.inner.hypervisor.set_vcpus(vm, count).await?;
        self.note(vm, |spec| spec.vcpus.at_startup = count).await;
        Ok(HostReply::Done)
    }

    pub(crate) async fn destroy_domain(&self, vm: Uuid) -> Outcome {
        self.inner.hypervisor.destroy(vm).await?;
        self.inner.migrations.forget(vm);
        self.release_domain(vm).await;
        self.drop_spool(vm).await;
        Ok(HostReply::Done)
    }

    /// Settles one domain of a VM and no other.
    pub(crate) async fn settle_leftover(
        &self,
        vm: Uuid,
        id: i64,
        operation: Option<String>,
        fate: Fate,
    ) -> Outcome {
        let there = match self.inner.hypervisor.state(vm).await? {
            Some(there) if there.id == id && (operation.is_none() || there.operation == operation) => there,
            Some(_) | None => return Ok(HostReply::Domain(None)),
        };
        tracing::warn!(%vm, id, ?fate, "was left over");
        match fate {
            Fate::End => self.destroy_domain(vm).await?,
            Fate::GoOn => self.revive_domain(vm).await?,
            Fate::Cancel => self.cancel_incoming(vm).await?,
        };
        Ok(HostReply::Domain(Some(there)))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_path_must_lie_in_an_allowed_folder_after_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = folder.path().join("guest");
        std::fs::create_dir(&allowed).unwrap();
        std::fs::write(allowed.join("vmlinuz"), "").unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), allowed.join("link")).unwrap();
        let folders = [allowed.clone()];
        within(&allowed.join("vmlinuz"), &folders).await.unwrap();
        for bad in [
            allowed.join("link"),
            allowed.join("../secret"),
            allowed.join("gone"),
            PathBuf::from("vmlinuz"),
        ] {
            assert_eq!(
                within(&bad, &folders).await.unwrap_err().kind,
                CommandErrorKind::Forbidden,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn guests_read_only_what_is_meant_for_them() {
        let mut request = DomainRequest::new(Uuid::nil(), Uuid::nil(), "a", node_hypervisor::Bytes::mib(1));
        request.guest_data.insert("vm-data/key".into(), "1".into());
        request
            .guest_data
            .insert("device-model/secret".into(), "2".into());
        let data = guest_data(&request).unwrap();
        assert_eq!(
            data,
            [FwCfg {
                name: "opt/tarn/vm-data/key".into(),
                value: "1".into()
            }]
        );
    }
}
