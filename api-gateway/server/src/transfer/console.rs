//! `/console`: a VM's screen or serial port, from any host, wherever the VM runs.

use hyper::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::{HeaderMap, StatusCode};
use pool_domain::{Database, vm_rules};
use proto_types::Ref;
use proto_types::generated::{console, host, vm};
use uuid::Uuid;

use super::{Exchange, Query, Refusal, Reply, reply};
use crate::api::ports::{ConsoleKind, HostStream};

mod websocket;

/// The console asked for, and where its VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    vm: Uuid,
    host: Uuid,
    kind: ConsoleKind,
}

/// `CONNECT /console`: raw bytes from then on.
///
/// # Errors
/// [`Refusal::Closed`] for an unknown reference and for a VM that does not run, 404 for a console without a device.
pub async fn connect(mut exchange: Exchange) -> Result<Reply, Refusal> {
    let far = open(&mut exchange).await?;
    exchange.becomes_tunnel().await;
    exchange.request.tunnel.carry(far);
    Ok(reply::connected())
}

/// `GET /console` with a WebSocket upgrade: each message carries bytes.
///
/// # Errors
/// As [`connect`]; 403 for a request that asks for no upgrade.
pub async fn websocket(mut exchange: Exchange) -> Result<Reply, Refusal> {
    let accept = websocket::accept_key(&exchange.request.head.headers)
        .ok_or(Refusal::Status(StatusCode::FORBIDDEN))?;
    let wants_binary = speaks_binary(&exchange.request.head.headers);
    let far = open(&mut exchange).await?;
    exchange.becomes_tunnel().await;
    exchange
        .request
        .tunnel
        .run(move |near| websocket::carry(near, far));
    let mut reply = reply::connected();
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let set = |reply: &mut Reply, name: HeaderName, value: &str| reply::set(reply, name, value);
    set(&mut reply, CONNECTION, "Upgrade");
    set(&mut reply, UPGRADE, "websocket");
    set(&mut reply, SEC_WEBSOCKET_ACCEPT, &accept);
    if wants_binary {
        set(&mut reply, SEC_WEBSOCKET_PROTOCOL, "binary");
    }
    Ok(reply)
}

fn speaks_binary(headers: &HeaderMap) -> bool {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|name| name.trim() == "binary")
}

async fn open(exchange: &mut Exchange) -> Result<HostStream, Refusal> {
    let query = exchange.query.clone();
    let target = exchange
        .find(|db| target(db, &query))
        .await
        .ok_or(Refusal::Closed)?;
    let stream = exchange
        .api
        .streams
        .console(target.host, target.vm, target.kind)
        .await;
    stream.map_err(|error| {
        tracing::info!(vm = %target.vm, host = %target.host, %error, "no console");
        match error.kind() {
            std::io::ErrorKind::NotFound => Refusal::Status(StatusCode::NOT_FOUND),
            _ => Refusal::Closed,
        }
    })
}

/// Finds the console that a query names: by its own reference or uuid, or by its VM's.
fn target(db: &Database, query: &Query) -> Option<Target> {
    let by_ref = query.get("ref").and_then(|text| text.parse::<Ref>().ok());
    let by_uuid = |class| {
        query
            .get("uuid")
            .and_then(|uuid| db.by_uuid(class, uuid))
            .map(|row| row.reference)
    };
    let console = by_ref
        .filter(|r| db.of_class(console::CLASS, *r).is_some())
        .or_else(|| by_uuid(console::CLASS));
    let (owner, kind) = match console.and_then(|r| db.of_class(console::CLASS, r)) {
        Some(row) => (
            row.get(console::VM).as_ref(),
            kind_of(row.get(console::PROTOCOL).as_str())?,
        ),
        None => {
            let owner = by_ref.or_else(|| by_uuid(vm::CLASS))?;
            (owner, first_kind(db, owner)?)
        }
    };
    let row = db.of_class(vm::CLASS, owner)?;
    let live = [vm_rules::RUNNING, vm_rules::PAUSED].contains(&row.get(vm::POWER_STATE).as_str());
    let on = db.of_class(host::CLASS, row.get(vm::RESIDENT_ON).as_ref())?;
    if !live {
        return None;
    }
    Some(Target {
        vm: row.uuid().parse().ok()?,
        host: on.uuid().parse().ok()?,
        kind,
    })
}

fn kind_of(protocol: &str) -> Option<ConsoleKind> {
    match protocol {
        "rfb" => Some(ConsoleKind::Screen),
        "vt100" => Some(ConsoleKind::Serial),
        _ => None,
    }
}

/// A VM named as such shows its screen, or its serial port if it has no screen.
fn first_kind(db: &Database, owner: Ref) -> Option<ConsoleKind> {
    let kinds: Vec<ConsoleKind> = db
        .of_class(vm::CLASS, owner)?
        .get(vm::CONSOLES)
        .as_refs()
        .into_iter()
        .filter_map(|r| kind_of(db.of_class(console::CLASS, r)?.get(console::PROTOCOL).as_str()))
        .collect();
    let screen = kinds.iter().find(|kind| **kind == ConsoleKind::Screen);
    screen.or_else(|| kinds.first()).copied()
}

#[cfg(test)]
mod test;
