//! Consoles and volumes of all hosts: this one's directly, the others' through tunnels of the nodes' channel.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gateway_server::api::ports::{ConsoleKind, HostStream, HostStreams, VolumeAccess};
use node_agent::{Agent, GrpcDialer, TunnelTarget, VolumeTunnel};
use pool_ops::transfer::Placed;
use pool_raft::Pool;
use uuid::Uuid;

/// The way to what runs on hosts.
pub struct StreamAdapter {
    /// This host's agent.
    pub own: Agent,
    /// The way to the others.
    pub dialer: GrpcDialer,
    /// Where members are.
    pub pool: Pool,
}

impl StreamAdapter {
    async fn open(&self, host: Uuid, vm: Uuid, target: TunnelTarget) -> io::Result<HostStream> {
        if host == self.own.host() {
            let opened = self.own.open_tunnel(vm, target).await?;
            return Ok(Box::pin(opened.into_stream()));
        }
        let members = self.pool.members();
        let member = members.into_iter().map(|(m, _)| m).find(|m| m.host == host);
        let member =
            member.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no member of the pool"))?;
        let stream = self
            .dialer
            .open(host, &member.address, member.port, vm, target)
            .await?;
        Ok(Box::pin(stream))
    }
}

#[async_trait]
impl HostStreams for StreamAdapter {
    async fn console(&self, host: Uuid, vm: Uuid, kind: ConsoleKind) -> io::Result<HostStream> {
        let target = match kind {
            ConsoleKind::Screen => TunnelTarget::Screen,
            ConsoleKind::Serial => TunnelTarget::Serial,
        };
        self.open(host, vm, target).await
    }

    async fn volume(&self, placed: &Placed, access: VolumeAccess) -> io::Result<HostStream> {
        let leadership = self.pool.leadership();
        let term = leadership.borrow().term;
        let target = TunnelTarget::Volume(VolumeTunnel {
            volume: placed.volume.clone(),
            writable: access == VolumeAccess::Write,
            term,
        });
        self.open(placed.host, Uuid::nil(), target).await
    }

    fn spool(&self) -> PathBuf {
        self.own.spool_folder()
    }

    async fn image(&self, path: &Path) -> io::Result<HostStream> {
        Ok(Box::pin(self.own.open_image(path).await?.into_stream()))
    }
}
