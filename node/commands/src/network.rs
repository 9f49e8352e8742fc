//! Bridges of a host.

use serde::{Deserialize, Serialize};

/// A bridge as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BridgeRequest {
    /// Name, at most 15 characters; the network's `bridge`.
    pub name: String,
    /// The card through which it reaches the outside; `None` is a network within this host.
    #[serde(default)]
    pub uplink: Option<String>,
    /// VLAN on that card.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// Largest packet in bytes; `None` leaves it as it is.
    #[serde(default)]
    pub mtu: Option<u32>,
}

impl BridgeRequest {
    /// A bridge that reaches nowhere.
    pub fn internal(name: impl Into<String>) -> BridgeRequest {
        BridgeRequest {
            name: name.into(),
            uplink: None,
            vlan: None,
            mtu: None,
        }
    }

    /// A bridge over a card.
    pub fn over(name: impl Into<String>, uplink: impl Into<String>) -> BridgeRequest {
        BridgeRequest {
            uplink: Some(uplink.into()),
            ..BridgeRequest::internal(name)
        }
    }
}
