//! High availability, and what is left to do when a pool has lost its majority.

use std::sync::Arc;

use pool_domain::decide::ha;
use pool_domain::{placement, query};
use pool_ops::ha::switch::{DisableHa, EnableHa};
use proto_types::generated::{host, pool, vm};
use proto_types::{ApiError, Ref, Value};

use super::{Handler, Table, job};
use crate::api::Api;
use crate::api::ports::Role;

/// The messages.
pub const TABLE: Table = &[
    (
        "pool.enable_ha",
        Handler::Run(|_, a| {
            let configuration = a.at(1)?.as_map().into_iter().flatten();
            let pairs = configuration.map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()));
            job(EnableHa::new(a.at(0)?.as_refs(), pairs.collect()))
        }),
    ),
    ("pool.disable_ha", Handler::Run(|_, _| job(DisableHa::default()))),
    (
        "pool.set_ha_host_failures_to_tolerate",
        Handler::Write(|d, _, a| ha::set_failures(d, a.reference(0)?, a.int(1)?).map(|()| Value::Void)),
    ),
    (
        "pool.ha_compute_max_host_failures_to_tolerate",
        Handler::Read(|s, _| Ok(ha::most_failures(s.db).into())),
    ),
    (
        "pool.ha_compute_hypothetical_max_host_failures_to_tolerate",
        Handler::Read(|s, a| {
            let wishes = a.at(0)?.as_map().into_iter().flatten();
            let priorities: Vec<_> = wishes.map(|(k, v)| (k.as_ref(), v.as_str().to_owned())).collect();
            ha::most_failures_with(s.db, &priorities).map(Value::from)
        }),
    ),
    (
        "pool.ha_failover_plan_exists",
        Handler::Read(|s, a| Ok(ha::plan_exists(s.db, a.int(0)?).into())),
    ),
    (
        "pool.ha_compute_vm_failover_plan",
        Handler::Read(|s, a| {
            let (failed, guests) = (a.at(0)?.as_refs(), a.at(1)?.as_refs());
            for reference in &failed {
                query::find(s.db, host::CLASS, *reference)?;
            }
            for reference in &guests {
                query::find(s.db, vm::CLASS, *reference)?;
            }
            let plan = ha::plan(s.db, &failed, &guests).into_iter();
            Ok(Value::Map(
                plan.map(|(guest, fate)| (guest.into(), told(&fate))).collect(),
            ))
        }),
    ),
    (
        "pool.ha_prevent_restarts_for",
        Handler::Write(|d, _, a| {
            ha::prevent_restarts(d, a.int(0)?);
            Ok(Value::Void)
        }),
    ),
    (
        "pool.ha_schedule_plan_recomputation",
        Handler::Write(|d, _, _| {
            ha::refresh_plan(d);
            Ok(Value::Void)
        }),
    ),
    (
        "VM.set_ha_restart_priority",
        Handler::Write(|d, _, a| {
            ha::set_restart_priority(d, a.reference(0)?, a.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.set_ha_always_run",
        Handler::Write(|d, _, a| ha::set_always_run(d, a.reference(0)?, a.truth(1)?).map(|()| Value::Void)),
    ),
    (
        // Whoever answers is healthy.
        "host.ha_xapi_healthcheck",
        Handler::Read(|_, _| Ok(true.into())),
    ),
    (
        "host.emergency_ha_disable",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let gently = args.truth(0)?;
                if !api.survival.is_armed() {
                    return if gently {
                        Ok(Value::Void)
                    } else {
                        Err(ApiError::bare("HA_NOT_ENABLED"))
                    };
                }
                api.survival.disarm().map(|()| Value::Void)
            })
        }),
    ),
    (
        "pool.emergency_transition_to_master",
        Handler::Special(|api, _, _| {
            Box::pin(async move {
                not_armed(&api)?;
                match api.cluster.role() {
                    Role::Leader => Ok(Value::Void),
                    Role::Follower(_) => Err(has_master()),
                    Role::Unknown => api.survival.stand_alone().await.map(|()| Value::Void),
                }
            })
        }),
    ),
    (
        "pool.emergency_reset_master",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                not_armed(&api)?;
                let address = args.text(0)?.trim().to_owned();
                match api.cluster.role() {
                    Role::Follower(leader) if leader.address == address => Ok(Value::Void),
                    Role::Leader | Role::Follower(_) => Err(has_master()),
                    Role::Unknown => api.survival.follow(&address).await.map(|()| Value::Void),
                }
            })
        }),
    ),
    (
        // Followers find the leader by themselves. Those that a lost majority has left behind are told where it is.
        "pool.recover_slaves",
        Handler::Special(|api, entry, _| {
            Box::pin(async move {
                let recalled = api.survival.recall().await;
                let db = &entry.db;
                let master = db
                    .only(pool::CLASS)
                    .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
                let here = db
                    .rows(host::CLASS)
                    .filter(|h| h.reference != master)
                    .filter(|h| {
                        placement::is_live(db, h) || recalled.iter().any(|uuid| uuid.to_string() == h.uuid())
                    });
                Ok(Value::Set(here.map(|h| h.reference.into()).collect()))
            })
        }),
    ),
];

fn told(fate: &Result<Ref, ApiError>) -> Value {
    match fate {
        Ok(target) => Value::string_map([("host", target.to_string())]),
        Err(error) => Value::string_map([("error_code", error.code.to_string())]),
    }
}

fn not_armed(api: &Arc<Api>) -> Result<(), ApiError> {
    if api.survival.is_armed() {
        Err(ApiError::bare("HA_IS_ENABLED"))
    } else {
        Ok(())
    }
}

/// The pool has its majority: nothing is to be given up.
fn has_master() -> ApiError {
    ApiError::new(
        "OPERATION_NOT_ALLOWED",
        ["The pool has a master; pool.designate_new_master moves it"],
    )
}
