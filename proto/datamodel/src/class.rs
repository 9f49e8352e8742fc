//! Every class, one file each.

pub mod auth;
pub mod blob;
pub mod bond;
pub mod caller;
pub mod certificate;
pub mod cluster;
pub mod cluster_host;
pub mod console;
pub mod crashdump;
pub mod data_source;
pub mod dr_task;
pub mod driver_variant;
pub mod event;
pub mod feature;
pub mod gpu_group;
pub mod host;
pub mod host_cpu;
pub mod host_crashdump;
pub mod host_driver;
pub mod host_metrics;
pub mod host_patch;
pub mod lvhd;
pub mod message;
pub mod network;
pub mod network_sriov;
pub mod observer;
pub mod pbd;
pub mod pci;
pub mod pgpu;
pub mod pif;
pub mod pif_metrics;
pub mod pool;
pub mod pool_patch;
pub mod pool_update;
pub mod probe_result;
pub mod pusb;
pub mod pvs_cache_storage;
pub mod pvs_proxy;
pub mod pvs_server;
pub mod pvs_site;
pub mod rate_limit;
pub mod repository;
pub mod role;
pub mod sdn_controller;
pub mod secret;
pub mod session;
pub mod sm;
pub mod sr;
pub mod sr_stat;
pub mod subject;
pub mod tarn_authority;
pub mod tarn_credential;
pub mod tarn_event_queue;
pub mod tarn_join_token;
pub mod tarn_member;
pub mod tarn_saga;
pub mod tarn_setting;
pub mod task;
pub mod tunnel;
pub mod usb_group;
pub mod user;
pub mod vbd;
pub mod vbd_metrics;
pub mod vdi;
pub mod vdi_nbd_server_info;
pub mod vgpu;
pub mod vgpu_type;
pub mod vif;
pub mod vif_metrics;
pub mod vlan;
pub mod vm;
pub mod vm_appliance;
pub mod vm_group;
pub mod vm_guest_metrics;
pub mod vm_metrics;
pub mod vmpp;
pub mod vmss;
pub mod vtpm;
pub mod vusb;

use crate::model::Class;

/// Every class: those of the API in the order of its reference, then the internal ones.
pub const CLASSES: &[&Class] = &[
    &session::CLASS,
    &auth::CLASS,
    &subject::CLASS,
    &role::CLASS,
    &task::CLASS,
    &event::CLASS,
    &pool::CLASS,
    &pool_patch::CLASS,
    &pool_update::CLASS,
    &vm::CLASS,
    &vm_metrics::CLASS,
    &vm_guest_metrics::CLASS,
    &vmpp::CLASS,
    &vmss::CLASS,
    &vm_appliance::CLASS,
    &dr_task::CLASS,
    &host::CLASS,
    &host_crashdump::CLASS,
    &host_patch::CLASS,
    &host_metrics::CLASS,
    &host_cpu::CLASS,
    &network::CLASS,
    &vif::CLASS,
    &vif_metrics::CLASS,
    &pif::CLASS,
    &pif_metrics::CLASS,
    &bond::CLASS,
    &vlan::CLASS,
    &sm::CLASS,
    &sr::CLASS,
    &sr_stat::CLASS,
    &probe_result::CLASS,
    &lvhd::CLASS,
    &vdi::CLASS,
    &vbd::CLASS,
    &vbd_metrics::CLASS,
    &pbd::CLASS,
    &crashdump::CLASS,
    &vtpm::CLASS,
    &console::CLASS,
    &user::CLASS,
    &data_source::CLASS,
    &blob::CLASS,
    &message::CLASS,
    &secret::CLASS,
    &tunnel::CLASS,
    &network_sriov::CLASS,
    &pci::CLASS,
    &pgpu::CLASS,
    &gpu_group::CLASS,
    &vgpu::CLASS,
    &vgpu_type::CLASS,
    &pvs_site::CLASS,
    &pvs_server::CLASS,
    &pvs_proxy::CLASS,
    &pvs_cache_storage::CLASS,
    &feature::CLASS,
    &sdn_controller::CLASS,
    &vdi_nbd_server_info::CLASS,
    &pusb::CLASS,
    &usb_group::CLASS,
    &vusb::CLASS,
    &cluster::CLASS,
    &cluster_host::CLASS,
    &certificate::CLASS,
    &repository::CLASS,
    &observer::CLASS,
    &vm_group::CLASS,
    &host_driver::CLASS,
    &driver_variant::CLASS,
    &caller::CLASS,
    &rate_limit::CLASS,
    &tarn_saga::CLASS,
    &tarn_credential::CLASS,
    &tarn_member::CLASS,
    &tarn_join_token::CLASS,
    &tarn_authority::CLASS,
    &tarn_setting::CLASS,
    &tarn_event_queue::CLASS,
];
