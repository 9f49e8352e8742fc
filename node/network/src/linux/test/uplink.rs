//! The only NIC, which carries the host's address, becomes a bridge's uplink and is let go again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

fn expected_routes(device: &str) -> Vec<String> {
    let mut routes = vec![
        format!("10.9.0.0/24 - {device} null"),
        format!("192.168.77.0/24 10.9.0.7 {device} null"),
        format!("default 10.9.0.1 {device} 50"),
        format!("default fd09::1 {device} 60"),
        format!("fd09::/64 - {device} 256"),
    ];
    routes.sort();
    routes
}

const ADDRESSES: [&str; 3] = ["10.9.0.2/24", "10.9.0.22/24", "fd09::2/64"];

fn assert_moved(host: &Namespace) {
    assert_eq!(host.addresses("xenbr0"), ADDRESSES);
    assert_eq!(host.addresses("eth0"), [""; 0]);
    assert_eq!(host.routes(), expected_routes("xenbr0"));
}

#[test]
fn addresses_and_routes_move_onto_the_bridge_and_back() {
    if !can_run() {
        return;
    }
    let Pair { host, peer: _peer } = pair();
    assert_eq!(host.routes(), expected_routes("eth0"));
    let before = host
        .run(|network| async move { network.list_nics().await })
        .unwrap();
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0].gateway, Some("10.9.0.1".parse().unwrap()));
    let made = host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    assert_eq!(made.ports, ["eth0"]);
    assert_eq!(made.mac, before[0].mac);
    assert_eq!(made.addresses, before[0].addresses);
    assert_moved(&host);
    assert_eq!(
        host.ensure(BridgeSpec::over("xenbr0", "eth0")),
        made,
        "a second call changes nothing"
    );
    assert_moved(&host);
    let after = host
        .run(|network| async move { network.list_nics().await })
        .unwrap();
    assert_eq!(after.len(), 1, "a bridge is no NIC");
    assert_eq!(
        (after[0].master.as_deref(), after[0].gateway),
        (Some("xenbr0"), before[0].gateway)
    );

    host.run(|network| async move { network.remove_bridge("xenbr0", Some("eth0")).await })
        .unwrap();
    assert_eq!(host.addresses("eth0"), ADDRESSES);
    assert_eq!(host.routes(), expected_routes("eth0"));
    host.run(|network| async move { network.remove_bridge("xenbr0", Some("eth0")).await })
        .unwrap();
}

#[test]
fn connections_go_on_while_the_address_moves() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    for address in ["10.9.0.2", "[fd09::2]"] {
        let listener = host.enter(move || TcpListener::bind(format!("{address}:0")).unwrap());
        let target = listener.local_addr().unwrap();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                stream.write_all(&byte).unwrap();
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let rounds = Arc::new(AtomicU32::new(0));
        let counted = rounds.clone();
        let client = peer.spawn(move || {
            let mut stream = TcpStream::connect(target).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut byte, mut longest) = ([0], Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                stream.write_all(&[7]).unwrap();
                stream.read_exact(&mut byte).unwrap();
                longest = longest.max(begun.elapsed());
                counted.fetch_add(1, Ordering::Relaxed);
            }
            longest
        });
        let some_more = || {
            let then = rounds.load(Ordering::Relaxed);
            wait_for("traffic", || rounds.load(Ordering::Relaxed) > then + 100);
        };
        some_more();
        for _ in 0..5 {
            host.ensure(BridgeSpec::over("xenbr0", "eth0"));
            some_more();
            host.run(|network| async move { network.remove_bridge("xenbr0", Some("eth0")).await })
                .unwrap();
            some_more();
        }
        stop.store(true, Ordering::Relaxed);
        let longest = client.join().unwrap();
        echo.join().unwrap();
        println!(
            "{address}: five times onto a bridge and back, {} round trips, the longest {longest:?}",
            rounds.load(Ordering::Relaxed)
        );
        assert!(longest < Duration::from_secs(2), "{longest:?}");
    }
}

#[test]
fn a_call_that_was_cut_off_is_finished_by_the_next() {
    if !can_run() {
        return;
    }
    // What is there after each step of the first call.
    let steps = [
        "link add xenbr0 type bridge",
        "link set xenbr0 up",
        "link set eth0 master xenbr0",
        "addr add 10.9.0.2/24 brd 10.9.0.255 dev xenbr0",
        "addr add 10.9.0.22/24 brd 10.9.0.255 dev xenbr0",
        "addr add fd09::2/64 dev xenbr0 nodad",
        "route replace default via 10.9.0.1 dev xenbr0 metric 50",
        "route replace 192.168.77.0/24 via 10.9.0.7 dev xenbr0 src 10.9.0.22",
        "-6 route replace default via fd09::1 dev xenbr0 metric 60",
        "addr del fd09::2/64 dev eth0",
        "addr del 10.9.0.22/24 dev eth0",
        "addr del 10.9.0.2/24 dev eth0",
    ];
    for cut_off_after in 1..=steps.len() {
        let Pair { host, peer: _peer } = pair();
        for step in &steps[..cut_off_after] {
            host.ip(step);
        }
        let made = host.ensure(BridgeSpec::over("xenbr0", "eth0"));
        assert_eq!(made.addresses.len(), 3, "cut off after {cut_off_after}");
        assert_moved(&host);
    }
}

#[test]
fn a_neighbour_with_a_stale_entry_is_told_the_right_one() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    peer.sysctl("ipv4/neigh/far0/locktime", "0");
    peer.ip("neigh replace 10.9.0.2 lladdr 02:bb:bb:bb:bb:bb nud reachable dev far0");
    let made = host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    let known = || {
        peer.json("neigh show 10.9.0.2")[0]["lladdr"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    wait_for("the right entry", || known() == made.mac);
}

#[test]
fn an_uplink_of_another_bridge_is_refused_and_keeps_its_place() {
    if !can_run() {
        return;
    }
    let Pair { host, peer: _peer } = pair();
    host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    let spec = BridgeSpec::over("xenbr1", "eth0");
    let answer = host.run(|network| async move { network.ensure_bridge(&spec).await });
    assert!(
        matches!(&answer, Err(NetworkError::AlreadyEnslaved { master, .. }) if master == "xenbr0"),
        "{answer:?}"
    );
    assert_moved(&host);
}

#[test]
fn prefix_routes_made_by_hand_move_too() {
    if !can_run() {
        return;
    }
    // As NetworkManager does it: no route with the address, one of its own with a metric.
    let Pair { host, peer: _peer } = pair();
    host.ip("addr add 10.8.0.2/24 dev eth0 noprefixroute");
    host.ip("route add 10.8.0.0/24 dev eth0 proto kernel scope link src 10.8.0.2 metric 100");
    let route = |device: &str| format!("10.8.0.0/24 - {device} 100");
    assert!(host.routes().contains(&route("eth0")));
    host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    assert!(host.routes().contains(&route("xenbr0")), "{:?}", host.routes());
    assert!(
        !host
            .routes()
            .iter()
            .any(|route| route.starts_with("10.8.0.0/24") && route.ends_with("null"))
    );
    host.run(|network| async move { network.remove_bridge("xenbr0", Some("eth0")).await })
        .unwrap();
    assert!(host.routes().contains(&route("eth0")), "{:?}", host.routes());
}
