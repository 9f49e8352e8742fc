//! The archives of everything on one host: what is sampled goes in, what is asked for comes out.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::export::{Query, Xport};
use crate::figures::{self, Sample};
use crate::rrd::{Detail, Rrd};
use crate::source::{Measure, Moment, Raw, Source};

/// Whose archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The host.
    Host,
    /// A VM.
    Vm(Uuid),
}

/// A source as clients are told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The source.
    pub source: Source,
    /// For people.
    pub description: String,
    /// The unit of its values.
    pub units: String,
    /// Whether it is archived.
    pub enabled: bool,
    /// Whether it is archived without being asked for.
    pub standard: bool,
}

/// A source that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing is archived of that owner.
    #[error("nothing is archived of it on this host")]
    NoArchives,
    /// The owner has no source of that name.
    #[error("there is no data source {name}")]
    NoSource {
        /// The name.
        name: String,
    },
}

/// One owner's archives and the sources it had in the last sample.
#[derive(Debug)]
struct Entry {
    rrd: Rrd,
    live: Vec<Measure>,
    /// The hypervisor's number of the domain.
    id: i64,
}

impl Entry {
    fn new(at: Moment, owner: Owner) -> Entry {
        let detail = match owner {
            Owner::Host => Detail::Extremes,
            Owner::Vm(_) => Detail::Averages,
        };
        Entry {
            rrd: Rrd::new(at, detail),
            live: Vec::new(),
            id: 0,
        }
    }

    fn take(&mut self, at: Moment, live: Vec<Measure>) {
        for measure in live.iter().filter(|m| m.standard) {
            self.rrd.add(measure.source.clone());
        }
        let values: HashMap<&str, Raw> = live.iter().map(|m| (m.source.name.as_str(), m.value)).collect();
        self.rrd.update(at, &values);
        self.live = live;
    }
}

/// All archives of a host.
#[derive(Debug)]
pub struct Collection {
    host: Uuid,
    entries: BTreeMap<Owner, Entry>,
    last: Option<Sample>,
}

impl Collection {
    /// Nothing yet.
    pub fn new(host: Uuid) -> Collection {
        Collection {
            host,
            entries: BTreeMap::new(),
            last: None,
        }
    }

    /// The last sample.
    pub fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    /// The host that is sampled.
    pub fn host(&self) -> Uuid {
        self.host
    }

    /// Whether there are archives of an owner.
    pub fn has(&self, owner: Owner) -> bool {
        self.entries.contains_key(&owner)
    }

    /// Owners whose archives are here.
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        self.entries.keys().copied()
    }

    /// Puts in archives that were kept elsewhere. Those that are here already and reach further are left.
    pub fn restore(&mut self, owner: Owner, rrd: Rrd) {
        let newer = self
            .entries
            .get(&owner)
            .is_some_and(|entry| entry.rrd.updated() >= rrd.updated());
        if !newer {
            let entry = Entry {
                rrd,
                ..Entry::new(Moment::default(), owner)
            };
            self.entries.insert(owner, entry);
        }
    }

    /// Puts archives of a VM that were found late in place of those begun meanwhile, whose few samples are given up. Nothing
    /// if the VM is not here any more.
    pub fn go_on_with(&mut self, vm: Uuid, mut rrd: Rrd) {
        if let Some(entry) = self.entries.get_mut(&Owner::Vm(vm)) {
            // Its last measures are those of another domain.
            rrd.restart();
            entry.rrd = rrd;
        }
    }

    /// Takes in a sample. Archives of VMs that are not in it are handed back: their domains are gone.
    ///
    /// A VM whose processors stand still keeps the archives it has: while memory is carried in from another host its
    /// figures mean nothing.
    pub fn take(&mut self, sample: Sample) -> Vec<(Uuid, Rrd)> {
        let at = sample.at;
        let host = figures::of_host(&sample, self.last.as_ref());
        self.entry(at, Owner::Host).take(at, host);
        for (vm, counted) in &sample.domains {
            let same = self
                .last
                .as_ref()
                .and_then(|last| last.domains.get(vm))
                .filter(|before| before.id == counted.id);
            if !counted.running && !self.has(Owner::Vm(*vm)) {
                continue;
            }
            let measures = figures::of_vm(counted, same);
            let entry = self.entry(at, Owner::Vm(*vm));
            if entry.id != counted.id {
                entry.id = counted.id;
                entry.rrd.restart();
            }
            if counted.running {
                entry.take(at, measures);
            }
        }
        let gone: Vec<Uuid> = self
            .entries
            .keys()
            .filter_map(|owner| match owner {
                Owner::Vm(vm) if !sample.domains.contains_key(vm) => Some(*vm),
                _ => None,
            })
            .collect();
        self.last = Some(sample);
        gone.into_iter()
            .filter_map(|vm| Some((vm, self.entries.remove(&Owner::Vm(vm))?.rrd)))
            .collect()
    }

    /// Takes in a sample of the host while its domains could not be counted: their archives stay as they are, and get a
    /// gap. What they were last is what the host's figures go by.
    pub fn take_host(&mut self, mut sample: Sample) {
        if let Some(last) = &self.last {
            sample.domains.clone_from(&last.domains);
        }
        let measures = figures::of_host(&sample, None);
        self.entry(sample.at, Owner::Host).take(sample.at, measures);
    }

    fn entry(&mut self, at: Moment, owner: Owner) -> &mut Entry {
        self.entries.entry(owner).or_insert_with(|| Entry::new(at, owner))
    }

    /// An owner's archives.
    pub fn archives(&self, owner: Owner) -> Option<&Rrd> {
        self.entries.get(&owner).map(|entry| &entry.rrd)
    }

    /// An owner's sources by name: those of the last sample, and those that only archives know.
    pub fn sources(&self, owner: Owner) -> Option<Vec<Description>> {
        let entry = self.entries.get(&owner)?;
        let archived: HashMap<&str, &Source> = entry.rrd.sources().map(|s| (s.name.as_str(), s)).collect();
        let mut all: BTreeMap<&str, Description> = archived
            .values()
            .map(|source| {
                let description = Description {
                    source: (*source).clone(),
                    description: "Not measured at present".to_owned(),
                    units: "unknown".to_owned(),
                    enabled: false,
                    standard: false,
                };
                (source.name.as_str(), description)
            })
            .collect();
        for measure in &entry.live {
            let description = Description {
                source: measure.source.clone(),
                description: measure.description.clone(),
                units: measure.units.to_owned(),
                enabled: archived.contains_key(measure.source.name.as_str()),
                standard: measure.standard,
            };
            all.insert(&measure.source.name, description);
        }
        Some(all.into_values().collect())
    }

    /// The newest value of an archived source; not-a-number while it is not known.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn query(&self, owner: Owner, name: &str) -> Result<f64, QueryError> {
        let entry = self.entries.get(&owner).ok_or(QueryError::NoArchives)?;
        entry.rrd.current(name).ok_or_else(|| no_source(name))
    }

    /// Begins to archive a source that is measured.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn record(&mut self, owner: Owner, name: &str) -> Result<(), QueryError> {
        let entry = self.entries.get_mut(&owner).ok_or(QueryError::NoArchives)?;
        let measure = entry.live.iter().find(|m| m.source.name == name);
        let source = measure.ok_or_else(|| no_source(name))?.source.clone();
        entry.rrd.add(source);
        Ok(())
    }

    /// Drops the archives of a source. One that is archived without being asked for begins anew.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn forget(&mut self, owner: Owner, name: &str) -> Result<(), QueryError> {
        let entry = self.entries.get_mut(&owner).ok_or(QueryError::NoArchives)?;
        if entry.rrd.remove(name) {
            Ok(())
        } else {
            Err(no_source(name))
        }
    }

    /// What has come since a moment, of the host if asked for and of these VMs (all if there are none named).
    pub fn updates(&self, query: Query, with_host: bool, vms: Option<&[Uuid]>) -> Xport {
        let mut parts: Vec<(String, &Rrd)> = Vec::new();
        for (owner, entry) in &self.entries {
            let prefix = match owner {
                Owner::Host if with_host => format!("host:{}:", self.host),
                Owner::Vm(vm) if vms.is_none_or(|wanted| wanted.contains(vm)) => format!("vm:{vm}:"),
                Owner::Host | Owner::Vm(_) => continue,
            };
            parts.push((prefix, &entry.rrd));
        }
        Xport::new(&parts, query)
    }
}

fn no_source(name: &str) -> QueryError {
    QueryError::NoSource {
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod test;
