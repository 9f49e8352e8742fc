//! Who asks, and may they: local socket, session, or name and password.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::AUTHORIZATION;
use pool_domain::Database;
use proto_types::Ref;
use proto_types::generated::session;

use super::query::Query;
use super::table::Entry;
use super::{Refusal, Request, blob, eventually};
use crate::Origin;
use crate::api::caller::{Caller, denied};
use crate::api::fair::Client;
use crate::api::{Api, login};

/// Finds the caller and checks the role.
///
/// # Errors
/// [`Refusal::Unauthorized`] or [`Refusal::Forbidden`].
pub async fn admit(
    api: &Arc<Api>,
    db: &mut Database,
    request: &Request,
    query: &Query,
    entry: &Entry,
) -> Result<Caller, Refusal> {
    if entry.action == "get_blob" && blob::is_public(db, query) {
        return Ok(Caller::default());
    }
    let caller = who(api, db, request, query).await.ok_or(Refusal::Unauthorized)?;
    if caller.reaches(entry.role) {
        return Ok(caller);
    }
    Err(Refusal::Forbidden(denied(format!("http/{}", entry.action))))
}

async fn who(api: &Arc<Api>, db: &mut Database, request: &Request, query: &Query) -> Option<Caller> {
    if matches!(request.origin, Origin::LocalRoot { .. }) {
        return Some(Caller::local_root());
    }
    if let Some(text) = query.get("session_id") {
        let reference = text.parse::<Ref>().ok()?;
        // A session made at the leader a moment ago may not have reached a follower.
        return eventually(api, db, |db| {
            db.of_class(session::CLASS, reference)
                .map(|row| Caller::of(db, row))
        })
        .await;
    }
    let (user, password) = basic(request)?;
    let client = Client {
        peer: request.origin.into(),
        session: Ref::NULL,
    };
    login::authenticate(api, db, &user, &password, client).await.ok()
}

/// Whether a request shows credentials at all.
pub fn shows_any(request: &Request, query: &Query) -> bool {
    query.mentions("session_id") || request.head.headers.contains_key(AUTHORIZATION)
}

/// Name and password of an `Authorization: Basic` header.
fn basic(request: &Request) -> Option<(String, String)> {
    let header = request.head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    credentials(header)
}

fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_a_whole_basic_header_counts() {
        assert_eq!(
            credentials("Basic cm9vdDpwOnc="),
            Some(("root".into(), "p:w".into()))
        );
        assert_eq!(
            credentials("basic cm9vdDo="),
            Some(("root".into(), String::new()))
        );
        for bad in ["Basic", "Bearer cm9vdDpw", "Basic ???", "Basic cm9vdA==", ""] {
            assert_eq!(credentials(bad), None, "{bad}");
        }
    }
}
