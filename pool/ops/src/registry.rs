//! Every kind of saga by name, so that a new leader can go on with those it finds.

use proto_types::Ref;
use proto_types::generated::tarn_saga;

use crate::core::Ops;
use crate::operation::{Operation, resume};
use crate::storage::{pbd, sr, vdi};
use crate::transfer;
use crate::vm::{clone, migrate, plug, power, provision, start, stop, suspend};

/// Goes on with every saga in the pool. Call once when this node has become leader and has applied all that came
/// before. Returns how many there were.
pub fn recover(ops: &Ops) -> usize {
    let db = ops.pool.snapshot();
    let found: Vec<(Ref, String)> = db
        .rows(tarn_saga::CLASS)
        .map(|s| (s.reference, s.get(tarn_saga::OPERATION).as_str().to_owned()))
        .collect();
    let count = found.len();
    for (saga, name) in found {
        spawn(ops, saga, &name);
    }
    count
}

fn spawn(ops: &Ops, saga: Ref, name: &str) {
    match name {
        start::StartVm::NAME => go_on::<start::StartVm>(ops, saga),
        stop::HardShutdown::NAME => go_on::<stop::HardShutdown>(ops, saga),
        stop::CleanShutdown::NAME => go_on::<stop::CleanShutdown>(ops, saga),
        power::ChangePower::NAME => go_on::<power::ChangePower>(ops, saga),
        suspend::Suspend::NAME => go_on::<suspend::Suspend>(ops, saga),
        migrate::Migrate::NAME => go_on::<migrate::Migrate>(ops, saga),
        clone::CloneVm::NAME => go_on::<clone::CloneVm>(ops, saga),
        provision::Provision::NAME => go_on::<provision::Provision>(ops, saga),
        plug::PlugDevice::NAME => go_on::<plug::PlugDevice>(ops, saga),
        vdi::MakeVdi::NAME => go_on::<vdi::MakeVdi>(ops, saga),
        vdi::ChangeVdi::NAME => go_on::<vdi::ChangeVdi>(ops, saga),
        pbd::Plug::NAME => go_on::<pbd::Plug>(ops, saga),
        sr::CreateSr::NAME => go_on::<sr::CreateSr>(ops, saga),
        sr::WorkOnSr::NAME => go_on::<sr::WorkOnSr>(ops, saga),
        transfer::export::ExportVm::NAME => go_on::<transfer::export::ExportVm>(ops, saga),
        transfer::import::ImportVms::NAME => go_on::<transfer::import::ImportVms>(ops, saga),
        transfer::vdi::MoveVdi::NAME => go_on::<transfer::vdi::MoveVdi>(ops, saga),
        other => {
            tracing::error!(%saga, operation = other, "a saga of a kind that this release does not know")
        }
    }
}

fn go_on<O: Operation>(ops: &Ops, saga: Ref) {
    tokio::spawn(resume::<O>(ops.clone(), saga));
}
