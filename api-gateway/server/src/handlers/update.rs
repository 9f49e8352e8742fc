//! Updates. Hosts of this pool are updated by the tools of their distribution: the records are kept, repositories are asked
//! what they hold, and whatever would install something is not built.

use pool_domain::decide::repository::{self, NewRepository, Origin};
use pool_domain::{Draft, evacuation, placement, query};
use proto_types::generated::{host, pool, pool_update};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Scope, Table};
use crate::api::caller::Caller;
use crate::certificates;
use crate::transfer::{old_update, update_sync};

/// The messages.
pub const TABLE: Table = &[
    ("Repository.introduce", Handler::Write(introduce)),
    (
        "Repository.introduce_bundle",
        Handler::Write(|d, _, a| {
            let new = NewRepository {
                label: a.text(0)?,
                description: a.text(1)?,
                is_update: true,
                ..NewRepository::default()
            };
            repository::introduce(d, Origin::Bundle, &new).map(Value::from)
        }),
    ),
    (
        "Repository.introduce_remote_pool",
        Handler::Write(|d, _, a| {
            certificates::check_trusted(a.text(3)?, d.facts().now)?;
            let new = NewRepository {
                label: a.text(0)?,
                description: a.text(1)?,
                binary_url: a.text(2)?,
                is_update: true,
                certificate: a.text(3)?,
                ..NewRepository::default()
            };
            repository::introduce(d, Origin::RemotePool, &new).map(Value::from)
        }),
    ),
    (
        "Repository.set_gpgkey_path",
        Handler::Write(|d, _, a| repository::set_key(d, a.reference(0)?, a.text(1)?).map(|()| Value::Void)),
    ),
    (
        "Repository.forget",
        Handler::Write(|d, _, a| repository::forget(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "pool.set_repositories",
        Handler::Write(|d, _, a| {
            repository::enable(d, a.reference(0)?, &a.at(1)?.as_refs()).map(|()| Value::Void)
        }),
    ),
    (
        "pool.add_repository",
        Handler::Write(|d, _, a| {
            let (pool, new) = (a.reference(0)?, a.reference(1)?);
            let mut wanted = repository::enabled(d.db());
            if !wanted.contains(&new) {
                wanted.push(new);
            }
            repository::enable(d, pool, &wanted).map(|()| Value::Void)
        }),
    ),
    (
        "pool.remove_repository",
        Handler::Write(|d, _, a| {
            let (pool, gone) = (a.reference(0)?, a.reference(1)?);
            let mut wanted = repository::enabled(d.db());
            wanted.retain(|row| *row != gone);
            repository::enable(d, pool, &wanted).map(|()| Value::Void)
        }),
    ),
    (
        // Nothing is fetched, so that no proxy would be used.
        "pool.configure_repository_proxy",
        Handler::Unbuilt(|s, a| {
            query::find(s.db, pool::CLASS, a.reference(0)?)?;
            repository::check_proxy(a.text(1)?, (a.text(2)?, a.text(3)?))
        }),
    ),
    (
        // There is none, but in pools that once kept one.
        "pool.disable_repository_proxy",
        Handler::Write(|d, _, a| repository::drop_proxy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "pool.sync_updates",
        Handler::Special(|api, entry, args| {
            Box::pin(async move { update_sync::sync(&api, entry, &args).await })
        }),
    ),
    ("pool.check_update_readiness", Handler::Read(readiness)),
    (
        "pool_update.introduce",
        Handler::Special(|api, entry, args| {
            Box::pin(async move { old_update::introduce(&api, entry, &args).await })
        }),
    ),
    ("pool_update.apply", Handler::Read(none)),
    ("pool_update.attach", Handler::Read(none)),
    ("pool_update.destroy", Handler::Read(none)),
    ("pool_update.detach", Handler::Read(none)),
    ("pool_update.pool_apply", Handler::Read(none)),
    ("pool_update.pool_clean", Handler::Read(none)),
    ("pool_update.precheck", Handler::Read(none)),
    (
        // None is on any host.
        "pool_update.resync_host",
        Handler::Read(|s, a| query::find(s.db, host::CLASS, a.reference(0)?).map(|_| Value::Void)),
    ),
    (
        // Packs were kept as updates by hosts that were upgraded; none was.
        "host.refresh_pack_info",
        Handler::Read(|s, a| query::find(s.db, host::CLASS, a.reference(0)?).map(|_| Value::Void)),
    ),
];

fn introduce(draft: &mut Draft<'_>, _: &Caller, a: &Args) -> Result<Value, ApiError> {
    let new = NewRepository {
        label: a.text(0)?,
        description: a.text(1)?,
        binary_url: a.text(2)?,
        source_url: a.text(3)?,
        is_update: a.truth(4)?,
        gpgkey_path: a.text(5)?,
        certificate: "",
    };
    repository::introduce(draft, Origin::Remote, &new).map(Value::from)
}

/// No update was ever introduced, so that there is none to be found.
fn none(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    query::find(scope.db, pool_update::CLASS, args.reference(0)?)?;
    Err(ApiError::internal("an update that this pool cannot have"))
}

/// Why hosts could not be updated now, one after another: each reason is an error in its parts.
fn readiness(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(scope.db, pool::CLASS, args.reference(0)?)?;
    let reboot = args.truth(1)?;
    let mut reasons: Vec<Vec<String>> = Vec::new();
    if row.get(pool::HA_ENABLED).as_bool() {
        reasons.push(vec!["HA_IS_ENABLED".to_owned()]);
    }
    let hosts: Vec<Ref> = scope.db.rows(host::CLASS).map(|h| h.reference).collect();
    for reference in hosts {
        let on = query::find(scope.db, host::CLASS, reference)?;
        if !placement::is_live(scope.db, on) {
            reasons.push(vec!["HOST_OFFLINE".to_owned(), reference.to_string()]);
        } else if reboot {
            let plan = evacuation::plan(scope.db, on);
            reasons.extend(
                plan.into_iter()
                    .filter_map(|(_, fate)| fate.err())
                    .map(|e| e.description()),
            );
        }
    }
    Ok(Value::Set(reasons.into_iter().map(Value::strings).collect()))
}
