//! What guests' ports let through, with real packets.

use std::net::UdpSocket;

use super::*;
use crate::device::PortLock;

const PATIENCE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_secs(1);

fn hold(host: &Namespace, lock: PortLock, rate: Option<u64>) {
    let policy = PortPolicy {
        port: "tapguestn0".to_owned(),
        lock,
        rate,
    };
    host.run(|network| async move { network.set_policy(&policy).await })
        .unwrap();
}

/// A host with two guests on one bridge; the first one's port is the one that is held.
fn guests() -> Option<(Namespace, Namespace, Namespace)> {
    if !can_run() {
        return None;
    }
    let host = Namespace::new("host");
    if !features(&host).filter {
        println!("skipped: this machine cannot filter bridges' ports (nft and CONFIG_NF_TABLES_BRIDGE)");
        return None;
    }
    host.ensure(BridgeSpec::internal("xapi0"));
    let held = guest(&host, "xapi0", "tapguestn0", "10.7.0.1/24");
    held.ip("addr add fd07::1/64 dev eth0 nodad");
    let free = guest(&host, "xapi0", "tapguestn1", "10.7.0.2/24");
    free.ip("addr add fd07::2/64 dev eth0 nodad");
    Some((host, held, free))
}

fn mac(guest: &Namespace) -> String {
    guest.json("link show dev eth0")[0]["address"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn only(guest: &Namespace, addresses: &[&str]) -> PortLock {
    PortLock::Only {
        mac: mac(guest),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    }
}

#[test]
fn a_locked_port_passes_its_own_addresses_and_no_others() {
    let Some((host, held, free)) = guests() else {
        return;
    };
    assert!(reaches(&held, &free, "10.7.0.2", PATIENCE));
    hold(&host, only(&held, &["10.7.0.1"]), None);
    assert!(reaches(&held, &free, "10.7.0.2", PATIENCE));
    assert!(reaches(&free, &held, "10.7.0.1", PATIENCE));
    assert!(
        !reaches(&held, &free, "fd07::2", MOMENT),
        "no IPv6 address is allowed"
    );
    hold(&host, only(&held, &["10.7.0.1", "fd07::1"]), None);
    assert!(reaches(&held, &free, "fd07::2", PATIENCE));
    hold(&host, only(&held, &["10.7.0.9"]), None);
    assert!(
        !reaches(&held, &free, "10.7.0.2", MOMENT),
        "its address is another's"
    );
    assert!(!reaches(&free, &held, "10.7.0.1", MOMENT));
    // With the right address and another MAC address.
    hold(&host, only(&free, &["10.7.0.1"]), None);
    assert!(!reaches(&held, &free, "10.7.0.2", MOMENT));
    hold(&host, PortLock::Open, None);
    assert!(reaches(&held, &free, "10.7.0.2", PATIENCE));
    let left = host.enter(|| {
        let output = std::process::Command::new("nft")
            .args(["list", "tables"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    assert!(!left.contains("tarn_"), "{left}");
}

#[test]
fn a_shut_port_passes_nothing_and_is_shut_before_it_is_there() {
    let Some((host, held, free)) = guests() else {
        return;
    };
    hold(&host, PortLock::Shut, None);
    assert!(!reaches(&held, &free, "10.7.0.2", MOMENT));
    assert!(!reaches(&free, &held, "10.7.0.1", MOMENT));
    host.ip("link del tapguestn0");
    let again = guest(&host, "xapi0", "tapguestn0", "10.7.0.1/24");
    assert!(!reaches(&again, &free, "10.7.0.2", MOMENT));
    hold(&host, PortLock::Open, None);
    hold(&host, PortLock::Open, None);
    assert!(reaches(&again, &free, "10.7.0.2", PATIENCE));
}

#[test]
fn a_guest_sends_no_more_than_its_rate() {
    let Some((host, held, free)) = guests() else {
        return;
    };
    let receiver = free.enter(|| UdpSocket::bind("10.7.0.2:0").unwrap());
    receiver.set_read_timeout(Some(MOMENT)).unwrap();
    let target = receiver.local_addr().unwrap();
    // The neighbours know each other before anything is counted.
    assert!(reaches(&held, &free, "10.7.0.2", PATIENCE));
    let datagrams = |count: usize| {
        let sender = held.spawn(move || {
            let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
            for _ in 0..count {
                // Slower than the receiver's buffer fills.
                socket.send_to(&[0; 1000], target).unwrap();
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let mut buffer = [0; 2000];
        let mut received = 0;
        while receiver.recv_from(&mut buffer).is_ok() {
            received += 1;
        }
        sender.join().unwrap();
        received
    };
    assert_eq!(datagrams(500), 500, "all of them without a limit");
    // Ten kilobytes a second, and what may come at once above it: 64 KiB.
    hold(&host, PortLock::Open, Some(10 * 1024));
    let passed = datagrams(500);
    assert!((30..150).contains(&passed), "{passed} of 500 passed");
}
