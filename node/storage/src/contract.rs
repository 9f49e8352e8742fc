//! What every driver must do, as checks that its tests run: `suite` once over a place it may fill, and `consistent`
//! after each crash.

use std::collections::BTreeSet;
use std::path::Path;

use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use uuid::Uuid;

use crate::driver::{Access, CreateSr, DeviceConfig, NewVolume, PluggedSr, SrDriver, SrScan};
use crate::error::StorageError;
use crate::image::ImageTool;
use crate::job::Job;

mod clones;

/// What went wrong, as text; a contract is for tests.
pub type Check<T = ()> = Result<T, String>;

/// A place where a driver may make a repository, and a folder for scratch files.
pub struct Place<'a> {
    /// The driver.
    pub driver: &'a dyn SrDriver,
    /// Where its repository is to be.
    pub config: DeviceConfig,
    /// For images from elsewhere.
    pub scratch: &'a Path,
    /// Whether the place may hold several repositories.
    pub holds_several: bool,
}

fn told(what: &str) -> impl Fn(StorageError) -> String + '_ {
    move |error| format!("{what}: {}", error.chain())
}

fn ensure(holds: bool, what: &str) -> Check {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// Fails unless `answer` is the expected error.
fn refused<T>(answer: Result<T, StorageError>, code: u32, what: &str) -> Check {
    match answer {
        Ok(_) => Err(format!("{what} was done")),
        Err(error) if error.backend_code() == code => Ok(()),
        Err(error) => Err(format!("{what} was refused otherwise: {}", error.chain())),
    }
}

/// Runs everything that a writable driver must do. Nothing of it is left behind.
pub async fn suite(place: &Place<'_>) -> Check {
    let Place {
        driver,
        config,
        scratch,
        holds_several,
    } = place;
    let sr = Uuid::new_v4();
    let request = CreateSr {
        sr,
        config: config.clone(),
        physical_size: Bytes(0),
    };
    refused(driver.plug(sr, config).await, 47, "a plug before creation")?;
    driver.create(&request).await.map_err(told("create"))?;
    driver.create(&request).await.map_err(told("create again"))?;
    let other = CreateSr {
        sr: Uuid::new_v4(),
        ..request
    };
    refused(
        driver.plug(other.sr, config).await,
        47,
        "a plug of the wrong repository",
    )?;
    if *holds_several {
        driver.create(&other).await.map_err(told("create a second"))?;
        let second = driver.plug(other.sr, config).await;
        let second = second.map_err(told("plug the second"))?;
        second.unplug().await.map_err(told("unplug the second"))?;
        driver
            .destroy(other.sr, config)
            .await
            .map_err(told("destroy the second"))?;
    } else {
        refused(
            driver.create(&other).await,
            42,
            "a second repository in the same place",
        )?;
    }
    let found = driver.probe(config).await.map_err(told("probe"))?;
    ensure(
        found.iter().any(|probed| probed.sr == Some(sr)),
        "the probe does not find it",
    )?;

    let plugged = driver.plug(sr, config).await.map_err(told("plug"))?;
    let space = plugged.space().await.map_err(told("space"))?;
    ensure(
        space.physical_size.get() > 0 && space.physical_utilisation <= space.physical_size,
        "the space is wrong",
    )?;
    ensure(
        scan(&*plugged).await?.volumes.is_empty(),
        "a new repository is not empty",
    )?;
    volumes(&*plugged).await?;
    contents(&*plugged, scratch).await?;
    if driver.description().has("VDI_CLONE") {
        clones::independent(&*plugged, scratch).await?;
    }
    ensure(
        scan(&*plugged).await?.volumes.is_empty(),
        "volumes or parents are left",
    )?;

    let last = NewVolume::empty(Uuid::new_v4(), Bytes::mib(1));
    let last = plugged
        .create_volume(&last, &Job::new())
        .await
        .map_err(told("create volume"))?;
    refused(
        driver.destroy(sr, config).await,
        39,
        "the removal of a repository with volumes",
    )?;
    plugged
        .destroy_volume(&last.location)
        .await
        .map_err(told("destroy volume"))?;
    plugged.unplug().await.map_err(told("unplug"))?;
    refused(plugged.scan().await, 47, "a scan after unplug")?;
    driver.destroy(sr, config).await.map_err(told("destroy"))?;
    driver.destroy(sr, config).await.map_err(told("destroy again"))?;
    refused(driver.plug(sr, config).await, 47, "a plug after removal")
}

async fn scan(sr: &dyn PluggedSr) -> Check<SrScan> {
    sr.scan().await.map_err(told("scan"))
}

/// Making, growing, removing.
async fn volumes(sr: &dyn PluggedSr) -> Check {
    let job = Job::new();
    let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(8));
    let made = sr
        .create_volume(&new, &job)
        .await
        .map_err(told("create volume"))?;
    ensure(
        made.uuid == Some(new.uuid) && made.virtual_size >= Bytes::mib(8) && !made.hidden,
        "the volume is another",
    )?;
    let again = sr
        .create_volume(&new, &job)
        .await
        .map_err(told("create volume again"))?;
    ensure(
        again.location == made.location,
        "a repeated creation made a second volume",
    )?;
    let larger = NewVolume {
        virtual_size: Bytes::mib(64),
        ..new.clone()
    };
    refused(
        sr.create_volume(&larger, &job).await,
        43,
        "another volume with the same uuid",
    )?;
    refused(
        sr.create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes(0)), &job)
            .await,
        79,
        "an empty volume",
    )?;
    ensure(
        scan(sr).await?.volumes == [sr.stat(&made.location).await.map_err(told("stat"))?],
        "scan and stat differ",
    )?;

    let grown = sr
        .resize(&made.location, Bytes::mib(16))
        .await
        .map_err(told("resize"))?;
    ensure(grown.virtual_size >= Bytes::mib(16), "it did not grow")?;
    sr.resize(&made.location, grown.virtual_size)
        .await
        .map_err(told("resize to the same size"))?;
    refused(sr.resize(&made.location, Bytes::mib(8)).await, 79, "shrinking")?;
    sr.prepare_online_resize(&made.location, Bytes::mib(32))
        .await
        .map_err(told("prepare resize"))?;
    sr.check(&made.location).await.map_err(told("check"))?;
    let huge = NewVolume::empty(Uuid::new_v4(), Bytes::gib(3 * 1024));
    match sr.create_volume(&huge, &job).await {
        Ok(huge) => {
            ensure(huge.virtual_size >= Bytes::gib(3 * 1024), "3 TiB were cut off")?;
            sr.destroy_volume(&huge.location)
                .await
                .map_err(told("destroy volume"))?;
        }
        Err(StorageError::NoSpace { .. }) => {}
        Err(error) => return Err(told("a volume of 3 TiB")(error)),
    }

    for evil in [
        "../x",
        "/etc/passwd",
        "",
        ".tarn",
        "nothing",
        &Uuid::new_v4().to_string(),
    ] {
        refused(
            sr.resolve(evil, Access::Read).await,
            46,
            "a location that is none",
        )?;
        refused(
            sr.resize(evil, Bytes::mib(1)).await,
            46,
            "growing what is not there",
        )?;
        sr.destroy_volume(evil)
            .await
            .map_err(told("removal of what is not there"))?;
    }
    sr.destroy_volume(&made.location)
        .await
        .map_err(told("destroy volume"))?;
    sr.destroy_volume(&made.location)
        .await
        .map_err(told("destroy volume again"))?;
    refused(sr.stat(&made.location).await, 46, "a look at what was removed")
}

/// Copies keep every byte.
async fn contents(sr: &dyn PluggedSr, scratch: &Path) -> Check {
    let images = ImageTool::default();
    let image = scratch.join("from-elsewhere.raw");
    std::fs::write(&image, pattern(3 << 20)).map_err(|e| e.to_string())?;
    let source = DiskSource::File {
        path: image,
        format: DiskFormat::Raw,
    };
    let job = Job::new();
    let new = NewVolume::copy_of(Uuid::new_v4(), source.clone());
    let copy = sr.create_volume(&new, &job).await.map_err(told("copy"))?;
    ensure(job.permille() == 1000, "a finished copy does not say so")?;
    ensure(copy.virtual_size >= Bytes::mib(3), "the copy is too small")?;
    let opened = sr
        .resolve(&copy.location, Access::Write)
        .await
        .map_err(told("resolve"))?;
    ensure(
        read(&images, &opened, scratch)
            .await?
            .starts_with(&pattern(3 << 20)),
        "the copy has other bytes",
    )?;
    let second = NewVolume {
        virtual_size: Bytes::mib(5),
        ..NewVolume::copy_of(Uuid::new_v4(), opened)
    };
    let second = sr
        .create_volume(&second, &Job::new())
        .await
        .map_err(told("copy of a copy"))?;
    ensure(
        second.virtual_size >= Bytes::mib(5),
        "a copy did not get the size asked for",
    )?;

    let raw = NewVolume::copy_of(Uuid::new_v4(), source.clone()).with_format(DiskFormat::Raw);
    match sr.create_volume(&raw, &Job::new()).await {
        Ok(raw) => {
            ensure(raw.format == DiskFormat::Raw, "a raw volume is not raw")?;
            sr.destroy_volume(&raw.location)
                .await
                .map_err(told("destroy volume"))?;
        }
        Err(StorageError::Unsupported { .. }) => {}
        Err(error) => return Err(told("a raw volume")(error)),
    }

    let called_off = Job::new();
    called_off.cancel();
    let third = NewVolume::copy_of(Uuid::new_v4(), source);
    match sr.create_volume(&third, &called_off).await {
        Err(StorageError::Cancelled { .. }) => {}
        other => return Err(format!("a cancelled copy answered {other:?}")),
    }
    let missing = DiskSource::File {
        path: scratch.join("nothing.raw"),
        format: DiskFormat::Raw,
    };
    let answer = sr
        .create_volume(&NewVolume::copy_of(Uuid::new_v4(), missing), &Job::new())
        .await;
    ensure(answer.is_err(), "a copy of nothing succeeded")?;
    ensure(
        scan(sr).await?.volumes.len() == 2,
        "a copy that failed has left something",
    )?;
    for location in [copy.location, second.location] {
        sr.release(&location).await.map_err(told("release"))?;
        sr.destroy_volume(&location)
            .await
            .map_err(told("destroy volume"))?;
    }
    Ok(())
}

/// After a crash: scans twice (the second must find nothing left to remove), and opens and checks every volume.
/// Answers the locations of what is offered.
pub async fn consistent(sr: &dyn PluggedSr) -> Check<BTreeSet<String>> {
    let first = scan(sr).await?;
    let second = scan(sr).await?;
    ensure(second.removed.is_empty(), "one scan does not remove everything")?;
    ensure(first.volumes == second.volumes, "two scans differ")?;
    if let Some((location, reason)) = second.refused.first() {
        return Err(format!("{location} is not usable: {reason}"));
    }
    for volume in &second.volumes {
        sr.check(&volume.location).await.map_err(told("check"))?;
        sr.resolve(&volume.location, Access::Read)
            .await
            .map_err(told("resolve"))?;
    }
    Ok(visible(&second))
}

fn visible(scan: &SrScan) -> BTreeSet<String> {
    scan.volumes
        .iter()
        .filter(|volume| !volume.hidden)
        .map(|volume| volume.location.clone())
        .collect()
}

/// Bytes of which no two sectors are alike.
pub fn pattern(length: usize) -> Vec<u8> {
    let words = (0..(length as u64).div_ceil(8))
        .flat_map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).to_le_bytes());
    words.take(length).collect()
}

/// The bytes of a volume as a guest would read them.
pub async fn read(images: &ImageTool, source: &DiskSource, scratch: &Path) -> Check<Vec<u8>> {
    let target = scratch.join(format!("{}.read", Uuid::new_v4()));
    images
        .convert(source, &target.to_string_lossy(), DiskFormat::Raw, &Job::new())
        .await
        .map_err(told("read"))?;
    let bytes = std::fs::read(&target).map_err(|e| e.to_string())?;
    std::fs::remove_file(&target).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Writes into a volume, as a guest would.
pub async fn scribble(source: &DiskSource) -> Check {
    let (name, format) = match source {
        DiskSource::File { path, format } | DiskSource::Block { path, format } => {
            (path.to_string_lossy().into_owned(), format)
        }
        DiskSource::Network { url, format, .. } => (url.clone(), format),
        DiskSource::Empty => return Err("nothing to write to".to_owned()),
    };
    let mut command = tokio::process::Command::new("qemu-io");
    command
        .args([
            "-f",
            crate::image::format_name(*format),
            "-c",
            "write -P 171 64k 64k",
        ])
        .envs(source.environment())
        .arg(name);
    let output = command.output().await.map_err(|e| e.to_string())?;
    ensure(output.status.success(), &String::from_utf8_lossy(&output.stderr))
}
