//! A pool with one running guest that has a disk, and what must be true of it after a migration, however that went.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use node_commands::{HostCommand, HostReply, VolumeFill, VolumeRequest};
use node_hypervisor::{DomainState, PauseReason};
use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::storage::{self, NewSr};
use pool_domain::decide::{self, vm_clone, vm_provision};
use pool_domain::{Database, query};
use pool_ops::vm::start::StartVm;
use pool_ops::{Call, run};
use proto_types::generated::{host, pbd, sr, tarn_saga, task, vbd, vdi, vm};
use proto_types::{Bytes, DateTime, Ref, Value};
use uuid::Uuid;

use crate::leader::{Broken, Leader, Log, Shared, decide};
use crate::world::{Heard, Machine, World};

/// How long a cell may take to come to rest.
const REST: Duration = Duration::from_secs(30);
/// How long one is watched in which something is broken.
const UNREST: Duration = Duration::from_secs(3);

/// Whether the guest may be gone in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was on the machine that died.
    Possible,
    /// Its destination died: only if its source had stopped it for the last step, and so cannot know whether it ran there.
    IfStopped,
    /// Nothing that happened excuses it.
    Never,
}

pub struct Bed {
    pub shared: Arc<Shared>,
    pub vm: Ref,
    pub uuid: Uuid,
    pub a: Ref,
    pub b: Ref,
    twice: Arc<AtomicBool>,
    arrived: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    sampler: Option<std::thread::JoinHandle<()>>,
}

fn facts(number: u128) -> HostFacts {
    HostFacts {
        uuid: Uuid::from_u128(number).to_string(),
        hostname: format!("h{number}"),
        address: format!("192.0.2.{number}"),
        cpus: 4,
        memory_total: Bytes::gib(4),
        memory_free: Bytes::gib(4),
        nics: vec![NicFacts {
            device: "eth0".to_owned(),
            mtu: 1500,
            ..NicFacts::default()
        }],
        ..HostFacts::default()
    }
}

/// Asks a machine outside of any term.
fn setup(leader: &Leader, machine: &Machine, command: HostCommand) -> HostReply {
    let asked = machine.ask(0, Uuid::new_v4(), command, Duration::from_secs(10));
    match leader.handle().block_on(asked) {
        Heard::Outcome(outcome) => outcome.unwrap(),
        Heard::Nothing => panic!("a host does not answer"),
    }
}

impl Bed {
    /// The guest runs on the first host.
    pub fn new(broken: Broken) -> (Bed, Leader) {
        let shared = Arc::new(Shared {
            broken,
            world: World::new(),
            log: Log::default(),
            trap: Mutex::default(),
            vm: Mutex::default(),
        });
        let leader = Leader::start(&shared);
        let world = &shared.world;
        for machine in [&world.a, &world.b] {
            setup(&leader, machine, HostCommand::SrCreate { sr: world.sr.clone() });
            setup(&leader, machine, HostCommand::SrPlug { sr: world.sr.clone() });
        }
        let volume = VolumeRequest {
            sr: world.sr.uuid,
            uuid: Uuid::new_v4(),
            virtual_size: Bytes::mib(4),
            purpose: "user".into(),
        };
        let made = setup(
            &leader,
            &world.a,
            HostCommand::VolumeCreate {
                volume,
                fill: VolumeFill::Nothing,
            },
        );
        let HostReply::Volume(made) = made else {
            panic!("no volume")
        };
        leader.lead();
        let guest = records(&leader, &world.sr.uuid.to_string(), &made.location);
        let db = shared.log.db();
        let on = |number: u128| {
            db.by_uuid(host::CLASS, &Uuid::from_u128(number).to_string())
                .unwrap()
                .reference
        };
        let (a, b) = (on(2), on(3));
        // Hosts have little time to answer here, and a busy machine may take it.
        let begun = (0..5).find_map(|_| {
            let start = StartVm::new(guest, "start", Some(a), false);
            let started = run(&leader.ops, start, Call::default());
            leader.handle().block_on(started).ok()
        });
        assert!(begun.is_some(), "the guest does not start");
        let uuid = Uuid::parse_str(shared.log.db().get(guest).unwrap().uuid()).unwrap();
        *shared.vm.lock().unwrap() = Some((guest, b));
        let mut bed = Bed {
            shared,
            vm: guest,
            uuid,
            a,
            b,
            twice: Arc::default(),
            arrived: Arc::default(),
            stopped: Arc::default(),
            done: Arc::default(),
            sampler: None,
        };
        bed.sample();
        (bed, leader)
    }

    /// Watches that no moment has the guest on both. It only ever goes from the first to the second: seen there first and
    /// here afterwards, it ran on both.
    fn sample(&mut self) {
        let (shared, uuid) = (Arc::clone(&self.shared), self.uuid);
        let (twice, done) = (Arc::clone(&self.twice), Arc::clone(&self.done));
        let (arrived, stopped) = (Arc::clone(&self.arrived), Arc::clone(&self.stopped));
        self.sampler = Some(std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let at_first = shared.world.a.domain(uuid).map(|domain| domain.state);
                if at_first == Some(DomainState::Paused(PauseReason::Migrating)) {
                    stopped.store(true, Ordering::SeqCst);
                }
                if shared.world.b.runs(uuid) {
                    arrived.store(true, Ordering::SeqCst);
                    if shared.world.a.runs(uuid) {
                        twice.store(true, Ordering::SeqCst);
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }));
    }

    /// Whether the guest runs on the second host.
    pub fn is_at_destination(&self) -> bool {
        self.shared.world.b.runs(self.uuid)
    }

    /// Looks now whether the guest has come to the second host: what it does there from now on is on its disk, so that it
    /// must never go on from the memory that the first one has.
    pub fn notice_arrival(&self) {
        if self.is_at_destination() {
            self.arrived.store(true, Ordering::SeqCst);
        }
    }

    pub fn db(&self) -> Database {
        self.shared.log.db()
    }

    /// Waits until all is at rest, and says where the guest is, or what is wrong.
    pub fn verdict(&self, leader: &Leader, task_ref: Ref, loss: Loss) -> Result<&'static str, String> {
        let rest = match self.shared.broken {
            Broken::Nothing => REST,
            Broken::Fence | Broken::Silence => UNREST,
        };
        let until = Instant::now() + rest;
        loop {
            let verdict = self.look(leader, task_ref, loss);
            if verdict.is_ok() || Instant::now() > until {
                return verdict;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn look(&self, leader: &Leader, task_ref: Ref, loss: Loss) -> Result<&'static str, String> {
        if self.twice.load(Ordering::SeqCst) {
            return Err("ran on both hosts at once".into());
        }
        let db = self.db();
        if let Some(saga) = db.rows(tarn_saga::CLASS).next() {
            return Err(format!(
                "a saga is left: {}",
                saga.get(tarn_saga::OUTPUTS).as_str()
            ));
        }
        let row = db.get(self.vm).ok_or("the VM is gone")?;
        let is_busy = |row: &pool_domain::Row, field| row.get(field).as_map().is_some_and(|m| !m.is_empty());
        if is_busy(row, vm::CURRENT_OPERATIONS)
            || [self.a, self.b]
                .iter()
                .any(|h| is_busy(db.get(*h).unwrap(), host::CURRENT_OPERATIONS))
        {
            return Err("an operation is left on a record".into());
        }
        if !row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref().is_null() {
            return Err("a reservation is left".into());
        }
        let status = db.get(task_ref).map(|t| t.get(task::STATUS).as_str().to_owned());
        let status = status.ok_or("the task is gone")?;
        let state = row.get(vm::POWER_STATE).as_str();
        let home = row.get(vm::RESIDENT_ON).as_ref();
        let world = &self.shared.world;
        let has_been = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let may_be_lost = match loss {
            Loss::Possible => true,
            Loss::IfStopped => has_been(&self.stopped) || has_been(&self.arrived),
            Loss::Never => false,
        };
        let (at_a, at_b) = (world.a.domain(self.uuid), world.b.domain(self.uuid));
        let place = match (state, &at_a, &at_b) {
            ("Running", Some(_), None)
                if home == self.a && world.a.runs(self.uuid) && has_been(&self.arrived) =>
            {
                return Err("went on from old memory: it had run on the destination".into());
            }
            ("Running", Some(_), None) if home == self.a && world.a.runs(self.uuid) => "source",
            ("Running", None, Some(_)) if home == self.b && world.b.runs(self.uuid) => "destination",
            ("Halted", None, None) if may_be_lost => "lost with its host",
            _ => {
                return Err(format!(
                    "the record says {state} on {}, the source has {:?}, the destination {:?}",
                    if home == self.a {
                        "the source"
                    } else if home == self.b {
                        "the destination"
                    } else {
                        "none"
                    },
                    at_a.map(|d| d.state),
                    at_b.map(|d| d.state),
                ));
            }
        };
        match (status.as_str(), place) {
            ("success", "source") => return Err("the task says that it moved".into()),
            ("success" | "failure" | "cancelled", "source" | "lost with its host")
            | ("success", "destination") => {}
            other => {
                return Err(format!(
                    "the task ended as {} and the guest is at the {}",
                    other.0, other.1
                ));
            }
        }
        for (machine, is_home) in [(&world.a, place == "source"), (&world.b, place == "destination")] {
            if !is_home {
                let sr = world.sr.uuid;
                let term = leader.ops.agents.term().unwrap_or_default();
                let asked = machine.ask(
                    term,
                    Uuid::new_v4(),
                    HostCommand::SrUnplug { sr },
                    Duration::from_secs(5),
                );
                match leader.handle().block_on(asked) {
                    Heard::Outcome(Ok(_)) => {}
                    Heard::Outcome(Err(error)) => return Err(format!("a volume is left open: {error}")),
                    Heard::Nothing => return Err("a host does not answer".into()),
                }
            }
        }
        Ok(place)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(sampler) = self.sampler.take() {
            let _ = sampler.join();
        }
        self.shared.world.switch_off();
    }
}

/// The rows of a pool of three hosts, with a halted VM that has a disk.
fn records(leader: &Leader, sr_uuid: &str, location: &str) -> Ref {
    let member = |node_id| MemberFacts {
        node_id,
        grpc_port: 7443,
        api_port: 443,
    };
    let new = NewPool {
        name: "test".to_owned(),
        host: facts(1),
        member: member(1),
        user: "root".to_owned(),
        password_hash: String::new(),
        authority: (String::new(), String::new()),
        authority_ends: DateTime::EPOCH,
        drivers: Vec::new(),
    };
    decide(leader, |d| {
        decide::pool::create(d, &new)?;
        for number in [2u8, 3] {
            decide::host::join(d, &facts(number.into()), &member(number.into()))?;
        }
        let first = d
            .db()
            .by_uuid(host::CLASS, &Uuid::from_u128(2).to_string())
            .unwrap()
            .reference;
        let repository = storage::introduce(
            d,
            &NewSr {
                uuid: sr_uuid.to_owned(),
                name_label: "shared".into(),
                name_description: String::new(),
                kind: "file".into(),
                content_type: "user".into(),
                shared: true,
                sm_config: Value::empty_map(),
            },
        )?;
        for (plug, _) in storage::make_pbds(d, repository, first, true, &Value::empty_map()) {
            d.set(plug, pbd::CURRENTLY_ATTACHED, true);
        }
        let template = query::by_name_label(d.db(), vm::CLASS, "Other install media")[0];
        let (marker, guest) = (d.facts().reference(), d.facts().reference());
        assert!(vm_clone::begin(d, template, marker, "clone")?.is_empty());
        vm_clone::made(d, template, guest, "guest", &Default::default())?;
        vm_clone::end(d, template, marker);
        assert!(vm_provision::begin(d, guest, marker)?.is_empty());
        vm_provision::commit(d, guest, marker, Vec::new())?;
        let image = d.insert(
            vdi::CLASS,
            vec![
                (vdi::SR, repository.into()),
                (vdi::LOCATION, location.into()),
                (vdi::VIRTUAL_SIZE, Value::Int(4 << 20)),
                (vdi::TYPE, "user".into()),
                (vdi::MANAGED, true.into()),
            ],
        );
        d.insert(
            vbd::CLASS,
            vec![
                (vbd::VM, guest.into()),
                (vbd::VDI, image.into()),
                (vbd::USERDEVICE, "0".into()),
                (vbd::TYPE, "Disk".into()),
                (vbd::MODE, "RW".into()),
            ],
        );
        debug_assert!(d.db().of_class(sr::CLASS, repository).is_some());
        Ok(guest)
    })
}
