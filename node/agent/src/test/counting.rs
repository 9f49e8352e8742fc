//! Figures of domains: sampled, asked for, and carried along to where a VM goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use async_trait::async_trait;
use bytes::Bytes;
use node_commands::{HostCommand, HostEvent, HostReply, Measured};
use node_metrics::{Owner, Query};
use uuid::Uuid;

use super::world::*;
use crate::{ArchiveSource, Elsewhere, Form};

fn names(host: &Host, vm: Uuid) -> Vec<String> {
    let query = Query {
        start: -600,
        ..Query::default()
    };
    host.agent.metrics().updates(query, false, Some(&[vm])).legend
}

async fn counted(host: &Host, vm: Uuid) {
    wait_for("a sample of the domain", async || {
        host.agent.metrics().is_here(Owner::Vm(vm))
    })
    .await;
}

#[tokio::test]
async fn a_running_domain_is_counted_and_a_stopped_one_is_kept_on_disk() {
    let world = World::new();
    let host = world.host("a").await;
    let request = world.vm(&host).await;
    host.start(&request).await.unwrap();
    counted(&host, request.vm).await;
    let entry = |name: &str| format!("AVERAGE:vm:{}:{name}", request.vm);
    let names = names(&host, request.vm);
    for name in ["cpu0", "memory", "vbd_xvda_read", "vif_0_tx"] {
        assert!(names.contains(&entry(name)), "{name} in {names:?}");
    }
    host.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    wait_for("the domain to go", async || {
        !host.agent.metrics().is_here(Owner::Vm(request.vm))
    })
    .await;
    let mut kept = None;
    wait_for("the file", async || {
        kept = host
            .agent
            .metrics()
            .archives(Owner::Vm(request.vm), Form::Xml)
            .await;
        kept.is_some()
    })
    .await;
    assert!(kept.unwrap().contains("<name>vbd_xvda_read</name>"));
}

#[tokio::test]
async fn sources_are_listed_and_an_unknown_one_is_refused() {
    let world = World::new();
    let host = world.host("a").await;
    wait_for("a sample of the host", async || {
        host.agent.metrics().is_here(Owner::Host)
    })
    .await;
    let of = Measured::Host;
    let Ok(HostReply::DataSources(sources)) = host.ask(HostCommand::DataSources { of }).await else {
        panic!("no sources")
    };
    let errors = sources.iter().find(|s| s.name == "pif_eth0_rx_errors").unwrap();
    assert!(!errors.enabled && !errors.standard, "only on demand");
    let name = "pif_eth0_rx_errors".to_owned();
    host.ask(HostCommand::RecordDataSource {
        of,
        name: name.clone(),
    })
    .await
    .unwrap();
    let reply = host
        .ask(HostCommand::QueryDataSource {
            of,
            name: name.clone(),
        })
        .await;
    assert!(matches!(reply, Ok(HostReply::Number(_))));
    host.ask(HostCommand::ForgetDataSource {
        of,
        name: name.clone(),
    })
    .await
    .unwrap();
    for command in [
        HostCommand::QueryDataSource {
            of,
            name: name.clone(),
        },
        HostCommand::ForgetDataSource { of, name },
        HostCommand::RecordDataSource {
            of,
            name: "nonsense".into(),
        },
        HostCommand::QueryDataSource {
            of: Measured::Sr(world.sr.uuid),
            name: "x".into(),
        },
    ] {
        let error = host.ask(command).await.unwrap_err();
        assert_eq!(error.kind, node_commands::CommandErrorKind::NoSuchDataSource);
    }
}

/// What one other host has, once it answers.
struct Other {
    agent: crate::Agent,
    /// Calls that are lost before.
    lost: AtomicU32,
}

#[async_trait]
impl ArchiveSource for Other {
    async fn archives_of(&self, vm: Uuid) -> Elsewhere {
        let junk = Bytes::from_static(b"no archives");
        let less = |left: u32| left.checked_sub(1);
        if self.lost.fetch_update(SeqCst, SeqCst, less).is_ok() {
            return Elsewhere {
                archives: vec![junk],
                incomplete: true,
            };
        }
        let archives = self.agent.metrics().stored(vm).await;
        Elsewhere {
            archives: [junk].into_iter().chain(archives.map(Bytes::from)).collect(),
            incomplete: false,
        }
    }
}

#[tokio::test]
async fn archives_follow_a_vm_to_another_host() {
    archives_follow(0).await;
}

#[tokio::test]
async fn archives_are_asked_for_again_where_a_host_does_not_answer() {
    archives_follow(2).await;
}

async fn archives_follow(lost: u32) {
    let world = World::new();
    let (from, to) = (world.host("a").await, world.host("b").await);
    to.agent.metrics().ask_elsewhere(Arc::new(Other {
        agent: from.agent.clone(),
        lost: AtomicU32::new(lost),
    }));
    let request = world.vm(&from).await;
    from.start(&request).await.unwrap();
    counted(&from, request.vm).await;
    let vm = Measured::Vm(request.vm);
    // Only what was recorded here can be known there.
    let name = "vif_0_rx_errors".to_owned();
    from.ask(HostCommand::RecordDataSource {
        of: vm,
        name: name.clone(),
    })
    .await
    .unwrap();
    from.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    to.start(&request).await.unwrap();
    counted(&to, request.vm).await;
    wait_for("what was recorded there", async || {
        names(&to, request.vm).iter().any(|entry| entry.ends_with(&name))
    })
    .await;
}

#[tokio::test]
async fn the_leader_hears_what_domains_have() {
    let world = World::new();
    let host = world.host("a").await;
    let request = world.vm(&host).await;
    let mut events = host.agent.watch(1).await.unwrap();
    host.start(&request).await.unwrap();
    loop {
        let event = tokio::time::timeout(LIMIT, events.next()).await.unwrap().unwrap();
        if let HostEvent::Figures {
            domains,
            memory_free,
            memory_total,
        } = event
            && let Some(figures) = domains.iter().find(|d| d.vm == request.vm)
        {
            assert_eq!(figures.memory, request.memory_static_max);
            assert!(memory_free < memory_total);
            return;
        }
    }
}
