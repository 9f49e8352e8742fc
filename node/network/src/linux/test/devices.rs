//! VLANs, bonds and tunnels with real packets where the kernel has them; where it lacks them, that nothing is touched.

use std::net::Ipv4Addr;

use super::*;
use crate::device::{BondMode, LacpHash, LacpRate, TunnelProtocol};

const PATIENCE: Duration = Duration::from_secs(10);

fn vlan(base: &str, tag: u16) -> VlanSpec {
    VlanSpec {
        base: base.to_owned(),
        tag,
        mtu: 1500,
    }
}

/// Makes a VLAN's bridge in a namespace.
fn tagged(host: &Namespace, base: &str, tag: u16) {
    let spec = vlan(base, tag);
    let device = spec.device();
    host.run(|network| async move { network.ensure_vlan(&spec).await })
        .unwrap();
    host.ensure(BridgeSpec::over("xapi7", device));
}

#[test]
fn guests_of_one_vlan_meet_and_those_of_another_do_not() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    let before = host.ip("-brief link show");
    if !features(&host).vlan {
        println!("this kernel has no VLANs (CONFIG_VLAN_8021Q): only the refusal is tested");
        let answer = host.run(|network| async move { network.ensure_vlan(&vlan("eth0", 7)).await });
        assert!(
            matches!(answer, Err(NetworkError::Unsupported { .. })),
            "{answer:?}"
        );
        assert_eq!(host.ip("-brief link show"), before);
        return;
    }
    // The untagged network of the same card has a bridge as well.
    host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    tagged(&host, "eth0", 7);
    tagged(&host, "eth0", 7);
    tagged(&peer, "far0", 7);
    let one = guest(&host, "xapi7", "vif1", "192.168.7.1/24");
    let two = guest(&peer, "xapi7", "vif2", "192.168.7.2/24");
    assert!(reaches(&one, &two, "192.168.7.2", PATIENCE));
    let spec = vlan("far0", 8);
    let device = spec.device();
    peer.run(|network| async move { network.ensure_vlan(&spec).await })
        .unwrap();
    // The bridge changes its VLAN: the old one's device goes with it.
    peer.ensure(BridgeSpec::over("xapi7", device));
    assert!(!peer.ip("-brief link show").contains("far0.7"));
    assert!(!reaches(&one, &two, "192.168.7.2", Duration::from_secs(1)));
    host.run(|network| async move {
        network.detach_port("vif1").await.unwrap();
        network.remove_bridge("xapi7", Some("eth0.7")).await.unwrap();
        network.remove_device("eth0.7").await.unwrap();
        network.remove_device("eth0.7").await.unwrap();
    });
}

fn bond(mode: BondMode) -> BondSpec {
    BondSpec {
        name: "bond0".to_owned(),
        members: vec!["eth0".to_owned(), "eth1".to_owned()],
        mac: None,
        mode,
        mtu: 1500,
    }
}

const MODES: [BondMode; 3] = [
    BondMode::ActiveBackup,
    BondMode::SourceMac,
    BondMode::Lacp {
        hash: LacpHash::Ports,
        rate: LacpRate::Fast,
    },
];

#[test]
fn a_bond_takes_the_address_of_its_member_and_gives_it_back() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    ip(&[
        "-n", &host.name, "link", "add", "eth1", "type", "veth", "peer", "name", "far1", "netns", &peer.name,
    ]);
    let before = host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    if !features(&host).bond {
        println!("this kernel has no bonding (CONFIG_BONDING): only the refusal is tested");
        let answer = host.run(|network| async move { network.ensure_bond(&bond(MODES[0])).await });
        assert!(
            matches!(answer, Err(NetworkError::Unsupported { .. })),
            "{answer:?}"
        );
        assert_eq!(host.ensure(BridgeSpec::over("xenbr0", "eth0")), before);
        return;
    }
    for mode in MODES {
        host.run(move |network| async move { network.ensure_bond(&bond(mode)).await })
            .unwrap();
        let made = host.ensure(BridgeSpec::over("xapi0", "bond0"));
        assert_eq!(
            (made.addresses.clone(), made.mac),
            (before.addresses.clone(), before.mac.clone())
        );
    }
    host.run(|network| async move {
        network.ensure_bond(&bond(MODES[0])).await.unwrap();
        network.remove_bridge("xapi0", Some("bond0")).await.unwrap();
        network.remove_bond("bond0", "eth0").await.unwrap();
        network.remove_bond("bond0", "eth0").await.unwrap();
    });
    assert_eq!(
        host.ensure(BridgeSpec::over("xenbr0", "eth0")).addresses,
        before.addresses
    );
}

#[test]
fn what_a_bond_or_vlan_cannot_stand_on_is_refused() {
    if !can_run() {
        return;
    }
    let Pair { host, peer: _peer } = pair();
    host.run(|network| async move {
        let spec = BondSpec {
            members: vec!["eth0".to_owned(), "eth9".to_owned()],
            ..bond(MODES[0])
        };
        let answer = network.ensure_bond(&spec).await;
        assert!(matches!(answer, Err(NetworkError::NoSuchInterface { name }) if name == "eth9"));
        let answer = network.ensure_vlan(&vlan("eth9", 7)).await;
        assert!(matches!(answer, Err(NetworkError::NoSuchInterface { name }) if name == "eth9"));
        let answer = network.remove_device("eth0").await;
        assert!(
            matches!(answer, Err(NetworkError::NotOfKind { .. })),
            "{answer:?}"
        );
    });
}

/// Hosts on one switch, with 10.8.0.1 and so on.
fn hosts_on_a_switch(count: u8) -> (Namespace, Vec<Namespace>) {
    let switch = Namespace::new("switch");
    switch.ip("link add sw type bridge");
    switch.ip("link set sw up");
    let hosts = (1..=count)
        .map(|number| {
            let host = Namespace::new("host");
            let port = format!("p{number}");
            ip(&[
                "-n",
                &switch.name,
                "link",
                "add",
                &port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                &host.name,
            ]);
            switch.ip(&format!("link set {port} master sw up"));
            host.ip(&format!("addr add 10.8.0.{number}/24 dev eth0"));
            host.ip("link set eth0 up");
            host
        })
        .collect();
    (switch, hosts)
}

fn part(number: u8, of: impl IntoIterator<Item = u8>, protocol: TunnelProtocol) -> TunnelSpec {
    let address = |number| Ipv4Addr::new(10, 8, 0, number);
    TunnelSpec {
        name: "tunnel0".to_owned(),
        protocol,
        key: 77,
        local: address(number),
        remotes: of.into_iter().filter(|n| *n != number).map(address).collect(),
        mtu: 1400,
    }
}

fn join(host: &Namespace, spec: TunnelSpec) -> Result<()> {
    host.ensure(BridgeSpec {
        mtu: 1400,
        ..BridgeSpec::internal("xapi5")
    });
    host.run(|network| async move { network.ensure_tunnel("xapi5", &spec).await })
}

fn guests_meet_through(protocol: TunnelProtocol) {
    let (_switch, hosts) = hosts_on_a_switch(3);
    for (host, number) in hosts.iter().zip(1_u8..) {
        for _ in 0..2 {
            join(host, part(number, 1..=3, protocol)).unwrap();
        }
    }
    let guests: Vec<Namespace> = hosts
        .iter()
        .zip(["192.168.5.1/24", "192.168.5.2/24", "192.168.5.3/24"])
        .map(|(host, address)| guest(host, "xapi5", "vif1", address))
        .collect();
    for (from, to, address) in [
        (0, 1, "192.168.5.2"),
        (1, 2, "192.168.5.3"),
        (2, 0, "192.168.5.1"),
    ] {
        assert!(
            reaches(&guests[from], &guests[to], address, PATIENCE),
            "{from} does not reach {to}"
        );
    }
    // The third host leaves.
    hosts[2].run(move |network| async move {
        for device in part(3, 1..=3, protocol).devices() {
            network.remove_device(&device).await.unwrap();
            network.remove_device(&device).await.unwrap();
        }
    });
    for number in [1, 2] {
        join(&hosts[usize::from(number) - 1], part(number, 1..=2, protocol)).unwrap();
    }
    assert!(reaches(&guests[1], &guests[0], "192.168.5.1", PATIENCE));
    assert!(!reaches(
        &guests[0],
        &guests[2],
        "192.168.5.3",
        Duration::from_secs(1)
    ));
}

#[test]
fn guests_of_three_hosts_meet_through_vxlan() {
    if !can_run() {
        return;
    }
    if !features(&Namespace::new("host")).vxlan {
        println!("this kernel has no VXLAN (CONFIG_VXLAN)");
        return;
    }
    guests_meet_through(TunnelProtocol::Vxlan);
}

#[test]
fn guests_of_three_hosts_meet_through_gre() {
    if !can_run() {
        return;
    }
    let host = Namespace::new("host");
    if !features(&host).gre {
        println!("this kernel has no GRE (CONFIG_NET_IPGRE): only the refusal is tested");
        let before = host.ip("-brief link show type gretap");
        for others in [1..=1, 1..=2] {
            let answer = join(&host, part(1, others, TunnelProtocol::Gre));
            assert!(
                matches!(answer, Err(NetworkError::Unsupported { .. })),
                "{answer:?}"
            );
        }
        assert_eq!(host.ip("-brief link show type gretap"), before);
        return;
    }
    guests_meet_through(TunnelProtocol::Gre);
}

#[test]
fn a_link_has_the_addresses_it_is_given_and_no_others() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    let set = |addresses: &[&str], family, gateway: Option<&str>| {
        let spec = IpSpec {
            family,
            addresses: addresses
                .iter()
                .map(|text| {
                    let (ip, prefix) = text.split_once('/').unwrap();
                    crate::Address {
                        ip: ip.parse().unwrap(),
                        prefix: prefix.parse().unwrap(),
                    }
                })
                .collect(),
            gateway: gateway.map(|ip| ip.parse().unwrap()),
        };
        host.run(move |network| async move { network.set_ip("eth0", &spec).await })
            .unwrap();
        host.addresses("eth0")
    };
    use crate::device::Family;
    let six = "fd09::2/64";
    assert_eq!(
        set(&["10.9.0.3/24"], Family::V4, Some("10.9.0.1")),
        ["10.9.0.3/24", six],
        "the other family is left alone"
    );
    assert_eq!(
        set(&["10.9.0.3/24"], Family::V4, Some("10.9.0.1")),
        ["10.9.0.3/24", six]
    );
    assert!(
        host.routes()
            .iter()
            .any(|r| r.starts_with("default 10.9.0.1 eth0")),
        "{:?}",
        host.routes()
    );
    assert!(reaches(&peer, &host, "10.9.0.3", PATIENCE));
    assert_eq!(set(&[], Family::V6, None), ["10.9.0.3/24"]);
    assert_eq!(set(&[], Family::V4, None), [""; 0]);
    let answer = host.run(|network| async move {
        let spec = IpSpec {
            family: Family::V4,
            addresses: Vec::new(),
            gateway: None,
        };
        network.set_ip("eth9", &spec).await
    });
    assert!(matches!(answer, Err(NetworkError::NoSuchInterface { .. })));
}
