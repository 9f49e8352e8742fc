//! Networks as they should be: what the records say of a host's interfaces is made true whenever the host comes back.

use std::time::Duration;

use pool_domain::Database;
use pool_domain::decide::pif as cards;
use proto_types::generated::pif;
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::core::{Ops, own};
use crate::network::on_hosts::{plug_ask, unplug_ask};

/// Longest wait for one network.
const WAIT: Duration = Duration::from_secs(60);

/// Makes the networks of a host's interfaces that should work. A host does so itself for those it keeps; this finds what
/// was changed while it was away.
///
/// # Errors
/// If this node no longer leads.
pub async fn restore(ops: &Ops, on: Ref) -> Result<(), ApiError> {
    let db = ops.pool.snapshot();
    for card in wanted(&db, on) {
        let Ok(ask) = plug_ask(&db, card) else { continue };
        let answer = ops.agents.call(ask.host, Uuid::new_v4(), ask.command, WAIT).await;
        match answer {
            Ok(_) => {}
            Err(failure) if failure.is_fenced => return Err(failure.api),
            Err(failure) => {
                tracing::warn!(host = %ask.host, pif = %card, error = %failure.text, "an interface was not brought up");
                // One that the host itself refuses is down; one of a host that is silent may be up.
                if failure.kind.is_some() {
                    ops.decide(&own("interface at start"), |d| {
                        d.set(card, pif::CURRENTLY_ATTACHED, false);
                        Ok(())
                    })
                    .await?;
                }
                continue;
            }
        }
        undo_if_unwanted(ops, on, card, &db).await;
    }
    Ok(())
}

/// Somebody may have taken the interface down while it was brought up.
async fn undo_if_unwanted(ops: &Ops, on: Ref, card: Ref, before: &Database) {
    let now = ops.pool.snapshot();
    if wanted(&now, on).contains(&card) {
        return;
    }
    // The row may have gone; what is taken down is what was brought up.
    if let Ok(ask) = unplug_ask(before, card)
        && let Err(failure) = ops.agents.call(ask.host, Uuid::new_v4(), ask.command, WAIT).await
    {
        tracing::warn!(pif = %card, error = %failure.text, "an interface stays up");
    }
}

/// Interfaces that do not work by themselves: VLANs, bonds and tunnels. Those on which others stand come first. Cards are
/// the host's: it makes their bridges when they are needed, and keeps those that have an address from the pool.
fn wanted(db: &Database, on: Ref) -> Vec<Ref> {
    let mut rows: Vec<_> = cards::of_host(db, on)
        .into_iter()
        .filter(|row| {
            row.get(pif::CURRENTLY_ATTACHED).as_bool()
                && row.get(pif::MANAGED).as_bool()
                && !row.get(pif::PHYSICAL).as_bool()
                && !cards::is_bond_member(row)
        })
        .collect();
    rows.sort_by_key(|row| (cards::tunnel_of(row).is_some(), cards::is_vlan(row)));
    rows.iter().map(|row| row.reference).collect()
}
