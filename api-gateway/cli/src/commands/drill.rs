//! `pool-drill`: plays a failure on a host and reports what it cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use crate::client::{Client, Object, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Row;

/// The commands.
pub const TABLE: Table = &[("pool-drill", drill)];

/// Between two rounds of writing and looking.
const PACE: Duration = Duration::from_millis(50);
/// No single call is waited for longer: the host that is asked may be the one that plays dead.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at what hosts run.
const LOOK: Duration = Duration::from_secs(1);
/// After the failure is over the pool must be whole within this time.
const RECOVERY: Duration = Duration::from_secs(120);
/// Hosts are watched for so long after everything is as before, for guests that run twice.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// What is watched from the outside.
struct Drill<'a> {
    client: &'a Client,
    hosts: Vec<Object>,
    victim: Object,
    /// The next host to turn to when the present one does not answer.
    turn: usize,
    began: Instant,
    /// Writes that were acknowledged, and when the last one was.
    written: Vec<String>,
    last_write: Instant,
    longest_gap: Duration,
    new_master: Option<Duration>,
    /// VMs to be started again, and when they were.
    awaited: Vec<String>,
    restarted: BTreeMap<String, Duration>,
    looks: u32,
    twice: BTreeSet<String>,
    /// VMs seen twice in the last look: only a second look tells it from a look that took its time.
    suspects: BTreeSet<String>,
}

fn drill(cx: &mut Context<'_>) -> Result<(), Failure> {
    let what = cx.params.get("what").unwrap_or("kill").to_owned();
    if !["kill", "cut", "pause"].contains(&what.as_str()) {
        return Err(Failure::cli("what= must be kill, cut or pause"));
    }
    let seconds: u64 = match cx.params.get("seconds") {
        None => 10,
        Some(text) => text
            .parse()
            .map_err(|_| Failure::cli("seconds= must be a number"))?,
    };
    let pool = cx.client.object("pool", &cx.client.pool()?)?;
    let master = pool.text("master").to_owned();
    let victim = match cx.named_if_given("host", "host-uuid")? {
        Some(host) => host,
        None => master.clone(),
    };
    let ha = pool.truth("ha_enabled");
    let guests = guests_of(cx.client, &victim)?;
    let protected: Vec<String> = guests
        .iter()
        .filter(|vm| ha && vm.text("ha_restart_priority") == "restart" && vm.truth("ha_always_run"))
        .map(|vm| vm.reference.clone())
        .collect();
    if protected.len() < guests.len() && !cx.params.truth("force")? {
        return Err(Failure::cli(format!(
            "{} VMs on this host would not be started again by the pool if they ended. Use --force to go on.",
            guests.len().saturating_sub(protected.len())
        )));
    }
    let hosts = cx.client.objects("host", "true")?;
    let victim = cx.client.object("host", &victim)?;
    // The guests are ended and started again only if the failure outlasts the lease.
    let lease = pool
        .map("ha_configuration")
        .into_iter()
        .find(|(key, _)| key == "timeout")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(15);
    let awaited = if ha && (seconds > lease || what == "kill") {
        protected
    } else {
        Vec::new()
    };
    let outlasts = seconds > lease;
    let now = Instant::now();
    let mut drill = Drill {
        client: cx.client,
        hosts,
        victim,
        turn: 0,
        began: now,
        written: Vec::new(),
        last_write: now,
        longest_gap: Duration::ZERO,
        new_master: None,
        // A node that is killed for a moment may find its guests where they were.
        awaited: if outlasts { awaited } else { Vec::new() },
        restarted: BTreeMap::new(),
        looks: 0,
        twice: BTreeSet::new(),
        suspects: BTreeSet::new(),
    };
    drill.write();
    drill.begin(&what, seconds)?;
    drill.follow(&master, Duration::from_secs(seconds))?;
    let lost = drill.lost()?;
    let row = drill.report(&what, seconds, lost);
    let failed = lost > 0 || !drill.twice.is_empty() || drill.restarted.len() < drill.awaited.len();
    cx.out.table(&[row]);
    if failed { Err(Failure::Exit(1)) } else { Ok(()) }
}

/// The guests that run on a host.
fn guests_of(client: &Client, host: &str) -> Result<Vec<Object>, Failure> {
    let residents = texts(&client.field("host", host, "resident_VMs")?);
    let mut guests = Vec::new();
    for vm in residents {
        let vm = client.object("VM", &vm)?;
        if !vm.truth("is_control_domain") {
            guests.push(vm);
        }
    }
    Ok(guests)
}

impl Drill<'_> {
    fn begin(&mut self, what: &str, seconds: u64) -> Result<(), Failure> {
        let args = [
            Value::str(&self.victim.reference),
            Value::str("tarn-drill"),
            Value::str(what),
            Value::string_map([("seconds", seconds.to_string())]),
        ];
        self.client.call("host.call_plugin", &args)?;
        self.began = Instant::now();
        self.last_write = self.began;
        self.longest_gap = Duration::ZERO;
        Ok(())
    }

    /// A call that must not hang; `None` if it brought nothing.
    fn ask(&mut self, method: &str, args: &[Value]) -> Option<WireValue> {
        let call = self.client.call_meanwhile(method, args);
        let answer = self
            .client
            .wait(async { tokio::time::timeout(PATIENCE, call).await });
        match answer {
            Ok(Ok(value)) => Some(value),
            Ok(Err(Failure::Api(_))) => None,
            Ok(Err(_)) | Err(_) => {
                if let Some(host) = self
                    .hosts
                    .get(self.turn.checked_rem(self.hosts.len()).unwrap_or(0))
                {
                    self.client.turn_to(host.text("address"));
                }
                self.turn = self.turn.saturating_add(1);
                None
            }
        }
    }

    /// Writes once.
    fn write(&mut self) {
        let record = Value::string_map([("value", "drill")]);
        let Some(made) = self.ask("secret.create", &[record]) else {
            return;
        };
        self.written.push(text_of(&made));
        self.longest_gap = self.longest_gap.max(self.last_write.elapsed());
        self.last_write = Instant::now();
    }

    /// Writes and looks until the pool is whole again.
    fn follow(&mut self, old_master: &str, time: Duration) -> Result<(), Failure> {
        let was_master = self.victim.reference == old_master;
        let mut looked = Instant::now();
        let mut whole_since: Option<Instant> = None;
        loop {
            self.write();
            if was_master && self.new_master.is_none() && self.master_is_not(old_master) {
                self.new_master = Some(self.last_write.saturating_duration_since(self.began));
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look();
                self.look_for_restarts();
                let whole = self.began.elapsed() > time && self.is_whole();
                whole_since = whole.then(|| whole_since.unwrap_or_else(Instant::now));
            }
            let settled = whole_since.is_some_and(|since| since.elapsed() >= AFTERWARDS);
            if settled && self.restarted.len() >= self.awaited.len() {
                return Ok(());
            }
            if self.began.elapsed() > time.saturating_add(RECOVERY) {
                return if self.written.is_empty() {
                    Err(Failure::contact("The pool did not recover."))
                } else {
                    Ok(())
                };
            }
            std::thread::sleep(PACE);
        }
    }

    fn master_is_not(&mut self, old: &str) -> bool {
        let Some(pools) = self.ask("pool.get_all", &[]) else {
            return false;
        };
        let Some(pool) = texts(&pools).into_iter().next() else {
            return false;
        };
        let master = self.ask("pool.get_master", &[Value::str(pool)]);
        master.is_some_and(|m| text_of(&m) != old)
    }

    fn is_whole(&mut self) -> bool {
        let metrics: Vec<String> = self.hosts.iter().map(|h| h.text("metrics").to_owned()).collect();
        metrics
            .iter()
            .all(|m| self.ask("host_metrics.get_live", &[Value::str(m)]) == Some(WireValue::Bool(true)))
    }

    /// Asks each host what it runs.
    fn look(&mut self) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut again: BTreeSet<String> = BTreeSet::new();
        let references: Vec<String> = self.hosts.iter().map(|h| h.reference.clone()).collect();
        for host in references {
            let args = [
                Value::str(host),
                Value::str("tarn-drill"),
                Value::str("guests"),
                Value::empty_map(),
            ];
            let Some(answer) = self.ask("host.call_plugin", &args) else {
                continue;
            };
            self.looks = self.looks.saturating_add(1);
            for vm in text_of(&answer).split_whitespace() {
                if !seen.insert(vm.to_owned()) {
                    again.insert(vm.to_owned());
                }
            }
        }
        self.twice.extend(again.intersection(&self.suspects).cloned());
        self.suspects = again;
    }

    fn look_for_restarts(&mut self) {
        for vm in self.awaited.clone() {
            if self.restarted.contains_key(&vm) {
                continue;
            }
            let Some(record) = self.ask("VM.get_record", &[Value::str(&vm)]) else {
                continue;
            };
            let text = |field| {
                record
                    .member(field)
                    .and_then(WireValue::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            if text("power_state") == "Running" && text("resident_on") != self.victim.reference {
                self.restarted.insert(vm, self.began.elapsed());
            }
        }
    }

    /// How many acknowledged writes are not there any more; takes all of them away.
    fn lost(&mut self) -> Result<usize, Failure> {
        let there: BTreeSet<String> = texts(&self.client.call("secret.get_all", &[])?)
            .into_iter()
            .collect();
        let lost = self.written.iter().filter(|w| !there.contains(*w)).count();
        for written in self.written.clone() {
            if there.contains(&written) {
                self.client.call("secret.destroy", &[Value::str(written)])?;
            }
        }
        Ok(lost)
    }

    fn report(&self, what: &str, seconds: u64, lost: usize) -> Row {
        let in_seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        let new_master = self
            .new_master
            .map_or_else(|| "none needed".to_owned(), in_seconds);
        let slowest = self.restarted.values().max().copied();
        let restart = match (self.awaited.len(), slowest) {
            (0, _) => "none expected".to_owned(),
            (all, Some(slowest)) => {
                format!("{} ({} of {all})", in_seconds(slowest), self.restarted.len())
            }
            (all, None) => format!("never (0 of {all})"),
        };
        [
            ("failure", format!("{what} for {seconds} s")),
            ("host", self.victim.text("name_label").to_owned()),
            ("seconds-to-new-master", new_master),
            ("seconds-without-writes", in_seconds(self.longest_gap)),
            ("seconds-to-vm-restart", restart),
            ("writes-acknowledged", self.written.len().to_string()),
            ("writes-lost", lost.to_string()),
            (
                "vms-run-twice",
                format!("{} (hosts asked {} times)", self.twice.len(), self.looks),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
