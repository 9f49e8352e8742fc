//! The repositories that this host has plugged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::driver::{CreateSr, DeviceConfig, DriverDescription, PluggedSr, ProbedSr};
use crate::error::{Result, StorageError};
use crate::registry::Drivers;

#[cfg(test)]
mod test;

/// The longest that making, removing, probing, plugging or unplugging may take, waiting for another such call on the
/// same repository included. Drivers have shorter limits of their own; this one holds even if a driver has none.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs a call within the deadline.
async fn bounded<T>(operation: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or(Err(StorageError::TimedOut {
            operation,
            after: DEADLINE,
        }))
}

/// What is to be plugged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlugRequest {
    /// The repository.
    pub sr: Uuid,
    /// Its type, such as `file`.
    pub kind: String,
    /// Where it is; secrets resolved.
    pub config: DeviceConfig,
}

/// The plugged repositories of this host. Calls on different repositories do not wait for one another, so a
/// dead one disturbs no other.
pub struct SrTable {
    drivers: Drivers,
    entries: Mutex<BTreeMap<Uuid, Arc<Entry>>>,
}

/// One repository; its mutex orders plug and unplug.
#[derive(Default)]
struct Entry {
    state: tokio::sync::Mutex<Option<Plugged>>,
    /// The same, readable without waiting for a plug that is under way.
    current: Mutex<Option<Arc<dyn PluggedSr>>>,
}

struct Plugged {
    request: PlugRequest,
    handle: Arc<dyn PluggedSr>,
}

impl SrTable {
    /// A table with nothing plugged.
    pub fn new(drivers: Drivers) -> SrTable {
        SrTable {
            drivers,
            entries: Mutex::new(BTreeMap::new()),
        }
    }

    /// What the SM records of this host say.
    pub fn descriptions(&self) -> impl Iterator<Item = &'static DriverDescription> {
        self.drivers.descriptions()
    }

    /// Makes a repository; see [`crate::SrDriver::create`]. It is not plugged by that.
    pub async fn create(&self, kind: &str, request: &CreateSr) -> Result<()> {
        bounded("create repository", self.drivers.get(kind)?.create(request)).await
    }

    /// Removes a repository with all it wrote. It must not be plugged here.
    ///
    /// # Errors
    /// [`StorageError::PluggedOtherwise`] if it is plugged, else as [`crate::SrDriver::destroy`].
    pub async fn destroy(&self, request: &PlugRequest) -> Result<()> {
        bounded("destroy repository", self.destroy_in_turn(request)).await
    }

    async fn destroy_in_turn(&self, request: &PlugRequest) -> Result<()> {
        let driver = self.drivers.get(&request.kind)?;
        let entry = self.entry(request.sr);
        let state = entry.state.lock().await;
        if state.is_some() {
            return Err(StorageError::PluggedOtherwise { sr: request.sr });
        }
        driver.destroy(request.sr, &request.config).await
    }

    /// Looks for repositories at a place.
    pub async fn probe(&self, kind: &str, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        bounded("probe", self.drivers.get(kind)?.probe(config)).await
    }

    /// Plugs a repository. Plugging it twice with the same configuration succeeds and answers the same handle.
    ///
    /// # Errors
    /// [`StorageError::PluggedOtherwise`] if it is plugged with another configuration.
    pub async fn plug(&self, request: &PlugRequest) -> Result<Arc<dyn PluggedSr>> {
        bounded("plug repository", self.plug_in_turn(request)).await
    }

    async fn plug_in_turn(&self, request: &PlugRequest) -> Result<Arc<dyn PluggedSr>> {
        let driver = self.drivers.get(&request.kind)?;
        let entry = self.entry(request.sr);
        let mut state = entry.state.lock().await;
        if let Some(plugged) = state.as_ref() {
            return if plugged.request == *request {
                Ok(plugged.handle.clone())
            } else {
                Err(StorageError::PluggedOtherwise { sr: request.sr })
            };
        }
        let handle = driver.plug(request.sr, &request.config).await?;
        *entry.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.clone());
        *state = Some(Plugged {
            request: request.clone(),
            handle: handle.clone(),
        });
        tracing::info!(sr = %request.sr, kind = %request.kind, "repository plugged");
        Ok(handle)
    }

    /// Unplugs a repository. Succeeds if it was not plugged.
    pub async fn unplug(&self, sr: Uuid) -> Result<()> {
        bounded("unplug repository", self.unplug_in_turn(sr)).await
    }

    async fn unplug_in_turn(&self, sr: Uuid) -> Result<()> {
        let entry = self.entry(sr);
        let mut state = entry.state.lock().await;
        let Some(plugged) = state.as_ref() else {
            return Ok(());
        };
        plugged.handle.unplug().await?;
        *entry.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *state = None;
        tracing::info!(%sr, "repository unplugged");
        Ok(())
    }

    /// A plugged repository.
    ///
    /// # Errors
    /// [`StorageError::NotPlugged`].
    pub fn get(&self, sr: Uuid) -> Result<Arc<dyn PluggedSr>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .get(&sr)
            .and_then(|entry| {
                entry
                    .current
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone()
            })
            .ok_or(StorageError::NotPlugged { sr })
    }

    /// The uuids of what is plugged, in order.
    pub fn plugged(&self) -> Vec<Uuid> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .filter(|(_, entry)| {
                entry
                    .current
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_some()
            })
            .map(|(sr, _)| *sr)
            .collect()
    }

    fn entry(&self, sr: Uuid) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.entry(sr).or_default().clone()
    }
}
