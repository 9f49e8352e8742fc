//! Settings of the whole pool and of its hosts that are more than a write of one field, and services beside the pool.

use std::sync::Arc;
use std::time::Duration;

use pool_domain::decide::{blob, host_settings};
use pool_domain::query;
use pool_ops::machine::{self, MachineReply, MachineVerb};
use proto_types::generated::{host, network, pool, secret, sr};
use proto_types::{ApiError, Args, Ref, Value};
use uuid::Uuid;

use super::{Handler, Scope, Table};
use crate::api::Api;
use crate::api::gate::Entry;

/// The messages.
pub const TABLE: Table = &[
    (
        "pool.apply_edition",
        Handler::Write(|d, _, a| {
            query::find(d.db(), pool::CLASS, a.reference(0)?)?;
            let hosts: Vec<Ref> = d.db().rows(host::CLASS).map(|h| h.reference).collect();
            for row in hosts {
                host_settings::apply_edition(d, row, a.text(1)?)?;
            }
            Ok(Value::Void)
        }),
    ),
    (
        "pool.create_new_blob",
        Handler::Write(|d, _, a| {
            let kind = (a.text(2)?, a.truth(3)?);
            blob::create_on(d, pool::BLOBS, a.reference(0)?, a.text(1)?, kind).map(Value::from)
        }),
    ),
    (
        "network.create_new_blob",
        Handler::Write(|d, _, a| {
            let kind = (a.text(2)?, a.truth(3)?);
            blob::create_on(d, network::BLOBS, a.reference(0)?, a.text(1)?, kind).map(Value::from)
        }),
    ),
    (
        "SR.create_new_blob",
        Handler::Write(|d, _, a| {
            let kind = (a.text(2)?, a.truth(3)?);
            blob::create_on(d, sr::BLOBS, a.reference(0)?, a.text(1)?, kind).map(Value::from)
        }),
    ),
    (
        "pool.has_extension",
        Handler::Special(|api, entry, args| Box::pin(async move { has_extension(&api, entry, &args).await })),
    ),
    (
        "secret.introduce",
        Handler::Write(|d, _, a| {
            let uuid = a.text(0)?;
            Uuid::try_parse(uuid).map_err(|_| ApiError::new("INVALID_VALUE", ["uuid", uuid]))?;
            if d.db().by_uuid(secret::CLASS, uuid).is_some() {
                return Err(ApiError::new(
                    "UNIQUENESS_CONSTRAINT_VIOLATION",
                    ["secret", "uuid", uuid],
                ));
            }
            let fields = vec![
                (secret::UUID, uuid.into()),
                (secret::VALUE, a.text(1)?.into()),
                (secret::OTHER_CONFIG, a.at(2)?.clone()),
            ];
            Ok(d.insert(secret::CLASS, fields).into())
        }),
    ),
    (
        // Linux hands out one thread of a processor at a time.
        "host.get_sched_gran",
        Handler::Read(|s, a| on_host(s, a).map(|()| THREADS.into())),
    ),
    (
        "host.set_sched_gran",
        Handler::Read(|s, a| {
            on_host(s, a)?;
            if a.text(1)? == THREADS {
                return Ok(Value::Void);
            }
            Err(ApiError::new(
                "OPERATION_NOT_ALLOWED",
                ["Hosts of this pool hand out single threads of their processors"],
            ))
        }),
    ),
    // Every acknowledged write is on disk on a majority of hosts; no other log is kept.
    ("pool.disable_redo_log", Handler::Read(|_, _| Ok(Value::Void))),
    (
        "host.disable_local_storage_caching",
        Handler::Write(|d, _, a| {
            d.read(host::CLASS, a.reference(0)?)?;
            d.set(a.reference(0)?, host::LOCAL_CACHE_SR, Ref::NULL);
            Ok(Value::Void)
        }),
    ),
    (
        "pool.disable_local_storage_caching",
        Handler::Write(|d, _, a| {
            query::find(d.db(), pool::CLASS, a.reference(0)?)?;
            let hosts: Vec<Ref> = d.db().rows(host::CLASS).map(|h| h.reference).collect();
            for row in hosts {
                d.set(row, host::LOCAL_CACHE_SR, Ref::NULL);
            }
            Ok(Value::Void)
        }),
    ),
    // Guests have nowhere to read it.
    ("pool.add_to_guest_agent_config", Handler::Unbuilt(on_pool)),
    ("pool.remove_from_guest_agent_config", Handler::Unbuilt(on_pool)),
    // No workload balancing was ever set up.
    (
        "pool.set_wlb_enabled",
        Handler::Write(|d, _, a| {
            d.read(pool::CLASS, a.reference(0)?)?;
            if a.truth(1)? {
                return Err(no_wlb());
            }
            d.set(a.reference(0)?, pool::WLB_ENABLED, false);
            Ok(Value::Void)
        }),
    ),
    ("pool.deconfigure_wlb", Handler::Read(|_, _| Err(no_wlb()))),
    ("pool.send_wlb_configuration", Handler::Read(|_, _| Err(no_wlb()))),
    (
        "pool.retrieve_wlb_configuration",
        Handler::Read(|_, _| Err(no_wlb())),
    ),
    (
        "pool.retrieve_wlb_recommendations",
        Handler::Read(|_, _| Err(no_wlb())),
    ),
];

/// The one choice of `host_sched_gran` that is Linux's.
const THREADS: &str = "cpu";
/// How long one host may take to look.
const WAIT: Duration = Duration::from_secs(10);

fn no_wlb() -> ApiError {
    ApiError::bare("WLB_NOT_INITIALIZED")
}

fn on_pool(scope: &Scope<'_>, args: &Args) -> Result<(), ApiError> {
    query::find(scope.db, pool::CLASS, args.reference(0)?).map(|_| ())
}

fn on_host(scope: &Scope<'_>, args: &Args) -> Result<(), ApiError> {
    query::find(scope.db, host::CLASS, args.reference(0)?).map(|_| ())
}

/// The pool has an extension if every host has it.
async fn has_extension(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    query::find(&entry.db, pool::CLASS, args.reference(0)?)?;
    let name = args.text(1)?;
    for row in entry.db.rows(host::CLASS) {
        let verb = MachineVerb::HasExtension {
            name: name.to_owned(),
        };
        match machine::ask(&api.ops, row.reference, verb, WAIT).await? {
            MachineReply::Truth(true) => {}
            MachineReply::Truth(false) => return Ok(false.into()),
            _ => return Err(ApiError::internal("the host answered something else")),
        }
    }
    Ok(true.into())
}
