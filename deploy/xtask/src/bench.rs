//! `cargo xtask bench [NAME]`: measures against the tools we are compared with, both sides in
//! one run on the same disk. Prints a table of ratios; nothing fails because it is slow.

mod bed;
mod events;
mod failover;
mod idle;
mod lifecycle;
mod mixed;
mod reads;
mod records;
mod storage;
mod writes;
mod xe;

use anyhow::{Result, bail};

use crate::install;

/// A measurement: its name, what it says, how it is run.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// One line for each; a new one is a module `bench/<name>.rs`.
const BENCHES: &[Bench] = &[
    Bench {
        name: "writes",
        about: "VM.set_name_label on three nodes against etcd's put",
        run: writes::run,
    },
    Bench {
        name: "reads",
        about: "VM.get_record against a bare HTTPS server with the same bytes",
        run: reads::run,
    },
    Bench {
        name: "lifecycle",
        about: "VM.start and VM.pool_migrate against virsh",
        run: lifecycle::run,
    },
    Bench {
        name: "failover",
        about: "the master's power fails: time to the first write",
        run: failover::run,
    },
    Bench {
        name: "idle",
        about: "a node at rest: memory and processor",
        run: idle::run,
    },
    Bench {
        name: "records",
        about: "VM.get_all_records of 10,000 VMs",
        run: records::run,
    },
    Bench {
        name: "events",
        about: "event.from: 200 clients that wait, and 10,000 VMs that change",
        run: events::run,
    },
    Bench {
        name: "xe",
        about: "xe vm-list of 500 VMs",
        run: xe::run,
    },
    Bench {
        name: "storage",
        about: "disks as files against qemu-img convert; clones, snapshots and scans",
        run: storage::run,
    },
    Bench {
        name: "mixed",
        about: "64 clients for five minutes: errors and memory",
        run: mixed::run,
    },
];

/// Runs some measurements, or all.
pub fn run(names: &[String]) -> Result<()> {
    let known: Vec<&str> = BENCHES.iter().map(|b| b.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no measurement {name}; there are: {}", known.join(", "));
    }
    let chosen = BENCHES
        .iter()
        .filter(|bench| names.is_empty() || names.iter().any(|name| name == bench.name));
    install::packages(&[install::BUILD, install::TESTBED, install::BENCH].concat())?;
    crate::rocksdb::ensure_built()?;
    for bench in chosen {
        println!("\n{}: {}", bench.name, bench.about);
        (bench.run)()?;
    }
    Ok(())
}
