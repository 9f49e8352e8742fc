//! What was written to volumes, and snapshots that only tell of that.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use node_commands::{HostReply, VolumeRef};
use node_storage::Tracking;

use crate::agent::Agent;
use crate::convert;
use crate::operations::Outcome;
use crate::storage::busy;

impl Agent {
    pub(crate) async fn volume_track(&self, volume: &VolumeRef, tracking: Tracking) -> Outcome {
        self.plugged(volume.sr)?
            .track(&volume.location, tracking)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    pub(crate) async fn volume_destroy_data(&self, volume: &VolumeRef) -> Outcome {
        self.until_not_served(volume).await;
        if let Some(vm) = self.inner.holdings.user_of_volume(volume).await {
            return Err(busy(format!("domain {vm} of this host has the volume open")));
        }
        self.plugged(volume.sr)?
            .destroy_data(&volume.location)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    pub(crate) async fn volume_changes(&self, volume: &VolumeRef, since: &VolumeRef) -> Outcome {
        self.until_not_served(volume).await;
        let blocks = self
            .plugged(volume.sr)?
            .changed_blocks(&since.location, &volume.location)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Blocks(BASE64_STANDARD.encode(blocks)))
    }
}
