//! Archives of VMs' figures that other hosts of the pool have.

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use node_agent::{ArchiveSource, Elsewhere};
use pool_raft::Pool;
use uuid::Uuid;

use super::agents::Agents;

/// No host is waited for longer: a sample waits as well.
const WAIT: Duration = Duration::from_secs(4);
/// Hosts asked at once.
const ASKED_AT_ONCE: usize = 16;

/// Asks the other members of the pool.
pub struct PoolArchives {
    /// The members.
    pub pool: Pool,
    /// The way to them; weak, since it holds this host's agent, which holds this.
    pub agents: Weak<Agents>,
}

#[async_trait]
impl ArchiveSource for PoolArchives {
    async fn archives_of(&self, vm: Uuid) -> Elsewhere {
        let Some(agents) = self.agents.upgrade() else {
            return Elsewhere::default();
        };
        let own = agents.own().host();
        let others = self.pool.members().into_iter().map(|(member, _)| member.host);
        let clients: Vec<_> = others
            .filter(|host| *host != own)
            .filter_map(|host| agents.client(host))
            .collect();
        let asked = clients
            .into_iter()
            .map(|client| async move { client.archives(vm, WAIT).await });
        let mut answers = futures::stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        let mut found = Elsewhere::default();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(archives) => found.archives.extend(archives),
                Err(error) => {
                    tracing::info!(%vm, %error, "a host did not say what it archived");
                    found.incomplete = true;
                }
            }
        }
        found
    }
}
