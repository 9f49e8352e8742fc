//! Memory of VMs, and what data sources say of VMs, hosts and storage.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use crate::client::{Object, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;
use crate::select::{self, Also, Several, What};
use crate::values;

/// The commands.
pub const TABLE: Table = &[
    ("vm-memory-dynamic-range-set", |cx| {
        limits(cx, "VM.set_memory_dynamic_range", &["min", "max"])
    }),
    ("vm-memory-static-range-set", |cx| {
        limits(cx, "VM.set_memory_static_range", &["min", "max"])
    }),
    ("vm-memory-limits-set", |cx| {
        limits(
            cx,
            "VM.set_memory_limits",
            &["static-min", "static-max", "dynamic-min", "dynamic-max"],
        )
    }),
    ("vm-memory-set", |cx| limits(cx, "VM.set_memory", &["memory"])),
    ("vm-memory-target-set", target),
    ("vm-memory-balloon", target),
    ("vm-memory-shadow-multiplier-set", shadow),
    ("vm-data-source-list", |cx| {
        sources(cx, What::Vms(Also::Control), "VM.get_data_sources")
    }),
    ("vm-data-source-query", |cx| {
        query(cx, What::Vms(Also::Control), "VM.query_data_source")
    }),
    ("vm-data-source-record", |cx| {
        source(cx, What::Vms(Also::Control), "VM.record_data_source")
    }),
    ("vm-data-source-forget", |cx| {
        source(cx, What::Vms(Also::Control), "VM.forget_data_source_archives")
    }),
    ("host-data-source-list", |cx| {
        sources(cx, What::Hosts, "host.get_data_sources")
    }),
    ("host-data-source-query", |cx| {
        query(cx, What::Hosts, "host.query_data_source")
    }),
    ("host-data-source-record", |cx| {
        source(cx, What::Hosts, "host.record_data_source")
    }),
    ("host-data-source-forget", |cx| {
        source(cx, What::Hosts, "host.forget_data_source_archives")
    }),
    ("sr-data-source-list", |cx| {
        sources(cx, What::Srs, "SR.get_data_sources")
    }),
    ("sr-data-source-query", |cx| {
        query(cx, What::Srs, "SR.query_data_source")
    }),
    ("sr-data-source-record", |cx| {
        source(cx, What::Srs, "SR.record_data_source")
    }),
    ("sr-data-source-forget", |cx| {
        source(cx, What::Srs, "SR.forget_data_source_archives")
    }),
];

fn limits(cx: &mut Context<'_>, message: &str, names: &[&str]) -> Result<(), Failure> {
    let mut sizes = Vec::new();
    for name in names {
        sizes.push(Value::Int(cx.params.bytes(name)?));
    }
    select::each(cx, What::Vms(Also::Both), Several::IfTold, names, |cx, vm| {
        let mut args = vec![Value::str(&vm.reference)];
        args.extend(sizes.iter().cloned());
        cx.client.call(message, &args)
    })?;
    Ok(())
}

fn target(cx: &mut Context<'_>) -> Result<(), Failure> {
    let target = Value::Int(cx.params.bytes("target")?);
    select::each(
        cx,
        What::Vms(Also::Control),
        Several::IfTold,
        &["target"],
        |cx, vm| {
            let args = [Value::str(&vm.reference), target.clone(), target.clone()];
            cx.client.call("VM.set_memory_dynamic_range", &args)
        },
    )?;
    Ok(())
}

fn shadow(cx: &mut Context<'_>) -> Result<(), Failure> {
    let factor = values::float("multiplier", cx.params.required("multiplier")?)?;
    select::each(
        cx,
        What::Vms(Also::Nothing),
        Several::IfTold,
        &["multiplier"],
        |cx, vm| {
            let args = [Value::str(&vm.reference), Value::Float(factor)];
            cx.client.call("VM.set_shadow_multiplier_live", &args)
        },
    )?;
    Ok(())
}

/// What of a data source is shown.
const SHOWN: &[&str] = &[
    "name_label",
    "name_description",
    "enabled",
    "standard",
    "min",
    "max",
    "units",
];

fn sources(cx: &mut Context<'_>, what: What, message: &str) -> Result<(), Failure> {
    select::each(cx, what, Several::Never, &[], |cx, object| {
        let answer = cx.client.call(message, &[Value::str(&object.reference)])?;
        let WireValue::Array(sources) = answer else {
            return Ok(());
        };
        let row = |source: &WireValue| -> Row {
            let value = |name: &str| source.member(name).map(text_of).unwrap_or_default();
            SHOWN
                .iter()
                .map(|name| ((*name).to_owned(), value(name)))
                .collect()
        };
        cx.out.table(&sources.iter().map(row).collect::<Vec<_>>());
        Ok(())
    })?;
    Ok(())
}

fn ask(cx: &Context<'_>, message: &str, object: &Object) -> Result<WireValue, Failure> {
    let source = cx.params.required("data-source")?;
    cx.client
        .call(message, &[Value::str(&object.reference), Value::str(source)])
}

fn query(cx: &mut Context<'_>, what: What, message: &str) -> Result<(), Failure> {
    select::each(cx, what, Several::Never, &["data-source"], |cx, object| {
        let value = match ask(cx, message, object)? {
            WireValue::Double(value) => format!("{value:.6}"),
            other => text_of(&other),
        };
        cx.out.value(&value);
        Ok(())
    })?;
    Ok(())
}

fn source(cx: &mut Context<'_>, what: What, message: &str) -> Result<(), Failure> {
    select::each(cx, what, Several::Never, &["data-source"], |cx, object| {
        ask(cx, message, object)
    })?;
    Ok(())
}
