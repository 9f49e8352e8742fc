//! Notices of what others have changed about VMs that run: there as long as the difference is.

use std::collections::BTreeMap;

use proto_types::generated::{message, vm};
use proto_types::{Ref, Value};

use crate::decide::message::{self as notices, Notice};
use crate::draft::Draft;

/// The name of such a notice.
pub const NAME: &str = "VM_CHANGED_OUTSIDE_POOL";

/// Takes in all that is different on a host, in words by the VM's uuid. VMs that run elsewhere are another host's matter.
pub fn note(draft: &mut Draft<'_>, on: Ref, differences: &BTreeMap<String, Vec<String>>) {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for (uuid, texts) in differences.iter().filter(|(_, texts)| !texts.is_empty()) {
        let Some(row) = draft.db().by_uuid(vm::CLASS, uuid) else {
            continue;
        };
        if row.get(vm::RESIDENT_ON).as_ref() == on {
            let name = row.get(vm::NAME_LABEL).as_str();
            let body = format!("VM '{name}' is not as the pool has it: {}", texts.join("; "));
            wanted.insert(uuid.clone(), body);
        }
    }
    let there: Vec<(Ref, String, Value)> = draft
        .db()
        .rows(message::CLASS)
        .filter(|m| m.get(message::NAME).as_str() == NAME)
        .map(|m| {
            let about = m.get(message::OBJ_UUID).as_str().to_owned();
            (m.reference, about, m.get(message::BODY).clone())
        })
        .collect();
    for (reference, about, body) in there {
        if wanted.get(&about).is_some_and(|new| body.as_str() == new) {
            wanted.remove(&about);
        } else if is_over(draft, on, &about) {
            draft.delete(reference);
        }
    }
    for (uuid, body) in wanted {
        let notice = Notice {
            name: NAME,
            priority: 3,
            cls: "VM",
            object: &uuid,
            body,
        };
        notices::add(draft, &notice);
    }
}

/// Whether what was said of a VM holds no longer: the host that has it says something else, or it runs nowhere.
fn is_over(draft: &Draft<'_>, on: Ref, uuid: &str) -> bool {
    draft.db().by_uuid(vm::CLASS, uuid).is_none_or(|row| {
        let at = row.get(vm::RESIDENT_ON).as_ref();
        at == on || at.is_null()
    })
}
