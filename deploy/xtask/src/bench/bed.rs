//! A pool for one measurement, with the optimised program, and the programs that load it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::pool::state::{Hypervisor, Testbed};
use crate::pool::{self, power, up};
use crate::xmlrpc::{Session, Value};
use crate::{building, paths, run};

/// A pool of three hosts below target/, taken down when dropped.
pub struct Bed {
    dir: PathBuf,
    /// The hosts.
    pub testbed: Testbed,
    /// A session on the first host's socket.
    pub session: Session,
}

impl Bed {
    /// Brings it up.
    pub fn up(hypervisor: Hypervisor) -> Result<Bed> {
        let dir = paths::repo()?.join("target/bench-pool");
        pool::take_down(&dir)?;
        let wish = up::Up {
            hypervisor: Some(hypervisor),
            release: true,
            ..up::Up::three_hosts()
        };
        up::up(&dir, &wish)?;
        let testbed = Testbed::load(&dir)?;
        let session = Session::login(&socket(&testbed, 0)?)?;
        Ok(Bed {
            dir,
            testbed,
            session,
        })
    }

    /// The pool's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Address of the master's API: the first host made the pool.
    pub fn api(&self) -> Result<String> {
        Ok(format!(
            "{}:443",
            self.testbed.hosts.first().context("no host")?.address
        ))
    }

    /// Raft's term: it grows with every election.
    pub fn term(&self) -> Result<u64> {
        let host = self.testbed.hosts.first().context("no host")?;
        let words = ["tarn", "status"].map(str::to_owned);
        let page = run::output(&mut power::inside(&self.testbed, &host.name, &words)?)?;
        let after = page.split_once(", term ").context("no term is told")?.1;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().context("read the term")
    }

    /// A VM cloned from the template that has no disks.
    pub fn vm(&self, name: &str) -> Result<String> {
        let template = self.session.by_name("VM", "Other install media")?;
        self.session
            .text("VM.clone", [Value::from(template.as_str()), Value::from(name)])
    }

    /// So many VMs, cloned from the same template: their references.
    pub fn vms(&self, count: usize, name: &str) -> Result<Vec<String>> {
        let template = self.session.by_name("VM", "Other install media")?;
        let socket = socket(&self.testbed, 0)?;
        let part = |first: usize| -> Result<Vec<String>> {
            let session = Session::login(&socket)?;
            (first..count)
                .step_by(AT_ONCE)
                .map(|number| {
                    let name = Value::from(format!("{name} {number}"));
                    session.text("VM.clone", [Value::from(template.as_str()), name])
                })
                .collect()
        };
        at_once(part).map(|parts| parts.into_iter().flatten().collect())
    }

    /// All VMs that were made here.
    pub fn all_vms(&self) -> Result<Vec<String>> {
        let wanted = r#"not field "is_default_template" = "true""#;
        let records = self
            .session
            .call("VM.get_all_records_where", [Value::from(wanted)])?;
        let made = records.entries()?.iter().filter(|(_, record)| {
            let is_control = record.field("is_control_domain").ok();
            is_control != Some(&Value::Bool(true))
        });
        Ok(made.map(|(reference, _)| reference.clone()).collect())
    }

    /// Gives each VM another name.
    pub fn rename(&self, vms: &[String], name: &str) -> Result<()> {
        let socket = socket(&self.testbed, 0)?;
        let part = |first: usize| -> Result<()> {
            let session = Session::login(&socket)?;
            for vm in vms.iter().skip(first).step_by(AT_ONCE) {
                session.call("VM.set_name_label", [Value::from(vm.as_str()), Value::from(name)])?;
            }
            Ok(())
        };
        at_once(part).map(drop)
    }

    /// Process id of the master: the first host made the pool.
    pub fn master(&self) -> Result<String> {
        let pids = super::idle::nodes(self)?;
        let first = self.testbed.hosts.first().context("no host")?.process;
        let first = first.context("the master is off")?.pid;
        let namespace = |pid: String| fs::read_link(format!("/proc/{pid}/ns/uts")).ok();
        let wanted = namespace(first.to_string()).context("the master's namespace")?;
        pids.into_iter()
            .find(|pid| namespace(pid.clone()).as_ref() == Some(&wanted))
            .context("the master's process")
    }

    /// The session's reference.
    pub fn reference(&self) -> &str {
        self.session.reference()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Err(error) = pool::take_down(&self.dir) {
            println!("the pool stays: {error:#}");
        }
    }
}

/// Callers that prepare a measurement beside one another.
const AT_ONCE: usize = 8;

/// Runs the same for each caller, which is given its number.
fn at_once<T: Send>(part: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let part = &part;
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().map_err(|_| anyhow::anyhow!("a caller broke"))?)
            .collect()
    })
}

fn socket(testbed: &Testbed, index: usize) -> Result<PathBuf> {
    let host = testbed.hosts.get(index).context("no host")?;
    Ok(testbed.host_dir(&host.name).join("var-xapi/xapi"))
}

/// Builds an example of a crate, optimised, and says where it is.
pub fn example(package: &str, name: &str) -> Result<PathBuf> {
    let mut cargo = building::cargo()?;
    cargo.args([
        "build",
        "--quiet",
        "--profile",
        "dist",
        "--package",
        package,
        "--example",
        name,
    ]);
    run::visibly(&mut cargo)?;
    Ok(paths::target()?.join("dist/examples").join(name))
}

/// What a load program reports.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Calls per second.
    pub rate: f64,
    /// Median, milliseconds.
    pub p50: f64,
    /// 99th percentile, milliseconds.
    pub p99: f64,
}

/// Runs a load program and reads its report.
pub fn load(command: &mut Command) -> Result<Report> {
    let text = run::output(command)?;
    let line = text.lines().last().unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(line).context("read the report")?;
    let number = |key: &str| {
        json.get(key)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or(f64::NAN)
    };
    anyhow::ensure!(number("errors") == 0.0, "the load saw errors: {line}");
    Ok(Report {
        rate: number("per_second"),
        p50: number("p50_ms"),
        p99: number("p99_ms"),
    })
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// An XML-RPC call with string arguments.
pub fn call(method: &str, args: &[&str]) -> String {
    let params: String = args
        .iter()
        .map(|a| format!("<param><value><string>{a}</string></value></param>"))
        .collect();
    format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    )
}
