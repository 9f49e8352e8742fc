//! Storage repositories and the plugs by which hosts reach them.

use std::collections::{BTreeMap, BTreeSet};

use proto_types::generated::{host, pbd, pool, secret, sr, tarn_saga, vbd, vdi};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::{generic, operation};
use crate::draft::Draft;
use crate::placement;

/// What `SR.create` and `SR.introduce` are given.
#[derive(Clone, Debug)]
pub struct NewSr {
    /// The uuid, empty for a fresh one.
    pub uuid: String,
    /// Label.
    pub name_label: String,
    /// Description.
    pub name_description: String,
    /// Driver type.
    pub kind: String,
    /// Content type.
    pub content_type: String,
    /// Whether several hosts may plug it.
    pub shared: bool,
    /// Driver's own settings.
    pub sm_config: Value,
}

/// Makes the row of an SR.
///
/// # Errors
/// `SR_UUID_EXISTS [uuid]`.
pub fn introduce(draft: &mut Draft<'_>, new: &NewSr) -> Result<Ref, ApiError> {
    if !new.uuid.is_empty() && draft.db().by_uuid(sr::CLASS, &new.uuid).is_some() {
        return Err(ApiError::new("SR_UUID_EXISTS", [new.uuid.as_str()]));
    }
    let mut fields = vec![
        (sr::NAME_LABEL, new.name_label.as_str().into()),
        (sr::NAME_DESCRIPTION, new.name_description.as_str().into()),
        (sr::TYPE, new.kind.to_lowercase().into()),
        (sr::CONTENT_TYPE, new.content_type.as_str().into()),
        (sr::SHARED, new.shared.into()),
        (sr::SM_CONFIG, new.sm_config.clone()),
        (sr::VIRTUAL_ALLOCATION, Value::Int(0)),
        (sr::PHYSICAL_UTILISATION, Value::Int(-1)),
        (sr::PHYSICAL_SIZE, Value::Int(-1)),
    ];
    if !new.uuid.is_empty() {
        fields.push((sr::UUID, new.uuid.as_str().into()));
    }
    Ok(draft.insert(sr::CLASS, fields))
}

/// Makes the plugs of an SR: one on every host if it is shared, else one on `first`. The first's comes first.
pub fn make_pbds(
    draft: &mut Draft<'_>,
    storage: Ref,
    first: Ref,
    shared: bool,
    config: &Value,
) -> Vec<(Ref, Ref)> {
    let mut hosts = vec![first];
    if shared {
        hosts.extend(
            draft
                .db()
                .rows(host::CLASS)
                .map(|h| h.reference)
                .filter(|h| *h != first)
                .collect::<Vec<_>>(),
        );
    }
    let made = hosts.into_iter().map(|on| {
        let plug = draft.insert(
            pbd::CLASS,
            vec![
                (pbd::HOST, on.into()),
                (pbd::SR, storage.into()),
                (pbd::DEVICE_CONFIG, config.clone()),
            ],
        );
        (plug, on)
    });
    made.collect()
}

/// Moves passwords out of a device configuration into secrets, as `password` → `password_secret`.
pub fn hide_passwords(draft: &mut Draft<'_>, config: &Value) -> Value {
    let mut kept: BTreeMap<Value, Value> = BTreeMap::new();
    for (key, value) in config.as_map().into_iter().flatten() {
        if key.as_str().ends_with("password") {
            let reference = draft.insert(secret::CLASS, vec![(secret::VALUE, value.clone())]);
            let uuid = draft
                .db()
                .get(reference)
                .map_or_else(String::new, |r| r.uuid().to_owned());
            kept.insert(Value::from(format!("{}_secret", key.as_str())), Value::from(uuid));
        } else {
            kept.insert(key.clone(), value.clone());
        }
    }
    Value::Map(kept)
}

/// A device configuration with the passwords put back, for the driver only.
pub fn reveal_passwords(db: &Database, config: &Value) -> BTreeMap<String, String> {
    let mut plain = BTreeMap::new();
    for (key, value) in config.as_map().into_iter().flatten() {
        let found = key
            .as_str()
            .strip_suffix("_secret")
            .and_then(|name| Some((name, db.by_uuid(secret::CLASS, value.as_str())?)));
        match found {
            Some((name, row)) => plain.insert(name.to_owned(), row.get(secret::VALUE).as_str().to_owned()),
            None => plain.insert(key.as_str().to_owned(), value.as_str().to_owned()),
        };
    }
    plain
}

/// Hosts that have an SR plugged and answer, the master first.
pub fn plugged_hosts(db: &Database, storage: Ref) -> Vec<Ref> {
    let master = db
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
    let mut hosts: Vec<Ref> = db
        .rows(host::CLASS)
        .filter(|h| placement::is_live(db, h) && placement::has_plugged(db, storage, h.reference))
        .map(|h| h.reference)
        .collect();
    hosts.sort_by_key(|h| *h != master);
    hosts
}

/// A host that can carry out work on an SR.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_HAS_NO_PBDS [sr]`.
pub fn host_for(db: &Database, storage: Ref) -> Result<Ref, ApiError> {
    crate::query::find(db, sr::CLASS, storage)?;
    plugged_hosts(db, storage)
        .first()
        .copied()
        .ok_or_else(|| ApiError::new("SR_HAS_NO_PBDS", [storage.to_string()]))
}

/// Begins work on an SR; only `plug` may overlap with other work.
///
/// # Errors
/// `HANDLE_INVALID`; `OTHER_OPERATION_IN_PROGRESS`.
pub fn begin(draft: &mut Draft<'_>, storage: Ref, task: Ref, name: &str) -> Result<(), ApiError> {
    let row = draft.read(sr::CLASS, storage)?;
    let clash = row
        .get(sr::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| m.iter().find(|(_, o)| o.as_str() != "plug" && name != "plug"));
    if let Some((holder, current)) = clash {
        return Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            ["SR", &storage.to_string(), current.as_str(), holder.as_str()],
        ));
    }
    operation::begin(draft, storage, sr::CURRENT_OPERATIONS, task, name);
    Ok(())
}

/// Ends work on an SR.
pub fn end(draft: &mut Draft<'_>, storage: Ref, task: Ref) {
    operation::end(draft, storage, sr::CURRENT_OPERATIONS, task);
}

/// What a scan found of one image.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Where it lies in the SR; also its uuid where the driver names images so.
    pub location: String,
    /// Bytes a guest sees.
    pub virtual_size: i64,
    /// Bytes taken.
    pub utilisation: i64,
    /// Whether it is a read-only library item.
    pub read_only: bool,
    /// Whether it has given up its data, and only tells what was written since an earlier one.
    pub without_data: bool,
}

/// What operations under way name: the images that they are making, among others. Those have no rows yet.
pub fn in_the_making(db: &Database) -> BTreeSet<String> {
    db.rows(tarn_saga::CLASS)
        .flat_map(|saga| {
            let parts = saga.get(tarn_saga::PARAMS).as_str();
            parts.split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        })
        .filter(|part| part.len() == 36)
        .map(str::to_owned)
        .collect()
}

/// Makes the rows of an SR's images agree with what a scan found. Those in `unborn`, or named by an operation that is under
/// way now, get none: they are the operation's.
pub fn scanned(
    draft: &mut Draft<'_>,
    storage: Ref,
    found: &[Scanned],
    unborn: &BTreeSet<String>,
    (size, utilisation): (i64, i64),
) {
    let Some(row) = draft.db().of_class(sr::CLASS, storage).cloned() else {
        return;
    };
    let making = in_the_making(draft.db());
    let known: BTreeMap<String, Ref> = row
        .get(sr::VDIS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vdi::CLASS, r))
        .map(|v| (v.get(vdi::LOCATION).as_str().to_owned(), v.reference))
        .collect();
    for item in found {
        match known.get(&item.location) {
            Some(reference) => draft.update(
                *reference,
                vec![
                    (vdi::VIRTUAL_SIZE, item.virtual_size.into()),
                    (vdi::PHYSICAL_UTILISATION, item.utilisation.into()),
                    (vdi::MISSING, false.into()),
                ],
            ),
            None if making.contains(&item.location) || unborn.contains(&item.location) => {}
            None => {
                let uuid = match uuid::Uuid::try_parse(&item.location) {
                    Ok(uuid) => uuid.as_hyphenated().to_string(),
                    Err(_) => draft.facts().uuid_text(),
                };
                let label = if item.read_only && !item.without_data {
                    item.location.as_str()
                } else {
                    ""
                };
                let purpose = if item.without_data {
                    super::vdi::WITHOUT_DATA
                } else {
                    "user"
                };
                let reference = draft.facts().reference();
                super::vdi::made(
                    draft,
                    reference,
                    super::vdi::NewVdi {
                        sr: storage,
                        uuid,
                        virtual_size: item.virtual_size,
                        utilisation: item.utilisation,
                        fields: vec![
                            (vdi::NAME_LABEL, label.into()),
                            (vdi::TYPE, purpose.into()),
                            (vdi::READ_ONLY, item.read_only.into()),
                            (vdi::CBT_ENABLED, item.without_data.into()),
                            (vdi::IS_A_SNAPSHOT, item.without_data.into()),
                        ],
                    },
                );
                draft.set(reference, vdi::LOCATION, item.location.as_str());
            }
        }
    }
    for (location, reference) in &known {
        let gone = !found.iter().any(|f| f.location == *location);
        let busy = draft.db().of_class(vdi::CLASS, *reference).is_none_or(|v| {
            v.get(vdi::CURRENT_OPERATIONS)
                .as_map()
                .is_some_and(|m| !m.is_empty())
        });
        if gone && !busy {
            super::vdi::removed(draft, *reference);
        }
    }
    refresh_sizes(draft, storage, size, utilisation);
}

/// Sets the sizes of an SR; its virtual allocation is the sum of its images.
pub fn refresh_sizes(draft: &mut Draft<'_>, storage: Ref, size: i64, utilisation: i64) {
    let Some(row) = draft.db().of_class(sr::CLASS, storage).cloned() else {
        return;
    };
    let allocated: i64 = row
        .get(sr::VDIS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vdi::CLASS, r))
        .map(|v| v.get(vdi::VIRTUAL_SIZE).as_int())
        .fold(0, i64::saturating_add);
    draft.update(
        storage,
        vec![
            (sr::PHYSICAL_SIZE, size.into()),
            (sr::PHYSICAL_UTILISATION, utilisation.into()),
            (sr::VIRTUAL_ALLOCATION, allocated.into()),
        ],
    );
}

/// Checks that an SR may be forgotten or destroyed: no host has it plugged.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_HAS_PBD [sr]`; `SR_INDESTRUCTIBLE [sr]`; `OTHER_OPERATION_IN_PROGRESS`.
pub fn check_detached(draft: &mut Draft<'_>, storage: Ref) -> Result<(), ApiError> {
    let row = draft.read(sr::CLASS, storage)?;
    if row.get(sr::OTHER_CONFIG).get("indestructible") == Some("true") {
        return Err(ApiError::new("SR_INDESTRUCTIBLE", [storage.to_string()]));
    }
    for plug in row.get(sr::PBDS).as_refs() {
        if draft
            .read(pbd::CLASS, plug)?
            .get(pbd::CURRENTLY_ATTACHED)
            .as_bool()
        {
            return Err(ApiError::new("SR_HAS_PBD", [storage.to_string()]));
        }
    }
    Ok(())
}

/// Removes an SR's row with its plugs and images; what lies on the medium stays.
pub fn forget(draft: &mut Draft<'_>, storage: Ref) {
    let Some(row) = draft.db().of_class(sr::CLASS, storage).cloned() else {
        return;
    };
    for plug in row.get(sr::PBDS).as_refs() {
        draft.delete(plug);
    }
    for image in row.get(sr::VDIS).as_refs() {
        super::vdi::removed(draft, image);
    }
    let pool_row = draft
        .db()
        .only(pool::CLASS)
        .map(|p| p.reference)
        .unwrap_or_default();
    for field in [pool::DEFAULT_SR, pool::SUSPEND_IMAGE_SR, pool::CRASH_DUMP_SR] {
        if draft
            .db()
            .get(pool_row)
            .is_some_and(|p| p.get(field).as_ref() == storage)
        {
            draft.set(pool_row, field, Ref::NULL);
        }
    }
    draft.delete(storage);
}

/// Makes a plug.
///
/// # Errors
/// `HANDLE_INVALID`; `PBD_EXISTS [sr, host, pbd]`; `SR_NOT_SHARABLE [sr, host]` for a second host of one that is
/// not shared; `VALUE_NOT_SUPPORTED` for the key `SRmaster`.
pub fn create_pbd(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let mut fields = generic::fields_of(pbd::CLASS, record)?;
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    let (on, storage) = (given(pbd::HOST).as_ref(), given(pbd::SR).as_ref());
    draft.read(host::CLASS, on)?;
    let row = draft.read(sr::CLASS, storage)?;
    for plug in row.get(sr::PBDS).as_refs() {
        let same = draft
            .db()
            .of_class(pbd::CLASS, plug)
            .is_some_and(|p| p.get(pbd::HOST).as_ref() == on);
        if same {
            return Err(ApiError::new(
                "PBD_EXISTS",
                [storage, on, plug].map(|r| r.to_string()),
            ));
        }
        if !row.get(sr::SHARED).as_bool() {
            return Err(ApiError::new(
                "SR_NOT_SHARABLE",
                [storage, on].map(|r| r.to_string()),
            ));
        }
    }
    let config = given(pbd::DEVICE_CONFIG);
    if config.get("SRmaster").is_some() {
        return Err(ApiError::new(
            "VALUE_NOT_SUPPORTED",
            [
                "device_config:SRmaster",
                config.get("SRmaster").unwrap_or_default(),
                "the pool sets this itself",
            ],
        ));
    }
    let hidden = hide_passwords(draft, &config);
    fields.retain(|(f, _)| *f != pbd::DEVICE_CONFIG);
    fields.push((pbd::DEVICE_CONFIG, hidden));
    Ok(draft.insert(pbd::CLASS, fields))
}

/// Removes a plug that is not plugged.
///
/// # Errors
/// `HANDLE_INVALID`; `OPERATION_NOT_ALLOWED` while plugged.
pub fn destroy_pbd(draft: &mut Draft<'_>, plug: Ref) -> Result<(), ApiError> {
    if draft
        .read(pbd::CLASS, plug)?
        .get(pbd::CURRENTLY_ATTACHED)
        .as_bool()
    {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["PBD is currently plugged"],
        ));
    }
    draft.delete(plug);
    Ok(())
}

/// Checks that a plug may be pulled: no VM on its host uses an image of the SR.
///
/// # Errors
/// `HANDLE_INVALID`; `VDI_IN_USE [vdi, ...]`.
pub fn check_unplug(draft: &mut Draft<'_>, plug: Ref) -> Result<(), ApiError> {
    use proto_types::generated::vm;
    let row = draft.read(pbd::CLASS, plug)?;
    let on = row.get(pbd::HOST).as_ref();
    let storage = draft.read(sr::CLASS, row.get(pbd::SR).as_ref())?;
    let db = draft.db();
    let used = storage
        .get(sr::VDIS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vdi::CLASS, r))
        .find(|image| {
            image
                .get(vdi::VBDS)
                .as_refs()
                .into_iter()
                .filter_map(|r| db.of_class(vbd::CLASS, r))
                .any(|drive| {
                    let here = db
                        .of_class(vm::CLASS, drive.get(vbd::VM).as_ref())
                        .is_some_and(|v| {
                            v.get(vm::RESIDENT_ON).as_ref() == on
                                || v.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() == on
                        });
                    here && (drive.get(vbd::CURRENTLY_ATTACHED).as_bool()
                        || drive.get(vbd::RESERVED).as_bool())
                })
        });
    match used {
        Some(image) => Err(ApiError::new(
            "VDI_IN_USE",
            [image.reference.to_string(), "unplug".to_owned()],
        )),
        None => Ok(()),
    }
}

/// Says whether several hosts may plug an SR.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_HAS_MULTIPLE_PBDS [pbd, ...]` to make one local that has several plugs.
pub fn set_shared(draft: &mut Draft<'_>, storage: Ref, shared: bool) -> Result<(), ApiError> {
    let row = draft.read(sr::CLASS, storage)?;
    let plugs = row.get(sr::PBDS).as_refs();
    if !shared && plugs.len() > 1 {
        return Err(ApiError::new(
            "SR_HAS_MULTIPLE_PBDS",
            plugs.iter().map(Ref::to_string),
        ));
    }
    draft.set(storage, sr::SHARED, shared);
    Ok(())
}

/// Changes how a host reaches an SR, while it does not.
///
/// # Errors
/// `HANDLE_INVALID`; `OPERATION_NOT_ALLOWED` while plugged.
pub fn set_device_config(draft: &mut Draft<'_>, plug: Ref, config: &Value) -> Result<(), ApiError> {
    let row = draft.read(pbd::CLASS, plug)?;
    if row.get(pbd::CURRENTLY_ATTACHED).as_bool() {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["PBD is currently plugged"],
        ));
    }
    let hidden = hide_passwords(draft, config);
    draft.set(plug, pbd::DEVICE_CONFIG, hidden);
    Ok(())
}

/// The live, enabled hosts that have an SR plugged.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn live_hosts(db: &Database, storage: Ref) -> Result<Vec<Ref>, ApiError> {
    crate::query::find(db, sr::CLASS, storage)?;
    Ok(plugged_hosts(db, storage)
        .into_iter()
        .filter(|h| {
            db.of_class(host::CLASS, *h)
                .is_some_and(|h| h.get(host::ENABLED).as_bool())
        })
        .collect())
}
