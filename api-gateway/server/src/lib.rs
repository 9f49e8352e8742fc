//! The API's server on one host.
//!
//! ```text
//! listener, unix, redirect   accept connections within limits, TLS by tls.rs
//! http/                      one connection: time limits, bodies, error pages
//! router                     what a request wants: XML-RPC, JSON-RPC, OPTIONS, a transfer, nothing
//! service                    the port behind which calls and transfers are carried out
//! audit                      who did what, from where, and how it ended
//! transfer/                  the HTTP handlers besides calls: who may, where, with which task
//! ```
//!
//! The transport knows nothing of what a message does: it hands bytes to an [`ApiService`] and sends back what that answers.

pub mod api;
pub mod audit;
pub mod certificates;
pub mod handlers;
pub mod http;
pub mod latencies;
pub mod limits;
pub mod listener;
pub mod redirect;
pub mod router;
pub mod service;
pub mod tls;
pub mod transfer;
pub mod unix;
pub mod web;

pub use api::Api;
pub use limits::TransportLimits;
pub use listener::{GatewayConfig, GatewayError, ServerHandle, serve};
pub use service::{ApiService, CallHeaders, CallReply, Content, Format, Health, Origin};
pub use tls::{ServerIdentity, TlsError};
