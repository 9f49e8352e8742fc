//! Networks with all they stand on, their return after a restart, and what guests' ports let through.

use std::collections::BTreeMap;
use std::sync::Arc;

use node_commands::*;
use node_network::{KernelFeatures, NetworkDriver, PortLock};

use super::world::*;
use crate::networks::tap_name;

fn bonded_vlan() -> BridgeRequest {
    BridgeRequest {
        vlan: Some(7),
        bond: Some(BondRequest {
            members: vec!["eth0".into(), "eth1".into()],
            mac: None,
            mode: "lacp".into(),
            properties: [("lacp-time".to_owned(), "fast".to_owned())].into(),
        }),
        ip: vec![IpRequest::V4 {
            addresses: vec!["192.0.2.7/24".into()],
            gateway: None,
        }],
        link_options: BTreeMap::from([("tso".to_owned(), "off".to_owned())]),
        keep: true,
        ..BridgeRequest::over("xapi7", "bond0")
    }
}

fn tunnelled() -> BridgeRequest {
    BridgeRequest {
        mtu: Some(1400),
        tunnel: Some(TunnelRequest {
            device: "tunnel0".into(),
            protocol: "vxlan".into(),
            key: 3,
            local: [192, 0, 2, 1].into(),
            remotes: [[192, 0, 2, 2].into()].into(),
        }),
        keep: true,
        ..BridgeRequest::internal("xapi9")
    }
}

fn ensure(bridge: BridgeRequest) -> HostCommand {
    HostCommand::EnsureBridge {
        bridge: Box::new(bridge),
    }
}

async fn ports(host: &Host, bridge: &str) -> Vec<String> {
    let state = host.network.bridge(bridge).await.unwrap();
    state.map(|state| state.ports).unwrap_or_default()
}

#[tokio::test]
async fn a_network_comes_with_all_it_stands_on_and_goes_with_it() {
    let world = World::new();
    let a = world.bare_host("a").await;
    for bridge in [bonded_vlan(), tunnelled(), bonded_vlan()] {
        let HostReply::Bridge(facts) = a.ask(ensure(bridge.clone())).await.unwrap() else {
            panic!("another answer")
        };
        assert_eq!(facts.addresses.is_empty(), bridge.ip.is_empty());
    }
    assert_eq!(ports(&a, "xapi7").await, ["bond0.7"]);
    assert_eq!(ports(&a, "xapi9").await, ["tunnel0"]);
    assert_eq!(
        a.network.options("eth1").get("tso").map(String::as_str),
        Some("off")
    );
    for bridge in [tunnelled(), bonded_vlan(), bonded_vlan()] {
        let bridge = Box::new(bridge);
        a.ask(HostCommand::RemoveBridge { bridge }).await.unwrap();
    }
    assert!(a.network.device("bond0.7").is_none() && a.network.device("tunnel0").is_none());
    assert!(a.network.device("bond0").is_some(), "its own network keeps it");
    let whole = BridgeRequest {
        vlan: None,
        ..bonded_vlan()
    };
    let bridge = Box::new(whole);
    a.ask(HostCommand::RemoveBridge { bridge }).await.unwrap();
    assert!(a.network.device("bond0").is_none());
}

#[tokio::test]
async fn kept_networks_are_back_after_a_restart_of_the_machine() {
    let world = World::new();
    let a = world.bare_host("a").await;
    for bridge in [tunnelled(), bonded_vlan()] {
        a.ask(ensure(bridge)).await.unwrap();
    }
    // A VM's start says nothing of addresses; they are kept all the same.
    let again = BridgeRequest {
        ip: Vec::new(),
        ..bonded_vlan()
    };
    a.ask(ensure(again)).await.unwrap();
    a.ask(HostCommand::RemoveBridge {
        bridge: Box::new(tunnelled()),
    })
    .await
    .unwrap();
    a.ask(ensure(tunnelled())).await.unwrap();
    a.ask(ensure(BridgeRequest {
        keep: false,
        ..BridgeRequest::internal("xapi1")
    }))
    .await
    .unwrap();
    let (uuid, sim) = (a.uuid, a.sim.clone());
    drop(a);
    // The kernel of the new machine knows nothing.
    let b = world.agent(uuid, "a", sim, Arc::new(world.dialer.clone())).await;
    wait_for("the tunnel", async || !ports(&b, "xapi9").await.is_empty()).await;
    assert_eq!(ports(&b, "xapi7").await, ["bond0.7"]);
    let state = b.network.bridge("xapi7").await.unwrap().unwrap();
    assert_eq!(state.addresses.len(), 1, "{state:?}");
    assert_eq!(
        b.network.bridge("xapi1").await.unwrap(),
        None,
        "made by whoever needs it"
    );
}

#[tokio::test]
async fn what_a_kernel_lacks_is_named_and_nothing_is_kept() {
    let world = World::new();
    let a = world.bare_host("a").await;
    a.network.limit(KernelFeatures {
        bridge: true,
        ..KernelFeatures::default()
    });
    for bridge in [bonded_vlan(), tunnelled()] {
        let error = a.ask(ensure(bridge)).await.unwrap_err();
        assert_eq!(error.kind, CommandErrorKind::Unsupported, "{error}");
    }
    let missing = BridgeRequest {
        must_exist: true,
        ..BridgeRequest::internal("theirs")
    };
    let error = a.ask(ensure(missing)).await.unwrap_err();
    assert_eq!(error.to_api().description(), ["BRIDGE_NOT_AVAILABLE", "theirs"]);
    let kept = tokio::fs::read_to_string(a.settings.state_dir.join("networks.json")).await;
    assert!(kept.is_err(), "{kept:?}");
}

#[tokio::test]
async fn a_port_is_held_to_its_policy_until_its_domain_ends() {
    let world = World::new();
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    let vm = request.vm;
    let (first, second) = (tap_name(vm, 0), tap_name(vm, 1));
    request.nics[0].policy = NicPolicy {
        lock: NicLock::Only(["192.0.2.1".parse().unwrap()].into()),
        rate: Some(4096),
    };
    a.start(&request).await.unwrap();
    let policy = a.network.policy(&first).unwrap();
    assert_eq!(policy.rate, Some(4096));
    assert!(matches!(policy.lock, PortLock::Only { mac, .. } if mac == "02:00:00:00:00:07"));
    let mut nic = NicRequest {
        device: 1,
        mac: "02:00:00:00:00:08".into(),
        policy: NicPolicy {
            lock: NicLock::Shut,
            rate: None,
        },
        ..request.nics[0].clone()
    };
    a.ask(HostCommand::AttachNic { vm, nic: nic.clone() })
        .await
        .unwrap();
    assert_eq!(a.network.policy(&second).unwrap().lock, PortLock::Shut);
    nic.bridge = BridgeRequest::internal("xapi5");
    a.ask(HostCommand::MoveNic { vm, nic: nic.clone() })
        .await
        .unwrap();
    assert!(a.network.bridge("xapi5").await.unwrap().is_some());
    nic.policy = NicPolicy::default();
    a.ask(HostCommand::SetNicPolicy { vm, nic: nic.clone() })
        .await
        .unwrap();
    assert_eq!(a.network.policy(&second), None);
    nic.policy.rate = Some(1);
    a.ask(HostCommand::SetNicPolicy { vm, nic }).await.unwrap();
    a.ask(HostCommand::DestroyDomain { vm }).await.unwrap();
    wait_for("the policies' end", async || {
        a.network.policy(&first).is_none() && a.network.policy(&second).is_none()
    })
    .await;
    let error = a
        .ask(HostCommand::MoveNic {
            vm,
            nic: request.nics[0].clone(),
        })
        .await
        .unwrap_err();
    assert!(error.is(node_hypervisor::ErrorKind::NoSuchDomain), "{error}");
}
