//! What is counted on this host: the archives, where they are kept, and what may be asked of them.
//!
//! ```text
//! sampler ── every 5 s ──► Collection (memory) ── every 10 minutes, and when a domain goes ──► files
//!    └─ a domain that is new here: the newest archives among own files and other hosts' go on
//! ```

mod files;
pub(crate) mod sampler;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use node_commands::{CommandError, CommandErrorKind, DataSource, HostReply, Measured};
use node_metrics::exposition::{self, NodeState};
use node_metrics::figures::Sample;
use node_metrics::{Collection, Description, Owner, Query, QueryError, Rrd, Xport, dump, stored};
use uuid::Uuid;

use crate::operations::Outcome;
use files::Files;

/// Other hosts' archives of a VM.
#[async_trait]
pub trait ArchiveSource: Send + Sync {
    /// The archives of a VM that other hosts have. Bounded in time.
    async fn archives_of(&self, vm: Uuid) -> Elsewhere;
}

/// What other hosts have of a VM's archives.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// As [`Metrics::stored`] gives them, in any order.
    pub archives: Vec<Bytes>,
    /// Whether a host did not answer: it may have newer ones.
    pub incomplete: bool,
}

/// The newest archives of a VM that were found.
pub(crate) struct Newest {
    pub(crate) rrd: Option<Rrd>,
    /// See [`Elsewhere::incomplete`].
    pub(crate) incomplete: bool,
}

/// How archives are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// rrdtool's XML.
    Xml,
    /// The same in JSON.
    Json,
}

/// All figures of one host.
pub struct Metrics {
    collection: Mutex<Collection>,
    /// Archives of domains that are gone, until they are in their files.
    departing: Mutex<HashMap<Uuid, Rrd>>,
    files: Files,
    elsewhere: OnceLock<Arc<dyn ArchiveSource>>,
}

impl Metrics {
    /// Reads the host's own archives.
    pub(crate) async fn load(host: Uuid, folder: PathBuf) -> io::Result<Metrics> {
        let files = Files::open(folder).await?;
        let mut collection = Collection::new(host);
        if let Some(rrd) = files.read(Owner::Host).await {
            collection.restore(Owner::Host, rrd);
        }
        Ok(Metrics {
            collection: Mutex::new(collection),
            departing: Mutex::default(),
            files,
            elsewhere: OnceLock::new(),
        })
    }

    /// Says where archives of VMs that come here may be found. Only the first call has an effect.
    pub fn ask_elsewhere(&self, source: Arc<dyn ArchiveSource>) {
        let _ = self.elsewhere.set(source);
    }

    fn collection(&self) -> MutexGuard<'_, Collection> {
        self.collection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows since a moment: of the host if asked for, of these VMs, or of all of them that run here.
    pub fn updates(&self, query: Query, with_host: bool, vms: Option<&[Uuid]>) -> Xport {
        self.collection().updates(query, with_host, vms)
    }

    /// Whether the owner is counted here now.
    pub fn is_here(&self, owner: Owner) -> bool {
        self.collection().has(owner)
    }

    /// An owner's archives written out; also those of a VM that ran here last and runs nowhere now.
    pub async fn archives(&self, owner: Owner, form: Form) -> Option<String> {
        let rrd = self.find(owner).await?;
        Some(match form {
            Form::Xml => dump::xml(&rrd),
            Form::Json => dump::json(&rrd),
        })
    }

    /// A VM's archives written out, from this host or the newest that any other has.
    pub async fn archives_from_anywhere(&self, vm: Uuid, form: Form) -> Option<String> {
        let rrd = self.newest(vm, self.find(Owner::Vm(vm)).await).await.rrd?;
        Some(match form {
            Form::Xml => dump::xml(&rrd),
            Form::Json => dump::json(&rrd),
        })
    }

    /// A VM's archives as other hosts take them in.
    pub async fn stored(&self, vm: Uuid) -> Option<Vec<u8>> {
        self.find(Owner::Vm(vm)).await.map(|rrd| stored::encode(&rrd))
    }

    async fn find(&self, owner: Owner) -> Option<Rrd> {
        let in_memory = self.in_memory(owner);
        match in_memory {
            Some(rrd) => Some(rrd),
            None => self.files.read(owner).await,
        }
    }

    fn in_memory(&self, owner: Owner) -> Option<Rrd> {
        let here = self.collection().archives(owner).cloned();
        match (here, owner) {
            (Some(rrd), _) => Some(rrd),
            (None, Owner::Vm(vm)) => self.departing().get(&vm).cloned(),
            (None, Owner::Host) => None,
        }
    }

    fn departing(&self) -> MutexGuard<'_, HashMap<Uuid, Rrd>> {
        self.departing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a sample, and puts the archives of domains that are gone into their files.
    pub(crate) async fn take(&self, sample: Sample) {
        let gone = {
            let mut collection = self.collection();
            let gone = collection.take(sample);
            // Before anyone can look: they are always in one place or the other.
            self.departing().extend(gone.iter().cloned());
            gone
        };
        for (vm, rrd) in gone {
            self.files.write(Owner::Vm(vm), stored::encode(&rrd)).await;
            self.departing().remove(&vm);
        }
    }

    /// The newest archives of a VM among these and other hosts'.
    async fn newest(&self, vm: Uuid, own: Option<Rrd>) -> Newest {
        let others = match self.elsewhere.get() {
            Some(source) => source.archives_of(vm).await,
            None => Elsewhere::default(),
        };
        let read = others
            .archives
            .iter()
            .filter_map(|bytes| match stored::decode(bytes) {
                Ok(rrd) => Some(rrd),
                Err(error) => {
                    tracing::warn!(%vm, %error, "archives of another host do not read");
                    None
                }
            });
        Newest {
            rrd: own.into_iter().chain(read).max_by_key(Rrd::updated),
            incomplete: others.incomplete,
        }
    }

    /// The last sample as Prometheus reads it.
    pub fn exposition(&self, node: &NodeState) -> String {
        let collection = self.collection();
        exposition::text(collection.host(), collection.last(), node)
    }

    /// Writes all archives to disk.
    pub async fn save(&self) {
        let all: Vec<(Owner, Vec<u8>)> = {
            let collection = self.collection();
            collection
                .owners()
                .filter_map(|owner| Some((owner, stored::encode(collection.archives(owner)?))))
                .collect()
        };
        for (owner, bytes) in all {
            self.files.write(owner, bytes).await;
        }
    }

    pub(crate) fn data_sources(&self, of: Measured) -> Outcome {
        let Some(owner) = owner(of) else {
            return Ok(HostReply::DataSources(Vec::new()));
        };
        let collection = self.collection();
        let sources = collection.sources(owner).unwrap_or_default();
        let described = sources
            .into_iter()
            .map(|source| {
                let value = collection.query(owner, &source.source.name).ok();
                described(source, value)
            })
            .collect();
        Ok(HostReply::DataSources(described))
    }

    pub(crate) fn query_data_source(&self, of: Measured, name: &str) -> Outcome {
        let owner = owner(of).ok_or_else(|| refused(&QueryError::NoArchives))?;
        let value = self.collection().query(owner, name);
        let value = value.map_err(|error| refused(&error))?;
        Ok(HostReply::Number(known(value)))
    }

    pub(crate) fn record_data_source(&self, of: Measured, name: &str) -> Outcome {
        let owner = owner(of).ok_or_else(|| refused(&QueryError::NoArchives))?;
        let recorded = self.collection().record(owner, name);
        recorded
            .map(|()| HostReply::Done)
            .map_err(|error| refused(&error))
    }

    pub(crate) fn forget_data_source(&self, of: Measured, name: &str) -> Outcome {
        let owner = owner(of).ok_or_else(|| refused(&QueryError::NoArchives))?;
        let forgotten = self.collection().forget(owner, name);
        forgotten
            .map(|()| HostReply::Done)
            .map_err(|error| refused(&error))
    }
}

/// Repositories have no figures of their own: what VMs do to one is counted with the host.
fn owner(of: Measured) -> Option<Owner> {
    match of {
        Measured::Host => Some(Owner::Host),
        Measured::Vm(vm) => Some(Owner::Vm(vm)),
        Measured::Sr(_) => None,
    }
}

fn refused(error: &QueryError) -> CommandError {
    CommandError::new(CommandErrorKind::NoSuchDataSource, error.to_string())
}

fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn described(source: Description, value: Option<f64>) -> DataSource {
    DataSource {
        name: source.source.name,
        description: source.description,
        enabled: source.enabled,
        standard: source.standard,
        units: source.units,
        min: known(source.source.min),
        max: known(source.source.max),
        value: value.and_then(known),
    }
}
