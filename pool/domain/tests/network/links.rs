//! VLANs, bonds, tunnels.

use pool_domain::decide::bond::{self, NewBond};
use pool_domain::decide::pif_address::{self, Ipv4Settings};
use pool_domain::decide::{self, pif, pif_hardware, tunnel, vlan};
use proto_types::generated::{
    bond as bond_class, pif as pif_class, tunnel as tunnel_class, vif as vif_class, vlan as vlan_class,
};
use proto_types::{Ref, Value};

use crate::pool::*;

#[test]
fn a_vlan_is_refused_where_it_cannot_be() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (
        pool.host("one"),
        pool.card("one", "eth0"),
        pool.card("one", "eth1"),
    );
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
    assert_eq!(
        pool.get(made.untagged, pif_class::MAC).as_str(),
        "fe:ff:ff:ff:ff:ff"
    );
    assert_eq!(pool.get(made.untagged, pif_class::DEVICE).as_str(), "eth0");
    assert_eq!(pool.get(made.untagged, pif_class::VLAN).as_int(), 7);
    assert_eq!(
        pool.get(made.untagged, pif_class::VLAN_MASTER_OF).as_ref(),
        made.vlan
    );
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
    pool.decide(|d| pif::set_disallow_unplug(d, made.untagged, true))
        .unwrap();
    assert_eq!(
        pool.refusal(|d| vlan::begin_destroy(d, made.vlan)),
        words([&"PIF_DOES_NOT_ALLOW_UNPLUG", &made.untagged])
    );
    pool.decide(|d| pif::set_disallow_unplug(d, made.untagged, false))
        .unwrap();
    assert_eq!(
        pool.decide(|d| vlan::begin_destroy(d, made.vlan)).unwrap(),
        made.untagged
    );
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
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        ["PIF_CANNOT_BOND_CROSS_HOST"]
    );
    let seven = pool.network("seven");
    let tagged = pool.vlan(eth0, 7, seven).untagged;
    let new = with(&pool, &[eth1, tagged]);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        words([&"PIF_VLAN_EXISTS", &tagged])
    );
    pool.decide(|d| pif::set_property(d, eth1, "gro", "off")).unwrap();
    let new = with(&pool, &[eth0, eth1]);
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        ["INCOMPATIBLE_PIF_PROPERTIES"]
    );
    pool.decide(|d| pif::set_property(d, eth0, "gro", "off")).unwrap();
    let address = Ipv4Settings {
        mode: "Static".to_owned(),
        ip: "198.51.100.1".to_owned(),
        netmask: "255.255.255.0".to_owned(),
        ..Ipv4Settings::default()
    };
    let before = pool
        .decide(|d| pif_address::reconfigure_ip(d, eth1, &address))
        .unwrap();
    assert_eq!(
        pool.refusal(|d| bond::begin(d, &new)),
        ["PIF_BOND_MORE_THAN_ONE_IP"]
    );
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
    let (on, eth0, eth1) = (
        pool.host("one"),
        pool.card("one", "eth0"),
        pool.card("one", "eth1"),
    );
    let seven = pool.network("seven");
    let tagged = pool.vlan(eth0, 7, seven);
    let old = pool.get(eth0, pif_class::NETWORK).as_ref();
    let nic = pool.guest(on, old);
    let before = pool.db.count(pif_class::CLASS);
    let net = pool.network("bonded");
    let made = pool.bond("one", net);
    assert_eq!(made.guests, [nic]);
    assert_eq!(
        pool.get(made.bond, bond_class::PRIMARY_SLAVE).as_ref(),
        eth0,
        "the management's card"
    );
    assert_eq!(
        pool.get(made.bond, bond_class::PROPERTIES)
            .get("hashing_algorithm"),
        Some("tcpudp_ports")
    );
    assert_eq!(pool.get(made.master, pif_class::DEVICE).as_str(), "bond0");
    assert_eq!(
        pool.get(made.master, pif_class::MAC),
        pool.get(eth0, pif_class::MAC)
    );
    assert_eq!(pool.get(made.master, pif_class::IP).as_str(), "192.0.2.1");
    assert!(pool.get(made.master, pif_class::MANAGEMENT).as_bool());
    assert!(!pool.get(eth0, pif_class::MANAGEMENT).as_bool());
    assert_eq!(pool.get(eth0, pif_class::IP).as_str(), "");
    assert_eq!(pool.get(eth1, pif_class::BOND_SLAVE_OF).as_ref(), made.bond);
    assert_eq!(
        pool.get(tagged.vlan, vlan_class::TAGGED_PIF).as_ref(),
        made.master
    );
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
    let (on, eth0, eth1) = (
        pool.host("one"),
        pool.card("one", "eth0"),
        pool.card("one", "eth1"),
    );
    let net = pool.network("tunnelled");
    assert_eq!(
        pool.refusal(|d| tunnel::begin(d, eth1, net, "vxlan")),
        words([&"TRANSPORT_PIF_NOT_CONFIGURED", &eth1])
    );
    let first = pool.decide(|d| tunnel::begin(d, eth0, net, "vxlan")).unwrap();
    assert_eq!(
        pool.get(first.tunnel, tunnel_class::STATUS).get("active"),
        Some("false")
    );
    pool.decide(|d| tunnel::commit(d, &first)).unwrap();
    assert_eq!(
        pool.get(first.tunnel, tunnel_class::STATUS).get("active"),
        Some("true")
    );
    assert_eq!(pool.get(first.access, pif_class::DEVICE).as_str(), "tunnel0");
    assert_eq!(
        pool.refusal(|d| pif_hardware::forget(d, eth0)),
        words([&"PIF_TUNNEL_STILL_EXISTS", &eth0])
    );
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
fn a_host_that_joins_gets_the_masters_vlans() {
    let mut pool = Pool::new();
    let (seven, eight) = (pool.network("seven"), pool.network("eight"));
    let (mine, theirs) = (pool.card("one", "eth1"), pool.card("two", "eth1"));
    pool.vlan(mine, 7, seven);
    pool.vlan(theirs, 8, eight);
    let mut third = host_facts("three", 3);
    pool.decide(|d| decide::host::join(d, &third, &Default::default()))
        .unwrap();
    let on = pool.host("three");
    let made = pif::on_host(&pool.db, seven, on).unwrap();
    assert_eq!(made.get(pif_class::VLAN).as_int(), 7);
    assert_eq!(made.get(pif_class::DEVICE).as_str(), "eth1");
    assert!(made.get(pif_class::CURRENTLY_ATTACHED).as_bool());
    assert!(
        pif::on_host(&pool.db, eight, on).is_none(),
        "it is not the master's"
    );
    // A host without that card joins without the VLAN.
    third = host_facts("four", 4);
    third.nics.truncate(1);
    pool.decide(|d| decide::host::join(d, &third, &Default::default()))
        .unwrap();
    assert!(pif::on_host(&pool.db, seven, pool.host("four")).is_none());
}
