//! `/import` and `/import_metadata`: VMs from XVA.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::TRANSFER_ENCODING;
use node_images::unpack::{Plain, unpack};
use node_images::xva::{Archive, Rules};
use pool_domain::decide::import::{self, DiskInArchive, Import};
use pool_domain::{Database, Draft, Facts};
use pool_ops::transfer::Carried;
use pool_ops::transfer::import::ImportVms;
use proto_types::generated::{pool, sr, vdi};
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

use super::appliance::Appliance;
use super::moving::{self, Watcher};
use super::ova::{self, Ova};
use super::task::HandlerTask;
use super::{Exchange, Query, Refusal, Reply, image, reply};
use crate::api::Api;
use crate::api::ports::{HostStreams, VolumeAccess};

/// The SR that takes the disks.
fn storage_of(db: &Database, query: &Query) -> Result<Ref, Refusal> {
    let found = match (query.get("sr_id"), query.get("sr_uuid")) {
        (Some(text), _) => {
            let known = text
                .parse::<Ref>()
                .ok()
                .filter(|r| db.of_class(sr::CLASS, *r).is_some());
            known.ok_or_else(|| ApiError::handle_invalid("SR", text))?
        }
        (None, Some(uuid)) => pool_domain::query::by_uuid(db, sr::CLASS, uuid)?,
        (None, None) => {
            let default = db
                .rows(pool::CLASS)
                .next()
                .map_or(Ref::NULL, |p| p.get(pool::DEFAULT_SR).as_ref());
            let known = db.of_class(sr::CLASS, default).map(|row| row.reference);
            known.ok_or_else(|| ApiError::new("DEFAULT_SR_NOT_FOUND", [default.to_string()]))?
        }
    };
    check_storage(db, found).map_err(|error| Refusal::Api(StatusCode::BAD_REQUEST, error))?;
    Ok(found)
}

/// Says whether an SR takes disks.
///
/// # Errors
/// `SR_OPERATION_NOT_SUPPORTED [sr]`.
pub(super) fn check_storage(db: &Database, found: Ref) -> Result<(), ApiError> {
    let library = db
        .of_class(sr::CLASS, found)
        .is_some_and(|row| row.get(sr::TYPE).as_str() == "iso");
    if library {
        return Err(ApiError::new("SR_OPERATION_NOT_SUPPORTED", [found.to_string()]));
    }
    Ok(())
}

fn refuse_chunked(exchange: &Exchange) -> Result<(), Refusal> {
    if exchange.request.head.headers.contains_key(TRANSFER_ENCODING) {
        let error = ApiError::bare("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED");
        return Err(Refusal::Api(StatusCode::FORBIDDEN, error));
    }
    Ok(())
}

/// An answer that goes out now and ends when the work does.
fn answered_now(work: impl Future<Output = ()> + Send + 'static) -> Reply {
    use futures::StreamExt;
    let worker = tokio::spawn(work);
    let end = futures::stream::once(async move {
        let _ = worker.await;
        Ok(bytes::Bytes::new())
    });
    // The work goes on if the client goes away: it then hears of that itself.
    reply::stream("text/plain", end.boxed())
}

/// `PUT /import`.
///
/// # Errors
/// Before the body is read: for the SR and the way of sending.
pub async fn import(exchange: Exchange) -> Result<Reply, Refusal> {
    refuse_chunked(&exchange)?;
    let storage = storage_of(&exchange.db, &exchange.query)?;
    let task = HandlerTask::take(&exchange).await?;
    let query = &exchange.query;
    let wanted = Wanted {
        storage,
        restore: query.is_true("restore"),
        force: query.is_true("force"),
        name: query.get("name_label").unwrap_or_default().to_owned(),
        length: exchange.request.body.length(),
    };
    let (api, named) = (Arc::clone(&exchange.api), task.reference);
    let body = exchange.request.body.shared();
    let reply = answered_now(async move {
        if let Err(error) = take(&api, task, body.reader(), wanted).await {
            tracing::info!(%error, "an import failed");
        }
        body.drain().await;
    });
    Ok(reply::of_task(reply, named))
}

/// What is to become of bytes that come.
pub(super) struct Wanted {
    /// The SR that takes the disks.
    pub storage: Ref,
    /// VMs of an archive keep their uuid and addresses.
    pub restore: bool,
    /// What is in the way is passed over.
    pub force: bool,
    /// Name of a VM made around a disk image.
    pub name: String,
    /// How many bytes come, if that is known.
    pub length: Option<u64>,
}

type Incoming = Archive<Plain<'static>>;

/// Makes VMs of what comes: an archive, or the image of one disk.
///
/// # Errors
/// Those of the import; the task has them then.
pub(super) async fn take(
    api: &Arc<Api>,
    task: HandlerTask,
    body: super::body::BodyReader,
    wanted: Wanted,
) -> Result<Value, ApiError> {
    let opened = async {
        match image::open(body, wanted.length).await? {
            image::Opened::Image(image) => Ok(Source::Image(image)),
            image::Opened::Appliance(plain) => Appliance::open(plain).await.map(Source::Appliance),
            image::Opened::Other(plain) => {
                let (archive, ova) = records(plain).await?;
                Ok(Source::Archive(archive, ova))
            }
        }
    };
    match opened.await {
        Ok(Source::Image(image)) => image::receive(api, task, image, &wanted).await,
        Ok(Source::Appliance(appliance)) => appliance.receive(api, task, wanted.storage).await,
        Ok(Source::Archive(archive, ova)) => {
            let import = Import {
                objects: ova.objects,
                restore: wanted.restore,
                force: wanted.force,
            };
            receive(api, task, archive, ova.version, import, wanted.storage).await
        }
        Err(error) => {
            let error: ApiError = error;
            task.finish(Err(error.clone())).await;
            Err(error)
        }
    }
}

enum Source {
    Archive(Incoming, Ova),
    Image(image::Image),
    Appliance(Appliance),
}

async fn records(plain: Plain<'static>) -> Result<(Incoming, Ova), ApiError> {
    let (archive, text) = Archive::open(plain).await.map_err(moving::import_error)?;
    Ok((archive, ova::read(&text)?))
}

async fn receive(
    api: &Arc<Api>,
    task: HandlerTask,
    archive: Incoming,
    version: i64,
    import: Import,
    storage: Ref,
) -> Result<Value, ApiError> {
    let disks = match import.disks(&api.ops.pool.snapshot()) {
        Ok(disks) => disks,
        Err(error) => {
            task.finish(Err(error.clone())).await;
            return Err(error);
        }
    };
    let rules = Rules {
        inline: version > 0,
        lenient: import.force,
    };
    let streams = Arc::clone(&api.streams);
    let expected = disks.clone();
    let work = Box::new(move |carried| {
        let filled = fill(streams, carried, archive, version, rules, expected);
        Box::pin(filled) as futures::future::BoxFuture<'static, _>
    });
    task.carry(ImportVms::new(import, disks, storage), work).await
}

async fn fill(
    streams: Arc<dyn HostStreams>,
    carried: Carried,
    mut archive: Incoming,
    version: i64,
    rules: Rules,
    expected: Vec<DiskInArchive>,
) -> Result<(), ApiError> {
    let disks = moving::open(&streams, &carried, VolumeAccess::Write).await?;
    let watcher = Watcher::new(carried, disks.iter().map(|d| d.size()).sum());
    let has_table = version < 2 && !rules.lenient;
    if has_table {
        archive.expect_table();
    }
    for (disk, target) in expected.iter().zip(disks) {
        archive
            .disk(&disk.id, target, rules, &watcher)
            .await
            .map_err(|error| watcher.error(error, moving::import_error))?;
    }
    if has_table && !expected.is_empty() {
        let text = archive.table_text().await.map_err(moving::import_error)?;
        let table = ova::read_table(&text)?;
        let pairs = table.iter().map(|(name, sum)| (name.as_str(), sum.as_str()));
        archive.compare(pairs).map_err(moving::import_error)?;
    }
    Ok(())
}

/// `PUT /import_metadata`: the records alone; their disks must be here.
///
/// # Errors
/// Before the body is read: for the way of sending.
pub async fn metadata(exchange: Exchange) -> Result<Reply, Refusal> {
    refuse_chunked(&exchange)?;
    let task = HandlerTask::take(&exchange).await?;
    let named = task.reference;
    let query = exchange.query.clone();
    let api = Arc::clone(&exchange.api);
    let origin = exchange.caller.history("VM.metadata_import");
    let body = exchange.request.body.shared();
    let reply = answered_now(async move {
        let made = async {
            let plain = unpack(body.reader()).await.map_err(moving::import_error)?;
            let (_, ova) = records(plain).await?;
            let import = Import {
                objects: ova.objects,
                restore: query.is_true("restore"),
                force: query.is_true("force"),
            };
            if query.is_true("dry_run") {
                let db = api.ops.pool.snapshot();
                let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
                make(&mut Draft::new(&db, &facts), &import, &query)?;
                return Ok(Value::Set(Vec::new()));
            }
            let made = api.ops.decide(&origin, |d| make(d, &import, &query)).await;
            made.map(|(vms, _)| Value::refs(vms))
        };
        let made = made.await;
        task.finish(made).await;
        body.drain().await;
    });
    Ok(reply::of_task(reply, named))
}

fn make(draft: &mut Draft<'_>, import: &Import, query: &Query) -> Result<Vec<Ref>, ApiError> {
    let disks = present(draft.db(), import, query)?;
    import::make(draft, import, &disks)
}

/// The pool's own images for the disks that the records name: by the client's word, by uuid, by location.
fn present(db: &Database, import: &Import, query: &Query) -> Result<BTreeMap<Ref, Ref>, ApiError> {
    let mut found = BTreeMap::new();
    for disk in import.disks(db)? {
        let object = import
            .objects
            .iter()
            .find(|object| object.reference == disk.reference);
        let text = |name: &str| {
            object
                .and_then(|o| o.record.member(name))
                .map_or("", Value::as_str)
        };
        let uuid = query
            .prefixed("vdi:")
            .find(|(there, _)| *there == text("uuid"))
            .map_or(text("uuid"), |(_, here)| here);
        let location = text("location");
        let image = db.by_uuid(vdi::CLASS, uuid).or_else(|| {
            db.rows(vdi::CLASS)
                .find(|v| v.get(vdi::LOCATION).as_str() == location)
        });
        match image {
            Some(image) => {
                found.insert(disk.reference, image.reference);
            }
            None if import.force => {}
            None => {
                let storage = object
                    .and_then(|o| o.record.member("SR"))
                    .map_or(Ref::NULL, Value::as_ref);
                let storage = import.objects.iter().find(|o| o.reference == storage);
                let storage = storage
                    .and_then(|o| o.record.member("uuid"))
                    .map_or("", Value::as_str);
                return Err(ApiError::new("VDI_LOCATION_MISSING", [storage, location]));
            }
        }
    }
    Ok(found)
}
