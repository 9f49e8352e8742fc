//! VMs: power, copies, and small questions.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use crate::client::{NULL, Object, pairs, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::generated::chosen;
use crate::output::Row;
use crate::records;
use crate::select::{self, Also, Several, What};
use crate::{tasks, values};

/// The commands.
pub const TABLE: Table = &[
    ("vm-start", start),
    ("vm-resume", resume),
    ("vm-suspend", |cx| behind_task(cx, "VM.suspend")),
    ("vm-shutdown", |cx| {
        by_force(cx, "VM.clean_shutdown", "VM.hard_shutdown")
    }),
    ("vm-reboot", |cx| {
        by_force(cx, "VM.clean_reboot", "VM.hard_reboot")
    }),
    ("vm-reset-powerstate", reset),
    ("vm-destroy", destroy),
    ("vm-create", create),
    ("vm-clone", |cx| copies(cx, "VM.clone", Also::Templates)),
    ("vm-snapshot", snapshot),
    ("vm-snapshot-with-quiesce", |cx| {
        copies(cx, "VM.snapshot_with_quiesce", Also::Nothing)
    }),
    ("vm-checkpoint", |cx| copies(cx, "VM.checkpoint", Also::Nothing)),
    ("vm-copy", copy),
    ("vm-compute-maximum-memory", maximum_memory),
    ("vm-query-services", query_services),
    ("vm-vif-list", vif_list),
    ("vm-crashdump-list", crashdump_list),
    ("vm-is-bios-customized", is_bios_customized),
    ("vm-vcpu-hotplug", vcpu_hotplug),
];

fn this(vm: &Object) -> Value {
    Value::str(&vm.reference)
}

/// What may stand beside filters in commands that begin tasks.
const PROGRESS: &[&str] = &["progress"];

fn start(cx: &mut Context<'_>) -> Result<(), Failure> {
    let (force, paused) = (cx.params.truth("force")?, cx.params.truth("paused")?);
    let own = ["on", "paused", "progress"];
    select::each(cx, What::Vms(Also::Control), Several::IfTold, &own, |cx, vm| {
        let (paused, force) = (Value::Bool(paused), Value::Bool(force));
        let result = match on(cx)? {
            Some(host) => tasks::run(cx, "VM.start_on", &[this(vm), host, paused, force]),
            None => tasks::run(cx, "VM.start", &[this(vm), paused, force]),
        };
        why_no_host(cx, vm, result)
    })?;
    Ok(())
}

fn resume(cx: &mut Context<'_>) -> Result<(), Failure> {
    let force = cx.params.truth("force")?;
    let own = ["on", "progress"];
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &own, |cx, vm| {
        let (paused, force) = (Value::Bool(false), Value::Bool(force));
        match on(cx)? {
            Some(host) => tasks::run(cx, "VM.resume_on", &[this(vm), host, paused, force]).map(|_| ()),
            None => {
                let result = tasks::run(cx, "VM.resume", &[this(vm), paused, force]);
                why_no_host(cx, vm, result)
            }
        }
    })?;
    Ok(())
}

/// The host that `on=` names.
fn on(cx: &Context<'_>) -> Result<Option<Value>, Failure> {
    cx.params
        .get("on")
        .map(|name| select::host(cx.client, name).map(Value::str))
        .transpose()
}

/// Says of each host why it cannot take the VM, before the error itself is said.
fn why_no_host(cx: &mut Context<'_>, vm: &Object, result: Result<WireValue, Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.code() == Some("NO_HOSTS_AVAILABLE") => {
            cx.out.list(&[
                "There are no suitable hosts to start this VM on.",
                "Why each host cannot take it:",
                "",
            ]);
            host_report(cx, &vm.reference)?;
            Err(failure)
        }
        other => other.map(|_| ()),
    }
}

/// Whether each host could start the VM, and if not, why.
///
/// # Errors
/// As every call.
pub fn host_report(cx: &mut Context<'_>, vm: &str) -> Result<(), Failure> {
    let mut row = Row::new();
    for host in cx.client.objects("host", "true")? {
        let args = [Value::str(vm), Value::str(&host.reference)];
        let verdict = match cx.client.call("VM.assert_can_boot_here", &args) {
            Ok(_) => "OK".to_owned(),
            Err(failure @ Failure::Api(_)) => format!("Cannot start here [{}]", reason(cx, &failure)),
            Err(other) => return Err(other),
        };
        row.push((host.text("name_label").to_owned(), verdict));
    }
    cx.out.table(&[row]);
    Ok(())
}

/// An error in few words.
pub fn reason(cx: &Context<'_>, failure: &Failure) -> String {
    let Failure::Api(error) = failure else {
        return failure.to_string();
    };
    let second = error.params.get(1).map(String::as_str).unwrap_or_default();
    let named = |class: &'static str| {
        let uuid = cx
            .client
            .known_uuid(class, second)
            .unwrap_or_else(|| second.to_owned());
        match cx.client.known_label(class, second) {
            Some(label) => format!("{uuid} ({label})"),
            None => uuid,
        }
    };
    match &*error.code {
        "VM_REQUIRES_SR" => format!("VM requires access to SR: {}", named("SR")),
        "VM_REQUIRES_NETWORK" => format!("VM requires access to network: {}", named("network")),
        "HOST_CANNOT_ATTACH_NETWORK" => format!("Host cannot attach to network: {}", named("network")),
        "HOST_DISABLED" => "Host disabled (use 'xe host-enable' to re-enable)".to_owned(),
        "HOST_NOT_LIVE" => "Host down".to_owned(),
        "HOST_NOT_ENOUGH_FREE_MEMORY" => "Not enough free memory".to_owned(),
        "VM_HVM_REQUIRED" => "HVM not supported".to_owned(),
        code => format!("{code}: [ {} ]", error.params.join("; ")),
    }
}

fn behind_task(cx: &mut Context<'_>, message: &str) -> Result<(), Failure> {
    select::each(
        cx,
        What::Vms(Also::Nothing),
        Several::IfTold,
        PROGRESS,
        |cx, vm| tasks::run(cx, message, &[this(vm)]),
    )?;
    Ok(())
}

fn by_force(cx: &mut Context<'_>, gently: &str, hard: &str) -> Result<(), Failure> {
    let message = if cx.params.truth("force")? { hard } else { gently };
    behind_task(cx, message)
}

fn reset(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.demand_force()?;
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &[], |cx, vm| {
        cx.client.call("VM.power_state_reset", &[this(vm)])
    })?;
    Ok(())
}

fn destroy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vm = cx.named("VM", "uuid")?;
    let domain = cx.client.field("VM", &vm, "is_control_domain")?;
    if domain == WireValue::Bool(true) {
        let text = "You cannot destroy a control domain via the CLI";
        return Err(proto_types::ApiError::new("OPERATION_NOT_ALLOWED", [text]).into());
    }
    cx.client.call("VM.destroy", &[Value::str(vm)]).map(|_| ())
}

/// A VM with nothing in it, of the size XenServer gives such ones.
fn create(cx: &mut Context<'_>) -> Result<(), Failure> {
    const MIB: i64 = 1 << 20;
    let text = |name| Value::str(cx.params.get(name).unwrap_or_default());
    let set: Vec<(&str, Value)> = vec![
        ("name_label", Value::str(cx.params.required("name-label")?)),
        ("name_description", text("name-description")),
        ("memory_target", Value::Int(256 * MIB)),
        ("memory_static_max", Value::Int(256 * MIB)),
        ("memory_dynamic_max", Value::Int(256 * MIB)),
        ("memory_dynamic_min", Value::Int(128 * MIB)),
        ("memory_static_min", Value::Int(128 * MIB)),
        ("VCPUs_max", Value::Int(1)),
        ("VCPUs_at_startup", Value::Int(1)),
        ("actions_after_shutdown", Value::str("destroy")),
        ("actions_after_reboot", Value::str("restart")),
        ("actions_after_crash", Value::str("destroy")),
        ("HVM_shadow_multiplier", Value::Float(1.0)),
    ];
    let record = with_defaults("VM", set);
    let vm = cx.client.text("VM.create", &[record])?;
    cx.print_uuid("VM", &vm)
}

/// A record for `create`: what is set, and defaults for every other field that a client may give.
pub fn with_defaults(class: &str, set: Vec<(&str, Value)>) -> Value {
    let Some(class) = proto_types::ClassId::by_name(class) else {
        return Value::Record(Vec::new());
    };
    let fields = class.def().fields.iter();
    let given = fields.filter(|f| f.qualifier != proto_types::schema::Qualifier::Runtime && !f.internal);
    let members = given.map(|field| {
        let found = set.iter().find(|(name, _)| *name == field.name);
        (
            field.name.into(),
            found.map_or_else(|| field.default_value(), |(_, value)| value.clone()),
        )
    });
    Value::Record(
        members
            .filter(|(_, value)| !matches!(value, Value::Void))
            .collect(),
    )
}

const COPY: &[&str] = &[
    "new-name-label",
    "new-name-description",
    "ignore-vdi-uuids",
    "sr-uuid",
    "progress",
];

fn copies(cx: &mut Context<'_>, message: &str, also: Also) -> Result<(), Failure> {
    let name = Value::str(cx.params.required("new-name-label")?);
    let made = select::each(cx, What::Vms(also), Several::IfTold, COPY, |cx, vm| {
        tasks::run(cx, message, &[this(vm), name.clone()])
    })?;
    made_vms(cx, &made)
}

fn snapshot(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = Value::str(cx.params.required("new-name-label")?);
    let mut ignored = Vec::new();
    for uuid in cx.params.list("ignore-vdi-uuids") {
        ignored.push(Value::str(cx.client.by_uuid("VDI", uuid)?));
    }
    let made = select::each(cx, What::Vms(Also::Nothing), Several::IfTold, COPY, |cx, vm| {
        let mut args = vec![this(vm), name.clone()];
        if !ignored.is_empty() {
            args.push(Value::Set(ignored.clone()));
        }
        tasks::run(cx, "VM.snapshot", &args)
    })?;
    made_vms(cx, &made)
}

fn copy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = Value::str(cx.params.required("new-name-label")?);
    let sr = cx
        .named_if_given("SR", "sr-uuid")?
        .unwrap_or_else(|| NULL.to_owned());
    let made = select::each(cx, What::Vms(Also::Templates), Several::Never, COPY, |cx, vm| {
        tasks::run(cx, "VM.copy", &[this(vm), name.clone(), Value::str(&sr)])
    })?;
    made_vms(cx, &made)
}

/// Describes the first of the VMs made and prints the uuids of all.
fn made_vms(cx: &mut Context<'_>, made: &[WireValue]) -> Result<(), Failure> {
    let made: Vec<String> = made.iter().map(text_of).collect();
    if let (Some(text), Some(first)) = (cx.params.get("new-name-description"), made.first()) {
        cx.client
            .call("VM.set_name_description", &[Value::str(first), Value::str(text)])?;
    }
    let uuids = made
        .iter()
        .map(|vm| cx.client.uuid("VM", vm))
        .collect::<Result<Vec<_>, _>>()?;
    cx.out.list(&uuids);
    Ok(())
}

fn maximum_memory(cx: &mut Context<'_>) -> Result<(), Failure> {
    let (total, approximate) = (cx.params.bytes("total")?, cx.params.truth("approximate")?);
    let own = ["total", "approximate"];
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &own, |cx, vm| {
        let args = [this(vm), Value::Int(total), Value::Bool(approximate)];
        let most = cx.client.text("VM.maximise_memory", &args)?;
        cx.out.value(&most);
        Ok(())
    })?;
    Ok(())
}

fn query_services(cx: &mut Context<'_>) -> Result<(), Failure> {
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &[], |cx, vm| {
        let services = cx.client.call("VM.query_services", &[this(vm)])?;
        let mut row = vec![("Type".to_owned(), "Name".to_owned())];
        row.extend(pairs(&services));
        cx.out.table(&[row]);
        Ok(())
    })?;
    Ok(())
}

fn vif_list(cx: &mut Context<'_>) -> Result<(), Failure> {
    let kind = records::of_class("VIF");
    let shown = [
        "uuid",
        "device",
        "MAC",
        "network-uuid",
        "network-name-label",
        "vm-name-label",
    ];
    let fields = chosen(kind, cx.params.get("params"), &shown);
    select::each(
        cx,
        What::Vms(Also::Nothing),
        Several::Always,
        &["params"],
        |cx, vm| {
            let mut vifs = Vec::new();
            for vif in vm.texts("VIFs") {
                vifs.push(cx.client.object("VIF", &vif)?);
            }
            let vifs: Vec<&Object> = vifs.iter().collect();
            let rows = records::printed(cx.client, "VIF", &fields, &vifs, false)?;
            cx.out.table(&rows);
            Ok(())
        },
    )?;
    Ok(())
}

fn crashdump_list(cx: &mut Context<'_>) -> Result<(), Failure> {
    let kind = records::of_class("crashdump");
    let fields = chosen(kind, None, &[]);
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &[], |cx, vm| {
        let mut dumps = Vec::new();
        for dump in vm.texts("crash_dumps") {
            dumps.push(cx.client.object("crashdump", &dump)?);
        }
        let dumps: Vec<&Object> = dumps.iter().collect();
        let rows = records::printed(cx.client, "crashdump", &fields, &dumps, false)?;
        cx.out.table(&rows);
        Ok(())
    })?;
    Ok(())
}

fn is_bios_customized(cx: &mut Context<'_>) -> Result<(), Failure> {
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &[], |cx, vm| {
        let strings = vm.map("bios_strings");
        let generic = strings
            .iter()
            .any(|(key, value)| key == "bios-vendor" && value == "Xen");
        cx.out.remark(match (strings.is_empty(), generic) {
            (true, _) => "The BIOS strings of this VM have not yet been set.",
            (false, true) => "This VM is BIOS-generic.",
            (false, false) => "This VM is BIOS-customized.",
        });
        Ok(())
    })?;
    Ok(())
}

fn vcpu_hotplug(cx: &mut Context<'_>) -> Result<(), Failure> {
    let number = values::int("new-vcpus", cx.params.required("new-vcpus")?)?;
    select::each(
        cx,
        What::Vms(Also::Nothing),
        Several::IfTold,
        &["new-vcpus"],
        |cx, vm| {
            cx.client
                .call("VM.set_VCPUs_number_live", &[this(vm), Value::Int(number)])
        },
    )?;
    Ok(())
}
