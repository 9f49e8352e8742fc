//! Networks, and interfaces of guests on them.

use pool_domain::decide::vif_settings::{self, Change, Kind, Lock};
use pool_domain::decide::{network, vif};
use pool_domain::query;
use proto_types::Value;
use proto_types::generated::{network as network_class, pif as pif_class, vif as vif_class};

use crate::pool::*;

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
    assert_eq!(
        pool.refusal(|d| network::create(d, &wanted)),
        ["BRIDGE_NAME_EXISTS", "mine0"]
    );
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
    pool.decide(|d| network::add_purpose(d, outside, "insecure_nbd"))
        .unwrap();
    // A network whose guest runs on one host is not to be had on another.
    let two = pool.host("two");
    assert_eq!(
        network::check_attach(&pool.db, net, two)
            .unwrap_err()
            .description(),
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
    assert_eq!(
        pool.get(nic, vif_class::NETWORK).as_ref(),
        here,
        "a failed move goes back"
    );

    let row = |pool: &Pool| pool.db.of_class(vif_class::CLASS, nic).unwrap().clone();
    assert_eq!(vif_settings::lock_of(&pool.db, &row(&pool)), Lock::Open);
    let (before, follows) = pool
        .decide(|d| vif_settings::change(d, nic, &Change::Mode("locked".to_owned())))
        .unwrap();
    assert_eq!(follows, Some(on));
    assert_eq!(
        vif_settings::lock_of(&pool.db, &row(&pool)),
        Lock::Only([].into())
    );
    let add = |address: &str| Change::Add(Kind::V4, address.to_owned());
    pool.decide(|d| vif_settings::change(d, nic, &add("192.0.2.9")))
        .unwrap();
    pool.decide(|d| vif_settings::change(d, nic, &add("192.0.2.9")))
        .unwrap();
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
                (
                    vif_class::QOS_ALGORITHM_PARAMS,
                    Value::string_map([("kbps", "100")]),
                ),
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
