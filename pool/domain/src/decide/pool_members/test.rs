//! A lone host's pool and the pool it joins, as decisions only.

use proto_types::{Bytes, DateTime};
use uuid::Uuid;

use super::*;
use crate::decide::host::{HostFacts, MemberFacts, NicFacts, join, leave};
use crate::decide::pool::{NewPool, create};
use crate::transaction::Origin;
use crate::{Facts, Outcome, apply, query};

struct Lone {
    db: Database,
    facts: Facts,
    index: u64,
}

/// A pool of one host; references and uuids of two of them do not meet.
fn lone(name: &str, number: u128, vendor: &str) -> Lone {
    let offset = std::cell::Cell::new(number << 32);
    let next = move || {
        offset.set(offset.get() + 1);
        Uuid::from_u128(offset.get())
    };
    let mut pool = Lone {
        db: Database::default(),
        facts: Facts::new(DateTime(1_000), next),
        index: 0,
    };
    let new = NewPool {
        name: String::new(),
        host: host_facts(name, number, vendor),
        member: MemberFacts::default(),
        user: "root".to_owned(),
        password_hash: String::new(),
        authority: (String::new(), String::new()),
        authority_ends: DateTime::EPOCH,
        drivers: Vec::new(),
    };
    pool.decide(|d| create(d, &new)).unwrap();
    pool
}

fn host_facts(name: &str, number: u128, vendor: &str) -> HostFacts {
    HostFacts {
        uuid: Uuid::from_u128(number << 96).to_string(),
        hostname: name.to_owned(),
        address: format!("192.0.2.{number}"),
        cpus: 1,
        cpu_vendor: vendor.to_owned(),
        memory_total: Bytes::gib(4),
        memory_free: Bytes::gib(4),
        nics: vec![NicFacts {
            device: "eth0".to_owned(),
            ..NicFacts::default()
        }],
        ..HostFacts::default()
    }
}

impl Lone {
    fn decide<T>(&mut self, f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut draft = Draft::new(&self.db, &self.facts);
        let result = f(&mut draft)?;
        let request = self.facts.uuid();
        let entry = draft.finish(request, Origin::default());
        self.index += 1;
        assert_eq!(
            apply::apply(&mut self.db, self.index, &entry).0,
            Outcome::Applied(self.index)
        );
        Ok(result)
    }

    fn only_host(&self) -> Ref {
        self.db.rows(host::CLASS).next().unwrap().reference
    }

    fn network(&self, bridge: &str) -> Ref {
        let found = self
            .db
            .rows(network::CLASS)
            .find(|n| n.get(network::BRIDGE).as_str() == bridge);
        found.unwrap().reference
    }

    /// A VM with a disk on a local SR, a card on the host's network and one on a network of its own.
    fn furnish(&mut self) -> Ref {
        let on = self.only_host();
        let outside = self.network("xenbr0");
        self.decide(|d| {
            let storage = d.insert(sr::CLASS, vec![(sr::NAME_LABEL, "local".into())]);
            d.insert(
                pbd::CLASS,
                vec![
                    (pbd::HOST, on.into()),
                    (pbd::SR, storage.into()),
                    (pbd::CURRENTLY_ATTACHED, true.into()),
                ],
            );
            let disk = d.insert(vdi::CLASS, vec![(vdi::SR, storage.into())]);
            let inside = d.insert(network::CLASS, vec![(network::BRIDGE, "xapi0".into())]);
            let guest = d.insert(
                vm::CLASS,
                vec![
                    (vm::NAME_LABEL, "brought".into()),
                    (vm::POWER_STATE, crate::vm_rules::HALTED.into()),
                    (vm::AFFINITY, on.into()),
                ],
            );
            d.insert(vbd::CLASS, vec![(vbd::VM, guest.into()), (vbd::VDI, disk.into())]);
            for net in [outside, inside] {
                d.insert(
                    vif::CLASS,
                    vec![(vif::VM, guest.into()), (vif::NETWORK, net.into())],
                );
            }
            Ok(guest)
        })
        .unwrap()
    }
}

fn code(result: Result<(), ApiError>) -> String {
    result.unwrap_err().code.to_string()
}

#[test]
fn a_joining_host_brings_its_storage_vms_and_networks() {
    let mut ours = lone("one", 1, "GenuineIntel");
    let taken = ours.decide(|d| Ok(d.insert(network::CLASS, vec![(network::BRIDGE, "xapi0".into())])));
    let mut theirs = lone("two", 2, "GenuineIntel");
    let guest = theirs.furnish();
    may_join(&theirs.db).unwrap();
    let rows = luggage(&theirs.db);
    let facts = host_facts("two", 2, "GenuineIntel");
    let before = ours.db.count(vm::CLASS);
    let joined = ours
        .decide(|d| {
            let joined = join(d, &facts, &MemberFacts::default())?;
            bring(d, joined, &rows);
            Ok(joined)
        })
        .unwrap();
    // The guest and the host's control domain, no second set of default templates.
    assert_eq!(ours.db.count(vm::CLASS), before + 2);
    let row = ours.db.of_class(vm::CLASS, guest).unwrap();
    assert_eq!(row.uuid(), theirs.db.of_class(vm::CLASS, guest).unwrap().uuid());
    assert_eq!(row.get(vm::AFFINITY).as_ref(), joined);
    let networks: Vec<Ref> = row
        .get(vm::VIFS)
        .as_refs()
        .into_iter()
        .map(|v| {
            ours.db
                .of_class(vif::CLASS, v)
                .unwrap()
                .get(vif::NETWORK)
                .as_ref()
        })
        .collect();
    // On the host's interface it is the pool's network now; its own has got another bridge.
    assert!(networks.contains(&ours.network("xenbr0")));
    assert!(networks.contains(&ours.network("xapi1")));
    assert!(!networks.contains(&taken.unwrap()));
    let storage = query::by_name_label(&ours.db, sr::CLASS, "local")[0];
    let plug = ours
        .db
        .of_class(sr::CLASS, storage)
        .unwrap()
        .get(sr::PBDS)
        .as_refs()[0];
    let plug = ours.db.of_class(pbd::CLASS, plug).unwrap();
    assert_eq!(plug.get(pbd::HOST).as_ref(), joined);
    assert!(!plug.get(pbd::CURRENTLY_ATTACHED).as_bool());
    assert_eq!(
        ours.db
            .of_class(sr::CLASS, storage)
            .unwrap()
            .get(sr::VDIS)
            .as_refs()
            .len(),
        1
    );

    // Asked again after a lost answer, nothing comes twice.
    let counts = |db: &Database| BROUGHT.iter().map(|c| db.count(*c)).collect::<Vec<_>>();
    let had = counts(&ours.db);
    let mut again = Draft::new(&ours.db, &ours.facts);
    bring(&mut again, joined, &rows);
    assert!(again.is_empty());
    assert_eq!(counts(&ours.db), had);
}

#[test]
fn each_obstacle_to_joining_has_its_code() {
    let fresh = || lone("two", 2, "v");
    let mut pool = fresh();
    let second = host_facts("three", 3, "v");
    pool.decide(|d| join(d, &second, &MemberFacts::default()))
        .unwrap();
    assert_eq!(
        code(may_join(&pool.db)),
        "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"
    );
    let mut pool = fresh();
    let guest = pool.furnish();
    pool.decide(|d| {
        let _: () = d.set(guest, vm::POWER_STATE, crate::vm_rules::RUNNING);
        Ok(())
    })
    .unwrap();
    assert_eq!(code(may_join(&pool.db)), "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS");
    pool.decide(|d| {
        d.set(guest, vm::POWER_STATE, crate::vm_rules::HALTED);
        d.set(
            guest,
            vm::CURRENT_OPERATIONS,
            Value::string_map([("OpaqueRef:t", "start")]),
        );
        Ok(())
    })
    .unwrap();
    assert_eq!(
        code(may_join(&pool.db)),
        "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS"
    );
    let cases: [(ClassId, Vec<(proto_types::Field, Value)>, &str); 5] = [
        (
            sr::CLASS,
            vec![(sr::SHARED, true.into())],
            "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS",
        ),
        (bond::CLASS, vec![], "POOL_JOINING_HOST_HAS_BONDS"),
        (tunnel::CLASS, vec![], "POOL_JOINING_HOST_HAS_TUNNELS"),
        (
            network_sriov::CLASS,
            vec![],
            "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS",
        ),
        (vlan::CLASS, vec![], "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
    ];
    for (class, fields, expected) in cases {
        let mut pool = fresh();
        pool.decide(|d| Ok(d.insert(class, fields))).unwrap();
        assert_eq!(code(may_join(&pool.db)), expected);
    }
    let pool = fresh();
    assert_eq!(
        code(may_be_joined(&pool.db, "other", false)),
        "HOSTS_NOT_HOMOGENEOUS"
    );
    may_be_joined(&pool.db, "other", true).unwrap();
    may_be_joined(&pool.db, "v", false).unwrap();
}

#[test]
fn a_member_is_sent_away_only_without_guests_and_never_the_master() {
    let mut pool = lone("one", 1, "v");
    let master = pool.only_host();
    let second = host_facts("two", 2, "v");
    let other = pool
        .decide(|d| join(d, &second, &MemberFacts::default()))
        .unwrap();
    assert_eq!(code(may_eject(&pool.db, master)), "INTERNAL_ERROR");
    may_eject(&pool.db, other).unwrap();
    let guest = pool.furnish();
    pool.decide(|d| {
        d.set(guest, vm::POWER_STATE, crate::vm_rules::RUNNING);
        d.set(guest, vm::RESIDENT_ON, other);
        Ok(())
    })
    .unwrap();
    assert_eq!(code(may_eject(&pool.db, other)), "OPERATION_NOT_ALLOWED");
    pool.decide(|d| {
        let _: () = d.set(guest, vm::RESIDENT_ON, Ref::NULL);
        Ok(())
    })
    .unwrap();
    pool.decide(|d| leave(d, other)).unwrap();
    assert_eq!(pool.db.count(host::CLASS), 1);
    assert_eq!(code(may_eject(&pool.db, other)), "HANDLE_INVALID");
}
