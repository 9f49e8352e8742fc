//! VMs: their memory, processors, firmware and other settings, and questions about them.

use std::time::Duration;

use pool_domain::decide::vm_move::{self, Journey};
use pool_domain::decide::{blob, boot_record, generic, uefi_mode, vm_settings};
use pool_domain::{Draft, placement, query, vm_rules};
use pool_ops::machine;
use pool_ops::vm::live::{MemoryWish, SetMemory, SetVcpus, TuneVcpus};
use pool_ops::vm::reset::ResetPower;
use pool_ops::vm::stop::Shutdown;
use proto_types::generated::{host, pool, vm as class};
use proto_types::{ApiError, Args, Bytes, Value};
use uuid::Uuid;

use super::{Handler, Scope, Table, Work, job};
use crate::api::Api;
use crate::api::gate::Entry;

/// The messages.
pub const TABLE: Table = &[
    (
        "VM.set_memory",
        Handler::Run(|_, a| {
            let value = Some(a.int(1)?);
            memory(
                a,
                MemoryWish {
                    static_max: value,
                    dynamic_min: value,
                    dynamic_max: value,
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_limits",
        Handler::Run(|_, a| {
            memory(
                a,
                MemoryWish {
                    static_min: Some(a.int(1)?),
                    static_max: Some(a.int(2)?),
                    dynamic_min: Some(a.int(3)?),
                    dynamic_max: Some(a.int(4)?),
                },
            )
        }),
    ),
    (
        "VM.set_memory_static_range",
        Handler::Run(|_, a| {
            let (static_min, static_max) = (Some(a.int(1)?), Some(a.int(2)?));
            memory(
                a,
                MemoryWish {
                    static_min,
                    static_max,
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_static_max",
        Handler::Run(|_, a| {
            memory(
                a,
                MemoryWish {
                    static_max: Some(a.int(1)?),
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_static_min",
        Handler::Run(|_, a| {
            memory(
                a,
                MemoryWish {
                    static_min: Some(a.int(1)?),
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_dynamic_range",
        Handler::Run(|_, a| {
            let (dynamic_min, dynamic_max) = (Some(a.int(1)?), Some(a.int(2)?));
            memory(
                a,
                MemoryWish {
                    dynamic_min,
                    dynamic_max,
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_dynamic_max",
        Handler::Run(|_, a| {
            memory(
                a,
                MemoryWish {
                    dynamic_max: Some(a.int(1)?),
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_dynamic_min",
        Handler::Run(|_, a| {
            memory(
                a,
                MemoryWish {
                    dynamic_min: Some(a.int(1)?),
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.set_memory_target_live",
        Handler::Run(|_, a| {
            let target = Some(a.int(1)?);
            memory(
                a,
                MemoryWish {
                    dynamic_min: target,
                    dynamic_max: target,
                    ..MemoryWish::default()
                },
            )
        }),
    ),
    (
        "VM.wait_memory_target_live",
        Handler::Special(|api, entry, a| Box::pin(async move { wait_for_memory(&api, entry, &a).await })),
    ),
    (
        "VM.set_VCPUs_number_live",
        Handler::Run(|_, a| job(SetVcpus::new(a.reference(0)?, a.int(1)?))),
    ),
    (
        "VM.add_to_VCPUs_params_live",
        Handler::Run(|_, a| job(TuneVcpus::new(a.reference(0)?, a.text(1)?, a.text(2)?))),
    ),
    (
        "VM.shutdown",
        Handler::Run(|_, a| job(Shutdown::new(a.reference(0)?))),
    ),
    (
        "VM.power_state_reset",
        Handler::Run(|_, a| job(ResetPower::new(a.reference(0)?))),
    ),
    (
        "VM.compute_memory_overhead",
        Handler::Read(|s, a| Ok(placement::overhead(find(s, a)?).into())),
    ),
    (
        "VM.maximise_memory",
        Handler::Read(|s, a| {
            let total = Bytes::from_i64(a.int(1)?);
            Ok(placement::largest_memory(find(s, a)?, total).into())
        }),
    ),
    (
        "VM.assert_agile",
        Handler::Read(|s, a| placement::check_agile(s.db, find(s, a)?).map(|()| Value::Void)),
    ),
    ("VM.assert_can_migrate", Handler::Read(assert_can_migrate)),
    (
        "VM.get_boot_record",
        Handler::Read(|s, a| boot_record::of(s.db, a.reference(0)?)),
    ),
    (
        // Every guest has a balloon, and none is asked whether it wants to.
        "VM.get_cooperative",
        Handler::Read(|s, a| find(s, a).map(|_| true.into())),
    ),
    (
        "VM.set_uefi_mode",
        Handler::Write(|d, _, a| uefi_mode::set(d, a.reference(0)?, a.text(1)?).map(|()| "".into())),
    ),
    (
        "VM.get_secureboot_readiness",
        Handler::Read(|s, a| Ok(vm_settings::secureboot_readiness(s.db, a.reference(0)?)?.into())),
    ),
    (
        "VM.retrieve_wlb_recommendations",
        Handler::Read(|s, a| {
            find(s, a)?;
            Err(ApiError::bare("WLB_NOT_INITIALIZED"))
        }),
    ),
    // XenServer has never had these two; it checks the VM and says so.
    ("VM.send_sysrq", Handler::Read(|s, a| never(s, a, "send_sysrq"))),
    (
        "VM.send_trigger",
        Handler::Read(|s, a| never(s, a, "send_trigger")),
    ),
    ("VM.call_plugin", Handler::Read(call_plugin)),
    (
        "VM.restart_device_models",
        Handler::Read(|s, a| {
            let row = find(s, a)?;
            vm_rules::check(s.db, row, "pool_migrate")?;
            // QEMU is the device model and the guest's whole machine: it is replaced by moving the guest.
            Err(ApiError::new(
                "CANNOT_RESTART_DEVICE_MODEL",
                [row.reference.to_string()],
            ))
        }),
    ),
    (
        "VM.set_bios_strings",
        Handler::Write(|d, _, a| {
            vm_settings::set_bios_strings(d, a.reference(0)?, a.at(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.copy_bios_strings",
        Handler::Write(|d, _, a| {
            vm_settings::copy_bios_strings(d, a.reference(0)?, a.reference(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.set_NVRAM",
        Handler::Write(|d, _, a| {
            let (this, value) = (a.reference(0)?, a.at(1)?.clone());
            nvram(d, a, |d| {
                generic::set(d, class::CLASS, class::NVRAM.index, this, value)
            })
        }),
    ),
    (
        "VM.add_to_NVRAM",
        Handler::Write(|d, _, a| {
            let (this, pair) = (a.reference(0)?, (a.at(1)?.clone(), a.at(2)?.clone()));
            nvram(d, a, |d| {
                generic::add_to(d, class::CLASS, class::NVRAM.index, this, pair)
            })
        }),
    ),
    (
        "VM.remove_from_NVRAM",
        Handler::Write(|d, _, a| {
            let (this, key) = (a.reference(0)?, a.at(1)?.clone());
            nvram(d, a, |d| {
                generic::remove_from(d, class::CLASS, class::NVRAM.index, this, key)
            })
        }),
    ),
    (
        "VM.set_has_vendor_device",
        Handler::Write(|d, _, a| halted(d, a, class::HAS_VENDOR_DEVICE)),
    ),
    (
        "VM.set_is_default_template",
        Handler::Write(|d, _, a| halted(d, a, class::IS_DEFAULT_TEMPLATE)),
    ),
    (
        "VM.set_HVM_shadow_multiplier",
        Handler::Write(|d, _, a| halted(d, a, class::HVM_SHADOW_MULTIPLIER)),
    ),
    (
        "VM.set_shadow_multiplier_live",
        Handler::Write(|d, _, a| {
            vm_settings::set_shadow_live(d, a.reference(0)?, a.at(1)?.as_float()).map(|()| Value::Void)
        }),
    ),
    (
        "VM.create_new_blob",
        Handler::Write(|d, _, a| {
            let kind = (a.text(2)?, a.truth(3)?);
            blob::create_on(d, class::BLOBS, a.reference(0)?, a.text(1)?, kind).map(Value::from)
        }),
    ),
];

fn memory(args: &Args, wish: MemoryWish) -> Result<Work, ApiError> {
    job(SetMemory::new(args.reference(0)?, wish))
}

fn find<'a>(scope: &'a Scope<'_>, args: &Args) -> Result<&'a pool_domain::Row, ApiError> {
    query::find(scope.db, class::CLASS, args.reference(0)?).map(|row| &**row)
}

fn nvram(
    d: &mut Draft<'_>,
    args: &Args,
    change: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    vm_settings::change_nvram(d, args.reference(0)?, change).map(|()| Value::Void)
}

fn halted(d: &mut Draft<'_>, args: &Args, field: proto_types::Field) -> Result<Value, ApiError> {
    vm_settings::set_halted(d, args.reference(0)?, field, args.at(1)?.clone()).map(|()| Value::Void)
}

fn never(scope: &Scope<'_>, args: &Args, name: &str) -> Result<Value, ApiError> {
    vm_rules::check(scope.db, find(scope, args)?, name)?;
    Err(ApiError::new("NOT_IMPLEMENTED", [name]))
}

/// The one plug-in that XenServer knows for guests runs scripts in them, where the pool allows it. No agent here does.
fn call_plugin(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = find(scope, args)?;
    vm_rules::check(scope.db, row, "call_plugin")?;
    let plugin = args.text(1)?;
    if plugin != "guest-agent-operation" {
        return Err(ApiError::new("XENAPI_MISSING_PLUGIN", [plugin]));
    }
    let allowed = scope
        .db
        .only(pool::CLASS)
        .is_some_and(|p| p.get(pool::OTHER_CONFIG).get("allow_guest_agent_run_script") == Some("true"));
    if !allowed {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["Running scripts in guests is not allowed in this pool"],
        ));
    }
    Err(ApiError::new("VM_LACKS_FEATURE", [row.reference.to_string()]))
}

/// Within the pool. `dest` is what `host.migrate_receive` answered.
fn assert_can_migrate(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let vm = args.reference(0)?;
    let to = args
        .at(1)?
        .get("host")
        .and_then(|h| h.parse().ok())
        .unwrap_or_default();
    if scope.db.of_class(host::CLASS, to).is_none() {
        query::find(scope.db, class::CLASS, vm)?;
        // The other pool would have to be asked.
        return Err(ApiError::new(
            "NOT_IMPLEMENTED",
            ["VM.assert_can_migrate to another pool"],
        ));
    }
    let journey = Journey {
        vm,
        to,
        disks: args.at(3)?,
        nics: args.at(4)?,
        options: args.at(5)?,
    };
    vm_move::check(scope.db, journey).map(|()| Value::Void)
}

/// How near the balloon must come to its target.
const NEAR: u64 = Bytes::MIB;
/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(256);

async fn wait_for_memory(api: &Api, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let this = args.reference(0)?;
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut db = entry.db.clone();
    loop {
        let row = query::find(&db, class::CLASS, this)?;
        let state = row.get(class::POWER_STATE).as_str();
        if state != vm_rules::RUNNING {
            return Err(vm_rules::bad_power_state(this, &[vm_rules::RUNNING], state));
        }
        let vm = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", this))?;
        let on = row.get(class::RESIDENT_ON).as_ref();
        let target = Bytes::from_i64(row.get(class::MEMORY_TARGET).as_int()).get();
        let actual = machine::actual_memory(&api.ops, on, vm).await?;
        if actual.is_some_and(|now| now.get().abs_diff(target) <= NEAR) {
            return Ok(Value::Void);
        }
        if tokio::time::Instant::now() > until {
            return Err(ApiError::bare("VM_MEMORY_TARGET_WAIT_TIMEOUT"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        db = api
            .cluster
            .read()
            .await
            .map_err(|_| ApiError::bare("HOST_STILL_BOOTING"))?;
    }
}
