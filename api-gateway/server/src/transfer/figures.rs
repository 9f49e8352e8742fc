//! `/rrd_updates`, `/host_rrd`, `/vm_rrd`, `/sr_rrd`, `/metrics`: what is counted on hosts, for graphs.
//!
//! Each host answers for itself and for the VMs that run on it: a client asks every host, as it does XenServer's.

use hyper::StatusCode;
use hyper::header::{ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderName};
use pool_domain::Database;
use proto_types::Ref;
use proto_types::generated::{host, vm};
use uuid::Uuid;

use super::{Exchange, Query, Refusal, Reply, place, reply};
use crate::api::ports::{FiguresForm, FiguresQuery};

/// Most VMs that one request may name.
const MOST_NAMED: usize = 1000;

/// `GET /rrd_updates`: rows since a moment.
///
/// # Errors
/// 400 without a `start` that is a number.
pub async fn updates(exchange: Exchange) -> Result<Reply, Refusal> {
    let query = updates_query(&exchange.query).ok_or(Refusal::Status(StatusCode::BAD_REQUEST))?;
    let form = if exchange.query.mentions("json") {
        FiguresForm::Json
    } else {
        FiguresForm::Xml
    };
    let document = exchange.api.figures.updates(query, form).await;
    Ok(answer(form, document))
}

/// What does not read is as good as not given, but for the start.
fn updates_query(query: &Query) -> Option<FiguresQuery> {
    let vms = query.all("vm_uuid").collect::<Vec<_>>();
    let all = vms.is_empty() || vms.contains(&"all");
    let named = vms
        .iter()
        .take(MOST_NAMED)
        .filter_map(|uuid| Uuid::try_parse(uuid).ok());
    Some(FiguresQuery {
        start: query.get("start")?.parse().ok()?,
        interval: query.get("interval").and_then(|i| i.parse().ok()).unwrap_or(0),
        function: query.get("cf").unwrap_or_default().to_owned(),
        with_host: query.is_true("host"),
        vms: (!all).then(|| named.collect()),
    })
}

/// `GET /host_rrd`: all archives of this host.
///
/// # Errors
/// 404 before the host was counted for the first time.
pub async fn of_host(exchange: Exchange) -> Result<Reply, Refusal> {
    let form = dump_form(&exchange);
    let document = exchange.api.figures.host_archives(form).await;
    document
        .map(|document| answer(form, document))
        .ok_or(Refusal::Status(StatusCode::NOT_FOUND))
}

/// `GET /vm_rrd`: all archives of a VM; the client is sent to the host where it runs. Those of a VM that does not run are
/// answered by any host.
///
/// # Errors
/// 400 if no VM is named, 404 if there are no archives.
pub async fn of_vm(mut exchange: Exchange) -> Result<Reply, Refusal> {
    let query = exchange.query.clone();
    if !query.mentions("uuid") && !query.mentions("ref") {
        return Err(Refusal::Status(StatusCode::BAD_REQUEST));
    }
    let not_found = Refusal::Status(StatusCode::NOT_FOUND);
    let (uuid, resident) = exchange
        .find(|db| named_vm(db, &query))
        .await
        .ok_or_else(|| not_found.clone())?;
    let form = dump_form(&exchange);
    let figures = &exchange.api.figures;
    if figures.has_vm(uuid) {
        let document = figures.vm_archives(uuid, form).await;
        return document.map(|d| answer(form, d)).ok_or(not_found);
    }
    let own = (exchange.api.host)();
    if resident != own && exchange.db.of_class(host::CLASS, resident).is_some() {
        let path = exchange.request.head.uri.path_and_query();
        let there = place::url_at(&exchange.db, resident, path.map_or("/vm_rrd", |p| p.as_str()));
        return Ok(reply::found(&there));
    }
    let document = figures.vm_archives(uuid, form).await;
    document.map(|d| answer(form, d)).ok_or(not_found)
}

/// The VM that a query names, and the host it runs on.
fn named_vm(db: &Database, query: &Query) -> Option<(Uuid, Ref)> {
    let row = match query.get("uuid") {
        Some(uuid) => db.by_uuid(vm::CLASS, uuid)?,
        None => db.of_class(vm::CLASS, query.get("ref")?.parse().ok()?)?,
    };
    Some((
        Uuid::try_parse(row.uuid()).ok()?,
        row.get(vm::RESIDENT_ON).as_ref(),
    ))
}

/// `GET /sr_rrd`: an SR has no archives of its own; what VMs do to it is counted with their host.
///
/// # Errors
/// 400 if no SR is named, else 404.
pub async fn of_sr(exchange: Exchange) -> Result<Reply, Refusal> {
    Err(Refusal::Status(if exchange.query.mentions("uuid") {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::BAD_REQUEST
    }))
}

/// `GET /metrics`: the last sample, for Prometheus.
///
/// # Errors
/// None of its own.
pub async fn prometheus(exchange: Exchange) -> Result<Reply, Refusal> {
    let (content_type, page) = exchange.api.metrics();
    Ok(reply::bytes(content_type, page))
}

/// Dumps are in XML unless the query or the client asks for JSON.
fn dump_form(exchange: &Exchange) -> FiguresForm {
    let accepts = exchange.request.head.headers.get(ACCEPT);
    let accepts_json = accepts.is_some_and(|accepts| accepts == "application/json");
    if exchange.query.is_true("json") || accepts_json {
        FiguresForm::Json
    } else {
        FiguresForm::Xml
    }
}

/// Pages of any origin may read figures, as they may call.
fn answer(form: FiguresForm, document: String) -> Reply {
    let content_type = match form {
        FiguresForm::Xml => "text/xml",
        FiguresForm::Json => "application/json",
    };
    let mut answer = reply::bytes(content_type, document);
    let allowed: [(HeaderName, &str); 2] = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With"),
    ];
    for (name, value) in allowed {
        reply::set(&mut answer, name, value);
    }
    answer
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_query_needs_a_start_and_nothing_else() {
        assert_eq!(updates_query(&Query::parse("host=true")), None);
        assert_eq!(updates_query(&Query::parse("start=now")), None);
        let least = updates_query(&Query::parse("start=-60&interval=x")).unwrap();
        let expected = FiguresQuery {
            start: -60,
            interval: 0,
            function: String::new(),
            with_host: false,
            vms: None,
        };
        assert_eq!(least, expected);
    }

    #[test]
    fn vms_are_all_unless_some_are_named() {
        let uuid = Uuid::from_u128(7);
        let named = |text: &str| updates_query(&Query::parse(text)).unwrap().vms;
        assert_eq!(named(&format!("start=1&vm_uuid={uuid}")), Some(vec![uuid]));
        assert_eq!(named("start=1&vm_uuid=none"), Some(vec![]));
        assert_eq!(named("start=1&vm_uuid=all"), None);
        assert_eq!(
            named(&format!("start=1&vm_uuid={uuid}&vm_uuid={uuid}")),
            Some(vec![uuid, uuid])
        );
    }
}
