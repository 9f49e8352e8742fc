//! Bridges, ports, NICs and features.

use super::*;

#[test]
fn a_bridge_without_uplink_is_made_once_and_removed_once() {
    if !can_run() {
        return;
    }
    let host = Namespace::new("host");
    host.run(|network| async move {
        assert_eq!(network.bridge("xapi0").await.unwrap(), None);
        let made = network
            .ensure_bridge(&BridgeSpec::internal("xapi0"))
            .await
            .unwrap();
        assert!(made.up && made.ports.is_empty() && made.addresses.is_empty() && made.mtu == 1500);
        assert_eq!(
            network
                .ensure_bridge(&BridgeSpec::internal("xapi0"))
                .await
                .unwrap(),
            made
        );
        let larger = BridgeSpec {
            mtu: 9000,
            ..BridgeSpec::internal("xapi0")
        };
        assert_eq!(network.ensure_bridge(&larger).await.unwrap().mtu, 9000);
        network.remove_bridge("xapi0", None).await.unwrap();
        network.remove_bridge("xapi0", None).await.unwrap();
        assert_eq!(network.bridge("xapi0").await.unwrap(), None);
    });
}

#[test]
fn a_bridge_with_ports_is_not_removed() {
    if !can_run() {
        return;
    }
    let host = Namespace::new("host");
    host.ip("tuntap add vnet7 mode tap");
    host.run(|network| async move {
        network
            .ensure_bridge(&BridgeSpec::internal("xapi0"))
            .await
            .unwrap();
        network.attach_port("xapi0", "vnet7").await.unwrap();
        network.attach_port("xapi0", "vnet7").await.unwrap();
        assert_eq!(network.bridge("xapi0").await.unwrap().unwrap().ports, ["vnet7"]);
        let answer = network.remove_bridge("xapi0", None).await;
        assert!(
            matches!(&answer, Err(NetworkError::BridgeInUse { ports, .. }) if *ports == ["vnet7"]),
            "{answer:?}"
        );
        assert!(
            network.list_nics().await.unwrap().is_empty(),
            "neither bridge nor tap is a NIC"
        );
        network.detach_port("vnet7").await.unwrap();
        network.detach_port("vnet7").await.unwrap();
        network.detach_port("vnet8").await.unwrap();
        network.remove_bridge("xapi0", None).await.unwrap();
    });
}

#[test]
fn two_namespaces_reach_one_another_through_a_bridge() {
    if !can_run() {
        return;
    }
    let Pair { host, peer } = pair();
    host.ensure(BridgeSpec::over("xenbr0", "eth0"));
    // A guest of the host, as far as the bridge knows.
    let guest = Namespace::new("guest");
    ip(&[
        "-n",
        &host.name,
        "link",
        "add",
        "vif1",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        &guest.name,
    ]);
    guest.ip("addr add 10.9.0.50/24 dev eth0");
    guest.ip("link set eth0 up");
    host.run(|network| async move { network.attach_port("xenbr0", "vif1").await })
        .unwrap();
    let listener = guest.enter(|| std::net::TcpListener::bind("10.9.0.50:0").unwrap());
    let address = listener.local_addr().unwrap();
    for from in [&host, &peer] {
        let reached =
            from.enter(move || std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10)));
        assert!(reached.is_ok(), "{reached:?}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    if !can_run() {
        return;
    }
    let host = Namespace::new("host");
    host.ip("link add eth0 type veth peer name other0");
    host.run(|network| async move {
        let answer = network.ensure_bridge(&BridgeSpec::over("xenbr0", "eth9")).await;
        assert!(matches!(answer, Err(NetworkError::NoSuchInterface { name }) if name == "eth9"));
        assert_eq!(network.bridge("xenbr0").await.unwrap(), None, "nothing was made");
        let answer = network.ensure_bridge(&BridgeSpec::internal("eth0")).await;
        assert!(matches!(answer, Err(NetworkError::NotABridge { name }) if name == "eth0"));
        let answer = network
            .ensure_bridge(&BridgeSpec::internal("a name that is far too long"))
            .await;
        assert!(matches!(answer, Err(NetworkError::BadName { .. })));
        let answer = network
            .ensure_bridge(&BridgeSpec {
                mtu: 1,
                ..BridgeSpec::internal("xapi0")
            })
            .await;
        assert!(matches!(answer, Err(NetworkError::BadMtu { mtu: 1, .. })));
        let answer = network.attach_port("xapi0", "eth0").await;
        assert!(matches!(answer, Err(NetworkError::NoSuchInterface { name }) if name == "xapi0"));
    });
}

#[test]
fn the_kernel_is_asked_what_it_can_do_and_nothing_stays_behind() {
    if !can_run() {
        return;
    }
    let host = Namespace::new("host");
    let before = host.ip("-brief link show");
    let features = host
        .run(|network| async move { network.features().await })
        .unwrap();
    println!("{features:?}");
    assert!(features.bridge && features.veth);
    let vlan = std::process::Command::new("ip")
        .args(["-n", &host.name, "link", "add", "v0", "type", "dummy"])
        .output()
        .is_ok_and(|output| output.status.success())
        && std::process::Command::new("ip")
            .args([
                "-n", &host.name, "link", "add", "link", "v0", "name", "v0.7", "type", "vlan", "id", "7",
            ])
            .output()
            .is_ok_and(|output| output.status.success());
    assert_eq!(
        features.vlan, vlan,
        "what the kernel can do is what it is said to do"
    );
    let _ = std::process::Command::new("ip")
        .args(["-n", &host.name, "link", "del", "v0"])
        .output();
    assert_eq!(host.ip("-brief link show"), before);
}
