//! `cargo xtask bench [NAME]`: measures against the tools we are compared with, both sides in
//! one run on the same disk. Prints a table of ratios; nothing fails because it is slow.

mod bed;
mod failover;
mod idle;
mod lifecycle;
mod reads;
mod writes;

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
];

/// Runs one measurement, or all.
pub fn run(name: Option<&str>) -> Result<()> {
    let chosen: Vec<&Bench> = BENCHES
        .iter()
        .filter(|bench| name.is_none_or(|name| name == bench.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|b| b.name).collect();
        bail!("no such measurement; there are: {}", names.join(", "));
    }
    install::packages(&[install::BUILD, install::TESTBED, install::BENCH].concat())?;
    crate::rocksdb::ensure_built()?;
    for bench in chosen {
        println!("\n{}: {}", bench.name, bench.about);
        (bench.run)()?;
    }
    Ok(())
}
