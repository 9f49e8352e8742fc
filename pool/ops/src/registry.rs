//! Every kind of saga by name, so that a new leader can go on with those it finds.

use proto_types::Ref;
use proto_types::generated::tarn_saga;

use crate::appliance::WorkOnAppliance;
use crate::core::Ops;
use crate::ha::switch;
use crate::host::{evacuate, go_down};
use crate::network::{bond, cards, link, management, tunnel, vif, vlan};
use crate::operation::{Operation, resume};
use crate::storage::{changes, merge, pbd, sr, vdi, vdi_copy, vdi_live, vdi_move};
use crate::transfer;
use crate::vm::{
    adopt, checkpoint, clone, live, media, migrate, migrate_send, plug, power, provision, reset, revert,
    scheduled, snapshot, start, stop, suspend, unplug_usb,
};

/// Goes on with every saga in the pool. Call once when this node has become leader and has applied all that came
/// before, and before it lets anybody begin one: that would be taken over too. Returns how many there were.
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
        migrate_send::MigrateSend::NAME => go_on::<migrate_send::MigrateSend>(ops, saga),
        vdi_move::RelocateVdi::NAME => go_on::<vdi_move::RelocateVdi>(ops, saga),
        clone::CloneVm::NAME => go_on::<clone::CloneVm>(ops, saga),
        provision::Provision::NAME => go_on::<provision::Provision>(ops, saga),
        stop::Shutdown::NAME => go_on::<stop::Shutdown>(ops, saga),
        live::SetMemory::NAME => go_on::<live::SetMemory>(ops, saga),
        live::SetVcpus::NAME => go_on::<live::SetVcpus>(ops, saga),
        live::TuneVcpus::NAME => go_on::<live::TuneVcpus>(ops, saga),
        reset::ResetPower::NAME => go_on::<reset::ResetPower>(ops, saga),
        WorkOnAppliance::NAME => go_on::<WorkOnAppliance>(ops, saga),
        evacuate::Evacuate::NAME => go_on::<evacuate::Evacuate>(ops, saga),
        go_down::GoDown::NAME => go_on::<go_down::GoDown>(ops, saga),
        plug::PlugDevice::NAME => go_on::<plug::PlugDevice>(ops, saga),
        unplug_usb::UnplugUsb::NAME => go_on::<unplug_usb::UnplugUsb>(ops, saga),
        media::ChangeMedium::NAME => go_on::<media::ChangeMedium>(ops, saga),
        adopt::Adopt::NAME => go_on::<adopt::Adopt>(ops, saga),
        scheduled::TakeScheduled::NAME => go_on::<scheduled::TakeScheduled>(ops, saga),
        snapshot::SnapshotVm::NAME => go_on::<snapshot::SnapshotVm>(ops, saga),
        checkpoint::Checkpoint::NAME => go_on::<checkpoint::Checkpoint>(ops, saga),
        revert::Revert::NAME => go_on::<revert::Revert>(ops, saga),
        merge::Merge::NAME => go_on::<merge::Merge>(ops, saga),
        vdi_live::LookAtVdi::NAME => go_on::<vdi_live::LookAtVdi>(ops, saga),
        changes::TrackVdi::NAME => go_on::<changes::TrackVdi>(ops, saga),
        vdi_live::GrowVdi::NAME => go_on::<vdi_live::GrowVdi>(ops, saga),
        vdi::MakeVdi::NAME => go_on::<vdi::MakeVdi>(ops, saga),
        vdi_copy::CopyOver::NAME => go_on::<vdi_copy::CopyOver>(ops, saga),
        vdi::ChangeVdi::NAME => go_on::<vdi::ChangeVdi>(ops, saga),
        pbd::Plug::NAME => go_on::<pbd::Plug>(ops, saga),
        sr::CreateSr::NAME => go_on::<sr::CreateSr>(ops, saga),
        sr::WorkOnSr::NAME => go_on::<sr::WorkOnSr>(ops, saga),
        vlan::MakeVlans::NAME => go_on::<vlan::MakeVlans>(ops, saga),
        vlan::DestroyVlan::NAME => go_on::<vlan::DestroyVlan>(ops, saga),
        bond::MakeBond::NAME => go_on::<bond::MakeBond>(ops, saga),
        bond::DestroyBond::NAME => go_on::<bond::DestroyBond>(ops, saga),
        bond::ChangeBond::NAME => go_on::<bond::ChangeBond>(ops, saga),
        tunnel::MakeTunnel::NAME => go_on::<tunnel::MakeTunnel>(ops, saga),
        tunnel::DestroyTunnel::NAME => go_on::<tunnel::DestroyTunnel>(ops, saga),
        link::PlugCard::NAME => go_on::<link::PlugCard>(ops, saga),
        link::ReconfigureIp::NAME => go_on::<link::ReconfigureIp>(ops, saga),
        link::AttachNetworks::NAME => go_on::<link::AttachNetworks>(ops, saga),
        cards::LookForCards::NAME => go_on::<cards::LookForCards>(ops, saga),
        management::MoveManagement::NAME => go_on::<management::MoveManagement>(ops, saga),
        vif::MoveVif::NAME => go_on::<vif::MoveVif>(ops, saga),
        vif::ChangeVif::NAME => go_on::<vif::ChangeVif>(ops, saga),
        transfer::export::ExportVm::NAME => go_on::<transfer::export::ExportVm>(ops, saga),
        transfer::import::ImportVms::NAME => go_on::<transfer::import::ImportVms>(ops, saga),
        transfer::vdi::MoveVdi::NAME => go_on::<transfer::vdi::MoveVdi>(ops, saga),
        switch::EnableHa::NAME => go_on::<switch::EnableHa>(ops, saga),
        switch::DisableHa::NAME => go_on::<switch::DisableHa>(ops, saga),
        other => {
            tracing::error!(%saga, operation = other, "a saga of a kind that this release does not know")
        }
    }
}

fn go_on<O: Operation>(ops: &Ops, saga: Ref) {
    tokio::spawn(resume::<O>(ops.clone(), saga));
}
