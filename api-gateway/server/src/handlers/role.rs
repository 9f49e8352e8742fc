//! Roles and the permissions that they are made of. A single permission is a role too, though it stands in no list.

use pool_domain::{access, query};
use proto_types::generated::permissions::{ROLES, RoleDef};
use proto_types::generated::role as class;
use proto_types::{ApiError, Ref, Value, rbac};

use super::{Handler, Scope, Table};

/// The messages.
pub const TABLE: Table = &[
    (
        "role.get_permissions",
        Handler::Read(|s, args| {
            let names = permissions(s, args.reference(0)?)?;
            Ok(Value::refs(names.into_iter().map(access::permission_reference)))
        }),
    ),
    (
        "role.get_permissions_name_label",
        Handler::Read(|s, args| Ok(Value::strings(permissions(s, args.reference(0)?)?))),
    ),
    (
        "role.get_by_permission",
        Handler::Read(|_, args| {
            let reference = args.reference(0)?;
            let row = access::permission_row(reference)
                .ok_or_else(|| ApiError::handle_invalid("role", reference))?;
            Ok(Value::refs(holders(row.get(class::NAME_LABEL).as_str())))
        }),
    ),
    (
        "role.get_by_permission_name_label",
        Handler::Read(|_, args| Ok(Value::refs(holders(args.text(0)?)))),
    ),
];

/// The permissions of a role; of a permission itself.
fn permissions(scope: &Scope<'_>, reference: Ref) -> Result<Vec<&'static str>, ApiError> {
    if let Some(row) = access::permission_row(reference) {
        let name = rbac::permission(row.get(class::NAME_LABEL).as_str()).map(|p| p.name);
        return Ok(name.into_iter().collect());
    }
    query::find(scope.db, class::CLASS, reference)?;
    let def = access::role_of(reference);
    Ok(def.into_iter().flat_map(RoleDef::permissions).collect())
}

/// The roles that hold a permission; none for what is no permission.
fn holders(name: &str) -> impl Iterator<Item = Ref> {
    let permission = rbac::permission(name);
    ROLES
        .iter()
        .filter(move |def| permission.is_some_and(|p| p.held_by(def.role)))
        .map(access::reference_of)
}
