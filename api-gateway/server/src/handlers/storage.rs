//! SRs, PBDs and VDIs.

use pool_domain::decide::{generic, storage};
use pool_domain::query;
use pool_ops::storage::pbd::Plug;
use pool_ops::storage::sr::{CreateSr, SrParams, WorkOnSr};
use pool_ops::storage::vdi::{ChangeVdi, Make, MakeVdi};
use proto_types::generated::{pbd, sm, sr, vdi};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Table, Work, job};

/// The messages.
pub const TABLE: Table = &[
    ("SR.create", Handler::Run(|_, args| create_sr(args))),
    (
        "SR.scan",
        Handler::Run(|_, args| job(WorkOnSr::scan(args.reference(0)?))),
    ),
    (
        "SR.destroy",
        Handler::Run(|_, args| job(WorkOnSr::destroy(args.reference(0)?))),
    ),
    (
        "SR.forget",
        Handler::Write(|d, _, args| {
            storage::check_detached(d, args.reference(0)?)?;
            storage::forget(d, args.reference(0)?);
            Ok(Value::Void)
        }),
    ),
    (
        "SR.introduce",
        Handler::Write(|d, _, args| {
            let new = storage::NewSr {
                uuid: args.text(0)?.to_owned(),
                name_label: args.text(1)?.to_owned(),
                name_description: args.text(2)?.to_owned(),
                kind: args.text(3)?.to_owned(),
                content_type: args.text(4)?.to_owned(),
                shared: args.truth(5)?,
                sm_config: args.at(6)?.clone(),
            };
            storage::introduce(d, &new).map(Value::from)
        }),
    ),
    (
        "SR.get_supported_types",
        Handler::Read(|s, _| {
            Ok(Value::strings(
                s.db.rows(sm::CLASS).map(|r| r.get(sm::TYPE).as_str()),
            ))
        }),
    ),
    (
        "SR.set_name_label",
        Handler::Write(|d, _, a| set(d, a, sr::NAME_LABEL)),
    ),
    (
        "SR.set_name_description",
        Handler::Write(|d, _, a| set(d, a, sr::NAME_DESCRIPTION)),
    ),
    (
        "PBD.create",
        Handler::Write(|d, _, args| storage::create_pbd(d, args.at(0)?).map(Value::from)),
    ),
    (
        "PBD.destroy",
        Handler::Write(|d, _, args| storage::destroy_pbd(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "PBD.plug",
        Handler::Run(|db, args| plug(db, args.reference(0)?, Wish::Plugged)),
    ),
    (
        "PBD.unplug",
        Handler::Run(|db, args| plug(db, args.reference(0)?, Wish::Unplugged)),
    ),
    ("VDI.create", Handler::Run(|_, args| create_vdi(args))),
    (
        "VDI.clone",
        Handler::Run(|_, args| job(MakeVdi::from(Make::Clone, args.reference(0)?, Ref::NULL))),
    ),
    (
        "VDI.snapshot",
        Handler::Run(|_, args| job(MakeVdi::from(Make::Snapshot, args.reference(0)?, Ref::NULL))),
    ),
    (
        "VDI.copy",
        Handler::Run(|_, args| job(MakeVdi::from(Make::Copy, args.reference(0)?, args.reference(1)?))),
    ),
    (
        "VDI.resize",
        Handler::Run(|_, args| job(ChangeVdi::resize(args.reference(0)?, args.int(1)?))),
    ),
    (
        "VDI.destroy",
        Handler::Run(|_, args| job(ChangeVdi::destroy(args.reference(0)?))),
    ),
    (
        "VDI.set_name_label",
        Handler::Write(|d, _, a| set(d, a, vdi::NAME_LABEL)),
    ),
    (
        "VDI.set_name_description",
        Handler::Write(|d, _, a| set(d, a, vdi::NAME_DESCRIPTION)),
    ),
];

/// A setter that is not generic in the data model but needs no more than its row here: no driver keeps labels.
fn set(d: &mut pool_domain::Draft<'_>, args: &Args, field: proto_types::Field) -> Result<Value, ApiError> {
    generic::set(
        d,
        field.class,
        field.index,
        args.reference(0)?,
        args.at(1)?.clone(),
    )?;
    Ok(Value::Void)
}

fn create_sr(args: &Args) -> Result<Work, ApiError> {
    let params = SrParams {
        name_label: args.text(3)?.to_owned(),
        name_description: args.text(4)?.to_owned(),
        kind: args.text(5)?.to_owned(),
        content_type: args.text(6)?.to_owned(),
        shared: args.truth(7)?,
        sm_config: args.at(8)?.clone(),
    };
    job(CreateSr::new(args.reference(0)?, args.at(1)?.clone(), params))
}

enum Wish {
    Plugged,
    Unplugged,
}

/// Plugging what is plugged and pulling what is not succeed and do nothing.
fn plug(db: &pool_domain::Database, this: Ref, wish: Wish) -> Result<Work, ApiError> {
    let attached = query::find(db, pbd::CLASS, this)?
        .get(pbd::CURRENTLY_ATTACHED)
        .as_bool();
    match wish {
        Wish::Plugged if attached => Ok(Work::Nothing(Value::Void)),
        Wish::Plugged => job(Plug::plug(this)),
        Wish::Unplugged if !attached => Ok(Work::Nothing(Value::Void)),
        Wish::Unplugged => job(Plug::unplug(this)),
    }
}

fn create_vdi(args: &Args) -> Result<Work, ApiError> {
    let fields = generic::fields_of(vdi::CLASS, args.at(0)?)?;
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    job(MakeVdi::blank(
        given(vdi::SR).as_ref(),
        given(vdi::VIRTUAL_SIZE).as_int(),
        fields,
    ))
}
