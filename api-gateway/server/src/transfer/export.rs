//! `/export` and `/export_metadata`: VMs as XVA.

use std::sync::Arc;

use node_images::unpack::{Packing, pack};
use node_images::xva::Writer;
use pool_domain::decide::export::{self, ExportOptions};
use pool_domain::{Database, vm_rules};
use pool_ops::transfer::Carried;
use pool_ops::transfer::export::ExportVm;
use proto_types::generated::vm;
use proto_types::{ApiError, Ref};
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::moving::{self, Watcher};
use super::task::HandlerTask;
use super::{Exchange, Query, Refusal, Reply, ova, reply};
use crate::api::ports::{HostStreams, VolumeAccess};

/// The VM that a query names.
fn vm_of(db: &Database, query: &Query) -> Result<Ref, ApiError> {
    if let Some(text) = query.get("ref") {
        let found = text
            .parse::<Ref>()
            .ok()
            .filter(|r| db.of_class(vm::CLASS, *r).is_some());
        return found.ok_or_else(|| ApiError::handle_invalid("VM", text));
    }
    pool_domain::query::by_uuid(db, vm::CLASS, query.get("uuid").unwrap_or_default())
}

fn packing_of(query: &Query) -> Packing {
    match query.get("use_compression") {
        Some("true" | "gzip") => Packing::Gzip,
        Some("zstd") => Packing::Zstd,
        _ => Packing::Plain,
    }
}

/// `GET /export`.
///
/// # Errors
/// What the VM does not admit, before anything is sent.
pub async fn export(exchange: Exchange) -> Result<Reply, Refusal> {
    let db = &exchange.db;
    let reference = vm_of(db, &exchange.query)?;
    let row = pool_domain::query::find(db, vm::CLASS, reference)?;
    vm_rules::check(db, row, "export")?;
    let options = ExportOptions {
        keeps_state: exchange.query.is_true("preserve_power_state"),
        ..ExportOptions::default()
    };
    let exported = export::collect(db, &[reference], &options);
    let records = ova::write(db, &exported);
    let packing = packing_of(&exchange.query);
    let images = exported.disks.iter().map(|(_, image)| *image).collect();
    let ids: Vec<String> = exported.disks.into_iter().map(|(id, _)| id).collect();
    let task = HandlerTask::take(&exchange).await?;
    let (named, streams) = (task.reference, Arc::clone(&exchange.api.streams));
    let begun = moving::send(task, ExportVm::new(reference, images), move |carried, to| {
        write(streams, carried, to, records, ids, packing)
    })
    .await?;
    let reply = reply::stream("application/octet-stream", begun.parts());
    Ok(reply::of_task(reply::as_file(reply, "export.xva"), named))
}

async fn write(
    streams: Arc<dyn HostStreams>,
    carried: Carried,
    to: DuplexStream,
    records: String,
    ids: Vec<String>,
    packing: Packing,
) -> Result<(), ApiError> {
    let disks = moving::open(&streams, &carried, VolumeAccess::Read).await?;
    let watcher = Watcher::new(carried, disks.iter().map(|d| d.size()).sum());
    let written = async {
        let mut writer = Writer::new(pack(to, packing));
        writer.member("ova.xml", records.as_bytes()).await?;
        for (id, disk) in ids.iter().zip(disks) {
            writer.disk(id, disk, &watcher).await?;
        }
        let mut to = writer.finish().await?;
        to.shutdown().await.map_err(node_images::ImageError::Client)
    };
    written
        .await
        .map_err(|error| watcher.error(error, moving::export_error))
}

/// `GET /export_metadata`.
///
/// # Errors
/// For a VM that is not there.
pub async fn metadata(exchange: Exchange) -> Result<Reply, Refusal> {
    let (db, query) = (&exchange.db, &exchange.query);
    let vms: Vec<Ref> = if query.is_true("all") {
        let control = query.is_true("include_dom0");
        db.rows(vm::CLASS)
            .filter(|r| !r.get(vm::IS_DEFAULT_TEMPLATE).as_bool() && !r.get(vm::IS_A_SNAPSHOT).as_bool())
            .filter(|r| control || !r.get(vm::IS_CONTROL_DOMAIN).as_bool())
            .map(|r| r.reference)
            .collect()
    } else {
        vec![vm_of(db, query)?]
    };
    let options = ExportOptions {
        keeps_state: true,
        with_snapshots: query.is_true("export_snapshots"),
        without: query
            .get("excluded_device_types")
            .map(|list| list.split(',').map(|c| c.trim().to_owned()).collect())
            .unwrap_or_default(),
    };
    let exported = export::collect(db, &vms, &options);
    let records = ova::write(db, &exported);
    let task = HandlerTask::take(&exchange).await?;
    let mut writer = Writer::new(Vec::new());
    let archive = async {
        writer.member("ova.xml", records.as_bytes()).await?;
        writer.finish().await
    };
    let archive = archive.await.map_err(moving::export_error)?;
    let named = task.reference;
    task.finish(Ok(proto_types::Value::Void)).await;
    let reply = reply::as_file(reply::bytes("application/octet-stream", archive), "export.xva");
    Ok(reply::of_task(reply, named))
}
