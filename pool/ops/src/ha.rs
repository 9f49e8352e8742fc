//! High availability: turning it on and off, and what the leader does when a host's lease is over.

pub mod drill;
pub mod restart;
pub mod switch;

use pool_domain::decide::ha;
use proto_types::{ApiError, Ref};

use crate::core::{Ops, own};

/// Gives a host up whose lease is over. Says which of its VMs are to be started again once, if there is room.
///
/// To be called again while the lease is over: operations that were at work on its guests end one after another.
///
/// # Errors
/// If this node no longer leads.
pub async fn host_lost(ops: &Ops, host: Ref) -> Result<Vec<Ref>, ApiError> {
    let (once, _) = ops
        .decide(&own("host lost"), |d| Ok(ha::host_lost(d, host)))
        .await?;
    Ok(once)
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
