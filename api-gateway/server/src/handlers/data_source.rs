//! Data sources of VMs, hosts and SRs.

use std::sync::Arc;

use futures::future::BoxFuture;
use pool_ops::data_sources::{self, DataSource, Place, Use};
use proto_types::generated::{data_source as class, host, sr, vm};
use proto_types::{ApiError, Args, ClassId, Value};

use super::{Handler, Table};
use crate::api::Api;
use crate::api::gate::Entry;

/// The messages.
pub const TABLE: Table = &[
    (
        "VM.get_data_sources",
        Handler::Special(|api, e, a| list(api, e, a, vm::CLASS)),
    ),
    (
        "VM.query_data_source",
        Handler::Special(|api, e, a| query(api, e, a, vm::CLASS)),
    ),
    (
        "VM.record_data_source",
        Handler::Special(|api, e, a| record(api, e, a, vm::CLASS)),
    ),
    (
        "VM.forget_data_source_archives",
        Handler::Special(|api, e, a| forget(api, e, a, vm::CLASS)),
    ),
    (
        "host.get_data_sources",
        Handler::Special(|api, e, a| list(api, e, a, host::CLASS)),
    ),
    (
        "host.query_data_source",
        Handler::Special(|api, e, a| query(api, e, a, host::CLASS)),
    ),
    (
        "host.record_data_source",
        Handler::Special(|api, e, a| record(api, e, a, host::CLASS)),
    ),
    (
        "host.forget_data_source_archives",
        Handler::Special(|api, e, a| forget(api, e, a, host::CLASS)),
    ),
    (
        "SR.get_data_sources",
        Handler::Special(|api, e, a| list(api, e, a, sr::CLASS)),
    ),
    (
        "SR.query_data_source",
        Handler::Special(|api, e, a| query(api, e, a, sr::CLASS)),
    ),
    (
        "SR.record_data_source",
        Handler::Special(|api, e, a| record(api, e, a, sr::CLASS)),
    ),
    (
        "SR.forget_data_source_archives",
        Handler::Special(|api, e, a| forget(api, e, a, sr::CLASS)),
    ),
];

type Answer<'a> = BoxFuture<'a, Result<Value, ApiError>>;

fn place(entry: &Entry, args: &Args, class: ClassId, why: Use) -> Result<Place, ApiError> {
    data_sources::place(&entry.db, class, args.reference(0)?, why)
}

fn list(api: Arc<Api>, entry: &Entry, args: Args, class: ClassId) -> Answer<'_> {
    Box::pin(async move {
        let place = place(entry, &args, class, Use::Manage)?;
        let sources = data_sources::list(&api.ops, place).await?;
        Ok(Value::Set(sources.into_iter().map(record_of).collect()))
    })
}

fn query(api: Arc<Api>, entry: &Entry, args: Args, class: ClassId) -> Answer<'_> {
    Box::pin(async move {
        let place = place(entry, &args, class, Use::Query)?;
        let value = data_sources::query(&api.ops, place, args.text(1)?).await?;
        Ok(Value::Float(value.unwrap_or(f64::NAN)))
    })
}

fn record(api: Arc<Api>, entry: &Entry, args: Args, class: ClassId) -> Answer<'_> {
    Box::pin(async move {
        let place = place(entry, &args, class, Use::Manage)?;
        data_sources::record(&api.ops, place, args.text(1)?).await?;
        Ok(Value::Void)
    })
}

fn forget(api: Arc<Api>, entry: &Entry, args: Args, class: ClassId) -> Answer<'_> {
    Box::pin(async move {
        let place = place(entry, &args, class, Use::Manage)?;
        data_sources::forget(&api.ops, place, args.text(1)?).await?;
        Ok(Value::Void)
    })
}

/// The record of a source. Where there is no bound it is infinite, and an unknown value is not-a-number.
fn record_of(source: DataSource) -> Value {
    let fields = [
        (class::NAME_LABEL, Value::from(source.name.as_str())),
        (class::NAME_DESCRIPTION, source.description.as_str().into()),
        (class::ENABLED, source.enabled.into()),
        (class::STANDARD, source.standard.into()),
        (class::UNITS, source.units.as_str().into()),
        (class::MIN, Value::Float(source.min.unwrap_or(f64::NEG_INFINITY))),
        (class::MAX, Value::Float(source.max.unwrap_or(f64::INFINITY))),
        (class::VALUE, Value::Float(source.value.unwrap_or(f64::NAN))),
    ];
    Value::Record(
        fields
            .into_iter()
            .map(|(field, value)| (field.def().name.into(), value))
            .collect(),
    )
}
