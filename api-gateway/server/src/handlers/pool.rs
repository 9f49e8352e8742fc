//! The pool: who belongs to it and who leads it.

use std::sync::Arc;
use std::time::Duration;

use pool_domain::decide::{host as hosts, licence, pool_members};
use pool_domain::{placement, query};
use pool_ops::Call;
use pool_ops::core::uuid_of_host;
use pool_ops::machine::{self, MachineVerb};
use pool_ops::storage::pbd::Plug;
use proto_types::generated::{host, pool};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Table};
use crate::api::Api;
use crate::api::gate::Entry;
use crate::api::ports::{OtherPool, Role};

/// How long a host that says hello may take to answer.
const TALK_BACK: Duration = Duration::from_secs(5);

/// The messages.
pub const TABLE: Table = &[
    (
        "pool.is_slave",
        Handler::Special(|api, _, _| {
            Box::pin(async move { Ok(Value::Bool(!matches!(api.cluster.role(), Role::Leader))) })
        }),
    ),
    (
        // Every acknowledged write is on a majority already.
        "pool.sync_database",
        Handler::Read(|_, _| Ok(Value::Void)),
    ),
    (
        "pool.join",
        Handler::Special(|api, entry, args| Box::pin(async move { join(&api, entry, &args, false).await })),
    ),
    (
        "pool.join_force",
        Handler::Special(|api, entry, args| Box::pin(async move { join(&api, entry, &args, true).await })),
    ),
    (
        "pool.eject",
        Handler::Special(|api, entry, args| Box::pin(async move { eject(&api, entry, &args).await })),
    ),
    (
        "pool.designate_new_master",
        Handler::Special(|api, entry, args| Box::pin(async move { designate(&api, entry, &args).await })),
    ),
    (
        "pool.hello",
        Handler::Special(|api, entry, args| Box::pin(async move { hello(&api, entry, &args).await })),
    ),
    (
        // What admits a host to this pool: a token, good once and for minutes.
        "pool.initial_auth",
        Handler::Special(|api, _, _| Box::pin(async move { Ok(api.membership.join_token().await?.into()) })),
    ),
    (
        "pool.get_license_state",
        Handler::Read(|s, args| {
            query::find(s.db, pool::CLASS, args.reference(0)?)?;
            Ok(Value::string_map([
                ("edition", licence::EDITION),
                ("expiry", "never"),
            ]))
        }),
    ),
];

/// A host says that it is up; the master says whether it knows the host, and reaches it.
async fn hello(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let (uuid, address) = (args.text(0)?, args.text(1)?);
    let Some(row) = entry.db.by_uuid(host::CLASS, uuid) else {
        return Ok("unknown_host".into());
    };
    let reached = row.get(host::ADDRESS).as_str() == address
        && machine::ask(&api.ops, row.reference, MachineVerb::Clock, TALK_BACK)
            .await
            .is_ok();
    Ok(if reached { "ok" } else { "cannot_talk_back" }.into())
}

async fn join(api: &Arc<Api>, entry: &Entry, args: &Args, force: bool) -> Result<Value, ApiError> {
    let address = args.text(0)?.trim();
    pool_members::may_join(&entry.db)?;
    let is_own = entry
        .db
        .rows(host::CLASS)
        .any(|h| h.get(host::ADDRESS).as_str() == address);
    if is_own {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["Host cannot become slave of itself"],
        ));
    }
    let other = OtherPool {
        address: address.to_owned(),
        user: args.text(1)?.to_owned(),
        password: args.text(2)?.to_owned(),
        force,
        rows: pool_members::luggage(&entry.db),
    };
    api.membership.join(other).await?;
    Ok(Value::Void)
}

async fn eject(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let reference = args.reference(0)?;
    pool_members::may_eject(&entry.db, reference)?;
    let row = query::find(&entry.db, host::CLASS, reference)?;
    if !placement::is_live(&entry.db, row) {
        return Err(ApiError::new("HOST_OFFLINE", [reference.to_string()]));
    }
    for plug in pool_members::plugs_of(&entry.db, reference) {
        let call = Call {
            label: "PBD.unplug".to_owned(),
            session: entry.caller.session,
            host: (api.host)(),
            origin: entry.caller.history("pool.eject"),
            ..Call::default()
        };
        pool_ops::run(&api.ops, Plug::unplug(plug), call).await?;
    }
    remove(api, entry, reference, "pool.eject").await
}

/// Removes a host's rows and waits until it counts no more. The host, if it lives, sees it and starts anew, alone.
///
/// # Errors
/// The refusal of the rules; when too few others answer.
pub async fn remove(api: &Arc<Api>, entry: &Entry, reference: Ref, method: &str) -> Result<Value, ApiError> {
    let host = uuid_of_host(&entry.db, reference)?;
    api.ops
        .decide(&entry.caller.history(method), |d| hosts::leave(d, reference))
        .await?;
    api.membership.wait_removed(host).await?;
    Ok(Value::Void)
}

async fn designate(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let reference = args.reference(0)?;
    let row = query::find(&entry.db, host::CLASS, reference)?;
    if entry
        .db
        .only(pool::CLASS)
        .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool())
    {
        return Err(ApiError::bare("HA_IS_ENABLED"));
    }
    if !placement::is_live(&entry.db, row) {
        return Err(ApiError::new("HOST_OFFLINE", [reference.to_string()]));
    }
    api.membership
        .hand_over(uuid_of_host(&entry.db, reference)?)
        .await?;
    Ok(Value::Void)
}
