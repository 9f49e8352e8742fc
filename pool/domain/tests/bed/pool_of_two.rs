//! A pool of two hosts as decisions only, for the tests of this folder.
#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::collections::BTreeMap;

use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::{self, vm_clone, vm_provision};
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts, Outcome, apply, query};
use proto_types::generated::{host, vm};
use proto_types::{ApiError, Bytes, DateTime, Field, Ref, Value};
use uuid::Uuid;

/// A database, and what decides on it.
pub struct Pool {
    pub db: Database,
    pub facts: Facts,
    index: u64,
}

impl Pool {
    /// Two hosts, `one` and `two`, of 4 GiB and two processors each.
    pub fn new() -> Pool {
        let mut pool = Pool {
            db: Database::default(),
            facts: Facts::counting(DateTime(1_000)),
            index: 0,
        };
        let new = NewPool {
            name: "test".to_owned(),
            host: facts("one", 1, Bytes::gib(4)),
            member: MemberFacts {
                node_id: 1,
                grpc_port: 7443,
                api_port: 443,
            },
            user: "root".to_owned(),
            password_hash: String::new(),
            authority: (String::new(), String::new()),
            authority_ends: DateTime::EPOCH,
            drivers: Vec::new(),
        };
        pool.decide(|d| decide::pool::create(d, &new)).unwrap();
        pool.join("two", 2, Bytes::gib(4));
        pool
    }

    /// One more host.
    pub fn join(&mut self, name: &str, number: u128, memory: Bytes) -> Ref {
        let described = facts(name, number, memory);
        let member = MemberFacts {
            node_id: u64::try_from(number).unwrap(),
            ..MemberFacts::default()
        };
        self.decide(|d| decide::host::join(d, &described, &member))
            .unwrap()
    }

    /// Decides and applies; a refused decision writes nothing.
    pub fn decide<T>(
        &mut self,
        f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut draft = Draft::new(&self.db, &self.facts);
        let result = f(&mut draft)?;
        if draft.is_empty() {
            return Ok(result);
        }
        let request = self.facts.uuid();
        let entry = draft.finish(request, Origin::default());
        self.index += 1;
        let (outcome, _) = apply::apply(&mut self.db, self.index, &entry);
        assert_eq!(outcome, Outcome::Applied(self.index));
        Ok(result)
    }

    /// Decides twice on one state, as two calls at once do, and writes both one after the other. What becomes of the second.
    pub fn at_once(
        &mut self,
        first: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>,
        second: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>,
    ) -> Outcome {
        let mut drafts = [
            Draft::new(&self.db, &self.facts),
            Draft::new(&self.db, &self.facts),
        ];
        first(&mut drafts[0]).unwrap();
        second(&mut drafts[1]).unwrap();
        let entries = drafts.map(|draft| draft.finish(self.facts.uuid(), Origin::default()));
        let mut last = None;
        for entry in &entries {
            self.index += 1;
            let (outcome, _) = apply::apply(&mut self.db, self.index, entry);
            if last.is_none() {
                assert_eq!(outcome, Outcome::Applied(self.index), "the first is written");
            }
            last = Some(outcome);
        }
        last.unwrap()
    }

    pub fn host(&self, name: &str) -> Ref {
        query::by_name_label(&self.db, host::CLASS, name)[0]
    }

    /// A VM cloned from a default template, without disks.
    pub fn vm(&mut self) -> Ref {
        let template = query::by_name_label(&self.db, vm::CLASS, "Other install media")[0];
        let task = self.facts.reference();
        let clone = self.facts.reference();
        self.decide(|d| {
            assert!(vm_clone::begin(d, template, task, "clone")?.is_empty());
            vm_clone::made(d, template, clone, "guest", &BTreeMap::new())?;
            vm_clone::end(d, template, task);
            assert!(vm_provision::begin(d, clone, task)?.is_empty());
            vm_provision::commit(d, clone, task, Vec::new())
        })
        .unwrap();
        clone
    }

    /// Starts a VM where it fits, and says where.
    pub fn start(&mut self, guest: Ref) -> Ref {
        self.start_on(guest, None)
    }

    /// Starts a VM on a host.
    pub fn start_on(&mut self, guest: Ref, wanted: Option<Ref>) -> Ref {
        let task = self.facts.reference();
        let op = VmOperation {
            vm: guest,
            task,
            name: "start",
        };
        self.decide(|d| {
            let on = vm_power::begin_on_host(d, &op, wanted)?;
            vm_power::commit_live(d, &op, on, false);
            Ok(on)
        })
        .unwrap()
    }

    /// Halts a VM.
    pub fn halt(&mut self, guest: Ref) {
        self.decide(|d| {
            vm_power::halted(d, guest);
            Ok(())
        })
        .unwrap();
    }

    /// A host falls silent.
    pub fn silence(&mut self, on: Ref) {
        self.decide(|d| {
            decide::host::set_live(d, on, false);
            Ok(())
        })
        .unwrap();
    }

    pub fn set(&mut self, row: Ref, field: Field, value: impl Into<Value>) {
        self.decide(|d| {
            d.set(row, field, value);
            Ok(())
        })
        .unwrap();
    }

    pub fn get(&self, row: Ref, field: Field) -> &Value {
        self.db.get(row).unwrap().get(field)
    }

    pub fn state(&self, vm_ref: Ref) -> &str {
        self.get(vm_ref, vm::POWER_STATE).as_str()
    }

    pub fn allowed(&self, row: Ref, operation: &str) -> bool {
        let row = self.db.get(row).unwrap();
        let index = row.class.def().field("allowed_operations").unwrap();
        query::field(&self.db, row, index)
            .as_set()
            .contains(&Value::str(operation))
    }
}

/// What a host says of itself.
pub fn facts(name: &str, number: u128, memory: Bytes) -> HostFacts {
    HostFacts {
        uuid: Uuid::from_u128(number << 64).to_string(),
        hostname: name.to_owned(),
        address: format!("192.0.2.{number}"),
        cpus: 2,
        memory_total: memory,
        memory_free: memory,
        nics: vec![NicFacts {
            device: "eth0".to_owned(),
            mtu: 1500,
            ..NicFacts::default()
        }],
        ..HostFacts::default()
    }
}
