//! `/export_raw_vdi` and `/import_raw_vdi`: one disk as raw bytes, VHD, qcow2 or pieces in a tar.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::TRANSFER_ENCODING;
use node_images::xva::{Archive, Rules, Writer};
use node_images::{Delta, ImageError, Parent, qcow2, raw, vhd};
use pool_domain::Database;
use pool_domain::decide::generic;
use pool_ops::storage::vdi::{ChangeVdi, MakeVdi};
use pool_ops::transfer::Carried;
use pool_ops::transfer::vdi::{MoveVdi, Way};
use proto_types::generated::{sr, vdi};
use proto_types::{ApiError, Ref, Value};
use tokio::io::{AsyncWriteExt, DuplexStream};
use uuid::Uuid;

use super::body::SharedBody;
use super::moving::{self, Watcher};
use super::spool::Spooled;
use super::task::HandlerTask;
use super::{Exchange, Query, Refusal, Reply, delta, reply};
use crate::api::ports::{HostStreams, VolumeAccess};

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Raw,
    Packets,
    Vhd,
    Qcow2,
    Tar,
}

/// The folder of pieces in a tar.
const FOLDER: &str = "vdi";

impl Format {
    fn of(query: &Query) -> Result<Format, Refusal> {
        let format = match query.get("format") {
            None | Some("" | "raw") => Format::Raw,
            Some("vhd") => Format::Vhd,
            Some("qcow2") => Format::Qcow2,
            Some("tar") => Format::Tar,
            Some(other) => return Err(not_found(format!("unknown format {other}"))),
        };
        match (format, query.mentions("chunked")) {
            (format, false) => Ok(format),
            (Format::Raw, true) => Ok(Format::Packets),
            (_, true) => Err(not_found("only raw bytes come in packets".to_owned())),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Raw | Format::Packets => "application/octet-stream",
            Format::Vhd => "application/vhd",
            Format::Qcow2 => "application/x-qemu-disk",
            Format::Tar => "application/x-tar",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Format::Raw | Format::Packets => "raw",
            Format::Vhd => "vhd",
            Format::Qcow2 => "qcow2",
            Format::Tar => "tar",
        }
    }
}

fn not_found(text: String) -> Refusal {
    Refusal::Api(StatusCode::NOT_FOUND, ApiError::internal(text))
}

fn bad_request(error: ApiError) -> Refusal {
    Refusal::Api(StatusCode::BAD_REQUEST, error)
}

/// A disk by reference or uuid.
fn disk_of(db: &Database, text: &str) -> Result<Ref, ApiError> {
    let by_ref = text
        .parse::<Ref>()
        .ok()
        .filter(|r| db.of_class(vdi::CLASS, *r).is_some());
    by_ref
        .or_else(|| db.by_uuid(vdi::CLASS, text).map(|row| row.reference))
        .ok_or_else(|| ApiError::handle_invalid("VDI", text))
}

fn uuid_of(db: &Database, disk: Ref) -> Uuid {
    db.of_class(vdi::CLASS, disk)
        .and_then(|row| row.uuid().parse().ok())
        .unwrap_or_default()
}

/// `GET /export_raw_vdi`.
///
/// # Errors
/// 404 for an unknown format, 500 for an unknown disk.
pub async fn export(exchange: Exchange) -> Result<Reply, Refusal> {
    let (db, query) = (&exchange.db, &exchange.query);
    let format = Format::of(query)?;
    let disk = disk_of(db, query.get("vdi").unwrap_or_default())?;
    let base = match query.get("base") {
        Some(text) if matches!(format, Format::Vhd | Format::Qcow2) => Some(disk_of(db, text)?),
        Some(_) => return Err(not_found("only VHD and qcow2 differ from a base".to_owned())),
        None => None,
    };
    let uuid = uuid_of(db, disk);
    let parent = base.map(|base| uuid_of(db, base));
    let task = HandlerTask::take(&exchange).await?;
    let known = match base {
        Some(base) => delta::known(&exchange, base, disk).await,
        None => None,
    };
    let (named, streams) = (task.reference, Arc::clone(&exchange.api.streams));
    // What differs is known, so the base need not be read.
    let read_too = base.filter(|_| known.is_none());
    let begun = moving::send(
        task,
        MoveVdi::new(Way::Out, disk, read_too),
        move |carried, to| write(streams, carried, to, format, (uuid, parent, known)),
    )
    .await?;
    let reply = reply::stream(format.content_type(), begun.parts());
    let reply = reply::as_file(reply, &format!("{uuid}.{}", format.suffix()));
    Ok(reply::of_task(reply, named))
}

async fn write(
    streams: Arc<dyn HostStreams>,
    carried: Carried,
    mut to: DuplexStream,
    format: Format,
    (uuid, parent, known): (Uuid, Option<Uuid>, Option<Vec<u8>>),
) -> Result<(), ApiError> {
    let mut disks = moving::open(&streams, &carried, VolumeAccess::Read)
        .await?
        .into_iter();
    let (Some(disk), base) = (disks.next(), disks.next()) else {
        return Err(ApiError::internal("there is no disk"));
    };
    let watcher = Watcher::new(carried, disk.size());
    let delta = known.map(Delta::Within).or(base.map(Delta::From));
    let parent = delta.zip(parent).map(|(delta, uuid)| Parent {
        delta,
        uuid,
        name: format!("{uuid}.{}", format.suffix()),
    });
    let written = async {
        match format {
            Format::Raw | Format::Packets => raw::write(disk, &mut to, &watcher).await?,
            Format::Vhd => vhd::write(disk, uuid, parent, &mut to, &watcher).await?,
            Format::Qcow2 => qcow2::write(disk, parent, &mut to, &watcher).await?,
            Format::Tar => {
                let mut writer = Writer::new(&mut to);
                writer.disk(FOLDER, disk, &watcher).await?;
                writer.finish().await.map(drop)?;
            }
        }
        to.shutdown().await.map_err(ImageError::Client)
    };
    written
        .await
        .map_err(|error| watcher.error(error, moving::export_error))
}

/// `PUT /import_raw_vdi`.
///
/// # Errors
/// Before the body is read: 404 for the format, 400 for no disk, 500 for one that is not there.
pub async fn import(exchange: Exchange) -> Result<Reply, Refusal> {
    if exchange.request.head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(not_found("the body must not come in chunks of HTTP".to_owned()));
    }
    let format = Format::of(&exchange.query)?;
    let (disk, made) = match exchange.query.get("vdi") {
        Some(text) => (disk_of(&exchange.db, text)?, false),
        None => (make(&exchange, format).await?, true),
    };
    let task = HandlerTask::take(&exchange).await?;
    let (api, named) = (Arc::clone(&exchange.api), task.reference);
    let body = exchange.request.body.shared();
    let (streams, incoming) = (Arc::clone(&api.streams), body.clone());
    let work = Box::new(move |carried| {
        let read = read(streams, carried, incoming, format);
        Box::pin(read) as futures::future::BoxFuture<'static, _>
    });
    let call = pool_ops::Call {
        label: "VDI.destroy".to_owned(),
        host: (api.host)(),
        origin: exchange.caller.history("VDI.destroy"),
        ..pool_ops::Call::default()
    };
    let all = async move {
        if task.carry(MoveVdi::new(Way::In, disk, None), work).await.is_err() && made {
            let destroyed = pool_ops::run(&api.ops, ChangeVdi::destroy(disk), call).await;
            if let Err(error) = destroyed {
                tracing::warn!(%error, "a disk made for an import stays behind");
            }
        }
        body.drain().await;
    };
    let worker = tokio::spawn(all);
    let end = futures::stream::once(async move {
        let _ = worker.await;
        Ok(bytes::Bytes::new())
    });
    Ok(reply::of_task(reply::stream("text/plain", end), named))
}

/// Makes a disk for plain bytes whose number the client says.
async fn make(exchange: &Exchange, format: Format) -> Result<Ref, Refusal> {
    let db = &exchange.db;
    let Some(text) = exchange
        .query
        .get("sr_id")
        .or_else(|| exchange.query.get("sr_uuid"))
    else {
        return Err(bad_request(ApiError::bare("VDI_MISSING")));
    };
    let by_ref = text
        .parse::<Ref>()
        .ok()
        .filter(|r| db.of_class(sr::CLASS, *r).is_some());
    let storage = by_ref.or_else(|| db.by_uuid(sr::CLASS, text).map(|row| row.reference));
    let storage = storage.ok_or_else(|| ApiError::handle_invalid("SR", text))?;
    let length = exchange.request.body.length().and_then(|l| i64::try_from(l).ok());
    let (Format::Raw, Some(length)) = (format, length) else {
        return Err(bad_request(ApiError::internal(
            "a disk is made for raw bytes of a known length only",
        )));
    };
    let record = Value::Record(vec![
        ("name_label".into(), "Imported VDI".into()),
        ("name_description".into(), "".into()),
        ("SR".into(), storage.into()),
        ("virtual_size".into(), Value::Int(length)),
        ("type".into(), "user".into()),
        ("sharable".into(), false.into()),
        ("read_only".into(), false.into()),
        ("other_config".into(), Value::empty_map()),
    ]);
    let fields = generic::fields_of(vdi::CLASS, &record)?;
    let call = pool_ops::Call {
        label: "VDI.create".to_owned(),
        session: exchange.caller.session,
        host: (exchange.api.host)(),
        origin: exchange.caller.history("VDI.create"),
        ..pool_ops::Call::default()
    };
    let made = pool_ops::run(&exchange.api.ops, MakeVdi::blank(storage, length, fields), call).await?;
    Ok(made.as_ref())
}

async fn read(
    streams: Arc<dyn HostStreams>,
    carried: Carried,
    body: SharedBody,
    format: Format,
) -> Result<(), ApiError> {
    let mut disks = moving::open(&streams, &carried, VolumeAccess::Write)
        .await?
        .into_iter();
    let Some(disk) = disks.next() else {
        return Err(ApiError::internal("there is no disk"));
    };
    let watcher = Watcher::new(carried, disk.size());
    let mut from = body.reader();
    let read = async {
        match format {
            Format::Raw => raw::read(&mut from, disk, &watcher).await,
            Format::Packets => raw::read_packets(&mut from, disk, &watcher).await,
            Format::Vhd => vhd::read(&mut from, disk, &watcher).await,
            Format::Tar => {
                disk.zero(0, disk.size()).await.map_err(ImageError::Disk)?;
                let rules = Rules {
                    inline: true,
                    lenient: false,
                };
                Archive::headless(from).disk(FOLDER, disk, rules, &watcher).await
            }
            Format::Qcow2 => {
                let (_spooled, image) = Spooled::open(&streams, &mut from, disk.size()).await?;
                raw::copy(image, disk, &watcher).await
            }
        }
    };
    read.await
        .map_err(|error| watcher.error(error, moving::import_error))
}
