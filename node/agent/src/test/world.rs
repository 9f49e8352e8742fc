//! A few hosts with agents, one repository for all of them, and no network between them.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use node_commands::*;
use node_hypervisor::{Domain, DomainState, Hypervisor, StartMode};
use node_network::SimNetwork;
use node_sim::{SimHypervisor, SimSettings};
use node_storage::{SrTable, drivers};
use proto_types::Bytes;
use uuid::Uuid;

use crate::tunnel::TunnelStream;
use crate::{Agent, AgentParts, AgentSettings, TunnelDialer, TunnelTarget};

pub const LIMIT: Duration = Duration::from_secs(20);

/// The way between agents of one process.
#[derive(Clone, Default)]
pub struct LocalDialer {
    agents: Arc<Mutex<HashMap<Uuid, Agent>>>,
}

#[async_trait]
impl TunnelDialer for LocalDialer {
    async fn dial(
        &self,
        destination: &MigrationDestination,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<TunnelStream> {
        let agent = self.agents.lock().unwrap().get(&destination.host).cloned();
        let agent = agent.ok_or_else(|| io::Error::from(io::ErrorKind::HostUnreachable))?;
        let near = agent.open_tunnel(vm, target).await?;
        let (a, b) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move { agent.carry_tunnel(near, Box::pin(b)).await });
        Ok(Box::pin(a))
    }
}

pub struct Host {
    pub uuid: Uuid,
    pub agent: Agent,
    pub sim: SimHypervisor,
    pub network: Arc<SimNetwork>,
    pub settings: AgentSettings,
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub dialer: LocalDialer,
    pub sr: SrSpec,
}

impl World {
    pub fn new() -> World {
        // Short, since sockets' paths are limited.
        let folder = tempfile::Builder::new()
            .prefix("ta")
            .rand_bytes(5)
            .tempdir_in("/tmp")
            .unwrap();
        let place = folder.path().join("sr");
        std::fs::create_dir(&place).unwrap();
        let sr = SrSpec {
            uuid: Uuid::new_v4(),
            kind: "file".into(),
            device_config: [("location".to_owned(), place.display().to_string())].into(),
            sm_config: Default::default(),
            physical_size: Bytes(0),
        };
        World {
            folder,
            dialer: LocalDialer::default(),
            sr,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A host with its repository plugged.
    pub async fn host(&self, name: &str) -> Host {
        let host = self.bare_host(name).await;
        host.ask(HostCommand::SrCreate { sr: self.sr.clone() })
            .await
            .unwrap();
        host.ask(HostCommand::SrPlug { sr: self.sr.clone() })
            .await
            .unwrap();
        host
    }

    pub async fn bare_host(&self, name: &str) -> Host {
        let settings = SimSettings::named(name, self.path().join(format!("{name}.s")));
        let sim = SimHypervisor::new(settings).unwrap();
        self.agent(Uuid::new_v4(), name, sim, Arc::new(self.dialer.clone()))
            .await
    }

    /// The agent of a host, as after a start of its node.
    pub async fn agent(
        &self,
        uuid: Uuid,
        name: &str,
        sim: SimHypervisor,
        dialer: Arc<dyn TunnelDialer>,
    ) -> Host {
        let mut settings = AgentSettings::below(&self.path().join(name));
        settings.migration_dir = self.path().join("mig");
        settings.heartbeat = Duration::from_millis(20);
        settings.sampling = Duration::from_millis(20);
        settings.drift_pace = Duration::from_millis(20);
        settings.stall_pace = Duration::from_millis(20);
        let network = Arc::new(SimNetwork::two_nics(1, None));
        let parts = AgentParts {
            host: uuid,
            hypervisor: Arc::new(sim.clone()),
            storage: Arc::new(SrTable::new(drivers())),
            network: Arc::<SimNetwork>::clone(&network),
            dialer,
            settings: settings.clone(),
        };
        let agent = Agent::start(parts).await.unwrap();
        self.dialer.agents.lock().unwrap().insert(uuid, agent.clone());
        Host {
            uuid,
            agent,
            sim,
            network,
            settings,
        }
    }

    /// A VM with a disk on the repository, made by that host.
    pub async fn vm(&self, host: &Host) -> DomainRequest {
        let mut request = DomainRequest::new(Uuid::new_v4(), Uuid::new_v4(), "vm", Bytes::mib(128));
        let volume = self.volume(host, "user").await;
        request.disks.push(DiskRequest::disk(0, volume));
        request.nics.push(NicRequest {
            device: 0,
            mac: "02:00:00:00:00:07".into(),
            bridge: BridgeRequest::internal("xapi0"),
            mtu: None,
            model: Default::default(),
            policy: Default::default(),
        });
        request
    }

    pub async fn volume(&self, host: &Host, purpose: &str) -> VolumeRef {
        let volume = VolumeRequest {
            sr: self.sr.uuid,
            uuid: Uuid::new_v4(),
            virtual_size: Bytes::mib(16),
            purpose: purpose.into(),
        };
        match host
            .ask(HostCommand::VolumeCreate {
                volume,
                fill: VolumeFill::Nothing,
            })
            .await
        {
            Ok(HostReply::Volume(made)) => VolumeRef::new(self.sr.uuid, made.location),
            other => panic!("{other:?}"),
        }
    }
}

impl Host {
    pub async fn ask(&self, command: HostCommand) -> Result<HostReply, CommandError> {
        self.agent.execute(1, Uuid::new_v4(), command).await
    }

    pub async fn start(&self, request: &DomainRequest) -> Result<HostReply, CommandError> {
        self.ask(HostCommand::StartDomain {
            request: Box::new(request.clone()),
            mode: StartMode::Running,
        })
        .await
    }

    pub async fn domain(&self, vm: Uuid) -> Option<Domain> {
        self.sim.state(vm).await.unwrap()
    }

    pub async fn runs(&self, vm: Uuid) -> bool {
        self.domain(vm)
            .await
            .is_some_and(|d| d.state == DomainState::Running)
    }
}

pub async fn wait_for<F: AsyncFnMut() -> bool>(what: &str, mut probe: F) {
    let deadline = Instant::now() + LIMIT;
    while !probe().await {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
