//! `/import` of a virtual appliance (OVA): a VM for each machine in it, with its disks.
//!
//! ```text
//! x.ovf ──► records, empty disks ──► x-disk1.vmdk, ... each onto its disk ──► x.mf: are they what was sent?
//! ```
//! Source: DMTF DSP0243: the descriptor is the archive's first member; the manifest names digests of the others.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use futures::future::BoxFuture;
use node_images::members::{Digests, Member, Members};
use node_images::unpack::{Plain, unpack};
use node_images::{Disk, ImageError, Watch, qcow2, raw, vhd, vmdk};
use pool_domain::decide::import::DiskInArchive;
use pool_domain::decide::import_image::{self, Machine};
use pool_domain::xml::ovf;
use pool_ops::transfer::Carried;
use pool_ops::transfer::import::ImportVms;
use proto_types::{ApiError, Bytes, Ref, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use super::moving::{self, Watcher};
use super::spool::Spooled;
use super::task::HandlerTask;
use crate::api::Api;
use crate::api::ports::{HostStreams, VolumeAccess};

/// Longest descriptor, and longest manifest.
const LONGEST_TEXT: u64 = 4 << 20;
/// Bytes by which the form of a disk is told.
const FIRST: usize = 512;
/// With this a VHD begins, if it is no fixed one.
const VHD: &[u8] = b"conectix";

/// Whether an archive that begins with a member of that name is an appliance.
pub fn is_descriptor(name: &str) -> bool {
    name.to_lowercase().ends_with(".ovf")
}

/// An appliance of which the descriptor has come.
pub struct Appliance {
    members: Members<Plain<'static>>,
    /// The descriptor's own name and digests.
    descriptor: (String, Digests),
    says: ovf::Appliance,
}

/// Which disk of the pool's a file is for: by the name of the file, the record that stands for the disk.
type Targets = BTreeMap<String, Ref>;

impl Appliance {
    /// Reads the descriptor.
    ///
    /// # Errors
    /// `IMPORT_ERROR [text]` and its kin.
    pub async fn open(plain: Plain<'static>) -> Result<Appliance, ApiError> {
        let mut members = Members::new(plain);
        let read = async {
            let mut first = members.next().await?.ok_or(ImageError::Ended)?;
            let name = first.name().to_owned();
            let text = first.content(LONGEST_TEXT).await?;
            Ok((name, text, first.finish().await?))
        };
        let (name, text, digests) = read.await.map_err(moving::import_error)?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| ApiError::new("IMPORT_ERROR", ["the appliance's descriptor is no text"]))?;
        Ok(Appliance {
            says: ovf::parse(text.trim_start_matches('\u{feff}'))?,
            descriptor: (name, digests),
            members,
        })
    }

    /// Makes the VMs.
    ///
    /// # Errors
    /// Those of the import; the task has them then.
    pub async fn receive(self, api: &Arc<Api>, task: HandlerTask, storage: Ref) -> Result<Value, ApiError> {
        let db = api.ops.pool.snapshot();
        let mut reference = || Ref::from_uuid(Uuid::new_v4());
        let planned = plan(&self.says, &mut reference).and_then(|(machines, targets)| {
            let import = import_image::machines(&db, &machines, &mut reference)?;
            Ok((import.disks(&db)?, import, targets))
        });
        let (disks, import, targets) = match planned {
            Ok(planned) => planned,
            Err(error) => {
                task.finish(Err(error.clone())).await;
                return Err(error);
            }
        };
        let streams = Arc::clone(&api.streams);
        let expected = disks.clone();
        let work = Box::new(move |carried| {
            let filled = self.fill(streams, carried, expected, targets);
            Box::pin(filled) as BoxFuture<'static, _>
        });
        task.carry(ImportVms::new(import, disks, storage), work).await
    }

    async fn fill(
        mut self,
        streams: Arc<dyn HostStreams>,
        carried: Carried,
        expected: Vec<DiskInArchive>,
        mut targets: Targets,
    ) -> Result<(), ApiError> {
        let disks = moving::open(&streams, &carried, VolumeAccess::Write).await?;
        let watcher = Watcher::new(carried, disks.iter().map(|disk| disk.size()).sum());
        let disks: BTreeMap<Ref, Arc<dyn Disk>> =
            expected.iter().map(|disk| disk.reference).zip(disks).collect();
        let mut seen = BTreeMap::from([self.descriptor.clone()]);
        let mut manifest = String::new();
        let filled = async {
            while let Some(mut member) = self.members.next().await? {
                let name = member.name().to_owned();
                let target = targets.remove(&name).and_then(|reference| disks.get(&reference));
                if let Some(target) = target {
                    fill_one(&streams, &mut member, Arc::clone(target), &watcher).await?;
                } else if name.to_lowercase().ends_with(".mf") {
                    let text = member.content(LONGEST_TEXT).await?;
                    manifest = String::from_utf8_lossy(&text).into_owned();
                }
                seen.insert(name, member.finish().await?);
            }
            if let Some(missing) = targets.keys().next() {
                let text = format!("{missing} is not in the archive");
                return Err(ImageError::Malformed(text));
            }
            compare(&manifest, &seen)
        };
        let filled: Result<(), ImageError> = filled.await;
        filled.map_err(|error| watcher.error(error, moving::import_error))
    }
}

/// The machines, and which file fills which disk.
fn plan(
    says: &ovf::Appliance,
    reference: &mut dyn FnMut() -> Ref,
) -> Result<(Vec<Machine>, Targets), ApiError> {
    let mut targets = Targets::new();
    let mut machines = Vec::new();
    for machine in &says.machines {
        let mut disks = Vec::new();
        for disk in machine
            .disks
            .iter()
            .filter_map(|id| says.disks.iter().find(|disk| disk.id == *id))
        {
            let made = import_image::Disk {
                reference: reference(),
                size: Bytes(disk.capacity.get().next_multiple_of(512)).as_i64(),
            };
            let file = says
                .files
                .iter()
                .find(|file| Some(&file.id) == disk.file.as_ref());
            if let Some(file) = file
                && targets.insert(file.href.clone(), made.reference).is_some()
            {
                let text = format!("{} is the content of two disks", file.href);
                return Err(ApiError::new("IMPORT_ERROR", [text]));
            }
            disks.push(made);
        }
        machines.push(Machine {
            name: machine.name.clone(),
            description: machine.description.clone(),
            memory: machine.memory,
            processors: Some(machine.processors),
            uefi: machine.uefi,
            disks,
            cards: machine.cards,
        });
    }
    Ok((machines, targets))
}

/// Puts one file on its disk, in whichever form it comes.
async fn fill_one<R: AsyncRead + Unpin + Send>(
    streams: &Arc<dyn HostStreams>,
    member: &mut Member<'_, R>,
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let mut plain = unpack(member).await?;
    let mut first = Vec::with_capacity(FIRST);
    (&mut plain)
        .take(FIRST as u64)
        .read_to_end(&mut first)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ImageError::Ended,
            _ => ImageError::Client(error),
        })?;
    let (is_vmdk, is_qcow2, is_vhd) = (
        vmdk::is_one(&first),
        qcow2::is_one(&first),
        first.starts_with(VHD),
    );
    let mut from = Cursor::new(first).chain(plain);
    if is_vmdk {
        vmdk::read(&mut from, disk, watch).await
    } else if is_qcow2 {
        let (_spooled, source) = Spooled::open(streams, &mut from, disk.size()).await?;
        raw::copy(source, disk, watch).await
    } else if is_vhd {
        vhd::read(&mut from, disk, watch).await
    } else {
        raw::read(&mut from, disk, watch).await
    }
}

/// Compares a manifest with what came. Lines in words that are not known are passed over.
fn compare(manifest: &str, seen: &BTreeMap<String, Digests>) -> Result<(), ImageError> {
    for line in manifest.lines() {
        let Some((kind, name, said)) = digest_of(line) else {
            continue;
        };
        let Some(digests) = seen.get(name) else {
            return Err(ImageError::Malformed(format!("{name} is not in the archive")));
        };
        let (kind, found) = match kind.to_uppercase().as_str() {
            "SHA1" => ("SHA1", &digests.sha1),
            "SHA256" => ("SHA256", &digests.sha256),
            _ => continue,
        };
        if !found.eq_ignore_ascii_case(said) {
            let name = name.to_owned();
            return Err(ImageError::Checksum { kind, name });
        }
    }
    Ok(())
}

/// `SHA256(name)= digits`.
fn digest_of(line: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = line.trim().split_once('(')?;
    let (name, digits) = rest.rsplit_once(")=")?;
    Some((kind.trim(), name.trim(), digits.trim()))
}

#[cfg(test)]
mod test {
    use super::*;

    fn digests(letter: &str) -> Digests {
        Digests {
            sha1: letter.repeat(40),
            sha256: letter.repeat(64),
        }
    }

    #[test]
    fn a_manifest_is_compared_line_by_line() {
        let seen = BTreeMap::from([
            ("a (1).vmdk".to_owned(), digests("a")),
            ("b".to_owned(), digests("b")),
        ]);
        let good = format!(
            "SHA256(a (1).vmdk)= {}\r\nsha1(b)={}\n# words\nSHA512(b)= 0\n",
            "A".repeat(64),
            "b".repeat(40)
        );
        compare(&good, &seen).unwrap();
        let wrong = compare(&format!("SHA1(b)= {}", "c".repeat(40)), &seen).unwrap_err();
        assert!(
            matches!(wrong, ImageError::Checksum { kind: "SHA1", .. }),
            "{wrong}"
        );
        assert!(compare("SHA1(c)= 00", &seen).is_err(), "it did not come");
        compare("", &seen).unwrap();
    }

    #[test]
    fn a_file_fills_one_disk() {
        let disk = |id: &str| ovf::Disk {
            id: id.to_owned(),
            capacity: Bytes(1000),
            file: Some("f".to_owned()),
        };
        let machine = |disks: &[&str]| ovf::Machine {
            name: String::new(),
            description: String::new(),
            memory: None,
            processors: 1,
            uefi: false,
            disks: disks.iter().map(|id| (*id).to_owned()).collect(),
            cards: 0,
        };
        let mut says = ovf::Appliance {
            files: vec![ovf::File {
                id: "f".to_owned(),
                href: "x.vmdk".to_owned(),
            }],
            disks: vec![disk("one"), disk("two")],
            machines: vec![machine(&["one"])],
        };
        let mut reference = || Ref::from_uuid(Uuid::new_v4());
        let (machines, targets) = plan(&says, &mut reference).unwrap();
        assert_eq!(machines[0].disks[0].size, 1024, "whole sectors");
        assert_eq!(targets["x.vmdk"], machines[0].disks[0].reference);
        says.machines.push(machine(&["two"]));
        assert_eq!(plan(&says, &mut reference).unwrap_err().code, "IMPORT_ERROR");
    }
}
