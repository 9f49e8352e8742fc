//! Domains that others started: taken over as they run, and given back if the pool cannot keep them.

use std::path::{Path, PathBuf};

use node_commands::{CommandError, CommandErrorKind, DiskRequest, HostReply};
use node_hypervisor::{DeviceNumbers, DiskSource, ForeignDomain, HypervisorError};
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::durable;
use crate::operations::Outcome;

impl Agent {
    /// Where what libvirt knew of a domain is kept once it is the pool's.
    fn kept_definition(&self, vm: Uuid) -> PathBuf {
        self.inner.settings.adopted_dir.join(format!("{vm}.xml"))
    }

    /// Makes a domain the pool's.
    pub(crate) async fn adopt_domain(&self, vm: Uuid, start_id: Uuid, disks: &[DiskRequest]) -> Outcome {
        let operation = start_id.to_string();
        if let Some(there) = self.inner.hypervisor.state(vm).await?
            && there.operation.as_deref() == Some(operation.as_str())
        {
            return Ok(HostReply::Domain(Some(there)));
        }
        let all = self.inner.hypervisor.foreign().await?;
        let domain = all
            .into_iter()
            .find(|domain| domain.uuid == vm)
            .ok_or(HypervisorError::NoSuchDomain { vm })?;
        if let Some(obstacle) = domain.obstacles.first() {
            return Err(CommandError::new(CommandErrorKind::Unsupported, obstacle.clone()));
        }
        let numbers = DeviceNumbers::of(&domain);
        let taken = self.take(&domain, &operation, &numbers, disks).await;
        if taken.is_err() && !self.is_ours(vm).await {
            self.release_domain(vm).await;
        }
        taken
    }

    async fn take(
        &self,
        domain: &ForeignDomain,
        operation: &str,
        numbers: &DeviceNumbers,
        disks: &[DiskRequest],
    ) -> Outcome {
        let vm = domain.uuid;
        // Before it is the pool's, as before a start: the watchdog ends only those that it knows.
        self.inner
            .known
            .add(vm)
            .map_err(|error| convert::files("note a guest for the watchdog", &error))?;
        let mut spec = domain.spec(operation, numbers);
        for disk in &mut spec.disks {
            let request = disks.iter().find(|request| request.userdevice == disk.index.0);
            let opened = match request {
                Some(request) => self.open_disk(vm, request).await?.source,
                None => DiskSource::Empty,
            };
            if !same(&disk.source, &opened).await {
                return Err(convert::bad_spec(format!(
                    "{} is another image than its volume",
                    disk.index
                )));
            }
            disk.source = opened;
        }
        if let Some(variables) = &domain.uefi {
            self.keep_variables(vm, variables).await?;
        }
        self.keep_definition(vm).await?;
        let adopted = self.inner.hypervisor.adopt(vm, operation, numbers).await?;
        self.remember(vm, spec).await;
        Ok(HostReply::Domain(Some(adopted)))
    }

    /// Before it is taken away. One that is gone already was kept by an earlier attempt.
    async fn keep_definition(&self, vm: Uuid) -> Result<(), CommandError> {
        let Some(definition) = self.inner.hypervisor.definition(vm).await? else {
            return Ok(());
        };
        let kept = async {
            tokio::fs::create_dir_all(&self.inner.settings.adopted_dir).await?;
            durable::replace(&self.kept_definition(vm), definition.as_bytes()).await
        };
        kept.await
            .map_err(|error| convert::files("keep a definition", &error))
    }

    /// Its next start finds the firmware's variables where those of the pool's guests are.
    async fn keep_variables(&self, vm: Uuid, variables: &Path) -> Result<(), CommandError> {
        let folder = &self.inner.settings.nvram_dir;
        let linked = async {
            tokio::fs::create_dir_all(folder).await?;
            tokio::fs::symlink(variables, folder.join(format!("{vm}.fd"))).await
        };
        match linked.await {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(convert::files("link the firmware's variables", &error))
            }
            _ => Ok(()),
        }
    }

    /// Whether a domain is the pool's; if that cannot be said, it may be.
    async fn is_ours(&self, vm: Uuid) -> bool {
        match self.inner.hypervisor.state(vm).await {
            Ok(found) => found.is_some_and(|domain| domain.operation.is_some()),
            Err(_) => true,
        }
    }

    /// Gives a domain back.
    pub(crate) async fn disown_domain(&self, vm: Uuid) -> Outcome {
        let kept = self.kept_definition(vm);
        let definition = match tokio::fs::read_to_string(&kept).await {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(convert::files("read a definition", &error)),
        };
        self.inner.hypervisor.disown(vm, definition.as_deref()).await?;
        self.release_domain(vm).await;
        if definition.is_some()
            && let Err(error) = tokio::fs::remove_file(&kept).await
        {
            tracing::warn!(%vm, %error, "a definition that is in use again stays kept");
        }
        Ok(HostReply::Done)
    }
}

/// Whether two sources are one and the same image: files by what they really are.
async fn same(one: &DiskSource, other: &DiskSource) -> bool {
    match (one, other) {
        (DiskSource::File { path: a, format: f }, DiskSource::File { path: b, format: g }) => {
            let real = (tokio::fs::canonicalize(a).await, tokio::fs::canonicalize(b).await);
            matches!(real, (Ok(a), Ok(b)) if a == b) && f == g
        }
        _ => one == other,
    }
}
