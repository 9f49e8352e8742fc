//! Suspend and resume: a domain's memory goes into a volume.
//!
//! The hypervisor writes plain files only. A volume that is one takes the image as it is. For others (qcow2, or beyond a
//! network) it goes to a file of this host first, and from there into the volume, followed by one block that says how
//! long it was, since volumes are longer than what is put in.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use node_commands::{CommandError, DomainRequest, HostReply, VolumeRef};
use node_hypervisor::{DiskFormat, DiskSource, HypervisorError, StartMode};
use node_storage::Access;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::operations::Outcome;

/// What the last block begins with.
const MAGIC: &[u8; 16] = b"tarn-save-image1";
/// Size of that block.
const BLOCK: usize = 512;
/// The same.
const BLOCK_LENGTH: u64 = 512;
/// How long a copy may take; bounded so that a dead backend does not keep the VM's turn for ever.
const COPY: Duration = Duration::from_secs(3600);

impl Agent {
    fn spool(&self, vm: Uuid) -> PathBuf {
        self.inner.settings.spool_dir().join(format!("{vm}.save"))
    }

    pub(crate) async fn drop_spool(&self, vm: Uuid) {
        let _ = tokio::fs::remove_file(self.spool(vm)).await;
    }

    /// Whether memory of a domain is on its way into a volume; if that cannot be said, it may be.
    pub(crate) async fn has_spool(&self, vm: Uuid) -> bool {
        tokio::fs::try_exists(self.spool(vm)).await.unwrap_or(true)
    }

    pub(crate) async fn suspend_domain(&self, vm: Uuid, image: &VolumeRef) -> Outcome {
        let spool = self.spool(vm);
        let sr = self.plugged(image.sr)?;
        let target = sr
            .resolve(&image.location, Access::Write)
            .await
            .map_err(convert::storage)?;
        let here = self.inner.hypervisor.state(vm).await?.is_some();
        if let Some(path) = plain_file(&target) {
            let saved = if here {
                self.inner
                    .hypervisor
                    .suspend_to(vm, path)
                    .await
                    .map_err(CommandError::from)
            } else if looks_whole(path).await {
                Ok(())
            } else {
                Err(HypervisorError::NoSuchDomain { vm }.into())
            };
            self.release(image).await;
            saved?;
            self.release_domain(vm).await;
            return Ok(HostReply::Done);
        }
        if here {
            self.drop_spool(vm).await;
            self.inner.hypervisor.suspend_to(vm, &spool).await?;
        } else if !tokio::fs::try_exists(&spool).await.unwrap_or(false) {
            // Neither here nor half done: done before, or never begun. The volume knows.
            let verdict = self.is_packed(vm, &target).await;
            self.release(image).await;
            return if verdict {
                Ok(HostReply::Done)
            } else {
                Err(HypervisorError::NoSuchDomain { vm }.into())
            };
        }
        let packed = pack(&self.inner.settings.qemu_img, &spool, &target).await;
        self.release(image).await;
        match packed {
            Ok(()) => {
                self.release_domain(vm).await;
                self.drop_spool(vm).await;
                Ok(HostReply::Done)
            }
            Err(error) => {
                self.bring_back(vm, &spool).await;
                Err(error)
            }
        }
    }

    /// After a failed copy into the volume: the domain goes on from the file, as if nothing had been.
    async fn bring_back(&self, vm: Uuid, spool: &Path) {
        let Some(spec) = self.inner.holdings.of(vm).await.and_then(|holding| holding.spec) else {
            tracing::error!(%vm, spool = %spool.display(), "the memory of a domain could not be put into its volume and stays here");
            return;
        };
        if let Err(error) = cut(spool).await {
            tracing::warn!(%vm, %error, "the last block of a save image was not cut off");
        }
        match self
            .inner
            .hypervisor
            .resume_from(&spec, spool, StartMode::Running)
            .await
        {
            Ok(_) => self.drop_spool(vm).await,
            Err(error) => {
                tracing::error!(%vm, error = error.chain(), spool = %spool.display(), "a domain could not go on; its memory stays here");
            }
        }
    }

    /// Whether the volume holds a whole image.
    async fn is_packed(&self, vm: Uuid, source: &DiskSource) -> bool {
        let probe = self.inner.settings.spool_dir().join(format!("{vm}.probe"));
        let whole = unpack(&self.inner.settings.qemu_img, source, &probe)
            .await
            .is_ok();
        let _ = tokio::fs::remove_file(&probe).await;
        whole
    }

    pub(crate) async fn resume_domain(
        &self,
        request: &DomainRequest,
        image: &VolumeRef,
        mode: StartMode,
    ) -> Outcome {
        let vm = request.vm;
        self.refuse_rival(request).await?;
        let spool = self.inner.settings.spool_dir().join(format!("{vm}.resume"));
        let resumed = async {
            let sr = self.plugged(image.sr)?;
            let source = sr
                .resolve(&image.location, Access::Read)
                .await
                .map_err(convert::storage)?;
            let file = match plain_file(&source) {
                Some(path) => path,
                None => {
                    unpack(&self.inner.settings.qemu_img, &source, &spool).await?;
                    spool.as_path()
                }
            };
            self.inner.migrations.forget_departure(request.vm);
            let spec = self.build(request).await?;
            let domain = self.inner.hypervisor.resume_from(&spec, file, mode).await?;
            self.remember(vm, spec).await;
            Ok(HostReply::Domain(Some(domain)))
        }
        .await;
        self.release(image).await;
        let _ = tokio::fs::remove_file(&spool).await;
        if resumed.is_err() {
            self.release_if_absent(vm).await;
        }
        resumed
    }
}

/// The file of a volume that is one, byte for byte.
fn plain_file(source: &DiskSource) -> Option<&Path> {
    match source {
        DiskSource::File {
            path,
            format: DiskFormat::Raw,
        } => Some(path),
        _ => None,
    }
}

/// Whether a file holds an image whose writing has ended.
///
/// Source: libvirt `src/qemu/qemu_saveimage.h`: the first bytes are "LibvirtQemudPart" until the image is whole.
async fn looks_whole(path: &Path) -> bool {
    let mut head = Vec::with_capacity(16);
    let Ok(file) = tokio::fs::File::open(path).await else {
        return false;
    };
    file.take(16).read_to_end(&mut head).await.is_ok()
        && head.iter().any(|byte| *byte != 0)
        && head != b"LibvirtQemudPart"
}

fn bad_image(path: &Path, reason: impl Into<String>) -> CommandError {
    HypervisorError::BadImage {
        image: path.to_owned(),
        reason: reason.into(),
    }
    .into()
}

fn failed(what: &str) -> impl Fn(std::io::Error) -> CommandError + '_ {
    move |error| convert::files(what, &error)
}

fn name_of(source: &DiskSource) -> Option<(String, &'static str)> {
    let format = |format: &DiskFormat| match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Vhd => "vpc",
    };
    match source {
        DiskSource::File { path, format: f } | DiskSource::Block { path, format: f } => {
            Some((path.to_string_lossy().into_owned(), format(f)))
        }
        DiskSource::Network { url, format: f, .. } => Some((url.clone(), format(f))),
        DiskSource::Empty => None,
    }
}

/// Puts a save image into a volume. May be repeated after it was cut off.
async fn pack(qemu_img: &Path, spool: &Path, target: &DiskSource) -> Result<(), CommandError> {
    let (name, format) = name_of(target).ok_or_else(|| bad_image(spool, "no volume"))?;
    let length = footer(spool).await.map_err(failed("close a save image"))?;
    tracing::debug!(length, "save image written");
    convert(
        qemu_img,
        &["-n", "-f", "raw", "-O", format],
        &spool.to_string_lossy(),
        &name,
    )
    .await
}

/// Appends the last block, unless it is there, and answers the image's length.
async fn footer(spool: &Path) -> std::io::Result<u64> {
    let mut file = tokio::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(spool)
        .await?;
    let length = file.metadata().await?.len();
    if length >= BLOCK_LENGTH && length % BLOCK_LENGTH == 0 {
        file.seek(SeekFrom::Start(length - BLOCK_LENGTH)).await?;
        let mut last = [0; BLOCK];
        file.read_exact(&mut last).await?;
        if let Some(before) = read_footer(&last) {
            return Ok(before);
        }
    }
    let mut last = [0; BLOCK];
    last[..16].copy_from_slice(MAGIC);
    last[16..24].copy_from_slice(&length.to_le_bytes());
    file.seek(SeekFrom::Start(length.next_multiple_of(BLOCK_LENGTH)))
        .await?;
    file.write_all(&last).await?;
    file.flush().await?;
    Ok(length)
}

fn read_footer(block: &[u8]) -> Option<u64> {
    let length = block.strip_prefix(MAGIC)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*length))
}

/// Takes a save image out of a volume, at its true length.
async fn unpack(qemu_img: &Path, source: &DiskSource, spool: &Path) -> Result<(), CommandError> {
    let (name, format) = name_of(source).ok_or_else(|| bad_image(spool, "no volume"))?;
    convert(
        qemu_img,
        &["-f", format, "-O", "raw"],
        &name,
        &spool.to_string_lossy(),
    )
    .await?;
    match cut(spool).await.map_err(failed("read a save image"))? {
        true => Ok(()),
        false => Err(bad_image(spool, "the volume holds no whole save image")),
    }
}

/// Cuts off the last block and what follows it. Answers no, and changes nothing, if there is none.
async fn cut(spool: &Path) -> std::io::Result<bool> {
    let Some(length) = find_length(spool).await? else {
        return Ok(false);
    };
    tokio::fs::OpenOptions::new()
        .write(true)
        .open(spool)
        .await?
        .set_len(length)
        .await?;
    Ok(true)
}

/// Finds the last block that is not zero and reads the length from it. What follows it are holes, as a rule.
async fn find_length(spool: &Path) -> std::io::Result<Option<u64>> {
    const STEP: u64 = 1 << 20;
    let mut file = tokio::fs::File::open(spool).await?;
    let mut end = file.metadata().await?.len();
    let mut buffer = vec![0; 1 << 20];
    while end > 0 {
        // All but the last step of the way begin at a multiple of a block.
        let begin = (end - 1) / STEP * STEP;
        let part = &mut buffer[..usize::try_from(end - begin).unwrap_or(0)];
        file.seek(SeekFrom::Start(begin)).await?;
        file.read_exact(part).await?;
        if let Some(block) = part
            .chunks(BLOCK)
            .rfind(|block| block.iter().any(|byte| *byte != 0))
        {
            return Ok(read_footer(block));
        }
        end = begin;
    }
    Ok(None)
}

async fn convert(qemu_img: &Path, options: &[&str], from: &str, to: &str) -> Result<(), CommandError> {
    let mut command = tokio::process::Command::new(qemu_img);
    command.arg("convert").args(options).arg(from).arg(to);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = tokio::time::timeout(COPY, command.output())
        .await
        .map_err(|_| convert::files("copy a save image", &std::io::ErrorKind::TimedOut.into()).retryable())?
        .map_err(failed("run qemu-img"))?;
    if output.status.success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&output.stderr)
        .chars()
        .take(500)
        .collect();
    Err(convert::files(
        "copy a save image",
        &std::io::Error::other(said.trim().to_owned()),
    ))
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn the_length_is_found_again_behind_any_content_and_any_number_of_zeroes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("a.save");
        for length in [0_usize, 1, 511, 512, 513, 5000, 3 * 1024 * 1024] {
            for zeroes in [0_u64, 512, 4 * 1024 * 1024 + 512] {
                tokio::fs::write(&spool, vec![7_u8; length]).await.unwrap();
                assert_eq!(footer(&spool).await.unwrap(), length as u64);
                assert_eq!(footer(&spool).await.unwrap(), length as u64, "twice is once");
                let file = std::fs::OpenOptions::new().write(true).open(&spool).unwrap();
                file.set_len(file.metadata().unwrap().len() + zeroes).unwrap();
                assert_eq!(
                    find_length(&spool).await.unwrap(),
                    Some(length as u64),
                    "{length} and {zeroes}"
                );
            }
        }
    }

    #[tokio::test]
    async fn an_empty_volume_holds_no_image() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("a.save");
        std::fs::File::create(&spool).unwrap().set_len(2_000_000).unwrap();
        assert_eq!(find_length(&spool).await.unwrap(), None);
    }
}
