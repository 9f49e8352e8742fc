//! Interfaces of hosts: plugging, addresses, hardware.

use pool_domain::decide::host::NicFacts;
use pool_domain::decide::pif_address::{self, Ipv4Settings, Ipv6Settings};
use pool_domain::decide::{pif, pif_hardware, vlan};
use proto_types::Value;
use proto_types::generated::{network as network_class, pif as pif_class};

use crate::pool::*;

#[test]
fn an_interface_is_unplugged_only_where_nobody_needs_it() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (
        pool.host("one"),
        pool.card("one", "eth0"),
        pool.card("one", "eth1"),
    );
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
    pool.decide(|d| pif_address::reconfigure_ip(d, eth1, &good))
        .unwrap();
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
    pool.decide(|d| pif_address::reconfigure_ipv6(d, eth1, &right))
        .unwrap();
    assert_eq!(
        pool.get(eth1, pif_class::IPV6).as_set(),
        [Value::str("2001:db8::1/64")]
    );
    pool.decide(|d| pif_address::set_primary_address_type(d, eth1, "IPv6"))
        .unwrap();
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
    assert_eq!(
        pool.get(again, pif_class::NETWORK).as_ref(),
        net,
        "its network waited for it"
    );
    assert_eq!(
        pool.refusal(|d| pif::check_plug(d, again)),
        words([&"PIF_UNMANAGED", &again])
    );
}
