//! Log-in and log-out.

use std::sync::{Arc, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use pool_domain::decide::session::{self, NewSession};
use pool_domain::decide::user as users;
use pool_domain::{Database, access};
use proto_types::generated::{session as sessions, tarn_credential};
use proto_types::schema::Role;
use proto_types::{ApiError, Args, Ref, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::Api;
use super::caller::Caller;
use super::fair::{Client, Peer};
use super::gate::Entry;

/// `session.login_with_password`: over the local socket the credentials are not looked at.
///
/// # Errors
/// As [`authenticate`].
pub async fn with_password(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let known = if entry.is_local_root {
        Caller::local_root()
    } else {
        authenticate(api, &entry.db, args.text(0)?, args.text(1)?, entry.client()).await?
    };
    let originator = args.at(3).map(Value::as_str).unwrap_or_default().to_owned();
    let host = (api.host)();
    let limits = *api.sessions.borrow();
    let origin = known.history("session.login_with_password");
    // Only when one has to give way does it matter which was used last.
    let is_full = entry.db.count(sessions::CLASS) >= limits.most;
    let used = if is_full { api.take_activity() } else { Vec::new() };
    let (reference, _) = api
        .ops
        .decide(&origin, |d| {
            session::note_activity(d, &used);
            let subject = match known.is_superuser {
                true => Ref::NULL,
                false => authorised(d.db(), &known.user, &known.sid)?.0,
            };
            if !known.is_superuser {
                d.note(subject);
            }
            let new = NewSession {
                user: known.user.clone(),
                subject,
                sid: known.sid.clone(),
                originator: originator.clone(),
                host,
            };
            Ok(session::login(d, new, limits))
        })
        .await?;
    Ok(reference.into())
}

/// `session.slave_local_login_with_password`: a session of this node alone, also when no leader is known. For the local
/// superuser, since no role is checked in it.
///
/// # Errors
/// `SESSION_AUTHENTICATION_FAILED [user, text]`.
pub async fn local(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    if !entry.is_local_root {
        let user = args.text(0)?;
        let sid = check(api, &entry.db, user, args.text(1)?, entry.client()).await?;
        if !sid.is_empty() {
            return Err(failed(user));
        }
    }
    let reference = Ref::from_uuid(Uuid::new_v4());
    let mut sessions = api.local.lock().unwrap_or_else(PoisonError::into_inner);
    // Kept in memory only; a bound keeps a runaway script from filling it.
    if sessions.len() >= api.sessions.borrow().most {
        sessions.clear();
    }
    sessions.insert(reference, ());
    Ok(reference.into())
}

/// `session.local_logout`.
pub fn local_logout(api: &Api, session: Ref) -> Value {
    api.local
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&session);
    Value::Void
}

/// `session.change_password`: of the caller, who must be a local superuser.
///
/// # Errors
/// `USER_IS_NOT_LOCAL_SUPERUSER [text]`; `SESSION_AUTHENTICATION_FAILED` for a wrong old password, which is not asked for
/// on the local socket; `CHANGE_PASSWORD_REJECTED [text]` for one that is no password.
pub async fn change_password(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let user = entry.caller.user.clone();
    let is_known = |db: &Database| users::credential(db, &user).is_some();
    if !entry.caller.is_superuser || !is_known(&entry.db) {
        let text = "Only the local superuser can execute this operation";
        return Err(ApiError::new("USER_IS_NOT_LOCAL_SUPERUSER", [text]));
    }
    let (old, new) = (args.text(0)?, args.text(1)?.to_owned());
    if !entry.is_local_root {
        check(api, &entry.db, &user, old, entry.client()).await?;
    }
    if new.is_empty() || new.contains('\0') {
        return Err(ApiError::new(
            "CHANGE_PASSWORD_REJECTED",
            ["The password is empty or holds a NUL"],
        ));
    }
    let hashed = tokio::task::spawn_blocking(move || hash(&new)).await;
    let Ok(Ok(hashed)) = hashed else {
        return Err(ApiError::new(
            "CHANGE_PASSWORD_REJECTED",
            ["The password could not be hashed"],
        ));
    };
    let origin = entry.caller.history("session.change_password");
    api.ops
        .decide(&origin, |d| {
            if let Some(row) = users::credential(d.db(), &user) {
                d.note(row);
                d.set(row, tarn_credential::HASH, hashed.as_str());
            }
            Ok(Value::Void)
        })
        .await
        .map(|(value, _)| value)
}

/// `session.slave_login` and `session.slave_local_login`: hosts of a pool know one another by certificates, and there is
/// no secret with which they would log in.
///
/// # Errors
/// Always `SESSION_AUTHENTICATION_FAILED`.
pub fn no_pool_secret() -> Result<Value, ApiError> {
    let text = "Authentication failure";
    Err(ApiError::new("SESSION_AUTHENTICATION_FAILED", ["", text]))
}

/// Who has this name and password, as a caller without a session.
///
/// # Errors
/// `SESSION_AUTHENTICATION_FAILED [user, text]`; `SESSION_AUTHORIZATION_FAILED [user, text]` for a user without a role.
pub async fn authenticate(
    api: &Api,
    db: &Database,
    user: &str,
    password: &str,
    client: Client,
) -> Result<Caller, ApiError> {
    let sid = check(api, db, user, password, client).await?;
    let role = match sid.is_empty() {
        true => None,
        false => Some(authorised(db, user, &sid)?.1),
    };
    Ok(Caller {
        session: Ref::NULL,
        user: user.to_owned(),
        is_superuser: sid.is_empty(),
        sid,
        role,
    })
}

/// The subject of a user and its role.
fn authorised(db: &Database, user: &str, sid: &str) -> Result<(Ref, Role), ApiError> {
    access::subject_of(db, sid)
        .map(|row| row.reference)
        .and_then(|subject| Some((subject, access::highest_role(db, subject)?)))
        .ok_or_else(|| {
            let text = "The user has no role in this pool";
            ApiError::new("SESSION_AUTHORIZATION_FAILED", [user, text])
        })
}

fn failed(user: &str) -> ApiError {
    ApiError::new("SESSION_AUTHENTICATION_FAILED", [user, "Authentication failure"])
}

/// Checks a password against the pool's credentials, off the threads that answer calls, and answers the subject
/// identifier: empty for the superuser.
///
/// A wrong one takes its time over the network, and few of one peer are looked at meanwhile, so that guessing is slow.
///
/// # Errors
/// `SESSION_AUTHENTICATION_FAILED [user, text]`; `TOO_BUSY`.
pub async fn check(
    api: &Api,
    db: &Database,
    user: &str,
    password: &str,
    client: Client,
) -> Result<String, ApiError> {
    let knock = match client.peer {
        Peer::Local => None,
        Peer::Address(_) => api.lanes.knocking.enter(client)?.come().await,
    };
    let began = Instant::now();
    let row = users::credential(db, user).and_then(|r| db.of_class(tarn_credential::CLASS, r));
    let text = |field| row.map(|c| c.get(field).as_str().to_owned());
    let (hash, sid) = (text(tarn_credential::HASH), text(tarn_credential::SUBJECT));
    let turn = api.lanes.hashing.enter(client)?.come().await;
    let password = password.to_owned();
    let matches = tokio::task::spawn_blocking(move || {
        // An unknown user costs as much time as a wrong password.
        let text = hash.as_deref().unwrap_or(UNKNOWN_USER);
        let parsed = PasswordHash::new(text);
        let right = parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok());
        // Ends with the work, not with the client.
        drop(turn);
        right && hash.is_some()
    })
    .await
    .unwrap_or(false);
    match sid {
        Some(sid) if matches => Ok(sid),
        _ => {
            if knock.is_some() {
                tokio::time::sleep_until(began + api.wrong_password).await;
            }
            Err(failed(user))
        }
    }
}

/// A hash of nothing that anyone knows.
const UNKNOWN_USER: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password for the pool's credentials.
///
/// # Errors
/// If the system's source of randomness fails.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    use argon2::PasswordHasher;
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|h| h.to_string())
}
