//! `permissions.rs`: the roles, and who holds which permission.

use std::collections::BTreeMap;
use std::fmt::Write;

use proto_datamodel::Role;
use proto_datamodel::roles::{FURTHER, ROLES};

use crate::lower::Model;

/// Renders the file.
pub fn file(model: &Model) -> String {
    let mut out = super::head("proto/datamodel/src/roles.rs and class");
    out.push_str(
        "\nuse crate::rbac::PermissionDef;\nuse crate::schema::Role;\n\n/// A role that subjects can have.\n\
         #[derive(Debug)]\npub struct RoleDef {\n    /// Which.\n    pub role: Role,\n    /// Name.\n    \
         pub name: &'static str,\n    /// One sentence.\n    pub doc: &'static str,\n    \
         /// Fixed uuid; also the number of its reference.\n    pub uuid: &'static str,\n    \
         /// Not for subjects.\n    pub internal: bool,\n}\n\n/// Highest first; each contains all that follow.\n\
         pub static ROLES: &[RoleDef] = &[\n",
    );
    for role in ROLES {
        let _ = writeln!(
            out,
            "    RoleDef {{\n        role: Role::{:?},\n        name: {:?},\n        doc: {:?},\n        \
             uuid: {:?},\n        internal: {},\n    }},",
            role.role, role.name, role.doc, role.uuid, role.internal
        );
    }
    out.push_str("];\n\nconst fn permission(name: &'static str, role: Role, client_cert: bool) -> PermissionDef {\n    PermissionDef { name, role, client_cert }\n}\n");
    out.push_str("\n/// Every permission, sorted by name.\npub static PERMISSIONS: &[PermissionDef] = &[\n");
    for (name, (role, client_cert)) in permissions(model) {
        let _ = writeln!(out, "    permission({name:?}, Role::{role:?}, {client_cert}),");
    }
    out.push_str("];\n");
    out
}

/// Messages that need a session, and their guarded keys. What only the pool itself may send is no permission.
fn permissions(model: &Model) -> BTreeMap<String, (Role, bool)> {
    let further = FURTHER
        .iter()
        .map(|(name, role)| ((*name).to_owned(), (*role, false)));
    let mut all: BTreeMap<_, _> = further.collect();
    for class in &model.classes {
        for message in &class.messages {
            if message.role == Role::LocalRoot || message.written.is_some_and(|m| m.no_session) {
                continue;
            }
            let name = format!("{}.{}", class.class.name, message.name).to_ascii_lowercase();
            for (key, role) in message.key_roles {
                all.insert(format!("{name}/key:{}", key.to_ascii_lowercase()), (*role, false));
            }
            all.insert(name, (message.role, message.client_cert));
        }
    }
    all
}
