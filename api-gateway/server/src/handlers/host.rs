//! Hosts: what the pool decides about them. What is asked of the machine itself is in `host_machine`.

use pool_domain::decide::host_life::{self, Afterwards};
use pool_domain::decide::{blob, ha, host_settings};
use pool_domain::{evacuation, host_rules, placement, query};
use pool_ops::host::evacuate::Evacuate;
use pool_ops::host::go_down::GoDown;
use proto_types::generated::{host as class, network};
use proto_types::{ApiError, Args, Value};

use super::{Handler, Scope, Table, job};
use crate::api::dispatch;
use crate::api::ports::Role;

/// The messages.
pub const TABLE: Table = &[
    (
        "host.enable",
        Handler::Write(|d, _, args| host_life::enable(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "host.disable",
        Handler::Write(|d, _, args| {
            let afterwards = if args.truth(1)? {
                Afterwards::Enable
            } else {
                Afterwards::StayDisabled
            };
            host_life::disable(d, args.reference(0)?, afterwards).map(|()| Value::Void)
        }),
    ),
    (
        "host.evacuate",
        Handler::Run(|db, args| {
            // Guests travel over the nodes' own channel; a network that is named must exist all the same.
            if let Some(wanted) = args.reference(1)?.some() {
                query::find(db, network::CLASS, wanted)?;
            }
            let batch = usize::try_from(args.int(2)?).unwrap_or(0);
            job(Evacuate::new(args.reference(0)?, batch))
        }),
    ),
    (
        "host.assert_can_evacuate",
        Handler::Read(|s, args| {
            let row = find(s, args)?;
            host_rules::check(s.db, row, "evacuate")?;
            evacuation::check(&evacuation::plan(s.db, row)).map(|()| Value::Void)
        }),
    ),
    (
        "host.get_vms_which_prevent_evacuation",
        Handler::Read(|s, args| {
            let plan = evacuation::plan(s.db, find(s, args)?);
            let obstacles = plan.into_iter().filter_map(|(vm, fate)| {
                let error = fate.err()?;
                Some((Value::Ref(vm), Value::strings(error.description())))
            });
            Ok(Value::Map(obstacles.collect()))
        }),
    ),
    (
        // Every guest gives memory back when it is told to, as far as the host can see.
        "host.get_uncooperative_resident_VMs",
        Handler::Read(|s, args| find(s, args).map(|_| Value::refs([]))),
    ),
    (
        "host.reboot",
        Handler::Run(|_, args| job(GoDown::new(args.reference(0)?, "reboot"))),
    ),
    (
        "host.shutdown",
        Handler::Run(|_, args| job(GoDown::new(args.reference(0)?, "shutdown"))),
    ),
    (
        "host.declare_dead",
        Handler::Write(|d, _, args| host_life::declare_dead(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "host.is_in_emergency_mode",
        Handler::Special(|api, _, _| {
            Box::pin(async move { Ok(Value::Bool(matches!(api.cluster.role(), Role::Unknown))) })
        }),
    ),
    (
        // Only of one that is gone for good: its place in the pool's majority goes with it.
        "host.destroy",
        Handler::Special(|api, entry, args| {
            Box::pin(async move {
                let reference = args.reference(0)?;
                let row = query::find(&entry.db, class::CLASS, reference)?;
                if placement::is_live(&entry.db, row) {
                    return Err(ApiError::new("HOST_IS_LIVE", [reference.to_string()]));
                }
                if ha::is_on(&entry.db) {
                    return Err(ApiError::bare("HA_IS_ENABLED"));
                }
                super::pool::remove(&api, entry, reference, "host.destroy").await
            })
        }),
    ),
    (
        // The rows of a host come with it when it joins, since what runs on it must be known to be its own.
        "host.create",
        Handler::Read(|s, args| {
            let uuid = args.text(0)?;
            if s.db.by_uuid(class::CLASS, uuid).is_some() {
                return Err(ApiError::new(
                    "UNIQUENESS_CONSTRAINT_VIOLATION",
                    ["host", "uuid", uuid],
                ));
            }
            Err(ApiError::new(
                "OPERATION_NOT_ALLOWED",
                ["A host gets its record when it joins the pool"],
            ))
        }),
    ),
    (
        "host.compute_free_memory",
        Handler::Read(|s, args| Ok(placement::memory_free(s.db, find(s, args)?, None).into())),
    ),
    (
        "host.compute_memory_overhead",
        Handler::Read(|s, args| Ok(find(s, args)?.get(class::MEMORY_OVERHEAD).clone())),
    ),
    (
        "host.list_methods",
        Handler::Read(|_, _| Ok(Value::strings(dispatch::all_methods()))),
    ),
    (
        "host.retrieve_wlb_evacuate_recommendations",
        Handler::Read(|s, args| {
            find(s, args)?;
            Err(ApiError::bare("WLB_NOT_INITIALIZED"))
        }),
    ),
    (
        "host.bugreport_upload",
        Handler::Read(|s, args| {
            find(s, args)?;
            Err(ApiError::new(
                "OPERATION_NOT_ALLOWED",
                ["Reports are not uploaded from here; they can be fetched"],
            ))
        }),
    ),
    // XenServer has never had these two.
    ("host.get_log", Handler::Read(|s, args| never(s, args, "get_log"))),
    (
        "host.dmesg_clear",
        Handler::Read(|s, args| never(s, args, "dmesg_clear")),
    ),
    (
        // No updates are fetched into this pool.
        "host.apply_updates",
        Handler::Read(|s, args| {
            find(s, args)?;
            Err(ApiError::bare("NO_REPOSITORY_ENABLED"))
        }),
    ),
    (
        "host.apply_edition",
        Handler::Write(|d, _, args| {
            host_settings::apply_edition(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        // There is nothing that a licence could open.
        "host.license_add",
        Handler::Read(|s, args| {
            find(s, args)?;
            Err(ApiError::bare("LICENSE_PROCESSING_ERROR"))
        }),
    ),
    (
        "host.license_remove",
        Handler::Read(|s, args| find(s, args).map(|_| Value::Void)),
    ),
    (
        "host.set_power_on_mode",
        Handler::Write(|d, _, args| {
            host_settings::set_power_on_mode(d, args.reference(0)?, args.text(1)?, args.at(2)?)
                .map(|()| Value::Void)
        }),
    ),
    (
        "host.set_iscsi_iqn",
        Handler::Write(|d, _, args| {
            host_settings::set_iqn(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "host.set_multipathing",
        Handler::Write(|d, _, args| {
            host_settings::set_multipathing(d, args.reference(0)?, args.at(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "host.create_new_blob",
        Handler::Write(|d, _, args| {
            let kind = (args.text(2)?, args.truth(3)?);
            blob::create_on(d, class::BLOBS, args.reference(0)?, args.text(1)?, kind).map(Value::from)
        }),
    ),
    (
        // Every acknowledged write is on disk on a majority of hosts.
        "host.sync_data",
        Handler::Read(|s, args| find(s, args).map(|_| Value::Void)),
    ),
];

pub(super) fn find<'a>(scope: &'a Scope<'_>, args: &Args) -> Result<&'a pool_domain::Row, ApiError> {
    query::find(scope.db, class::CLASS, args.reference(0)?).map(|row| &**row)
}

fn never(scope: &Scope<'_>, args: &Args, name: &str) -> Result<Value, ApiError> {
    find(scope, args)?;
    Err(ApiError::new("NOT_IMPLEMENTED", [name]))
}
