//! Who calls.

use pool_domain::Row;
use pool_domain::transaction::Origin as History;
use proto_types::generated::session;
use proto_types::schema::{MessageDef, Role};
use proto_types::{Ref, rbac};

/// Who calls, after the session has been checked.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The session; null where a message needs none.
    pub session: Ref,
    /// The user's name.
    pub user: String,
    /// Passes every check of roles.
    pub is_superuser: bool,
    /// What else the user may do: permissions by name.
    pub permissions: Vec<String>,
}

impl Caller {
    /// The caller behind a session.
    pub fn of(row: &Row) -> Caller {
        Caller {
            session: row.reference,
            user: row.get(session::AUTH_USER_NAME).as_str().to_owned(),
            is_superuser: row.get(session::IS_LOCAL_SUPERUSER).as_bool(),
            permissions: row
                .get(session::RBAC_PERMISSIONS)
                .as_set()
                .iter()
                .map(|p| p.as_str().to_owned())
                .collect(),
        }
    }

    /// Says whether the caller may send a message.
    pub fn may(&self, message: &MessageDef) -> bool {
        if self.is_superuser || message.no_session {
            return true;
        }
        if message.role == Role::LocalRoot {
            return false;
        }
        let name = rbac::permission_name(message, None);
        self.permissions.contains(&name)
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
