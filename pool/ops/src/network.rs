//! Operations on networks: VLANs, bonds, tunnels, interfaces of hosts, and what guests' interfaces let through.

pub mod bond;
pub mod cards;
pub mod link;
pub mod management;
pub mod on_hosts;
pub mod reconcile;
pub mod request;
pub mod tunnel;
pub mod vif;
pub mod vlan;

#[cfg(test)]
mod test;
