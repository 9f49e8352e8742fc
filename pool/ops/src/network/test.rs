//! What hosts are asked, in which order, and what is left where one of them fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{BridgeFacts, BridgeRequest, CommandErrorKind, HostCommand, HostReply};
use pool_domain::decide::bond::NewBond;
use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::{self, network as networks};
use pool_domain::{Database, Outcome, Transaction, apply};
use proto_types::generated::{host, pif, vif, vm};
use proto_types::{ApiError, DateTime, Ref, Value};
use uuid::Uuid;

use super::bond::{DestroyBond, MakeBond};
use super::tunnel::{DestroyTunnel, MakeTunnel};
use super::vif::MoveVif;
use super::vlan::{Answer, DestroyVlan, MakeVlans};
use super::{link, reconcile};
use crate::core::own;
use crate::{AgentFailure, Call, HostAgents, Operation, Ops, PoolError, PoolPort};

/// A pool without a log: transactions apply at once.
#[derive(Default)]
struct Memory(Mutex<Database>);

#[async_trait]
impl PoolPort for Memory {
    fn snapshot(&self) -> Database {
        self.0.lock().unwrap().clone()
    }

    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError> {
        let mut db = self.0.lock().unwrap();
        let index = db.applied() + 1;
        let (outcome, _) = apply::apply(&mut db, index, &transaction);
        Ok((outcome, db.clone()))
    }

    fn is_leader(&self) -> bool {
        true
    }
}

/// Hosts that do everything, but one verb on one of them.
#[derive(Default)]
struct Hosts {
    asked: Mutex<Vec<(Uuid, HostCommand)>>,
    fails: Mutex<Option<(Uuid, &'static str)>>,
}

#[async_trait]
impl HostAgents for Hosts {
    async fn call(
        &self,
        host: Uuid,
        _: Uuid,
        command: HostCommand,
        _: Duration,
    ) -> Result<HostReply, AgentFailure> {
        let fails = *self.fails.lock().unwrap();
        self.asked.lock().unwrap().push((host, command.clone()));
        if fails == Some((host, command.verb())) {
            return Err(AgentFailure {
                host,
                text: "this host's kernel has none of that".to_owned(),
                api: ApiError::internal("no such thing"),
                is_unknown: false,
                is_fenced: false,
                kind: Some(CommandErrorKind::Unsupported),
            });
        }
        Ok(match command {
            HostCommand::EnsureBridge { .. } => HostReply::Bridge(BridgeFacts {
                mac: String::new(),
                mtu: 1500,
                addresses: Vec::new(),
            }),
            _ => HostReply::Done,
        })
    }
}

struct World {
    ops: Ops,
    hosts: Arc<Hosts>,
}

fn facts(number: u128) -> HostFacts {
    let card = |position: u8| NicFacts {
        device: format!("eth{position}"),
        mac: format!("02:00:00:00:{number:02x}:{position:02x}"),
        mtu: 1500,
        carrier: true,
        ip: if position == 0 {
            format!("192.0.2.{number}")
        } else {
            String::new()
        },
        netmask: if position == 0 { "255.255.255.0" } else { "" }.to_owned(),
        ..NicFacts::default()
    };
    HostFacts {
        uuid: Uuid::from_u128(number).to_string(),
        hostname: format!("h{number}"),
        address: format!("192.0.2.{number}"),
        nics: vec![card(0), card(1)],
        ..HostFacts::default()
    }
}

impl World {
    /// Three hosts with two cards each.
    async fn new() -> World {
        let hosts = Arc::new(Hosts::default());
        let ops = Ops {
            pool: Arc::new(Memory::default()),
            agents: Arc::<Hosts>::clone(&hosts),
            encode: |_| String::new(),
            transfers: Arc::default(),
            turns: Arc::default(),
        };
        let member = |node_id| MemberFacts {
            node_id,
            ..MemberFacts::default()
        };
        let new = NewPool {
            name: "test".to_owned(),
            host: facts(1),
            member: member(1),
            user: "root".to_owned(),
            password_hash: String::new(),
            authority: (String::new(), String::new()),
            authority_ends: DateTime::EPOCH,
            drivers: Vec::new(),
        };
        ops.decide(&own("test"), |d| {
            decide::pool::create(d, &new)?;
            for number in [2, 3] {
                decide::host::join(d, &facts(number), &member(2))?;
            }
            Ok(())
        })
        .await
        .unwrap();
        World { ops, hosts }
    }

    fn db(&self) -> Database {
        self.ops.pool.snapshot()
    }

    async fn run(&self, operation: impl Operation) -> Result<Value, ApiError> {
        self.hosts.asked.lock().unwrap().clear();
        crate::run(&self.ops, operation, Call::default()).await
    }

    fn fail(&self, host: u128, verb: &'static str) {
        *self.hosts.fails.lock().unwrap() = Some((Uuid::from_u128(host), verb));
    }

    /// What a host was asked since the last operation began: verb, bridge and port in short.
    fn asked(&self, host: u128) -> Vec<String> {
        let asked = self.hosts.asked.lock().unwrap();
        let mine = asked.iter().filter(|(to, _)| *to == Uuid::from_u128(host));
        mine.map(|(_, command)| short(command)).collect()
    }

    fn host(&self, number: u128) -> Ref {
        self.db()
            .by_uuid(host::CLASS, &Uuid::from_u128(number).to_string())
            .unwrap()
            .reference
    }

    fn card(&self, number: u128, device: &str) -> Ref {
        let (db, on) = (self.db(), self.host(number));
        let mut cards = db.rows(pif::CLASS).filter(|p| p.get(pif::HOST).as_ref() == on);
        cards
            .find(|p| p.get(pif::DEVICE).as_str() == device)
            .unwrap()
            .reference
    }

    async fn network(&self) -> Ref {
        let members = [
            ("name_label", Value::from("net")),
            ("name_description", "".into()),
            ("MTU", Value::Int(1500)),
            ("other_config", Value::empty_map()),
        ];
        let record = Value::Record(members.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let made = self
            .ops
            .decide(&own("test"), |d| networks::create(d, &record))
            .await;
        made.unwrap().0
    }

    /// A guest that runs on a host, with an interface on a network.
    async fn guest(&self, on: Ref, net: Ref) -> Ref {
        let made = self
            .ops
            .decide(&own("test"), |d| {
                let owner = d.insert(
                    vm::CLASS,
                    vec![(vm::POWER_STATE, "Running".into()), (vm::RESIDENT_ON, on.into())],
                );
                Ok(d.insert(
                    vif::CLASS,
                    vec![
                        (vif::VM, owner.into()),
                        (vif::NETWORK, net.into()),
                        (vif::DEVICE, "0".into()),
                        (vif::CURRENTLY_ATTACHED, true.into()),
                    ],
                ))
            })
            .await;
        made.unwrap().0
    }

    /// How many rows of each kind a network leaves.
    fn rows(&self) -> BTreeSet<(String, Ref)> {
        let db = self.db();
        let all = db.all().map(|row| (row.class.name().to_owned(), row.reference));
        all.collect()
    }
}

fn port(bridge: &BridgeRequest) -> String {
    let base = match &bridge.bond {
        Some(bond) => format!(
            "{}({})",
            bridge.uplink.as_deref().unwrap_or(""),
            bond.members.join("+")
        ),
        None => bridge.uplink.clone().unwrap_or_default(),
    };
    match (bridge.vlan, &bridge.tunnel) {
        (Some(tag), _) => format!("{base}.{tag}"),
        (None, Some(tunnel)) => {
            let others: Vec<String> = tunnel.remotes.iter().map(ToString::to_string).collect();
            format!("{}<{}>", tunnel.device, others.join(","))
        }
        (None, None) => base,
    }
}

fn short(command: &HostCommand) -> String {
    match command {
        HostCommand::EnsureBridge { bridge } => format!("ensure {} {}", bridge.name, port(bridge)),
        HostCommand::RemoveBridge { bridge } => format!("remove {} {}", bridge.name, port(bridge)),
        HostCommand::MoveNic { nic, .. } => format!("move to {} {}", nic.bridge.name, port(&nic.bridge)),
        other => other.verb().to_owned(),
    }
}

#[tokio::test]
async fn a_vlan_that_one_host_cannot_make_stays_on_none() {
    let world = World::new().await;
    let net = world.network().await;
    let before = world.rows();
    let bases: Vec<Ref> = (1..=3).map(|n| world.card(n, "eth1")).collect();
    world.fail(2, "ensure_bridge");
    let vlans = MakeVlans::new(bases.clone(), 7, net, Answer::Cards);
    let error = world.run(vlans.clone()).await.unwrap_err();
    assert_eq!(error.code, "PIF_CONFIGURATION_ERROR");
    assert_eq!(error.params[1], "this host's kernel has none of that");
    assert_eq!(world.rows(), before);
    for number in 1..=3 {
        assert_eq!(
            world.asked(number),
            ["ensure xapi0 eth1.7", "remove xapi0 eth1.7"]
        );
    }
    *world.hosts.fails.lock().unwrap() = None;
    let made = world.run(vlans).await.unwrap().as_refs();
    assert_eq!(made.len(), 3);
    let db = world.db();
    for untagged in &made {
        let row = db.of_class(pif::CLASS, *untagged).unwrap();
        assert!(row.get(pif::CURRENTLY_ATTACHED).as_bool());
    }
    for untagged in made {
        let vlan = db
            .of_class(pif::CLASS, untagged)
            .unwrap()
            .get(pif::VLAN_MASTER_OF)
            .as_ref();
        world.run(DestroyVlan::new(vlan)).await.unwrap();
    }
    assert_eq!(world.rows(), before);
}

#[tokio::test]
async fn a_bond_takes_vlans_and_guests_along_and_brings_them_back() {
    let world = World::new().await;
    let (on, seven, bonded) = (world.host(1), world.network().await, world.network().await);
    let (eth0, eth1) = (world.card(1, "eth0"), world.card(1, "eth1"));
    world
        .run(MakeVlans::new(vec![eth0], 7, seven, Answer::Vlan))
        .await
        .unwrap();
    let old = world
        .db()
        .of_class(pif::CLASS, eth0)
        .unwrap()
        .get(pif::NETWORK)
        .as_ref();
    let nic = world.guest(on, old).await;
    let before = world.rows();
    let new = MakeBond::new(NewBond {
        network: bonded,
        members: vec![eth1, eth0],
        mac: String::new(),
        mode: "active-backup".to_owned(),
        properties: Value::empty_map(),
    });
    world.fail(1, "move_nic");
    let error = world.run(new.clone()).await.unwrap_err();
    assert_eq!(error.description(), ["CANNOT_PLUG_VIF", &nic.to_string()]);
    assert_eq!(world.rows(), before);
    *world.hosts.fails.lock().unwrap() = None;

    let bond = world.run(new).await.unwrap().as_ref();
    let asked = world.asked(1);
    assert_eq!(
        &asked[..3],
        [
            "ensure xapi1 bond0(eth0+eth1)",
            "ensure xapi0 bond0(eth0+eth1).7",
            "move to xapi1 bond0(eth0+eth1)",
        ]
    );
    let then: BTreeSet<&str> = asked[3..].iter().map(String::as_str).collect();
    assert_eq!(then, ["remove xenbr0 ", "remove xenbr1 "].into());
    let net = |world: &World| {
        world
            .db()
            .of_class(vif::CLASS, nic)
            .unwrap()
            .get(vif::NETWORK)
            .as_ref()
    };
    assert_eq!(net(&world), bonded);
    world.run(DestroyBond::new(bond)).await.unwrap();
    let asked = world.asked(1);
    assert_eq!(
        &asked[..2],
        ["move to xenbr0 ", "remove xapi1 bond0(eth0+eth1)"],
        "the guest leaves the bridge before the bond goes"
    );
    let then: BTreeSet<&str> = asked[2..].iter().map(String::as_str).collect();
    assert_eq!(
        then,
        ["ensure xenbr0 eth0", "ensure xenbr1 eth1", "ensure xapi0 eth0.7"].into()
    );
    assert_eq!(net(&world), old);
    assert_eq!(world.rows(), before);
}

#[tokio::test]
async fn hosts_of_a_tunnel_learn_of_one_another() {
    let world = World::new().await;
    let net = world.network().await;
    let before = world.rows();
    let mut made = Vec::new();
    for number in 1..=3 {
        let base = world.card(number, "eth0");
        made.push(
            world
                .run(MakeTunnel::new(base, net, "vxlan"))
                .await
                .unwrap()
                .as_ref(),
        );
    }
    assert_eq!(world.asked(1), ["ensure xapi0 tunnel0<192.0.2.2,192.0.2.3>"]);
    assert_eq!(world.asked(3), ["ensure xapi0 tunnel0<192.0.2.1,192.0.2.2>"]);
    world.run(DestroyTunnel::new(made[2])).await.unwrap();
    assert_eq!(world.asked(1), ["ensure xapi0 tunnel0<192.0.2.2>"]);
    assert_eq!(world.asked(3), ["remove xapi0 tunnel0<192.0.2.1,192.0.2.2>"]);
    // A kernel that lacks them.
    world.fail(3, "ensure_bridge");
    let refused = world
        .run(MakeTunnel::new(world.card(3, "eth0"), net, "gre"))
        .await;
    assert_eq!(refused.unwrap_err().code, "NETWORK_INCOMPATIBLE_WITH_TUNNEL");
    let refused = world
        .run(MakeTunnel::new(world.card(3, "eth0"), net, "vxlan"))
        .await;
    assert_eq!(refused.unwrap_err().description(), ["OPENVSWITCH_NOT_ACTIVE"]);
    for tunnel in &made[..2] {
        world.run(DestroyTunnel::new(*tunnel)).await.unwrap();
    }
    assert_eq!(world.rows(), before);
}

#[tokio::test]
async fn a_host_that_comes_back_gets_its_networks_in_the_order_in_which_they_stand() {
    let world = World::new().await;
    let (on, seven, mesh) = (world.host(1), world.network().await, world.network().await);
    world
        .run(MakeTunnel::new(world.card(1, "eth0"), mesh, "vxlan"))
        .await
        .unwrap();
    let vlan = MakeVlans::new(vec![world.card(1, "eth1")], 7, seven, Answer::Card);
    let untagged = world.run(vlan).await.unwrap().as_ref();
    world.hosts.asked.lock().unwrap().clear();
    reconcile::restore(&world.ops, on).await.unwrap();
    assert_eq!(world.asked(1), ["ensure xapi0 eth1.7", "ensure xapi1 tunnel0<>"]);
    world.run(link::PlugCard::unplug(untagged)).await.unwrap();
    world.hosts.asked.lock().unwrap().clear();
    reconcile::restore(&world.ops, on).await.unwrap();
    assert_eq!(
        world.asked(1),
        ["ensure xapi1 tunnel0<>"],
        "what is down stays down"
    );
    // What the host refuses now is down, and the record says so.
    world.fail(1, "ensure_bridge");
    reconcile::restore(&world.ops, on).await.unwrap();
    let db = world.db();
    let attached = |p: &pool_domain::Row| p.get(pif::CURRENTLY_ATTACHED).as_bool();
    let tunnels = db
        .rows(pif::CLASS)
        .filter(|p| p.get(pif::DEVICE).as_str() == "tunnel0");
    assert_eq!(tunnels.filter(|p| attached(p)).count(), 0);
}

#[tokio::test]
async fn a_guests_interface_that_cannot_move_stays_where_it_was() {
    let world = World::new().await;
    let on = world.host(1);
    let of = |device: &str| {
        let card = world.card(1, device);
        world
            .db()
            .of_class(pif::CLASS, card)
            .unwrap()
            .get(pif::NETWORK)
            .as_ref()
    };
    let (here, there) = (of("eth0"), of("eth1"));
    let nic = world.guest(on, here).await;
    world.fail(1, "move_nic");
    world.run(MoveVif::new(nic, there)).await.unwrap_err();
    assert_eq!(world.asked(1), ["move to xenbr1 eth1", "move to xenbr0 eth0"]);
    let row = world.db().of_class(vif::CLASS, nic).unwrap().clone();
    assert_eq!(row.get(vif::NETWORK).as_ref(), here);
    assert!(row.get(vif::CURRENT_OPERATIONS).as_map().unwrap().is_empty());
    *world.hosts.fails.lock().unwrap() = None;
    world.run(MoveVif::new(nic, there)).await.unwrap();
    assert_eq!(world.asked(1), ["move to xenbr1 eth1"]);
}
