//! `VM.provision`: a clone of a template becomes a VM with disks of its own.

use proto_types::generated::{pool, sr, vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};

use crate::decide::operation;
use crate::draft::Draft;
use crate::xml::disks::{self, DiskWish};

/// One disk to be made in an SR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    /// What the template asks for.
    pub wish: DiskWish,
    /// The SR that takes it.
    pub sr: Ref,
    /// The image it begins with, or null for a blank disk.
    pub image: Ref,
}

/// Begins a provision and says which disks are to be made.
///
/// # Errors
/// The operation's first obstacle; `UUID_INVALID [SR, uuid]`; `DEFAULT_SR_NOT_FOUND [sr]` when a disk names no SR and
/// the pool has no default one; `UUID_INVALID [VDI, uuid]` for an unknown image.
pub fn begin(draft: &mut Draft<'_>, reference: Ref, task: Ref) -> Result<Vec<DiskPlan>, ApiError> {
    let row = super::vm::admitted(draft, reference, "provision")?;
    let text = row.get(vm::OTHER_CONFIG).get("disks").unwrap_or_default();
    let wishes = if text.is_empty() {
        Vec::new()
    } else {
        disks::parse(text)?
    };
    let mut plans = Vec::new();
    for wish in wishes {
        let storage = if wish.sr.is_empty() {
            let default = draft
                .db()
                .only(pool::CLASS)
                .map_or(Ref::NULL, |p| p.get(pool::DEFAULT_SR).as_ref());
            if draft.db().of_class(sr::CLASS, default).is_none() {
                return Err(ApiError::new("DEFAULT_SR_NOT_FOUND", [default.to_string()]));
            }
            default
        } else {
            crate::query::by_uuid(draft.db(), sr::CLASS, &wish.sr)?
        };
        super::vdi::check_can_create(draft.db(), storage)?;
        let image = if wish.image.is_empty() {
            Ref::NULL
        } else {
            crate::query::by_uuid(draft.db(), vdi::CLASS, &wish.image)?
        };
        plans.push(DiskPlan {
            wish,
            sr: storage,
            image,
        });
    }
    operation::begin(draft, reference, vm::CURRENT_OPERATIONS, task, "provision");
    Ok(plans)
}

/// A disk that has been made.
#[derive(Clone, Debug)]
pub struct MadeDisk {
    /// Its plan.
    pub plan: DiskPlan,
    /// The reference its row gets.
    pub vdi: Ref,
    /// Its uuid.
    pub uuid: String,
    /// Bytes a guest sees.
    pub virtual_size: i64,
    /// Bytes it takes.
    pub utilisation: i64,
}

/// The disks are there: the template's clone is a VM now.
pub fn commit(draft: &mut Draft<'_>, reference: Ref, task: Ref, made: Vec<MadeDisk>) -> Result<(), ApiError> {
    operation::end(draft, reference, vm::CURRENT_OPERATIONS, task);
    for disk in made {
        let wish = &disk.plan.wish;
        super::vdi::made(
            draft,
            disk.vdi,
            super::vdi::NewVdi {
                sr: disk.plan.sr,
                uuid: disk.uuid,
                virtual_size: disk.virtual_size,
                utilisation: disk.utilisation,
                fields: vec![
                    (vdi::NAME_LABEL, wish.device.as_str().into()),
                    (vdi::NAME_DESCRIPTION, "Created by template provisioner".into()),
                    (vdi::TYPE, wish.kind.as_str().into()),
                ],
            },
        );
        draft.insert(
            vbd::CLASS,
            vec![
                (vbd::VM, reference.into()),
                (vbd::VDI, disk.vdi.into()),
                (vbd::USERDEVICE, wish.device.as_str().into()),
                (vbd::BOOTABLE, wish.bootable.into()),
                (vbd::MODE, "RW".into()),
                (vbd::TYPE, "Disk".into()),
                (vbd::UNPLUGGABLE, (wish.kind != "system").into()),
                (vbd::OTHER_CONFIG, Value::string_map([("owner", "")])),
            ],
        );
    }
    for key in ["disks", "postinstall"] {
        draft.remove_key(reference, vm::OTHER_CONFIG, key);
    }
    super::vm::set_is_a_template(draft, reference, false)
}

/// The provision did not happen.
pub fn abort(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vm::CURRENT_OPERATIONS, task);
}
