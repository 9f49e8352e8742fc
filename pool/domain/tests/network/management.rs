//! Which interface carries a host's management.

use pool_domain::decide::pif_address::{self, Ipv4Settings};
use pool_domain::decide::{self, management, pif};
use proto_types::generated::{console, host, pif as pif_class, tarn_member, vif as vif_class, vm};

use crate::pool::*;

fn address(ip: &str) -> Ipv4Settings {
    Ipv4Settings {
        mode: "Static".to_owned(),
        ip: ip.to_owned(),
        netmask: "255.255.255.0".to_owned(),
        ..Ipv4Settings::default()
    }
}

#[test]
fn management_moves_to_an_interface_with_an_address_and_the_host_is_known_by_it() {
    let mut pool = Pool::new();
    let (on, eth0, eth1) = (
        pool.host("one"),
        pool.card("one", "eth0"),
        pool.card("one", "eth1"),
    );
    assert_eq!(management::interface(&pool.db, on).unwrap(), eth0);
    assert_eq!(
        pool.refusal(|d| management::check(d, eth1)),
        words([&"PIF_HAS_NO_NETWORK_CONFIGURATION", &eth1])
    );
    pool.decide(|d| pif_address::reconfigure_ip(d, eth1, &address("198.51.100.1")))
        .unwrap();
    pool.set_ha(true);
    assert_eq!(pool.refusal(|d| management::check(d, eth1)), ["HA_IS_ENABLED"]);
    pool.set_ha(false);
    pool.decide(|d| pif::begin_unplug(d, eth1)).unwrap();
    assert_eq!(
        pool.refusal(|d| management::check(d, eth1)),
        words([&"REQUIRED_PIF_IS_UNPLUGGED", &eth1])
    );
    pool.decide(|d| {
        pif::plugged(d, eth1, &Default::default());
        Ok(())
    })
    .unwrap();
    let net = pool.get(eth0, pif_class::NETWORK).as_ref();
    let nic = pool.guest(on, net);
    let guest = pool.get(nic, vif_class::VM).as_ref();
    pool.decide(|d| {
        decide::vm_power::make_consoles(d, guest, on);
        Ok(())
    })
    .unwrap();
    let to = pool.decide(|d| management::check(d, eth1)).unwrap();
    assert_eq!((to.address.as_str(), to.host), ("198.51.100.1", on));
    pool.decide(|d| {
        management::moved(d, &to);
        Ok(())
    })
    .unwrap();
    assert_eq!(management::interface(&pool.db, on).unwrap(), eth1);
    assert!(!pool.get(eth0, pif_class::MANAGEMENT).as_bool());
    assert_eq!(pool.get(on, host::ADDRESS).as_str(), "198.51.100.1");
    let member = pool
        .db
        .rows(tarn_member::CLASS)
        .find(|m| m.get(tarn_member::HOST).as_ref() == on)
        .unwrap();
    assert_eq!(member.get(tarn_member::ADDRESS).as_str(), "198.51.100.1");
    for reference in pool.get(guest, vm::CONSOLES).as_refs() {
        let location = pool.get(reference, console::LOCATION).as_str();
        let expected = format!("https://198.51.100.1/console?uuid={}", pool.row(reference).uuid());
        assert_eq!(location, expected);
    }
    // It may be unplugged no more, and the other one may.
    assert_eq!(
        pool.refusal(|d| pif::begin_unplug(d, eth1)),
        words([&"PIF_IS_MANAGEMENT_INTERFACE", &eth1])
    );
}

#[test]
fn the_whole_pool_moves_only_where_every_host_can() {
    let mut pool = Pool::new();
    let (one, two) = (pool.card("one", "eth1"), pool.card("two", "eth1"));
    let net = pool.get(one, pif_class::NETWORK).as_ref();
    let lonely = pool.network("lonely");
    let refusal = pool.refusal(|d| management::check_pool(d, lonely));
    assert_eq!(refusal[0], "PIF_NOT_PRESENT");
    assert_eq!(refusal[2], lonely.to_string());
    pool.decide(|d| pif_address::reconfigure_ip(d, one, &address("198.51.100.1")))
        .unwrap();
    assert_eq!(
        pool.refusal(|d| management::check_pool(d, net)),
        words([&"PIF_HAS_NO_NETWORK_CONFIGURATION", &two])
    );
    pool.decide(|d| pif_address::reconfigure_ip(d, two, &address("198.51.100.2")))
        .unwrap();
    let moves = pool.decide(|d| management::check_pool(d, net)).unwrap();
    assert_eq!(moves.len(), 2);
    let on = pool.host("one");
    assert_eq!(management::by_name(&pool.db, on, "eth1").unwrap(), one);
    assert_eq!(management::by_name(&pool.db, on, "xenbr1").unwrap(), one);
    assert_eq!(
        management::by_name(&pool.db, on, "eth9")
            .unwrap_err()
            .description(),
        ["PIF_DEVICE_NOT_FOUND"]
    );
}

#[test]
fn only_a_host_that_is_alone_may_turn_its_management_off() {
    let mut pool = Pool::new();
    assert_eq!(
        pool.refusal(management::disable),
        ["SLAVE_REQUIRES_MANAGEMENT_INTERFACE"]
    );
    let (on, other, eth0) = (pool.host("one"), pool.host("two"), pool.card("one", "eth0"));
    pool.decide(|d| decide::host::leave(d, other)).unwrap();
    let uuid = pool.row(on).uuid().to_owned();
    for _ in 0..2 {
        pool.decide(management::disable).unwrap();
    }
    assert!(management::is_disabled(&pool.db, &uuid));
    assert_eq!(
        management::interface(&pool.db, on).unwrap_err().description(),
        ["HOST_HAS_NO_MANAGEMENT_IP"]
    );
    let to = pool.decide(|d| management::check(d, eth0)).unwrap();
    pool.decide(|d| {
        management::moved(d, &to);
        Ok(())
    })
    .unwrap();
    assert!(!management::is_disabled(&pool.db, &uuid));
    assert_eq!(management::interface(&pool.db, on).unwrap(), eth0);
}
