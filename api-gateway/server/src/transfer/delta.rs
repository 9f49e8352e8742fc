//! What is known of the changes between two disks without reading them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pool_domain::query;
use pool_ops::storage::changes::TrackVdi;
use proto_types::Ref;
use proto_types::generated::vdi;

use super::Exchange;

/// The blocks that were written between two snapshots, if both are tracked; the earlier one may have given up its data.
pub async fn known(exchange: &Exchange, from: Ref, to: Ref) -> Option<Vec<u8>> {
    let tracked = [from, to].iter().all(|disk| {
        query::find(&exchange.db, vdi::CLASS, *disk).is_ok_and(|row| row.get(vdi::CBT_ENABLED).as_bool())
    });
    if !tracked {
        return None;
    }
    let call = pool_ops::Call {
        label: "VDI.list_changed_blocks".to_owned(),
        session: exchange.caller.session,
        host: (exchange.api.host)(),
        origin: exchange.caller.history("VDI.list_changed_blocks"),
        parent: Ref::NULL,
        other_config: Vec::new(),
    };
    match pool_ops::run(&exchange.api.ops, TrackVdi::list(from, to), call).await {
        Ok(blocks) => BASE64_STANDARD.decode(blocks.as_str()).ok(),
        // Not related so, or in use: reading both tells as well.
        Err(error) => {
            tracing::debug!(%error, "what has changed is not known");
            None
        }
    }
}
