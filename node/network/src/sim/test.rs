//! The simulated network against the rules of the real one.

use super::*;

#[tokio::test]
async fn a_simulated_host_follows_the_rules_of_a_real_one() {
    let address = Address {
        ip: [10, 0, 0, 1].into(),
        prefix: 24,
    };
    let network = SimNetwork::one_nic(1, Some(address));
    let spec = BridgeSpec::over("xenbr0", "eth0");
    let made = network.ensure_bridge(&spec).await.unwrap();
    assert_eq!(
        (made.addresses.as_slice(), made.mac.as_str()),
        ([address].as_slice(), "02:00:00:00:00:01")
    );
    assert_eq!(network.ensure_bridge(&spec).await.unwrap(), made);
    assert!(network.list_nics().await.unwrap()[0].addresses.is_empty());
    network.add_tap("vnet0");
    network.attach_port("xenbr0", "vnet0").await.unwrap();
    let answer = network.remove_bridge("xenbr0", Some("eth0")).await;
    assert!(matches!(answer, Err(NetworkError::BridgeInUse { .. })));
    let answer = network.ensure_bridge(&BridgeSpec::over("xenbr1", "eth0")).await;
    assert!(matches!(answer, Err(NetworkError::AlreadyEnslaved { .. })));
    network.remove_tap("vnet0");
    network.remove_bridge("xenbr0", Some("eth0")).await.unwrap();
    assert_eq!(network.list_nics().await.unwrap()[0].addresses, [address]);
    network.fail_next(NetworkError::NotPermitted {
        operation: "anything",
    });
    assert!(network.bridge("xenbr0").await.is_err());
    assert_eq!(network.bridge("xenbr0").await.unwrap(), None);
}

#[test]
fn a_netmask_has_as_many_bits_as_the_prefix() {
    let mask = |prefix| {
        Address {
            ip: [10, 0, 0, 1].into(),
            prefix,
        }
        .netmask()
        .unwrap()
        .to_string()
    };
    assert_eq!(
        [mask(0), mask(8), mask(24), mask(32)],
        ["0.0.0.0", "255.0.0.0", "255.255.255.0", "255.255.255.255"]
    );
}

fn two_nics() -> SimNetwork {
    SimNetwork::two_nics(1, Some(MINE))
}

const MINE: Address = Address {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    prefix: 24,
};

fn bond() -> BondSpec {
    BondSpec {
        name: "bond0".to_owned(),
        members: vec!["eth0".to_owned(), "eth1".to_owned()],
        mac: None,
        mode: crate::device::BondMode::ActiveBackup,
        mtu: 1500,
    }
}

#[tokio::test]
async fn an_address_follows_its_nic_through_bond_and_bridge_and_back() {
    let network = two_nics();
    network
        .ensure_bridge(&BridgeSpec::over("xenbr0", "eth0"))
        .await
        .unwrap();
    network.ensure_bond(&bond()).await.unwrap();
    network.ensure_bond(&bond()).await.unwrap();
    let made = network
        .ensure_bridge(&BridgeSpec::over("xapi0", "bond0"))
        .await
        .unwrap();
    assert_eq!(
        (made.addresses.as_slice(), made.mac.as_str()),
        ([MINE].as_slice(), "02:00:00:00:00:01")
    );
    assert!(network.bridge("xenbr0").await.unwrap().unwrap().ports.is_empty());
    network.remove_bridge("xapi0", Some("bond0")).await.unwrap();
    network.remove_bond("bond0", "eth0").await.unwrap();
    network.remove_bond("bond0", "eth0").await.unwrap();
    let nics = network.list_nics().await.unwrap();
    assert_eq!(
        (nics[0].addresses.as_slice(), &nics[0].master),
        ([MINE].as_slice(), &None)
    );
}

#[tokio::test]
async fn a_bridge_that_changes_its_vlans_base_keeps_one_uplink() {
    let network = two_nics();
    let vlan = |base: &str| VlanSpec {
        base: base.to_owned(),
        tag: 7,
        mtu: 1500,
    };
    for base in ["eth0", "eth1"] {
        network.ensure_vlan(&vlan(base)).await.unwrap();
        network
            .ensure_bridge(&BridgeSpec::over("xapi7", vlan(base).device()))
            .await
            .unwrap();
    }
    assert_eq!(network.bridge("xapi7").await.unwrap().unwrap().ports, ["eth1.7"]);
    assert_eq!(network.device("eth0.7"), None);
}

#[tokio::test]
async fn a_kernel_without_them_refuses_and_nothing_changes() {
    let network = two_nics();
    network
        .ensure_bridge(&BridgeSpec::over("xenbr0", "eth0"))
        .await
        .unwrap();
    network.limit(KernelFeatures::default());
    assert!(matches!(
        network.ensure_bond(&bond()).await,
        Err(NetworkError::Unsupported { .. })
    ));
    let state = network.bridge("xenbr0").await.unwrap().unwrap();
    assert_eq!(
        (state.ports.len(), state.addresses.as_slice()),
        (1, [MINE].as_slice())
    );
}
