//! Bridges, uplinks and taps of one host.
//!
//! A [`NetworkDriver`] makes what the pool's networks need on this host; [`LinuxNetwork`] does so over netlink,
//! [`SimNetwork`] in memory for simulated hosts. Calls may be repeated: making what is there and removing what is
//! gone succeed.
#![forbid(unsafe_code)]

pub mod device;
pub mod driver;
pub mod error;
pub mod linux;
pub mod sim;

pub use device::{
    BondMode, BondSpec, Family, IpSpec, LacpHash, LacpRate, PortLock, PortPolicy, TunnelProtocol, TunnelSpec,
    VlanSpec,
};
pub use driver::{Address, BridgeSpec, BridgeState, KernelFeatures, NetworkDriver, Nic, NicKind};
pub use error::{NetworkError, Result};
pub use linux::LinuxNetwork;
pub use sim::SimNetwork;
