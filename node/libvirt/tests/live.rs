//! The driver against a real libvirt with QEMU. Runs only when `TARN_LIVE_LIBVIRT_URI` names one.
//!
//! | variable | meaning |
//! |---|---|
//! | `TARN_LIVE_LIBVIRT_URI` | libvirt of the host under test |
//! | `TARN_LIVE_KERNEL`, `TARN_LIVE_INITRD` | a guest that prints lines with `count N` on its serial port every second, listens to its power button, and has virtio drivers |
//! | `TARN_LIVE_FOLDER` | a folder that this process and the hosts see under the same path; default: the temporary folder |
//! | `TARN_LIVE_BRIDGE` | a bridge on the hosts; without it interfaces are not tested |
//! | `TARN_LIVE_SECOND_URI`, `TARN_LIVE_SECOND_SOCKET`, `TARN_LIVE_SECOND_DATA_URI` | another host, for migration: its libvirt, the socket of that libvirt, `tcp://ADDRESS` |

#[path = "live/guest.rs"]
mod guest;
#[path = "live/migration.rs"]
mod migration;
#[path = "live/own_end.rs"]
mod own_end;
#[path = "live/whole_contract.rs"]
mod whole_contract;
