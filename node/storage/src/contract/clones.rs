//! Thin clones.

use std::path::Path;

use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use uuid::Uuid;

use super::{Check, ensure, pattern, read, refused, scan, scribble, told, visible};
use crate::driver::{Access, NewVolume, PluggedSr};
use crate::image::ImageTool;
use crate::job::Job;

/// Thin clones are independent of what they came from.
pub(super) async fn independent(sr: &dyn PluggedSr, scratch: &Path) -> Check {
    let images = ImageTool::default();
    let job = Job::new();
    let image = scratch.join("template.raw");
    std::fs::write(&image, pattern(4 << 20)).map_err(|e| e.to_string())?;
    let source = DiskSource::File {
        path: image,
        format: DiskFormat::Raw,
    };
    let first = sr
        .create_volume(&NewVolume::copy_of(Uuid::new_v4(), source), &job)
        .await
        .map_err(told("copy"))?;
    let second = NewVolume::clone_of(Uuid::new_v4(), &first.location);
    let second = sr.create_volume(&second, &job).await.map_err(told("clone"))?;
    ensure(
        second.virtual_size == first.virtual_size,
        "a clone has another size",
    )?;
    ensure(second.utilisation < Bytes::mib(2), "a clone is not thin")?;
    ensure(
        sr.stat(&first.location).await.is_ok(),
        "the source's location changed",
    )?;
    let third = NewVolume {
        virtual_size: Bytes::mib(9),
        ..NewVolume::clone_of(Uuid::new_v4(), &second.location)
    };
    let third = sr
        .create_volume(&third, &job)
        .await
        .map_err(told("clone of a clone"))?;
    ensure(
        third.virtual_size >= Bytes::mib(9),
        "a clone did not get the size asked for",
    )?;
    let picture = NewVolume::snapshot_of(Uuid::new_v4(), &first.location);
    let picture = sr.create_volume(&picture, &job).await.map_err(told("snapshot"))?;
    ensure(
        visible(&scan(sr).await?).len() == 4,
        "not every clone is listed once",
    )?;

    // Write the source: no clone may see it.
    let opened = sr
        .resolve(&first.location, Access::Write)
        .await
        .map_err(told("resolve"))?;
    scribble(&opened).await?;
    for location in [&second.location, &third.location, &picture.location] {
        let opened = sr
            .resolve(location, Access::Read)
            .await
            .map_err(told("resolve"))?;
        ensure(
            read(&images, &opened, scratch)
                .await?
                .starts_with(&pattern(4 << 20)),
            "a clone changed with its source",
        )?;
    }
    let opened = sr
        .resolve(&first.location, Access::Read)
        .await
        .map_err(told("resolve"))?;
    ensure(
        !read(&images, &opened, scratch)
            .await?
            .starts_with(&pattern(4 << 20)),
        "the source did not take a write",
    )?;
    // A clone of what has been written meanwhile shows that.
    let late = NewVolume::clone_of(Uuid::new_v4(), &first.location);
    let late = sr.create_volume(&late, &job).await.map_err(told("late clone"))?;
    let before = read(
        &images,
        &sr.resolve(&first.location, Access::Read)
            .await
            .map_err(told("resolve"))?,
        scratch,
    )
    .await?;
    // Without their source they go on.
    sr.destroy_volume(&first.location)
        .await
        .map_err(told("destroy the source"))?;
    let opened = sr
        .resolve(&late.location, Access::Read)
        .await
        .map_err(told("resolve"))?;
    ensure(
        read(&images, &opened, scratch).await? == before,
        "a late clone differs from its source",
    )?;
    sr.destroy_volume(&second.location)
        .await
        .map_err(told("destroy the middle"))?;
    let opened = sr
        .resolve(&third.location, Access::Read)
        .await
        .map_err(told("resolve"))?;
    ensure(
        read(&images, &opened, scratch)
            .await?
            .starts_with(&pattern(4 << 20)),
        "a clone died with its source",
    )?;
    ensure(
        visible(&scan(sr).await?).len() == 3,
        "a removed volume is still listed",
    )?;
    refused(
        sr.create_volume(&NewVolume::clone_of(Uuid::new_v4(), &first.location), &job)
            .await,
        46,
        "a clone of what was removed",
    )?;
    for location in [third.location, picture.location, late.location] {
        sr.check(&location).await.map_err(told("check"))?;
        sr.destroy_volume(&location)
            .await
            .map_err(told("destroy volume"))?;
    }
    Ok(())
}
