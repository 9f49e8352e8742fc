//! High availability: turning it on and off, and what the leader does when a host's lease is over.

pub mod drill;
pub mod restart;
pub mod switch;

use pool_domain::decide::ha;
use proto_types::{ApiError, Ref};

use crate::core::{Ops, own};

/// Gives a host up whose lease is over.
///
/// `is_over` is asked in each decision anew: the host may have got another lease since, and been given guests.
/// To be called again while the lease is over: operations that were at work on its guests end one after another.
///
/// # Errors
/// If this node no longer leads.
pub async fn host_lost(
    ops: &Ops,
    host: Ref,
    is_over: impl Fn() -> bool + Send + Sync,
) -> Result<(), ApiError> {
    ops.decide(&own("host lost"), |d| {
        if is_over() {
            ha::host_lost(d, host);
        }
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Brings the plan in the pool's row up to date.
///
/// # Errors
/// If this node no longer leads.
pub async fn refresh_plan(ops: &Ops) -> Result<(), ApiError> {
    ops.decide(&own("failover plan"), |d| {
        ha::refresh_plan(d);
        Ok(())
    })
    .await
    .map(|_| ())
}
