//! Two hosts with real agents over simulated hypervisors, each in runtimes of its own, so that it can be killed: the
//! machine with its guests, or the node alone. Links to them can be cut, and they can be paused.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use node_agent::{Agent, AgentParts, AgentSettings, TunnelDialer, TunnelStream, TunnelTarget};
use node_commands::{CommandError, HostCommand, HostReply, MigrationDestination, SrSpec};
use node_hypervisor::{Domain, DomainState, Hypervisor};
use node_network::SimNetwork;
use node_sim::{SimHypervisor, SimSettings};
use node_storage::{SrTable, drivers};
use proto_types::Bytes;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .enable_all()
        .build()
        .unwrap()
}

/// The ways between the hosts, shared by all of them.
#[derive(Default)]
struct Wire {
    ends: Mutex<HashMap<Uuid, (Handle, Agent)>>,
    links: Mutex<HashMap<Uuid, Arc<Link>>>,
}

/// One host's connection to the rest.
struct Link {
    cut: watch::Sender<bool>,
    paused: watch::Sender<bool>,
    /// Ends the tunnels that there are.
    tunnels: Mutex<CancellationToken>,
}

impl Default for Link {
    fn default() -> Self {
        Link {
            cut: watch::Sender::new(false),
            paused: watch::Sender::new(false),
            tunnels: Mutex::default(),
        }
    }
}

impl Wire {
    fn link(&self, host: Uuid) -> Arc<Link> {
        Arc::clone(self.links.lock().unwrap().entry(host).or_default())
    }
}

/// The way of one host to the others.
struct Dialer {
    from: Uuid,
    wire: Arc<Wire>,
}

#[async_trait]
impl TunnelDialer for Dialer {
    async fn dial(
        &self,
        destination: &MigrationDestination,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<TunnelStream> {
        let links = [self.wire.link(self.from), self.wire.link(destination.host)];
        for link in &links {
            if *link.cut.borrow() {
                return Err(io::ErrorKind::HostUnreachable.into());
            }
            let _ = link.paused.subscribe().wait_for(|paused| !paused).await;
        }
        let end = self.wire.ends.lock().unwrap().get(&destination.host).cloned();
        let (there, agent) = end.ok_or_else(|| io::Error::from(io::ErrorKind::HostUnreachable))?;
        let opener = agent.clone();
        let near = there
            .spawn(async move { opener.open_tunnel(vm, target).await })
            .await
            .map_err(io::Error::other)??;
        let (a, b) = tokio::io::duplex(64 * 1024);
        let [one, two] = links.map(|link| link.tunnels.lock().unwrap().clone());
        // Carried over there, so that it ends with the node.
        there.spawn(async move {
            tokio::select! {
                () = agent.carry_tunnel(near, Box::pin(b)) => {}
                () = one.cancelled() => {}
                () = two.cancelled() => {}
            }
        });
        Ok(Box::pin(a))
    }
}

/// A machine.
pub struct Machine {
    pub uuid: Uuid,
    name: &'static str,
    folder: PathBuf,
    wire: Arc<Wire>,
    on: Mutex<Option<On>>,
    boots: AtomicI64,
}

/// What is there of it while it is switched on.
struct On {
    hypervisor: Runtime,
    sim: SimHypervisor,
    node: Option<(Runtime, Agent)>,
    storage: Arc<SrTable>,
}

/// What came of asking a host.
pub enum Heard {
    Outcome(Result<HostReply, CommandError>),
    Nothing,
}

impl Machine {
    /// When it booted, in seconds from the first time on.
    pub fn booted(&self) -> i64 {
        (self.boots.load(Ordering::SeqCst) - 1) * 1000
    }

    fn boot(&self) {
        self.boots.fetch_add(1, Ordering::SeqCst);
        let hypervisor = runtime(self.name);
        let sim = hypervisor.block_on(async {
            let mut settings = SimSettings::named(self.name, self.folder.join(format!("{}.s", self.name)));
            settings.migration_time = Duration::from_millis(150);
            SimHypervisor::new(settings).unwrap()
        });
        *self.on.lock().unwrap() = Some(On {
            hypervisor,
            sim,
            node: None,
            storage: Arc::new(SrTable::new(drivers())),
        });
        self.start_node();
    }

    pub fn start_node(&self) {
        let mut on = self.on.lock().unwrap();
        let on = on.as_mut().unwrap();
        let runtime = runtime(self.name);
        on.storage = Arc::new(SrTable::new(drivers()));
        let mut settings = AgentSettings::below(&self.folder.join(self.name));
        settings.migration_dir = self.folder.join("mig");
        settings.heartbeat = Duration::from_millis(50);
        let parts = AgentParts {
            host: self.uuid,
            hypervisor: Arc::new(on.sim.clone()),
            storage: Arc::<SrTable>::clone(&on.storage),
            network: Arc::new(SimNetwork::two_nics(1, None)),
            dialer: Arc::new(Dialer {
                from: self.uuid,
                wire: Arc::clone(&self.wire),
            }),
            settings,
        };
        let agent = runtime.block_on(async { Agent::start(parts).await.unwrap() });
        let end = (runtime.handle().clone(), agent.clone());
        self.wire.ends.lock().unwrap().insert(self.uuid, end);
        on.node = Some((runtime, agent));
    }

    /// The node dies, the guests live.
    pub fn kill_node(&self) {
        self.wire.ends.lock().unwrap().remove(&self.uuid);
        if let Some((runtime, agent)) = self.on.lock().unwrap().as_mut().and_then(|on| on.node.take()) {
            runtime.shutdown_background();
            drop(agent);
        }
    }

    /// The machine dies with all that runs on it.
    pub fn kill(&self) {
        self.kill_node();
        if let Some(on) = self.on.lock().unwrap().take() {
            on.hypervisor.shutdown_background();
        }
    }

    /// It is switched on again, and nothing runs on it.
    pub fn boot_again(&self) {
        self.boot();
    }

    pub fn cut(&self) {
        let link = self.wire.link(self.uuid);
        link.cut.send_replace(true);
        std::mem::take(&mut *link.tunnels.lock().unwrap()).cancel();
    }

    pub fn heal(&self) {
        self.wire.link(self.uuid).cut.send_replace(false);
    }

    pub fn pause(&self) {
        self.wire.link(self.uuid).paused.send_replace(true);
    }

    pub fn resume(&self) {
        self.wire.link(self.uuid).paused.send_replace(false);
    }

    /// The node and where it runs, if it can be reached.
    pub fn node(&self) -> Option<(Handle, Agent)> {
        if *self.wire.link(self.uuid).cut.borrow() {
            return None;
        }
        self.wire.ends.lock().unwrap().get(&self.uuid).cloned()
    }

    pub fn is_cut(&self) -> bool {
        *self.wire.link(self.uuid).cut.borrow()
    }

    /// Asks it, as over a network: a paused host answers late, and may do so after nobody waits any more.
    pub async fn ask(&self, term: u64, id: Uuid, command: HostCommand, wait: Duration) -> Heard {
        let Some((there, agent)) = self.node() else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Heard::Nothing;
        };
        let link = self.wire.link(self.uuid);
        let late = Arc::clone(&link);
        let work = there.spawn(async move {
            let _ = late.paused.subscribe().wait_for(|paused| !paused).await;
            agent.execute(term, id, command).await
        });
        let mut cut = link.cut.subscribe();
        tokio::select! {
            outcome = tokio::time::timeout(wait, work) => match outcome {
                Ok(Ok(outcome)) => Heard::Outcome(outcome),
                _ => Heard::Nothing,
            },
            _ = cut.wait_for(|cut| *cut) => Heard::Nothing,
        }
    }

    pub fn sim(&self) -> Option<SimHypervisor> {
        self.on.lock().unwrap().as_ref().map(|on| on.sim.clone())
    }

    /// Whether its node has a repository plugged.
    pub fn has_plugged(&self, sr: Uuid) -> bool {
        let on = self.on.lock().unwrap();
        on.as_ref().is_some_and(|on| on.storage.plugged().contains(&sr))
    }

    /// What its hypervisor has of a VM, whatever its node knows.
    pub fn domain(&self, vm: Uuid) -> Option<Domain> {
        let sim = self.sim()?;
        futures::executor::block_on(sim.state(vm)).unwrap()
    }

    pub fn runs(&self, vm: Uuid) -> bool {
        self.domain(vm).is_some_and(|d| d.state == DomainState::Running)
    }
}

/// Both machines and what they share.
pub struct World {
    _folder: tempfile::TempDir,
    pub a: Machine,
    pub b: Machine,
    pub sr: SrSpec,
}

impl World {
    pub fn new() -> World {
        // Short, since sockets' paths are limited.
        let folder = tempfile::Builder::new()
            .prefix("tm")
            .rand_bytes(5)
            .tempdir_in("/tmp")
            .unwrap();
        let place = folder.path().join("sr");
        std::fs::create_dir(&place).unwrap();
        let wire = Arc::new(Wire::default());
        let machine = |name, number: u128| Machine {
            uuid: Uuid::from_u128(number),
            name,
            folder: folder.path().to_owned(),
            wire: Arc::clone(&wire),
            on: Mutex::default(),
            boots: AtomicI64::new(0),
        };
        let world = World {
            a: machine("a", 2),
            b: machine("b", 3),
            sr: SrSpec {
                uuid: Uuid::new_v4(),
                kind: "file".into(),
                device_config: [("location".to_owned(), place.display().to_string())].into(),
                sm_config: Default::default(),
                physical_size: Bytes(0),
            },
            _folder: folder,
        };
        world.a.boot();
        world.b.boot();
        world
    }

    pub fn machine(&self, uuid: Uuid) -> Option<&Machine> {
        [&self.a, &self.b].into_iter().find(|m| m.uuid == uuid)
    }

    pub fn switch_off(&self) {
        self.a.kill();
        self.b.kill();
    }
}
