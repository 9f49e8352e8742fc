//! Hosts: what is asked of the machine itself, through its agent.

use std::sync::Arc;
use std::time::Duration;

use gateway_codec::{Limits, Outcome, WireValue, typed, xmlrpc};
use pool_domain::decide::{host_settings, management};
use pool_domain::{host_rules, query};
use pool_ops::machine::{self, MachineReply, MachineVerb};
use proto_types::generated::{host as class, pif};
use proto_types::{ApiError, Args, DateTime, Value};

use super::{Handler, Table};
use crate::api::Api;
use crate::api::gate::Entry;

/// The messages.
pub const TABLE: Table = &[
    (
        "host.get_servertime",
        Handler::Special(|api, _, args| {
            Box::pin(async move { clock(&api, &args).await.map(|(utc, _)| DateTime(utc).into()) })
        }),
    ),
    (
        "host.get_server_localtime",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let (utc, ahead) = clock(&api, &args).await?;
                Ok(DateTime(utc.saturating_add(i64::from(ahead))).into())
            })
        }),
    ),
    (
        "host.get_server_certificate",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let text = machine::text(&api.ops, args.reference(0)?, MachineVerb::Certificate);
                Ok(text.await?.into())
            })
        }),
    ),
    (
        "host.dmesg",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let text = machine::text(&api.ops, args.reference(0)?, MachineVerb::KernelLog);
                Ok(text.await?.into())
            })
        }),
    ),
    (
        // This host makes no status reports, so there is nothing that one could contain.
        "host.get_system_status_capabilities",
        Handler::Read(|s, args| {
            super::host::find(s, args)?;
            Ok("<?xml version=\"1.0\" ?><system-status-capabilities/>".into())
        }),
    ),
    (
        "host.restart_agent",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                ask(&api, &args, MachineVerb::RestartNode)
                    .await
                    .map(|_| Value::Void)
            })
        }),
    ),
    (
        "host.set_hostname_live",
        Handler::Special(|api, entry, args| Box::pin(async move { set_hostname(&api, entry, &args).await })),
    ),
    (
        "host.syslog_reconfigure",
        Handler::Special(|api, entry, args| {
            Box::pin(async move {
                let row = query::find(&entry.db, class::CLASS, args.reference(0)?)?;
                let destination = row
                    .get(class::LOGGING)
                    .get("syslog_destination")
                    .unwrap_or_default();
                check_destination(destination)?;
                let destination = (!destination.is_empty()).then(|| destination.to_owned());
                ask(&api, &args, MachineVerb::SetSyslog { destination })
                    .await
                    .map(|_| Value::Void)
            })
        }),
    ),
    (
        "host.send_debug_keys",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let keys = args.text(1)?.to_owned();
                ask(&api, &args, MachineVerb::ShowState { keys })
                    .await
                    .map(|_| Value::Void)
            })
        }),
    ),
    (
        "host.get_diagnostic_timing_stats",
        Handler::Special(|api, _, args| Box::pin(async move { timings(&api, &args).await })),
    ),
    (
        "host.power_on",
        Handler::Special(|api, entry, args| Box::pin(async move { power_on(&api, entry, &args).await })),
    ),
    (
        "host.call_plugin",
        Handler::Special(|api, entry, args| Box::pin(async move { call_plugin(&api, entry, &args).await })),
    ),
    (
        "host.call_extension",
        Handler::Special(|api, entry, args| {
            Box::pin(async move { call_extension(&api, entry, &args).await })
        }),
    ),
    (
        "host.has_extension",
        Handler::Special(|api, _, args| {
            Box::pin(async move {
                let name = args.text(1)?.to_owned();
                match ask(&api, &args, MachineVerb::HasExtension { name }).await? {
                    MachineReply::Truth(there) => Ok(there.into()),
                    _ => Err(odd()),
                }
            })
        }),
    ),
];

/// How long the machine may take for most things.
const WAIT: Duration = Duration::from_secs(30);
/// How long a plug-in is waited for: the host ends it before that.
const PLUGIN_WAIT: Duration = Duration::from_secs(310);

fn odd() -> ApiError {
    ApiError::internal("the host answered something else")
}

async fn ask(api: &Api, args: &Args, verb: MachineVerb) -> Result<MachineReply, ApiError> {
    machine::ask(&api.ops, args.reference(0)?, verb, WAIT).await
}

async fn clock(api: &Api, args: &Args) -> Result<(i64, i32), ApiError> {
    match ask(api, args, MachineVerb::Clock).await? {
        MachineReply::Clock { utc, ahead } => Ok((utc, ahead)),
        _ => Err(odd()),
    }
}

/// Seconds that a host's commands took and, on the host that is asked, calls of the API.
async fn timings(api: &Api, args: &Args) -> Result<Value, ApiError> {
    let counts = args.truth(1)?;
    let MachineReply::Timings(commands) = ask(api, args, MachineVerb::Timings).await? else {
        return Err(odd());
    };
    let text = |mean: f64, deviation: f64, count: u32| {
        let figures = format!("{mean:.6} [sd = {deviation:.6}]");
        if counts {
            format!("{figures} [count = {count}]")
        } else {
            figures
        }
    };
    let commands = commands
        .into_iter()
        .map(|t| (format!("command {}", t.name), text(t.mean, t.deviation, t.count)));
    let calls = if args.reference(0)? == (api.host)() {
        api.latencies.all()
    } else {
        Vec::new()
    };
    let calls = calls
        .into_iter()
        .map(|(name, seen)| (name.to_owned(), text(seen.mean(), seen.deviation(), seen.count())));
    Ok(Value::string_map(commands.chain(calls)))
}

async fn set_hostname(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let this = args.reference(0)?;
    let name = args.text(1)?.to_owned();
    query::find(&entry.db, class::CLASS, this)?;
    host_settings::check_hostname(&name)?;
    ask(api, args, MachineVerb::SetHostname { name: name.clone() }).await?;
    let origin = entry.caller.history("host.set_hostname_live");
    api.ops
        .decide(&origin, |d| host_settings::renamed(d, this, &name))
        .await?;
    Ok(Value::Void)
}

/// A name or an address, perhaps with a port: it goes into a program's arguments.
fn check_destination(text: &str) -> Result<(), ApiError> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    if plain && !text.starts_with('-') && text.len() <= 260 {
        Ok(())
    } else {
        Err(ApiError::new("INVALID_VALUE", ["syslog_destination", text]))
    }
}

/// The one way that needs nothing but a network: a magic packet, from the master.
async fn power_on(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(&entry.db, class::CLASS, args.reference(0)?)?;
    host_rules::check(&entry.db, row, "power_on")?;
    let mode = row.get(class::POWER_ON_MODE).as_str();
    if mode != "wake-on-lan" {
        return Err(ApiError::new("XENAPI_MISSING_PLUGIN", [mode]));
    }
    let card = management::interface(&entry.db, row.reference)?;
    let mac = query::find(&entry.db, pif::CLASS, card)?
        .get(pif::MAC)
        .as_str()
        .to_owned();
    let from = (api.host)();
    machine::ask(&api.ops, from, MachineVerb::Wake { mac }, WAIT).await?;
    Ok(Value::Void)
}

/// A plug-in gets the call as XML-RPC on its command line, and answers one.
async fn call_plugin(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    if args.text(1)? == super::drill::PLUGIN {
        return super::drill::call(api, entry, args).await;
    }
    if args.text(1)? == super::adopt::PLUGIN {
        return super::adopt::call(api, entry, args).await;
    }
    let (name, function) = (args.text(1)?.to_owned(), args.text(2)?);
    let call = xmlrpc::call(function, &[entry.caller.session.into(), args.at(3)?.clone()]);
    let argument = String::from_utf8(call).map_err(|_| odd())?;
    let verb = MachineVerb::RunPlugin { name, argument };
    let (status, stdout, stderr) = output(api, args, verb).await?;
    let failed = |why: &str| ApiError::new("XENAPI_PLUGIN_FAILURE", [why, &stdout, &stderr]);
    if status != 0 {
        return Err(failed("non-zero exit"));
    }
    match xmlrpc::decode_response(stdout.trim().as_bytes(), &Limits::CALL) {
        Ok(Outcome::Success(WireValue::String(text))) => Ok(text.into()),
        Ok(Outcome::Success(other)) => Ok(typed::untyped(&other)),
        Ok(Outcome::Failure(error)) => Err(error),
        Err(_) => Err(failed("not an XML-RPC answer")),
    }
}

/// An extension reads the call as it was given, and its answer is given back as it is.
async fn call_extension(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    query::find(&entry.db, class::CLASS, args.reference(0)?)?;
    let request = args.text(1)?.to_owned();
    let bad = || ApiError::new("INVALID_VALUE", ["call", request.as_str()]);
    let call = xmlrpc::decode_call(request.as_bytes(), &Limits::CALL).map_err(|_| bad())?;
    let verb = MachineVerb::RunExtension {
        name: call.method,
        request: request.clone(),
    };
    let (status, stdout, stderr) = output(api, args, verb).await?;
    if status == 0 {
        Ok(stdout.into())
    } else {
        Err(ApiError::new(
            "XENAPI_PLUGIN_FAILURE",
            ["non-zero exit".to_owned(), stdout, stderr],
        ))
    }
}

async fn output(api: &Api, args: &Args, verb: MachineVerb) -> Result<(i32, String, String), ApiError> {
    match machine::ask(&api.ops, args.reference(0)?, verb, PLUGIN_WAIT).await? {
        MachineReply::Output {
            status,
            stdout,
            stderr,
        } => Ok((status, stdout, stderr)),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod test {
    use super::check_destination;

    #[test]
    fn only_places_are_taken_for_places() {
        for good in ["", "log.example.org", "192.0.2.1:514", "[2001:db8::1]:514"] {
            check_destination(good).unwrap();
        }
        for bad in ["-x", "a b", "a;b", "a\nb", "$(reboot)", "a/b"] {
            assert_eq!(
                check_destination(bad).unwrap_err().code,
                "INVALID_VALUE",
                "{bad:?}"
            );
        }
    }
}
