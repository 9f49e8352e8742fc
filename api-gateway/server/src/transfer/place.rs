//! Where a request is answered: here, or at the leader, to which the client is sent.

use hyper::StatusCode;
use pool_domain::Database;
use proto_types::Ref;
use proto_types::generated::{host, tarn_member};

use super::table::{Entry, Place};
use super::{Reply, Request, reply};
use crate::api::Api;
use crate::api::ports::Role;

/// The answer that sends the client on, if this node is not the place.
pub fn elsewhere(api: &Api, entry: &Entry, request: &Request) -> Option<Reply> {
    if entry.place == Place::Any {
        return None;
    }
    match api.cluster.role() {
        Role::Leader => None,
        Role::Unknown => Some(reply::page(StatusCode::SERVICE_UNAVAILABLE)),
        Role::Follower(leader) => {
            let db = api.cluster.snapshot();
            let row = db.by_uuid(host::CLASS, &leader.host.to_string());
            let port = row.map_or(USUAL_PORT, |row| api_port(&db, row.reference));
            let path = request.head.uri.path_and_query().map_or("/", |p| p.as_str());
            Some(reply::found(&url(&leader.address, port, path)))
        }
    }
}

/// Where clients reach a host's API for a path.
pub fn url_at(db: &Database, on: Ref, path: &str) -> String {
    let address = db.of_class(host::CLASS, on).map(|row| row.get(host::ADDRESS));
    let address = address.map_or("", |address| address.as_str());
    url(address, api_port(db, on), path)
}

/// HTTPS's.
const USUAL_PORT: i64 = 443;

fn api_port(db: &Database, on: Ref) -> i64 {
    db.rows(tarn_member::CLASS)
        .find(|m| m.get(tarn_member::HOST).as_ref() == on)
        .map_or(USUAL_PORT, |m| m.get(tarn_member::API_PORT).as_int())
}

fn url(address: &str, port: i64, path: &str) -> String {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    if port == USUAL_PORT {
        format!("https://{host}{path}")
    } else {
        format!("https://{host}:{port}{path}")
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_usual_port_is_left_out() {
        assert_eq!(
            url("192.0.2.1", 443, "/export?ref=a"),
            "https://192.0.2.1/export?ref=a"
        );
        assert_eq!(url("2001:db8::1", 8443, "/x"), "https://[2001:db8::1]:8443/x");
    }
}
