//! Two hosts with two cards each, as rows.

use pool_domain::decide::bond::{self, NewBond};
use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::{self, network, pif, vlan};
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts, Outcome, Row, apply, query};
use proto_types::generated::{host, pif as pif_class, pool as pool_class, vif as vif_class, vm};
use proto_types::{ApiError, Bytes, DateTime, Field, Ref, Value};
use uuid::Uuid;

/// Two hosts with two cards each; `eth0` carries the management.
pub struct Pool {
    pub db: Database,
    pub facts: Facts,
    pub index: u64,
}

pub fn card(device: &str, host: u128) -> NicFacts {
    let number = if device == "eth0" { 0 } else { 1 };
    NicFacts {
        device: device.to_owned(),
        mac: format!("02:00:00:00:{host:02x}:{number:02x}"),
        mtu: 1500,
        carrier: true,
        ip: if number == 0 {
            format!("192.0.2.{host}")
        } else {
            String::new()
        },
        netmask: if number == 0 {
            "255.255.255.0".to_owned()
        } else {
            String::new()
        },
        ..NicFacts::default()
    }
}

pub fn host_facts(name: &str, number: u128) -> HostFacts {
    HostFacts {
        uuid: Uuid::from_u128(number << 64).to_string(),
        hostname: name.to_owned(),
        address: format!("192.0.2.{number}"),
        cpus: 1,
        memory_total: Bytes::gib(4),
        memory_free: Bytes::gib(4),
        nics: vec![card("eth0", number), card("eth1", number)],
        ..HostFacts::default()
    }
}

impl Pool {
    pub fn new() -> Pool {
        let mut pool = Pool {
            db: Database::default(),
            facts: Facts::counting(DateTime(1_000)),
            index: 0,
        };
        let member = |node_id| MemberFacts {
            node_id,
            ..MemberFacts::default()
        };
        let new = NewPool {
            name: "test".to_owned(),
            host: host_facts("one", 1),
            member: member(1),
            user: "root".to_owned(),
            password_hash: String::new(),
            authority: (String::new(), String::new()),
            authority_ends: DateTime::EPOCH,
            drivers: Vec::new(),
        };
        pool.decide(|d| decide::pool::create(d, &new)).unwrap();
        pool.decide(|d| decide::host::join(d, &host_facts("two", 2), &member(2)))
            .unwrap();
        pool
    }

    pub fn decide<T>(
        &mut self,
        f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut draft = Draft::new(&self.db, &self.facts);
        let result = f(&mut draft)?;
        let entry = draft.finish(self.facts.uuid(), Origin::default());
        self.index += 1;
        let (outcome, _) = apply::apply(&mut self.db, self.index, &entry);
        assert_eq!(outcome, Outcome::Applied(self.index));
        Ok(result)
    }

    /// What a decision is refused with, in the words of the wire.
    pub fn refusal<T: std::fmt::Debug>(
        &mut self,
        f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>,
    ) -> Vec<String> {
        let before = self.db.applied();
        let refusal = self.decide(f).unwrap_err().description();
        assert_eq!(self.db.applied(), before, "a refusal writes nothing");
        refusal
    }

    pub fn row(&self, reference: Ref) -> &Row {
        self.db.get(reference).unwrap()
    }

    pub fn get(&self, reference: Ref, field: Field) -> &Value {
        self.row(reference).get(field)
    }

    pub fn host(&self, name: &str) -> Ref {
        query::by_name_label(&self.db, host::CLASS, name)[0]
    }

    pub fn card(&self, name: &str, device: &str) -> Ref {
        let on = self.host(name);
        let found = self
            .db
            .rows(pif_class::CLASS)
            .find(|p| p.get(pif_class::HOST).as_ref() == on && p.get(pif_class::DEVICE).as_str() == device);
        found.unwrap().reference
    }

    pub fn network(&mut self, label: &str) -> Ref {
        let record = record(&[("name_label", label.into()), ("bridge", "".into())]);
        self.decide(|d| network::create(d, &record)).unwrap()
    }

    /// A VM that runs on a host with an attached interface on a network.
    pub fn guest(&mut self, on: Ref, net: Ref) -> Ref {
        self.decide(|d| {
            let owner = d.insert(
                vm::CLASS,
                vec![(vm::POWER_STATE, "Running".into()), (vm::RESIDENT_ON, on.into())],
            );
            Ok(d.insert(
                vif_class::CLASS,
                vec![
                    (vif_class::VM, owner.into()),
                    (vif_class::NETWORK, net.into()),
                    (vif_class::DEVICE, "0".into()),
                    (vif_class::MAC, "02:00:00:00:00:99".into()),
                    (vif_class::CURRENTLY_ATTACHED, true.into()),
                    (vif_class::LOCKING_MODE, "network_default".into()),
                ],
            ))
        })
        .unwrap()
    }

    pub fn vlan(&mut self, base: Ref, tag: i64, net: Ref) -> vlan::Made {
        let made = self.decide(|d| vlan::begin(d, base, tag, net)).unwrap();
        self.decide(|d| {
            pif::plugged(d, made.untagged, &Default::default());
            Ok(())
        })
        .unwrap();
        made
    }

    pub fn bond(&mut self, name: &str, net: Ref) -> bond::Made {
        let new = self.new_bond(name, net);
        let made = self.decide(|d| bond::begin(d, &new)).unwrap();
        self.decide(|d| bond::commit(d, &made)).unwrap();
        made
    }

    pub fn new_bond(&self, name: &str, net: Ref) -> NewBond {
        NewBond {
            network: net,
            members: vec![self.card(name, "eth1"), self.card(name, "eth0")],
            mac: String::new(),
            mode: "lacp".to_owned(),
            properties: Value::empty_map(),
        }
    }

    pub fn set_ha(&mut self, enabled: bool) {
        self.decide(|d| {
            let row = d.db().only(pool_class::CLASS).unwrap().reference;
            d.set(row, pool_class::HA_ENABLED, enabled);
            Ok(())
        })
        .unwrap();
    }
}

pub fn record(members: &[(&str, Value)]) -> Value {
    let mut all = vec![
        ("name_description", Value::from("")),
        ("MTU", Value::Int(0)),
        ("other_config", Value::empty_map()),
        ("managed", true.into()),
        ("tags", Value::strings::<&str>([])),
    ];
    all.extend(members.iter().cloned());
    Value::Record(all.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

pub fn words<const N: usize>(words: [&dyn std::fmt::Display; N]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
