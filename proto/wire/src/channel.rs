//! The channel between nodes: TLS with certificates of the pool's CA on both sides, HTTP/2 inside.
//!
//! ```text
//! Peers::channel ── TcpStream ── TLS (name <uuid>.host.tarn, own certificate) ── accept ── tonic server
//!   one per peer and lane, lazy                     PeerInfo { host } in the request's extensions
//! ```
//! Certificates can be replaced while running: new connections use the new ones.

mod client;
mod credentials;
mod server;
mod trust;

pub use client::{Lane, Peers, Pinned};
pub use credentials::{Credentials, CredentialsError, Identity};
pub use server::{Incoming, PeerInfo, PeerStream, accept, peer_host};
pub use trust::distrust;
