//! The rules of networks: each refusal with its code and parameters, and what the rows are afterwards.

use pool_domain::decide::bond::{self, NewBond};
use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pif_address::{self, Ipv4Settings, Ipv6Settings};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::vif_settings::{self, Change, Kind, Lock};
use pool_domain::decide::{self, network, pif, pif_hardware, tunnel, vif, vlan};
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts, Outcome, Row, apply, query};
use proto_types::generated::{
    bond as bond_class, host, network as network_class, pif as pif_class, pool as pool_class,
    tunnel as tunnel_class, vif as vif_class, vlan as vlan_class, vm,
};
use proto_types::{ApiError, Bytes, DateTime, Field, Ref, Value};
use uuid::Uuid;

/// Two hosts with two cards each; `eth0` carries the management.
struct Pool {
    db: Database,
    facts: Facts,
    index: u64,
}

fn card(device: &str, host: u128) -> NicFacts {
    let number = if device == "eth0" { 0 } else { 1 };
    NicFacts {
        device: device.to_owned(),
        mac: format!("02:00:00:00:{host:02x}:{number:02x}"),
        mtu: 1500,
        carrier: true,
        ip: if number == 0 { format!("192.0.2.{host}") } else { String::new() },
        netmask: if number == 0 { "255.255.255.0".to_owned() } else { String::new() },
        ..NicFacts::default()
    }
}

fn host_facts(name: &str, number: u128) -> HostFacts {
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
    fn new() -> Pool {
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

    fn decide<T>(&mut self, f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut draft = Draft::new(&self.db, &self.facts);
        let result = f(&mut draft)?;
        let entry = draft.finish(self.facts.uuid(), Origin::default());
        self.index += 1;
        let (outcome, _) = apply::apply(&mut self.db, self.index, &entry);
        assert_eq!(outcome, Outcome::Applied(self.index));
        Ok(result)
    }

    /// What a decision is refused with, in the words of the wire.
    fn refusal<T: std::fmt::Debug>(
        &mut self,
        f: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>,
    ) -> Vec<String> {
        let before = self.db.applied();
        let refusal = self.decide(f).unwrap_err().description();
        assert_eq!(self.db.applied(), before, "a refusal writes nothing");
        refusal
    }

    fn row(&self, reference: Ref) -> &Row {
        self.db.get(reference).unwrap()
    }

    fn get(&self, reference: Ref, field: Field) -> &Value {
        self.row(reference).get(field)
    }

    fn host(&self, name: &str) -> Ref {
        query::by_name_label(&self.db, host::CLASS, name)[0]
    }

    fn card(&self, name: &str, device: &str) -> Ref {
        let on = self.host(name);
        let found = self
            .db
            .rows(pif_class::CLASS)
            .find(|p| p.get(pif_class::HOST).as_ref() == on && p.get(pif_class::DEVICE).as_str() == device);
        found.unwrap().reference
    }

    fn network(&mut self, label: &str) -> Ref {
        let record = record(&[("name_label", label.into()), ("bridge", "".into())]);
        self.decide(|d| network::create(d, &record)).unwrap()
    }

    /// A VM that runs on a host with an attached interface on a network.
    fn guest(&mut self, on: Ref, net: Ref) -> Ref {
        self.decide(|d| {
            let owner = d.insert(
                vm::CLASS,
                vec![
                    (vm::POWER_STATE, "Running".into()),
                    (vm::RESIDENT_ON, on.into()),
                ],
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

    fn vlan(&mut self, base: Ref, tag: i64, net: Ref) -> vlan::Made {
        let made = self.decide(|d| vlan::begin(d, base, tag, net)).unwrap();
        self.decide(|d| {
            pif::plugged(d, made.untagged, &Default::default());
            Ok(())
        })
        .unwrap();
        made
    }

    fn bond(&mut self, name: &str, net: Ref) -> bond::Made {
        let new = self.new_bond(name, net);
        let made = self.decide(|d| bond::begin(d, &new)).unwrap();
        self.decide(|d| bond::commit(d, &made)).unwrap();
        made
    }

    fn new_bond(&self, name: &str, net: Ref) -> NewBond {
        NewBond {
            network: net,
            members: vec![self.card(name, "eth1"), self.card(name, "eth0")],
            mac: String::new(),
            mode: "lacp".to_owned(),
            properties: Value::empty_map(),
        }
    }

    fn set_ha(&mut self, enabled: bool) {
        self.decide(|d| {
            let row = d.db().only(pool_class::CLASS).unwrap().reference;
            d.set(row, pool_class::HA_ENABLED, enabled);
            Ok(())
        })
        .unwrap();
    }
}

fn record(members: &[(&str, Value)]) -> Value {
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

fn words<const N: usize>(words: [&dyn std::fmt::Display; N]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn a_vlan_is_refused_where_it_cannot_be() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (pool.host("one"), pool.card("one", "eth0"), pool.card("one", "eth1"));
    let net = pool.network("seven");
    for tag in [-1, 4095] {
        assert_eq!(
            pool.refusal(|d| vlan::begin(d, eth0, tag, net)),
            words([&"VLAN_TAG_INVALID", &tag])
        );
    }
    let made = pool.vlan(eth0, 7, net);
    let other = pool.network("other");
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, eth0, 7, other)),
        words([&"VLAN_IN_USE", &"eth0", &"7"])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, eth1, 8, net)),
        words([&"NETWORK_ALREADY_CONNECTED", &on, &made.untagged])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, made.untagged, 8, other)),
        words([&"PIF_IS_VLAN", &made.untagged])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, net, 8, other)),
        words([&"HANDLE_INVALID", &"PIF", &net])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, eth1, 8, eth1)),
        words([&"HANDLE_INVALID", &"network", &eth1])
    );
    pool.decide(|d| {
        d.set(eth1, pif_class::MANAGED, false);
        Ok(())
    })
    .unwrap();
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, eth1, 8, other)),
        words([&"PIF_UNMANAGED", &eth1])
    );
}

#[test]
fn a_vlan_has_the_rows_that_clients_expect_and_leaves_none() {
    let mut pool = Pool::new();
    let eth0 = pool.card("one", "eth0");
    let net = pool.network("seven");
    let before = pool.db.all().count();
    let made = pool.vlan(eth0, 7, net);
    assert_eq!(pool.get(made.untagged, pif_class::MAC).as_str(), "fe:ff:ff:ff:ff:ff");
    assert_eq!(pool.get(made.untagged, pif_class::DEVICE).as_str(), "eth0");
    assert_eq!(pool.get(made.untagged, pif_class::VLAN).as_int(), 7);
    assert_eq!(pool.get(made.untagged, pif_class::VLAN_MASTER_OF).as_ref(), made.vlan);
    assert!(!pool.get(made.untagged, pif_class::PHYSICAL).as_bool());
    assert!(pool.get(made.untagged, pif_class::CURRENTLY_ATTACHED).as_bool());
    assert_eq!(pool.get(eth0, pif_class::VLAN_SLAVE_OF).as_refs(), [made.vlan]);
    assert_eq!(pool.get(made.vlan, vlan_class::TAGGED_PIF).as_ref(), eth0);
    let nic = pool.guest(made.host, net);
    assert_eq!(
        pool.refusal(|d| vlan::begin_destroy(d, made.vlan)),
        words([&"VIF_IN_USE", &net, &nic])
    );
    pool.decide(|d| {
        let owner = d.read(vif_class::CLASS, nic)?.get(vif_class::VM).as_ref();
        d.delete(nic);
        d.delete(owner);
        Ok(())
    })
    .unwrap();
    pool.decide(|d| pif::set_disallow_unplug(d, made.untagged, true)).unwrap();
    assert_eq!(
        pool.refusal(|d| vlan::begin_destroy(d, made.vlan)),
        words([&"PIF_DOES_NOT_ALLOW_UNPLUG", &made.untagged])
    );
    pool.decide(|d| pif::set_disallow_unplug(d, made.untagged, false)).unwrap();
    assert_eq!(pool.decide(|d| vlan::begin_destroy(d, made.vlan)).unwrap(), made.untagged);
    assert!(!pool.get(made.untagged, pif_class::CURRENTLY_ATTACHED).as_bool());
    pool.decide(|d| {
        vlan::remove(d, made.vlan);
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.db.all().count(), before);
}

#[test]
fn vlans_of_a_pool_stand_on_the_like_cards_of_its_hosts() {
    let mut pool = Pool::new();
    let cards = [pool.card("one", "eth1"), pool.card("two", "eth1")];
    let mut found = vlan::bases_by_device(&pool.db, "eth1").unwrap();
    found.sort();
    let mut expected = cards.to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let mut found = vlan::bases_like(&pool.db, cards[0]).unwrap();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(
        vlan::bases_by_device(&pool.db, "eth9").unwrap_err().description(),
        ["PIF_DEVICE_NOT_FOUND"]
    );
    // A host that is away is left out.
    let away = pool.host("two");
    pool.decide(|d| {
        decide::host::set_live(d, away, false);
        Ok(())
    })
    .unwrap();
    assert_eq!(vlan::bases_like(&pool.db, cards[0]).unwrap(), [cards[0]]);
}

#[test]
fn a_bond_is_refused_where_it_cannot_be() {
    let mut pool = Pool::new();
    let (eth0, eth1) = (pool.card("one", "eth0"), pool.card("one", "eth1"));
    let net = pool.network("bonded");
    let with = |pool: &Pool, members: &[Ref]| NewBond {
        members: members.to_vec(),
        ..pool.new_bond("one", net)
    };
    for members in [vec![], vec![eth0], vec![eth0, eth0]] {
        let new = with(&pool, &members);
        assert_eq!(
            pool.refusal(|d| bond::begin(d, &new)),
            ["PIF_BOND_NEEDS_MORE_MEMBERS"]
        );
    }
    let far = pool.card("two", "eth1");
    let new = with(&pool, &[eth0, far]);
    assert_eq!(pool.refusal(|d| bond::begin(d, &new)), ["PIF_CANNOT_BOND_CROSS_HOST"]);
    let seven = pool.network("seven");
    let tagged = pool.vlan(eth0, 7, seven).untagged;
    let new = with(&pool, &[eth1, tagged]);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        words([&"PIF_VLAN_EXISTS", &tagged])
    );
    pool.decide(|d| pif::set_property(d, eth1, "gro", "off")).unwrap();
    let new = with(&pool, &[eth0, eth1]);
    assert_eq!(pool.refusal(|d| bond::begin(d, &new)), ["INCOMPATIBLE_PIF_PROPERTIES"]);
    pool.decide(|d| pif::set_property(d, eth0, "gro", "off")).unwrap();
    let address = Ipv4Settings {
        mode: "Static".to_owned(),
        ip: "198.51.100.1".to_owned(),
        netmask: "255.255.255.0".to_owned(),
        ..Ipv4Settings::default()
    };
    let before = pool.decide(|d| pif_address::reconfigure_ip(d, eth1, &address)).unwrap();
    assert_eq!(pool.refusal(|d| bond::begin(d, &new)), ["PIF_BOND_MORE_THAN_ONE_IP"]);
    pool.decide(|d| {
        pif_address::write_ip(d, eth1, &before);
        Ok(())
    })
    .unwrap();
    let bad_mac = NewBond {
        mac: "01:00:00:00:00:00".to_owned(),
        ..new.clone()
    };
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &bad_mac)),
        ["MAC_INVALID", "01:00:00:00:00:00"]
    );
    let bad_setting = NewBond {
        properties: Value::string_map([("colour", "blue")]),
        ..new.clone()
    };
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &bad_setting)),
        ["INVALID_VALUE", "properties", "colour"]
    );
    pool.set_ha(true);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        ["HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE"]
    );
    pool.set_ha(false);
    let made = pool.bond("one", net);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        words([&"PIF_ALREADY_BONDED", &eth0])
    );
    let new = with(&pool, &[made.master, eth0]);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        words([&"PIF_IS_NOT_PHYSICAL", &made.master])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, eth1, 9, seven)),
        words([&"CANNOT_ADD_VLAN_TO_BOND_SLAVE", &eth1])
    );
    assert_eq!(
        pool.refusal(|d| pif::check_plug(d, eth1)),
        words([&"CANNOT_PLUG_BOND_SLAVE", &eth1])
    );
    assert_eq!(
        pool.refusal(|d| pif_hardware::forget(d, eth1)),
        words([&"PIF_ALREADY_BONDED", &eth1])
    );
    assert_eq!(
        pool.refusal(|d| pif::set_property(d, eth1, "gro", "on")),
        words([&"CANNOT_CHANGE_PIF_PROPERTIES", &eth1])
    );
    assert_eq!(
        pool.refusal(|d| bond::set_property(d, made.bond, "lacp-time", "later")),
        ["INVALID_VALUE", "properties", "later"]
    );
}

#[test]
fn a_bond_takes_over_from_its_members_and_gives_all_back() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (pool.host("one"), pool.card("one", "eth0"), pool.card("one", "eth1"));
    let seven = pool.network("seven");
    let tagged = pool.vlan(eth0, 7, seven);
    let old = pool.get(eth0, pif_class::NETWORK).as_ref();
    let nic = pool.guest(on, old);
    let before = pool.db.count(pif_class::CLASS);
    let net = pool.network("bonded");
    let made = pool.bond("one", net);
    assert_eq!(made.guests, [nic]);
    assert_eq!(pool.get(made.bond, bond_class::PRIMARY_SLAVE).as_ref(), eth0, "the management's card");
    assert_eq!(
        pool.get(made.bond, bond_class::PROPERTIES).get("hashing_algorithm"),
        Some("tcpudp_ports")
    );
    assert_eq!(pool.get(made.master, pif_class::DEVICE).as_str(), "bond0");
    assert_eq!(pool.get(made.master, pif_class::MAC), pool.get(eth0, pif_class::MAC));
    assert_eq!(pool.get(made.master, pif_class::IP).as_str(), "192.0.2.1");
    assert!(pool.get(made.master, pif_class::MANAGEMENT).as_bool());
    assert!(!pool.get(eth0, pif_class::MANAGEMENT).as_bool());
    assert_eq!(pool.get(eth0, pif_class::IP).as_str(), "");
    assert_eq!(pool.get(eth1, pif_class::BOND_SLAVE_OF).as_ref(), made.bond);
    assert_eq!(pool.get(tagged.vlan, vlan_class::TAGGED_PIF).as_ref(), made.master);
    assert_eq!(pool.get(tagged.untagged, pif_class::DEVICE).as_str(), "bond0");
    assert_eq!(pool.get(nic, vif_class::NETWORK).as_ref(), net);
    assert_eq!(pool.get(made.bond, bond_class::LINKS_UP).as_int(), 2);

    let parting = pool.decide(|d| bond::begin_destroy(d, made.bond)).unwrap();
    pool.decide(|d| bond::commit_destroy(d, &parting)).unwrap();
    assert!(pool.get(eth0, pif_class::MANAGEMENT).as_bool());
    assert_eq!(pool.get(eth0, pif_class::IP).as_str(), "192.0.2.1");
    assert_eq!(pool.get(tagged.vlan, vlan_class::TAGGED_PIF).as_ref(), eth0);
    assert_eq!(pool.get(tagged.untagged, pif_class::DEVICE).as_str(), "eth0");
    assert_eq!(pool.get(nic, vif_class::NETWORK).as_ref(), old);
    assert!(pool.get(eth1, pif_class::BOND_SLAVE_OF).as_ref().is_null());
    assert_eq!(pool.db.count(bond_class::CLASS), 0);
    assert_eq!(pool.db.count(pif_class::CLASS), before);
}

#[test]
fn a_tunnel_is_refused_where_it_cannot_be_and_has_one_key_on_all_hosts() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (pool.host("one"), pool.card("one", "eth0"), pool.card("one", "eth1"));
    let net = pool.network("tunnelled");
    assert_eq!(
        pool.refusal(|d| tunnel::begin(d, eth1, net, "vxlan")),
        words([&"TRANSPORT_PIF_NOT_CONFIGURED", &eth1])
    );
    let first = pool.decide(|d| tunnel::begin(d, eth0, net, "vxlan")).unwrap();
    assert_eq!(pool.get(first.tunnel, tunnel_class::STATUS).get("active"), Some("false"));
    pool.decide(|d| tunnel::commit(d, &first)).unwrap();
    assert_eq!(pool.get(first.tunnel, tunnel_class::STATUS).get("active"), Some("true"));
    assert_eq!(pool.get(first.access, pif_class::DEVICE).as_str(), "tunnel0");
    let other = pool.network("other");
    assert_eq!(
        pool.refusal(|d| tunnel::begin(d, first.access, other, "vxlan")),
        words([&"IS_TUNNEL_ACCESS_PIF", &first.access])
    );
    assert_eq!(
        pool.refusal(|d| vlan::begin(d, first.access, 7, other)),
        words([&"IS_TUNNEL_ACCESS_PIF", &first.access])
    );
    assert_eq!(
        pool.refusal(|d| tunnel::begin(d, eth0, net, "vxlan")),
        words([&"NETWORK_ALREADY_CONNECTED", &on, &first.access])
    );
    let far = pool.card("two", "eth0");
    assert_eq!(
        pool.refusal(|d| tunnel::begin(d, far, net, "gre")),
        words([&"NETWORK_INCOMPATIBLE_WITH_TUNNEL", &net])
    );
    let second = pool.decide(|d| tunnel::begin(d, far, net, "vxlan")).unwrap();
    let apart = pool.decide(|d| tunnel::begin(d, eth0, other, "vxlan")).unwrap();
    let key = |pool: &Pool, made: &tunnel::Made| pool.get(made.tunnel, tunnel_class::KEY).as_int();
    assert_eq!(key(&pool, &first), key(&pool, &second));
    assert_ne!(key(&pool, &first), key(&pool, &apart));
    assert_eq!(
        pool.refusal(|d| pif_hardware::forget(d, first.access)),
        words([&"PIF_IS_NOT_PHYSICAL", &first.access])
    );
    let before = pool.db.count(pif_class::CLASS);
    let gone = pool.decide(|d| tunnel::begin_destroy(d, second.tunnel)).unwrap();
    pool.decide(|d| {
        tunnel::remove(d, &gone);
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.db.count(pif_class::CLASS), before - 1);
}

#[test]
fn an_interface_is_unplugged_only_where_nobody_needs_it() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (pool.host("one"), pool.card("one", "eth0"), pool.card("one", "eth1"));
    assert_eq!(
        pool.refusal(|d| pif::begin_unplug(d, eth0)),
        words([&"PIF_IS_MANAGEMENT_INTERFACE", &eth0])
    );
    pool.decide(|d| pif::set_disallow_unplug(d, eth1, true)).unwrap();
    assert_eq!(
        pool.refusal(|d| pif::begin_unplug(d, eth1)),
        words([&"PIF_DOES_NOT_ALLOW_UNPLUG", &eth1])
    );
    pool.decide(|d| pif::set_disallow_unplug(d, eth1, false)).unwrap();
    let net = pool.get(eth1, pif_class::NETWORK).as_ref();
    let nic = pool.guest(on, net);
    assert_eq!(
        pool.refusal(|d| pif::begin_unplug(d, eth1)),
        words([&"VIF_IN_USE", &net, &nic])
    );
    // The same network on another host has no guest.
    let far = pool.card("two", "eth1");
    pool.decide(|d| pif::begin_unplug(d, far)).unwrap();
    assert!(!pool.get(far, pif_class::CURRENTLY_ATTACHED).as_bool());
    pool.decide(|d| {
        pif::plugged(d, far, &Default::default());
        Ok(())
    })
    .unwrap();
    assert!(pool.get(far, pif_class::CURRENTLY_ATTACHED).as_bool());
    assert_eq!(
        pool.refusal(|d| pif::set_property(d, eth1, "colour", "on")),
        ["INVALID_VALUE", "properties", "colour"]
    );
    assert_eq!(
        pool.refusal(|d| pif::set_property(d, eth1, "gro", "maybe")),
        ["INVALID_VALUE", "properties", "maybe"]
    );
}

#[test]
fn addresses_are_checked_word_by_word() {
    let mut pool = Pool::new();
    let (eth0, eth1) = (pool.card("one", "eth0"), pool.card("one", "eth1"));
    let good = Ipv4Settings {
        mode: "Static".to_owned(),
        ip: "198.51.100.1".to_owned(),
        netmask: "255.255.255.0".to_owned(),
        gateway: "198.51.100.254".to_owned(),
        dns: "192.0.2.53, 2001:db8::53".to_owned(),
    };
    let bad = |change: fn(&mut Ipv4Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    for (settings, parameter) in [
        (bad(|s| s.ip = "198.51.100".to_owned()), "IP"),
        (bad(|s| s.ip = String::new()), "IP"),
        (bad(|s| s.netmask = "255.0.255.0".to_owned()), "netmask"),
        (bad(|s| s.gateway = "there".to_owned()), "gateway"),
        (bad(|s| s.dns = "192.0.2.53,example".to_owned()), "DNS"),
    ] {
        assert_eq!(
            pool.refusal(|d| pif_address::reconfigure_ip(d, eth1, &settings)),
            ["INVALID_IP_ADDRESS_SPECIFIED", parameter]
        );
    }
    let none = bad(|s| s.mode = "None".to_owned());
    assert_eq!(
        pool.refusal(|d| pif_address::reconfigure_ip(d, eth0, &none)),
        words([&"PIF_IS_MANAGEMENT_INTERFACE", &eth0])
    );
    pool.set_ha(true);
    assert_eq!(
        pool.refusal(|d| pif_address::reconfigure_ip(d, eth1, &good)),
        ["HA_IS_ENABLED"]
    );
    pool.set_ha(false);
    assert_eq!(
        pool.refusal(|d| pif_address::set_primary_address_type(d, eth1, "IPv4")),
        words([&"PIF_HAS_NO_NETWORK_CONFIGURATION", &eth1])
    );
    pool.decide(|d| pif_address::reconfigure_ip(d, eth1, &good)).unwrap();
    assert_eq!(pool.get(eth1, pif_class::GATEWAY).as_str(), "198.51.100.254");
    let six = |mode: &str, address: &str, gateway: &str| Ipv6Settings {
        mode: mode.to_owned(),
        ipv6: address.to_owned(),
        gateway: gateway.to_owned(),
        dns: String::new(),
    };
    let plain = six("Static", "2001:db8::1", "");
    assert_eq!(
        pool.refusal(|d| pif_address::reconfigure_ipv6(d, eth1, &plain)),
        ["INVALID_CIDR_ADDRESS_SPECIFIED", "IPv6"]
    );
    let lost = six("Static", "2001:db8::1/64", "192.0.2.1");
    assert_eq!(
        pool.refusal(|d| pif_address::reconfigure_ipv6(d, eth1, &lost)),
        ["INVALID_IP_ADDRESS_SPECIFIED", "gateway"]
    );
    assert_eq!(
        pool.refusal(|d| pif_address::set_primary_address_type(d, eth1, "IPv6")),
        words([&"PIF_HAS_NO_V6_NETWORK_CONFIGURATION", &eth1])
    );
    let right = six("Static", "2001:db8::1/64", "2001:db8::2");
    pool.decide(|d| pif_address::reconfigure_ipv6(d, eth1, &right)).unwrap();
    assert_eq!(pool.get(eth1, pif_class::IPV6).as_set(), [Value::str("2001:db8::1/64")]);
    pool.decide(|d| pif_address::set_primary_address_type(d, eth1, "IPv6")).unwrap();
    assert_eq!(
        pool.refusal(|d| pif_address::set_primary_address_type(d, eth0, "IPv4")),
        words([&"PIF_IS_MANAGEMENT_INTERFACE", &eth0])
    );
}

#[test]
fn cards_are_found_introduced_and_forgotten() {
    let mut pool = Pool::new();
    let (on, eth0) = (pool.host("one"), pool.card("one", "eth0"));
    let mut cards = vec![card("eth0", 1), card("eth1", 1)];
    cards.push(NicFacts {
        mac: "02:00:00:00:01:02".to_owned(),
        ..card("eth2", 1)
    });
    let before = pool.db.count(pif_class::CLASS);
    for _ in 0..2 {
        pool.decide(|d| pif_hardware::scanned(d, on, &cards)).unwrap();
        assert_eq!(pool.db.count(pif_class::CLASS), before + 1);
    }
    let eth2 = pool.card("one", "eth2");
    let net = pool.get(eth2, pif_class::NETWORK).as_ref();
    assert_eq!(pool.get(net, network_class::BRIDGE).as_str(), "xenbr2");
    assert_eq!(
        pool.refusal(|d| pif_hardware::introduce(d, on, ("02:00:00:00:01:02", "eth2"), true, &cards)),
        ["DUPLICATE_PIF_DEVICE_NAME", "eth2"]
    );
    assert_eq!(
        pool.refusal(|d| pif_hardware::introduce(d, on, ("1", "eth3"), true, &cards)),
        ["MAC_INVALID", "1"]
    );
    assert_eq!(
        pool.refusal(|d| pif_hardware::introduce(d, on, ("02:00:00:00:01:03", "eth3"), true, &cards)),
        [
            "COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
            "eth3",
            "02:00:00:00:01:03"
        ]
    );
    let seven = pool.network("seven");
    let made = pool.vlan(eth2, 7, seven);
    assert_eq!(
        pool.refusal(|d| pif_hardware::forget(d, eth2)),
        words([&"PIF_VLAN_STILL_EXISTS", &eth2])
    );
    pool.decide(|d| {
        vlan::remove(d, made.vlan);
        Ok(())
    })
    .unwrap();
    pool.decide(|d| pif_hardware::forget(d, eth2)).unwrap();
    assert_eq!(
        pool.refusal(|d| pif_hardware::forget(d, eth0)),
        words([&"PIF_IS_MANAGEMENT_INTERFACE", &eth0])
    );
    let again = pool
        .decide(|d| pif_hardware::introduce(d, on, ("02:00:00:00:01:02", ""), false, &cards))
        .unwrap();
    assert_eq!(pool.get(again, pif_class::NETWORK).as_ref(), net, "its network waited for it");
    assert_eq!(
        pool.refusal(|d| pif::check_plug(d, again)),
        words([&"PIF_UNMANAGED", &again])
    );
}

#[test]
fn networks_guard_their_bridges_purposes_and_guests() {
    let mut pool = Pool::new();
    let on = pool.host("one");
    for bad in ["xapi9", "vif1", "much-too-long-a-name", "a b"] {
        let wanted = record(&[("name_label", "x".into()), ("bridge", bad.into())]);
        assert_eq!(
            pool.refusal(|d| network::create(d, &wanted)),
            words([&"INVALID_VALUE", &"bridge", &bad])
        );
    }
    let wanted = record(&[("name_label", "x".into()), ("bridge", "mine0".into())]);
    pool.decide(|d| network::create(d, &wanted)).unwrap();
    assert_eq!(pool.refusal(|d| network::create(d, &wanted)), ["BRIDGE_NAME_EXISTS", "mine0"]);
    let net = pool.network("within");
    assert_eq!(pool.get(net, network_class::MTU).as_int(), 1500);
    let nic = pool.guest(on, net);
    assert_eq!(
        pool.refusal(|d| network::destroy(d, net)),
        words([&"NETWORK_CONTAINS_VIF", &nic])
    );
    assert_eq!(
        pool.refusal(|d| network::set_default_locking_mode(d, net, "disabled")),
        words([&"VIF_IN_USE", &net, &nic])
    );
    let eth0 = pool.card("one", "eth0");
    let outside = pool.get(eth0, pif_class::NETWORK).as_ref();
    let cards = pool.get(outside, network_class::PIFS).as_refs();
    assert_eq!(
        pool.refusal(|d| network::destroy(d, outside)),
        words([&"NETWORK_CONTAINS_PIF", &cards[0], &cards[1]])
    );
    let system = record(&[
        ("name_label", "internal".into()),
        ("bridge", "".into()),
        (
            "other_config",
            Value::string_map([("is_host_internal_management_network", "true")]),
        ),
    ]);
    let system = pool.decide(|d| network::create(d, &system)).unwrap();
    assert_eq!(
        pool.refusal(|d| network::destroy(d, system)),
        words([&"CANNOT_DESTROY_SYSTEM_NETWORK", &system])
    );
    pool.decide(|d| network::add_purpose(d, net, "nbd")).unwrap();
    pool.decide(|d| network::add_purpose(d, net, "nbd")).unwrap();
    assert_eq!(pool.get(net, network_class::PURPOSE).as_set().len(), 1);
    assert_eq!(
        pool.refusal(|d| network::add_purpose(d, outside, "insecure_nbd")),
        ["NETWORK_INCOMPATIBLE_PURPOSES", "insecure_nbd", "nbd"]
    );
    pool.decide(|d| network::remove_purpose(d, net, "nbd")).unwrap();
    pool.decide(|d| network::add_purpose(d, outside, "insecure_nbd")).unwrap();
    // A network whose guest runs on one host is not to be had on another.
    let two = pool.host("two");
    assert_eq!(
        network::check_attach(&pool.db, net, two).unwrap_err().description(),
        words([&"HOST_CANNOT_ATTACH_NETWORK", &two, &net])
    );
    network::check_attach(&pool.db, net, on).unwrap();
}

#[test]
fn a_guests_interface_moves_and_is_locked() {
    let mut pool = Pool::new();
    let on = pool.host("one");
    let (eth0, eth1) = (pool.card("one", "eth0"), pool.card("one", "eth1"));
    let (here, there) = (
        pool.get(eth0, pif_class::NETWORK).as_ref(),
        pool.get(eth1, pif_class::NETWORK).as_ref(),
    );
    let nic = pool.guest(on, here);
    let task = pool.facts.reference();
    let far_only = pool.network("far");
    let far = pool.card("two", "eth1");
    pool.vlan(far, 7, far_only);
    assert_eq!(
        pool.refusal(|d| vif::begin_move(d, nic, far_only, task)),
        words([&"HOST_CANNOT_ATTACH_NETWORK", &on, &far_only])
    );
    let moving = pool.decide(|d| vif::begin_move(d, nic, there, task)).unwrap();
    assert_eq!(moving, vif::Moving::OnHost { before: here });
    let again = pool.refusal(|d| vif::begin_move(d, nic, here, task));
    assert_eq!(
        again,
        words([&"OTHER_OPERATION_IN_PROGRESS", &"VIF", &nic, &"plug", &task])
    );
    pool.decide(|d| {
        vif::end_move(d, nic, task, Some(here));
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.get(nic, vif_class::NETWORK).as_ref(), here, "a failed move goes back");

    let row = |pool: &Pool| pool.db.of_class(vif_class::CLASS, nic).unwrap().clone();
    assert_eq!(vif_settings::lock_of(&pool.db, &row(&pool)), Lock::Open);
    let (before, follows) = pool
        .decide(|d| vif_settings::change(d, nic, &Change::Mode("locked".to_owned())))
        .unwrap();
    assert_eq!(follows, Some(on));
    assert_eq!(vif_settings::lock_of(&pool.db, &row(&pool)), Lock::Only([].into()));
    let add = |address: &str| Change::Add(Kind::V4, address.to_owned());
    pool.decide(|d| vif_settings::change(d, nic, &add("192.0.2.9"))).unwrap();
    pool.decide(|d| vif_settings::change(d, nic, &add("192.0.2.9"))).unwrap();
    assert_eq!(
        vif_settings::lock_of(&pool.db, &row(&pool)),
        Lock::Only(["192.0.2.9".parse().unwrap()].into())
    );
    assert_eq!(
        pool.refusal(|d| vif_settings::change(d, nic, &add("fd00::1"))),
        ["INVALID_IP_ADDRESS_SPECIFIED", "ipv4_allowed"]
    );
    let six = Change::Allow(Kind::V6, vec!["fd00::1".to_owned(), "here".to_owned()]);
    assert_eq!(
        pool.refusal(|d| vif_settings::change(d, nic, &six)),
        ["INVALID_IP_ADDRESS_SPECIFIED", "ipv6_allowed"]
    );
    pool.decide(|d| {
        before.clone().restore(d, nic);
        Ok(())
    })
    .unwrap();
    assert!(pool.get(nic, vif_class::IPV4_ALLOWED).as_set().is_empty());
    pool.decide(|d| {
        d.set(here, network_class::DEFAULT_LOCKING_MODE, "disabled");
        d.update(
            nic,
            vec![
                (vif_class::QOS_ALGORITHM_TYPE, "ratelimit".into()),
                (vif_class::QOS_ALGORITHM_PARAMS, Value::string_map([("kbps", "100")])),
            ],
        );
        Ok(())
    })
    .unwrap();
    assert_eq!(vif_settings::lock_of(&pool.db, &row(&pool)), Lock::Shut);
    assert_eq!(vif_settings::rate_of(&row(&pool)), Some(100 * 1024));
    let allowed = query::field(&pool.db, &row(&pool), vif_class::ALLOWED_OPERATIONS.index);
    assert_eq!(allowed, Value::strings(["attach", "unplug"]));
}
