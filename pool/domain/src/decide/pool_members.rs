//! A host alone in its pool joins another; a member leaves: what is asked before, and what it brings along.

use std::collections::HashMap;
use std::sync::Arc;

use proto_types::generated::{
    bond, host, network, network_sriov, pbd, pool, sr, tunnel, vbd, vdi, vif, vlan, vm, vm_metrics,
};
use proto_types::{ApiError, ClassId, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;
use crate::vm_rules;

/// Says whether this pool may become part of another.
///
/// # Errors
/// The first of XenServer's refusals that holds: HA is on, there are other hosts, VMs run or are busy, storage is
/// shared, or there are networks that the other pool does not know.
pub fn may_join(db: &Database) -> Result<(), ApiError> {
    let refuse = |code: &'static str| Err(ApiError::bare(code));
    if db
        .only(pool::CLASS)
        .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool())
    {
        return refuse("HA_IS_ENABLED");
    }
    if db.count(host::CLASS) > 1 {
        return refuse("JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS");
    }
    let guests = || {
        db.rows(vm::CLASS)
            .filter(|v| !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
    };
    let is_live = |v: &Arc<Row>| {
        let state = v.get(vm::POWER_STATE).as_str();
        state == vm_rules::RUNNING || state == vm_rules::PAUSED
    };
    if guests().any(is_live) {
        return refuse("JOINING_HOST_CANNOT_HAVE_RUNNING_VMS");
    }
    if guests().any(|v| vm_rules::is_busy(v)) {
        return refuse("JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS");
    }
    if db.rows(sr::CLASS).any(|s| s.get(sr::SHARED).as_bool()) {
        return refuse("JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS");
    }
    if db.count(bond::CLASS) > 0 {
        return refuse("POOL_JOINING_HOST_HAS_BONDS");
    }
    if db.count(tunnel::CLASS) > 0 {
        return refuse("POOL_JOINING_HOST_HAS_TUNNELS");
    }
    if db.count(network_sriov::CLASS) > 0 {
        return refuse("POOL_JOINING_HOST_HAS_NETWORK_SRIOVS");
    }
    if db.count(vlan::CLASS) > 0 {
        return refuse("POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS");
    }
    Ok(())
}

/// Classes whose rows a joining host brings along, in the order in which they are made: those referred to first.
const BROUGHT: &[ClassId] = &[
    network::CLASS,
    sr::CLASS,
    vdi::CLASS,
    vm_metrics::CLASS,
    vm::CLASS,
    vbd::CLASS,
    vif::CLASS,
    pbd::CLASS,
];

/// The rows a joining host brings: its own storage, its VMs and templates that are not the default ones, and the
/// networks they use.
pub fn luggage(db: &Database) -> Vec<Arc<Row>> {
    let measured: Vec<Ref> = db
        .rows(vm::CLASS)
        .filter(|v| is_own(v))
        .map(|v| v.get(vm::METRICS).as_ref())
        .collect();
    let comes = |row: &Arc<Row>| match row.class {
        vm_metrics::CLASS => measured.contains(&row.reference),
        vm::CLASS => is_own(row),
        vbd::CLASS => is_of_own(db, row.get(vbd::VM).as_ref()),
        vif::CLASS => is_of_own(db, row.get(vif::VM).as_ref()),
        _ => true,
    };
    BROUGHT
        .iter()
        .flat_map(|class| db.rows(*class))
        .filter(|row| comes(row))
        .cloned()
        .collect()
}

fn is_own(row: &Row) -> bool {
    !row.get(vm::IS_CONTROL_DOMAIN).as_bool() && !row.get(vm::IS_DEFAULT_TEMPLATE).as_bool()
}

fn is_of_own(db: &Database, guest: Ref) -> bool {
    db.of_class(vm::CLASS, guest).is_some_and(|row| is_own(row))
}

/// Makes the rows a joined host brought along. Objects keep their uuids and references; networks on the host's
/// interfaces become the pool's, the others get bridge names that are free here.
///
/// A row that is here already stays as it is: a host that asks again after a lost answer brings nothing twice.
pub fn bring(draft: &mut Draft<'_>, joined: Ref, rows: &[Arc<Row>]) {
    let mut renamed: HashMap<Ref, Ref> = HashMap::new();
    for row in rows {
        if row.class == network::CLASS
            && let Some(known) = same_network(draft.db(), row)
        {
            renamed.insert(row.reference, known);
        }
        if row.class == pbd::CLASS {
            renamed.insert(row.get(pbd::HOST).as_ref(), joined);
        }
    }
    let is_known: Vec<Ref> = rows
        .iter()
        .map(|r| r.reference)
        .filter(|r| draft.db().get(*r).is_some())
        .collect();
    let comes = |r: Ref| rows.iter().any(|row| row.reference == r);
    for class in BROUGHT {
        for row in rows.iter().filter(|r| r.class == *class) {
            if renamed.contains_key(&row.reference) || is_known.contains(&row.reference) {
                continue;
            }
            let mut fields = own_fields(row);
            for (field, value) in &mut fields {
                if let Value::Ref(target) = value {
                    let now = renamed.get(target).copied().unwrap_or(*target);
                    let stays = now == Ref::NULL || comes(now) || draft.db().get(now).is_some();
                    *target = if stays { now } else { Ref::NULL };
                }
                if *field == network::BRIDGE {
                    *value = free_bridge(draft.db(), value.as_str()).into();
                }
                // It is plugged in again once the host is a member.
                if *field == pbd::CURRENTLY_ATTACHED {
                    *value = false.into();
                }
            }
            draft.insert_as(row.class, row.reference, fields);
        }
    }
}

/// The fields of a row that are not derived from others.
fn own_fields(row: &Row) -> Vec<(proto_types::Field, Value)> {
    let class = row.class;
    class
        .def()
        .fields
        .iter()
        .zip(row.values.iter())
        .enumerate()
        .filter(|(_, (def, _))| def.derived_from.is_none())
        .filter_map(|(index, (_, value))| {
            let index = u16::try_from(index).ok()?;
            Some((proto_types::Field { class, index }, value.clone()))
        })
        .collect()
}

/// The pool's network that a host's network is the same as: those on interfaces go by the bridge's name.
fn same_network(db: &Database, row: &Row) -> Option<Ref> {
    let bridge = row.get(network::BRIDGE).as_str();
    let is_physical = bridge.starts_with("xenbr");
    db.rows(network::CLASS)
        .find(|n| is_physical && n.get(network::BRIDGE).as_str() == bridge)
        .map(|n| n.reference)
}

fn free_bridge(db: &Database, wanted: &str) -> String {
    let taken = |name: &str| {
        db.rows(network::CLASS)
            .any(|n| n.get(network::BRIDGE).as_str() == name)
    };
    if !taken(wanted) {
        return wanted.to_owned();
    }
    (0..=u16::MAX)
        .map(|n| format!("xapi{n}"))
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}

/// Checks what the pool asks of a host that joins.
///
/// # Errors
/// `HA_IS_ENABLED`; `HOSTS_NOT_HOMOGENEOUS [reason]` when its processors are of another vendor, unless the join is
/// forced.
pub fn may_be_joined(db: &Database, vendor: &str, force: bool) -> Result<(), ApiError> {
    if db
        .only(pool::CLASS)
        .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool())
    {
        return Err(ApiError::bare("HA_IS_ENABLED"));
    }
    let ours = db
        .only(pool::CLASS)
        .and_then(|p| db.of_class(host::CLASS, p.get(pool::MASTER).as_ref()))
        .and_then(|h| h.get(host::CPU_INFO).as_map().cloned())
        .and_then(|info| info.get(&Value::str("vendor")).map(|v| v.as_str().to_owned()));
    match ours {
        Some(ours) if !force && ours != vendor => {
            Err(ApiError::new("HOSTS_NOT_HOMOGENEOUS", ["CPUs differ"]))
        }
        _ => Ok(()),
    }
}

/// Checks that a member may be sent away.
///
/// # Errors
/// `HANDLE_INVALID`; `HA_IS_ENABLED`; `INTERNAL_ERROR` for the master; `OPERATION_NOT_ALLOWED` if guests are on it.
pub fn may_eject(db: &Database, reference: Ref) -> Result<(), ApiError> {
    let row = crate::query::find(db, host::CLASS, reference)?;
    let all = db.only(pool::CLASS);
    if all.is_some_and(|p| p.get(pool::HA_ENABLED).as_bool()) {
        return Err(ApiError::bare("HA_IS_ENABLED"));
    }
    if all.is_some_and(|p| p.get(pool::MASTER).as_ref() == reference) {
        return Err(ApiError::internal(
            "the master cannot be ejected: designate another first",
        ));
    }
    let control = row.get(host::CONTROL_DOMAIN).as_ref();
    if row
        .get(host::RESIDENT_VMS)
        .as_refs()
        .iter()
        .any(|v| *v != control)
    {
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", ["VM resident on host"]));
    }
    Ok(())
}

/// Plugs of a host that are in, which are pulled before it goes.
pub fn plugs_of(db: &Database, reference: Ref) -> Vec<Ref> {
    db.of_class(host::CLASS, reference)
        .map(|h| h.get(host::PBDS).as_refs())
        .unwrap_or_default()
        .into_iter()
        .filter(|p| {
            db.of_class(pbd::CLASS, *p)
                .is_some_and(|p| p.get(pbd::CURRENTLY_ATTACHED).as_bool())
        })
        .collect()
}

/// The pool has lost its majority and one host goes on alone: the others vote no more, and nothing is known of them. Their
/// guests stay in the records as they were, for they may run: `host.declare_dead` gives them up.
pub fn survive(draft: &mut Draft<'_>, own: Ref) {
    let others: Vec<Ref> = draft
        .db()
        .rows(host::CLASS)
        .map(|h| h.reference)
        .filter(|h| *h != own)
        .collect();
    let members = super::host::members(draft.db());
    for (member, of) in members {
        if of != own {
            draft.delete(member);
        }
    }
    for other in others {
        super::host::set_live(draft, other, false);
    }
    super::host::new_master(draft, own);
    let row = draft.db().only(pool::CLASS).map(|p| p.reference);
    if let Some(row) = row {
        draft.update(
            row,
            vec![
                (pool::HA_ENABLED, false.into()),
                (pool::HA_PLAN_EXISTS_FOR, 0.into()),
                (pool::HA_OVERCOMMITTED, false.into()),
            ],
        );
    }
}

#[cfg(test)]
mod test;
