//! SRs and PBDs.

use std::sync::Arc;

use pool_domain::decide::{generic, storage};
use pool_domain::query;
use pool_ops::storage::pbd::Plug;
use pool_ops::storage::sr::{self as sr_ops, CreateSr, FoundSr, SrParams, WorkOnSr};
use proto_types::generated::{pbd, sm, sr};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Table, Work, job};
use crate::api::Api;

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
    (
        "SR.update",
        Handler::Run(|_, args| job(WorkOnSr::update(args.reference(0)?))),
    ),
    (
        "SR.probe",
        Handler::Special(|api, _, args| Box::pin(probe(api, args))),
    ),
    (
        "SR.probe_ext",
        Handler::Special(|api, _, args| Box::pin(probe_ext(api, args))),
    ),
    (
        "SR.make",
        Handler::Read(|_, _| Err(ApiError::bare("MESSAGE_DEPRECATED"))),
    ),
    (
        "SR.set_shared",
        Handler::Write(|d, _, args| {
            storage::set_shared(d, args.reference(0)?, args.truth(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "SR.get_live_hosts",
        Handler::Read(|s, args| storage::live_hosts(s.db, args.reference(0)?).map(Value::refs)),
    ),
    (
        "PBD.set_device_config",
        Handler::Write(|d, _, args| {
            storage::set_device_config(d, args.reference(0)?, args.at(1)?).map(|()| Value::Void)
        }),
    ),
];

/// A setter that is not generic in the data model but needs no more than its row here: no driver keeps labels.
pub(super) fn set(
    d: &mut pool_domain::Draft<'_>,
    args: &Args,
    field: proto_types::Field,
) -> Result<Value, ApiError> {
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

async fn probe(api: Arc<Api>, args: Args) -> Result<Value, ApiError> {
    let found = look(&api, &args).await?;
    Ok(sr_ops::probe_xml(&found).into())
}

async fn look(api: &Api, args: &Args) -> Result<Vec<FoundSr>, ApiError> {
    sr_ops::probe(
        &api.ops,
        args.reference(0)?,
        args.at(1)?,
        args.text(2)?,
        args.at(3)?,
    )
    .await
}

async fn probe_ext(api: Arc<Api>, args: Args) -> Result<Value, ApiError> {
    let found = look(&api, &args).await?;
    Ok(Value::Set(found.iter().map(probe_result).collect()))
}

fn record(members: Vec<(&str, Value)>) -> Value {
    Value::Record(
        members
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    )
}

fn probe_result(found: &FoundSr) -> Value {
    let size = found.facts.physical_size.as_i64();
    let free = size.saturating_sub(found.facts.physical_utilisation.as_i64());
    let stat = match found.uuid {
        None => Value::Void,
        Some(uuid) => record(vec![
            ("uuid", uuid.to_string().into()),
            ("name_label", "".into()),
            ("name_description", "".into()),
            ("free_space", free.into()),
            ("total_space", size.into()),
            ("clustered", false.into()),
            ("health", "healthy".into()),
        ]),
    };
    // A password that the caller gave is not told back.
    let config = found
        .device_config
        .iter()
        .filter(|(key, _)| !key.ends_with("password"));
    record(vec![
        ("configuration", Value::string_map(config)),
        ("complete", true.into()),
        ("sr", stat),
        ("extra_info", Value::empty_map()),
    ])
}
