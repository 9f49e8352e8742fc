//! Who calls.

use pool_domain::transaction::Origin as History;
use pool_domain::{Database, Row, access};
use proto_types::generated::session;
use proto_types::schema::{MessageDef, Role};
use proto_types::{ApiError, Args, Ref, rbac};

/// Who calls, after the session has been checked.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The session; null where a message needs none.
    pub session: Ref,
    /// The user's name.
    pub user: String,
    /// The user as a subject knows it; empty for the local superuser.
    pub sid: String,
    /// Passes every check of roles.
    pub is_superuser: bool,
    /// The highest role of the user now, which contains all others.
    pub role: Option<Role>,
}

impl Caller {
    /// The caller behind a session.
    pub fn of(db: &Database, row: &Row) -> Caller {
        let is_superuser = row.get(session::IS_LOCAL_SUPERUSER).as_bool();
        Caller {
            session: row.reference,
            user: row.get(session::AUTH_USER_NAME).as_str().to_owned(),
            sid: row.get(session::AUTH_USER_SID).as_str().to_owned(),
            is_superuser,
            role: match is_superuser {
                true => None,
                false => access::highest_role(db, row.get(session::SUBJECT).as_ref()),
            },
        }
    }

    /// Local root, who needs no session.
    pub fn local_root() -> Caller {
        Caller {
            user: "root".to_owned(),
            is_superuser: true,
            ..Caller::default()
        }
    }

    /// Says whether the caller has at least a role.
    pub fn reaches(&self, least: Role) -> bool {
        self.is_superuser || self.role.is_some_and(|held| held >= least)
    }

    /// Checks that the caller may send a message with these arguments.
    ///
    /// # Errors
    /// `RBAC_PERMISSION_DENIED [permission, text]`.
    pub fn may(&self, message: &MessageDef, args: &Args) -> Result<(), ApiError> {
        if self.is_superuser || message.no_session {
            return Ok(());
        }
        let key = match rbac::takes_key(message) {
            true => args.text(1).ok(),
            false => None,
        };
        let permitted = self.role.is_some_and(|role| match key {
            Some(key) => rbac::permits_key(role, message, key),
            None => rbac::permits(role, message),
        });
        if permitted {
            return Ok(());
        }
        Err(denied(rbac::permission_name(message, key)))
    }

    /// The caller as history remembers.
    pub fn history(&self, method: &str) -> History {
        History {
            user: self.user.clone(),
            method: method.to_owned(),
            trace: String::new(),
        }
    }
}

/// The error for a permission that a caller has not.
pub fn denied(permission: String) -> ApiError {
    ApiError::new(
        "RBAC_PERMISSION_DENIED",
        [permission, "No permission in user session".to_owned()],
    )
}
