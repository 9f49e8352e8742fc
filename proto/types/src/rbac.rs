//! Who may do what: least roles of messages, and the names of permissions that clients see.

use crate::generated::permissions::PERMISSIONS;
use crate::schema::{MessageDef, MessageKind, Role};

pub use crate::generated::permissions::{ROLES, RoleDef};

/// A permission: its name, such as `vm.start`, and who has it.
#[derive(Debug)]
pub struct PermissionDef {
    /// Lower-case `class.message`, perhaps with `/key:<key>`.
    pub name: &'static str,
    /// Least role.
    pub role: Role,
    /// Also held by the internal role `client-cert`.
    pub client_cert: bool,
}

impl PermissionDef {
    /// Says whether a role holds this permission.
    pub fn held_by(&self, role: Role) -> bool {
        reaches(role, self.role, self.client_cert)
    }
}

impl Role {
    /// The name clients see; `local-root` for the local superuser, who is no role of theirs.
    pub fn name(self) -> &'static str {
        ROLES
            .iter()
            .find(|r| r.role == self)
            .map_or("local-root", |r| r.name)
    }

    /// Finds a role by its name.
    pub fn by_name(name: &str) -> Option<Role> {
        ROLES.iter().find(|r| r.name == name).map(|r| r.role)
    }
}

impl RoleDef {
    /// The names of all permissions of the role, sorted.
    pub fn permissions(&self) -> impl Iterator<Item = &'static str> {
        let role = self.role;
        PERMISSIONS
            .iter()
            .filter(move |p| p.held_by(role))
            .map(|p| p.name)
    }
}

fn reaches(role: Role, least: Role, client_cert: bool) -> bool {
    role >= least || (client_cert && role == Role::ClientCert)
}

/// Says whether a role may send a message, whatever its arguments.
pub fn permits(role: Role, message: &MessageDef) -> bool {
    reaches(role, message.role, message.client_cert)
}

/// Says whether a role may send a message that names a key of a map (`add_to_X`, `remove_from_X`).
///
/// A key with a least role of its own needs that role, which may be a lesser or a greater one than the message's.
pub fn permits_key(role: Role, message: &MessageDef, key: &str) -> bool {
    match key_role(message, key) {
        Some((_, least)) => role >= least,
        None => permits(role, message),
    }
}

/// The entry of a message's key roles that a key falls under, and its role.
pub fn key_role(message: &MessageDef, key: &str) -> Option<(&'static str, Role)> {
    let fits = |pattern: &str| {
        pattern
            .strip_suffix('*')
            .map_or(pattern == key, |prefix| key.starts_with(prefix))
    };
    message
        .key_roles
        .iter()
        .copied()
        .find(|(pattern, _)| fits(pattern))
}

/// The name of the permission that a message needs, as `RBAC_PERMISSION_DENIED` tells it.
pub fn permission_name(message: &MessageDef, key: Option<&str>) -> String {
    let name = message.full_name.to_ascii_lowercase();
    match key.and_then(|key| key_role(message, key)) {
        Some((pattern, _)) => format!("{name}/key:{}", pattern.to_ascii_lowercase()),
        None => name,
    }
}

/// Finds a permission by its name.
pub fn permission(name: &str) -> Option<&'static PermissionDef> {
    PERMISSIONS
        .binary_search_by(|p| p.name.cmp(name))
        .ok()
        .and_then(|i| PERMISSIONS.get(i))
}

/// Says whether a message takes a key of a map as its second argument.
pub fn takes_key(message: &MessageDef) -> bool {
    !message.key_roles.is_empty()
        || matches!(message.kind, MessageKind::AddTo(_) | MessageKind::RemoveFrom(_))
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::generated;

    fn message(name: &str) -> &'static MessageDef {
        generated::find(name).unwrap().def()
    }

    #[test]
    fn a_higher_role_may_do_all_that_a_lower_one_may() {
        let roles: Vec<_> = ROLES.iter().map(|r| r.role).collect();
        for pair in roles.windows(2) {
            for message in generated::MESSAGES.iter().filter(|m| permits(pair[1], m)) {
                // `client-cert` has a few messages that the API's own roles between do not reach.
                assert!(
                    permits(pair[0], message) || pair[1] == Role::ClientCert,
                    "{}",
                    message.full_name
                );
            }
        }
        assert!(generated::MESSAGES.iter().all(|m| permits(Role::LocalRoot, m)));
    }

    #[test]
    fn roles_are_refused_what_is_above_them() {
        assert!(permits(Role::VmOperator, message("VM.start")));
        assert!(!permits(Role::ReadOnly, message("VM.start")));
        assert!(permits(Role::ReadOnly, message("VM.get_record")));
        assert!(!permits(Role::PoolOperator, message("subject.create")));
        assert!(!permits(Role::VmAdmin, message("secret.get_all_records_where")));
    }

    #[test]
    fn single_keys_have_roles_of_their_own() {
        let add = message("VM.add_to_other_config");
        assert!(permits_key(Role::VmOperator, add, "folder"));
        assert!(permits_key(Role::VmOperator, add, "XenCenter.CustomFields.owner"));
        assert!(!permits_key(Role::VmOperator, add, "other"));
        assert!(!permits_key(Role::VmAdmin, add, "hvm_serial"));
        assert_eq!(
            permission_name(add, Some("folder")),
            "vm.add_to_other_config/key:folder"
        );
        assert!(permits_key(
            Role::VmOperator,
            message("pool.add_to_other_config"),
            "folder"
        ));
    }

    #[test]
    fn permission_lists_grow_with_the_role() {
        let counts: Vec<_> = ROLES
            .iter()
            .filter(|r| !r.internal)
            .map(|r| r.permissions().count())
            .collect();
        assert_eq!(counts.len(), 6);
        assert!(counts.windows(2).all(|pair| pair[0] > pair[1]), "{counts:?}");
        assert!(permission("vm.start").unwrap().held_by(Role::VmOperator));
        assert!(permission("vm.no_such").is_none());
    }
}
