//! `allowed_operations`, computed from rows and never stored.

use std::collections::BTreeSet;

use proto_types::generated::{host, network, pbd, pool, sr, task, vbd, vdi, vif, vm, vm_appliance, vusb};
use proto_types::{Field, Ref, Value};

use crate::database::Database;
use crate::row::Row;
use crate::transaction::Change;
use crate::{appliance_rules, host_rules, vdi_rules, vm_rules};

/// On which rows the operations of a class depend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rests {
    /// On the row itself.
    OnItself,
    /// On rows one relation away as well.
    OnOthers,
}

type Rule = fn(&Database, &Row) -> Value;

/// What the operations of a class follow from; `None` for classes without the field or whose operations are not derived.
fn rule(row: &Row) -> Option<(Rests, Rule)> {
    let class = row.class;
    let found: (Rests, Rule) = if class == vm::CLASS {
        (Rests::OnOthers, vm_rules::advertised)
    } else if class == vbd::CLASS {
        (Rests::OnOthers, of_vbd)
    } else if class == vif::CLASS {
        (Rests::OnOthers, of_vif)
    } else if class == vusb::CLASS {
        (Rests::OnOthers, of_vusb)
    } else if class == vdi::CLASS {
        (Rests::OnOthers, vdi_rules::advertised)
    } else if class == sr::CLASS {
        (Rests::OnOthers, of_sr)
    } else if class == host::CLASS {
        (Rests::OnOthers, host_rules::advertised)
    } else if class == vm_appliance::CLASS {
        (Rests::OnOthers, appliance_rules::advertised)
    } else if class == task::CLASS {
        (Rests::OnItself, |_, row| of_task(row))
    } else if class == network::CLASS {
        (Rests::OnItself, |_, _| Value::strings(["attaching"]))
    } else if class == pool::CLASS {
        (Rests::OnItself, |_, row| of_pool(row))
    } else {
        return None;
    };
    Some(found)
}

/// The operations a row admits now; `None` for classes without the field or whose operations are not derived.
pub fn operations(db: &Database, row: &Row) -> Option<Value> {
    rule(row).map(|(_, rule)| rule(db, row))
}

/// Says whether a row's operations depend on other rows.
pub(crate) fn looks_around(row: &Row) -> bool {
    rule(row).is_some_and(|(rests, _)| rests == Rests::OnOthers)
}

/// Rows, other than those in `own`, whose operations differ between two states of the database.
///
/// Looks one relation away from the changed rows.
pub fn altered(before: &Database, after: &Database, own: &BTreeSet<Ref>) -> BTreeSet<Ref> {
    let mut near: BTreeSet<Ref> = BTreeSet::new();
    for reference in own {
        for db in [before, after] {
            near.extend(db.get(*reference).into_iter().flat_map(|row| neighbours(row)));
        }
    }
    let stamped = |r: &Ref| {
        let index = after.get(*r).map(|row| row.version);
        index.is_some_and(|v| v > before.applied())
    };
    near.retain(|r| !own.contains(r) && !stamped(r));
    near.retain(|r| match (before.get(*r), after.get(*r)) {
        (Some(a), Some(b)) => operations(before, a) != operations(after, b),
        _ => false,
    });
    near
}

/// Fields that no operation looks at.
const LABELS: &[&str] = &["name_label", "name_description", "tags"];

/// Says whether a change touches nothing but labels: it alters no row's operations.
pub(crate) fn is_of_labels(change: &Change) -> bool {
    match change {
        Change::Update { fields, .. } => fields.iter().all(|(field, _)| LABELS.contains(&field.def().name)),
        Change::Insert { .. } | Change::Touch { .. } | Change::Delete { .. } => false,
    }
}

/// The rows whose operations may depend on a row: none, unless it is of a class that others look at.
fn neighbours(row: &Row) -> Vec<Ref> {
    let fields: &[Field] = if row.class == vm::CLASS {
        &[vm::VBDS, vm::VIFS, vm::VUSBS, vm::APPLIANCE]
    } else if row.class == vbd::CLASS {
        &[vbd::VDI, vbd::VM]
    } else if row.class == vusb::CLASS {
        &[vusb::VM]
    } else if row.class == vdi::CLASS {
        &[vdi::VBDS, vdi::SR]
    } else if row.class == pbd::CLASS {
        &[pbd::SR]
    } else {
        &[]
    };
    fields
        .iter()
        .flat_map(|f| match row.get(*f) {
            Value::Ref(r) => vec![*r],
            Value::Set(items) => items.iter().map(Value::as_ref).collect(),
            _ => Vec::new(),
        })
        .collect()
}

fn busy(row: &Row, field: Field) -> bool {
    row.get(field).as_map().is_some_and(|m| !m.is_empty())
}

fn of_vbd(db: &Database, row: &Row) -> Value {
    if busy(row, vbd::CURRENT_OPERATIONS) {
        return Value::strings::<&str>([]);
    }
    let state = db
        .of_class(vm::CLASS, row.get(vbd::VM).as_ref())
        .map_or("", |v| v.get(vm::POWER_STATE).as_str());
    let attached = row.get(vbd::CURRENTLY_ATTACHED).as_bool();
    let cd = row.get(vbd::TYPE).as_str() == "CD";
    let empty = row.get(vbd::EMPTY).as_bool();
    let mut names = vec!["attach"];
    if cd {
        names.push(if empty { "insert" } else { "eject" });
    }
    match state {
        vm_rules::RUNNING if attached => names.extend(["unplug", "unplug_force"]),
        vm_rules::RUNNING if !cd => names.push("plug"),
        vm_rules::PAUSED if attached => names.push("unplug_force"),
        _ => {}
    }
    Value::strings(names)
}

fn of_vif(db: &Database, row: &Row) -> Value {
    if busy(row, vif::CURRENT_OPERATIONS) {
        return Value::strings::<&str>([]);
    }
    let state = db
        .of_class(vm::CLASS, row.get(vif::VM).as_ref())
        .map_or("", |v| v.get(vm::POWER_STATE).as_str());
    let attached = row.get(vif::CURRENTLY_ATTACHED).as_bool();
    let mut names = vec!["attach"];
    if state == vm_rules::RUNNING {
        if attached {
            names.push("unplug");
        } else {
            names.push("plug");
        }
    }
    Value::strings(names)
}

fn of_vusb(db: &Database, row: &Row) -> Value {
    if busy(row, vusb::CURRENT_OPERATIONS) {
        return Value::strings::<&str>([]);
    }
    let state = db
        .of_class(vm::CLASS, row.get(vusb::VM).as_ref())
        .map_or("", |v| v.get(vm::POWER_STATE).as_str());
    let mut names = vec!["attach"];
    if state == vm_rules::RUNNING && row.get(vusb::CURRENTLY_ATTACHED).as_bool() {
        names.push("unplug");
    }
    Value::strings(names)
}

fn of_sr(db: &Database, row: &Row) -> Value {
    if busy(row, sr::CURRENT_OPERATIONS) {
        return Value::strings(["plug"]);
    }
    let pbds = row.get(sr::PBDS).as_refs();
    let plugged = pbds.iter().any(|r| {
        db.of_class(pbd::CLASS, *r)
            .is_some_and(|p| p.get(pbd::CURRENTLY_ATTACHED).as_bool())
    });
    let mut names = vec!["plug", "unplug", "pbd_create", "pbd_destroy", "forget"];
    if plugged {
        names.extend(["scan", "update"]);
        let of_disks = [
            ("vdi_create", "create"),
            ("vdi_destroy", "destroy"),
            ("vdi_clone", "clone"),
            ("vdi_snapshot", "snapshot"),
            ("vdi_resize", "resize"),
            ("vdi_introduce", "introduce"),
            ("vdi_set_on_boot", "set_on_boot"),
        ];
        let tools = row.get(sr::IS_TOOLS_SR).as_bool();
        names.extend(
            of_disks
                .iter()
                .filter(|(_, of)| vdi_rules::supports(db, row.reference, of).is_ok())
                .filter(|(_, of)| !tools || !matches!(*of, "create" | "destroy"))
                .map(|(name, _)| *name),
        );
        names.retain(|name| *name != "forget");
    } else {
        names.push("destroy");
    }
    Value::strings(names)
}

fn of_task(row: &Row) -> Value {
    // The stored value says whether the operation behind the task can be cancelled at all.
    if row.get(task::STATUS).as_str() == "pending" {
        row.get(task::ALLOWED_OPERATIONS).clone()
    } else {
        Value::strings::<&str>([])
    }
}

fn of_pool(row: &Row) -> Value {
    let switch = if row.get(pool::HA_ENABLED).as_bool() {
        "ha_disable"
    } else {
        "ha_enable"
    };
    Value::strings([switch, "cluster_create"])
}
