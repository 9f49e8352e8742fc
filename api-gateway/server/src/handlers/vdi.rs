//! Disks.

use std::sync::Arc;

use pool_domain::decide::{generic, vdi};
use pool_domain::{Database, query};
use pool_ops::storage::changes::TrackVdi;
use pool_ops::storage::vdi::{ChangeVdi, Make, MakeVdi};
use pool_ops::storage::vdi_copy::CopyOver;
use pool_ops::storage::vdi_live::{self, GrowVdi, LookAtVdi};
use proto_types::generated::vdi as class;
use proto_types::{ApiError, Args, Field, Ref, Value};

use super::storage::set;
use super::{Handler, Scope, Table, Work, job};
use crate::api::Api;

/// The messages.
pub const TABLE: Table = &[
    ("VDI.create", Handler::Run(|_, args| create(args))),
    (
        "VDI.clone",
        Handler::Run(|_, args| job(MakeVdi::from(Make::Clone, args.reference(0)?, Ref::NULL))),
    ),
    (
        "VDI.snapshot",
        Handler::Run(|_, args| job(MakeVdi::from(Make::Snapshot, args.reference(0)?, Ref::NULL))),
    ),
    ("VDI.copy", Handler::Run(copy)),
    (
        "VDI.resize",
        Handler::Run(|_, args| job(ChangeVdi::resize(args.reference(0)?, args.int(1)?))),
    ),
    (
        "VDI.resize_online",
        Handler::Run(|_, args| job(GrowVdi::new(args.reference(0)?, args.int(1)?))),
    ),
    (
        "VDI.destroy",
        Handler::Run(|_, args| job(ChangeVdi::destroy(args.reference(0)?))),
    ),
    (
        "VDI.update",
        Handler::Run(|_, args| job(LookAtVdi::update(args.reference(0)?))),
    ),
    (
        "VDI.introduce",
        Handler::Run(|_, args| job(LookAtVdi::introduce(introduced(args)?))),
    ),
    (
        "VDI.pool_introduce",
        Handler::Write(|d, _, args| vdi::introduce_record(d, introduced(args)?).map(Value::from)),
    ),
    (
        "VDI.db_introduce",
        Handler::Write(|d, _, args| vdi::introduce_record(d, introduced(args)?).map(Value::from)),
    ),
    (
        "VDI.forget",
        Handler::Write(|d, _, args| vdi::forget(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VDI.db_forget",
        Handler::Write(|d, _, args| {
            d.read(class::CLASS, args.reference(0)?)?;
            vdi::removed(d, args.reference(0)?);
            Ok(Value::Void)
        }),
    ),
    (
        "VDI.force_unlock",
        Handler::Read(|_, _| Err(ApiError::bare("MESSAGE_DEPRECATED"))),
    ),
    (
        "VDI.set_on_boot",
        Handler::Write(|d, _, args| {
            vdi::set_on_boot(d, args.reference(0)?, args.at(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VDI.set_name_label",
        Handler::Write(|d, _, a| set(d, a, class::NAME_LABEL)),
    ),
    (
        "VDI.set_name_description",
        Handler::Write(|d, _, a| set(d, a, class::NAME_DESCRIPTION)),
    ),
    (
        "VDI.enable_cbt",
        Handler::Run(|_, args| job(TrackVdi::enable(args.reference(0)?))),
    ),
    (
        "VDI.disable_cbt",
        Handler::Run(|_, args| job(TrackVdi::disable(args.reference(0)?))),
    ),
    (
        "VDI.data_destroy",
        Handler::Run(|_, args| job(TrackVdi::destroy_data(args.reference(0)?))),
    ),
    (
        "VDI.list_changed_blocks",
        Handler::Run(|_, args| job(TrackVdi::list(args.reference(0)?, args.reference(1)?))),
    ),
    ("VDI.get_nbd_info", Handler::Read(nbd_info)),
    (
        "VDI.checksum",
        Handler::Special(|api, _, args| Box::pin(checksum(api, args))),
    ),
];

fn create(args: &Args) -> Result<Work, ApiError> {
    let fields = generic::fields_of(class::CLASS, args.at(0)?)?;
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    job(MakeVdi::blank(
        given(class::SR).as_ref(),
        given(class::VIRTUAL_SIZE).as_int(),
        fields,
    ))
}

fn copy(db: &Database, args: &Args) -> Result<Work, ApiError> {
    let (base, into) = (args.reference(2)?, args.reference(3)?);
    let (source, storage) = (args.reference(0)?, args.reference(1)?);
    for given in [base, into].into_iter().filter_map(Ref::some) {
        query::find(db, class::CLASS, given)?;
    }
    if base.is_null() && into.is_null() {
        return job(MakeVdi::from(Make::Copy, source, storage));
    }
    job(CopyOver::new(source, storage, base, into))
}

/// The fields of a record that is introduced, in the order of the parameters.
fn introduced(args: &Args) -> Result<Vec<(Field, Value)>, ApiError> {
    const ORDER: &[Field] = &[
        class::UUID,
        class::NAME_LABEL,
        class::NAME_DESCRIPTION,
        class::SR,
        class::TYPE,
        class::SHARABLE,
        class::READ_ONLY,
        class::OTHER_CONFIG,
        class::LOCATION,
        class::XENSTORE_DATA,
        class::SM_CONFIG,
        class::MANAGED,
        class::VIRTUAL_SIZE,
        class::PHYSICAL_UTILISATION,
        class::METADATA_OF_POOL,
        class::IS_A_SNAPSHOT,
        class::SNAPSHOT_TIME,
        class::SNAPSHOT_OF,
        class::CBT_ENABLED,
    ];
    ORDER
        .iter()
        .zip(0..args.0.len())
        .map(|(field, at)| Ok((*field, args.at(at)?.clone())))
        .collect()
}

/// How a disk is read over the network: no host of this release serves that.
fn nbd_info(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(scope.db, class::CLASS, args.reference(0)?)?;
    let kind = row.get(class::TYPE).as_str();
    if kind == "cbt_metadata" {
        return Err(ApiError::new(
            "VDI_INCOMPATIBLE_TYPE",
            [row.reference.to_string(), kind.to_owned()],
        ));
    }
    Ok(Value::Set(Vec::new()))
}

async fn checksum(api: Arc<Api>, args: Args) -> Result<Value, ApiError> {
    vdi_live::checksum(&api.ops, args.reference(0)?)
        .await
        .map(Value::from)
}
