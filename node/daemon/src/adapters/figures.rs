//! What is counted on this host, behind the gateway's port.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_server::Health;
use gateway_server::api::ports::{FiguresForm, FiguresQuery, HostFigures};
use gateway_server::latencies::Latencies;
use node_agent::{Agent, Form};
use node_metrics::exposition::{self, NodeState};
use node_metrics::{Function, Owner, Query};
use pool_raft::Pool;
use uuid::Uuid;

use crate::{pool_figures, report};

/// This host's agent, and the pool whose term goes into the exposition.
pub struct FiguresAdapter {
    /// Counts.
    pub agent: Agent,
    /// The pool.
    pub pool: Pool,
    /// How long writes took.
    pub commits: Arc<Latencies>,
    /// Where this node keeps its state.
    pub state_dir: PathBuf,
}

fn form_of(form: FiguresForm) -> Form {
    match form {
        FiguresForm::Xml => Form::Xml,
        FiguresForm::Json => Form::Json,
    }
}

#[async_trait]
impl HostFigures for FiguresAdapter {
    async fn updates(&self, query: FiguresQuery, form: FiguresForm) -> String {
        let agent = self.agent.clone();
        let write = move || {
            let asked = Query {
                start: query.start,
                interval: query.interval,
                function: Function::named(&query.function),
            };
            let rows = agent
                .metrics()
                .updates(asked, query.with_host, query.vms.as_deref());
            match form {
                FiguresForm::Xml => rows.xml(),
                FiguresForm::Json => rows.json(),
            }
        };
        // Thousands of columns take a while to print. It fails only when the runtime ends.
        tokio::task::spawn_blocking(write).await.unwrap_or_default()
    }

    async fn host_archives(&self, form: FiguresForm) -> Option<String> {
        self.agent.metrics().archives(Owner::Host, form_of(form)).await
    }

    fn has_vm(&self, vm: Uuid) -> bool {
        self.agent.metrics().is_here(Owner::Vm(vm))
    }

    async fn vm_archives(&self, vm: Uuid, form: FiguresForm) -> Option<String> {
        let metrics = self.agent.metrics();
        if metrics.is_here(Owner::Vm(vm)) {
            return metrics.archives(Owner::Vm(vm), form_of(form)).await;
        }
        metrics.archives_from_anywhere(vm, form_of(form)).await
    }

    fn exposition(&self) -> (&'static str, String) {
        let leadership = self.pool.leadership();
        let now = leadership.borrow().clone();
        let node = NodeState {
            version: node_commands::release().to_owned(),
            leads: now.is_me,
            term: now.term,
        };
        let mut page = self.agent.metrics().exposition(&node);
        let status = self.pool.status();
        let report = report::of(&report::Known {
            db: &self.pool.snapshot(),
            status: &status,
            room: report::room(&self.state_dir),
            state_dir: &self.state_dir,
            now: pool_ops::core::now(),
        });
        page.push_str(&pool_figures::page(&report, &status));
        let help = "Time from a decision to its place in the log of a majority, applied.";
        page.push_str(&self.commits.page("tarn_commit", "kind", help));
        (exposition::CONTENT_TYPE, page)
    }

    fn health(&self) -> Health {
        let status = self.pool.status();
        let is_healthy = report::is_healthy(&status);
        let words = match (&status.failure, &status.leader) {
            (Some(_), _) => "the database failed",
            (None, _) if !status.in_touch => "no master is known",
            (None, None) => "no master is known",
            (None, Some(_)) if !is_healthy => "behind the master",
            (None, Some(leader)) if leader.node_id == status.node_id => "well, master",
            (None, Some(_)) => "well, member",
        };
        Health {
            is_healthy,
            words: words.to_owned(),
        }
    }
}
