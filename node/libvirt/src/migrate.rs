//! Live migration: this process speaks to both libvirts and leads the domain over.

use std::time::Duration;

use node_hypervisor::{
    Accelerator, Bytes, DomainSpec, EMULATED_DOWNTIME, HypervisorError, MigrateOptions, MigrateProgress,
    MigrateTarget, ProgressSink, Result,
};
use tokio::time::Instant;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::MigrateParameters;
use virt::error::ErrorNumber;
use virt_sys as sys;

use crate::bridge::{Bridge, Job, KEEP_ALIVE, Lane, find};
use crate::error::Fault;
use crate::ffi;
use crate::lifecycle::{self, live, look};
use crate::xml::rewrite;

/// How often progress is read.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How long libvirt may take to call a migration off.
const ABORT_LIMIT: Duration = Duration::from_secs(10);
/// How much longer than it was asked to QEMU may measure.
const MEASURED_LATE: Duration = Duration::from_secs(2);

/// On the destination: refuses what is here already, makes folders.
pub(crate) fn prepare(connect: &Connect, spec: &DomainSpec) -> Result<(), Fault> {
    if let Some(there) = look(connect, spec.uuid)? {
        return Err(HypervisorError::AlreadyExists {
            vm: spec.uuid,
            by: there.operation,
        }
        .into());
    }
    Ok(lifecycle::make_folders(spec)?)
}

/// The URI of the other host's libvirt behind a forwarded socket.
fn destination_uri(target: &MigrateTarget) -> Result<String> {
    use std::os::unix::ffi::OsStrExt;
    if !target.control_socket.is_absolute() {
        let reason = format!("{:?} is not an absolute path", target.control_socket);
        return Err(HypervisorError::BadSpec { reason });
    }
    let mut uri = String::from("qemu+unix:///system?socket=");
    for byte in target.control_socket.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(uri)
}

fn flags(options: &MigrateOptions) -> u32 {
    let mut flags = sys::VIR_MIGRATE_LIVE;
    if options.disks_are_shared {
        // libvirt does not know the pool's storage; the caller does.
        flags |= sys::VIR_MIGRATE_UNSAFE;
    }
    if options.auto_converge {
        flags |= sys::VIR_MIGRATE_AUTO_CONVERGE;
    }
    if options.compress {
        flags |= sys::VIR_MIGRATE_COMPRESSED;
    }
    if options.parallel > 1 {
        flags |= sys::VIR_MIGRATE_PARALLEL;
    }
    flags
}

/// The blocking part. Answers the guest's pause, if the destination knows it.
fn lead_over(
    connect: &Connect,
    accelerator: Accelerator,
    vm: Uuid,
    target: &MigrateTarget,
    options: &MigrateOptions,
) -> Result<Option<Duration>, Fault> {
    let domain = find(connect, vm)?;
    let mut parameters = MigrateParameters {
        uri: target.data_uri.clone(),
        listen_address: target.listen_address.clone(),
        bandwidth: options.bandwidth.map(|b| b.0.div_ceil(Bytes::MIB)),
        ..MigrateParameters::default()
    };
    if options.parallel > 1 {
        parameters.parallel_connections = Some(i32::from(options.parallel.min(64)));
    }
    if options.operation.is_some() || !options.destination.is_empty() {
        let mut there = lifecycle::read(&domain.xml_desc(sys::VIR_DOMAIN_XML_MIGRATABLE)?)?;
        rewrite::apply(&mut there, &options.destination, options.operation.as_deref())?;
        parameters.dest_xml = Some(there.root.to_xml());
    }
    if let Some(downtime) = options.max_downtime {
        let downtime = match accelerator {
            Accelerator::Tcg => downtime.max(EMULATED_DOWNTIME),
            Accelerator::Kvm | Accelerator::Simulated => downtime,
        };
        let milliseconds = u64::try_from(downtime.as_millis()).unwrap_or(u64::MAX);
        domain.migrate_set_max_downtime(milliseconds, 0)?;
    }
    let unreached = |source: virt::error::Error| HypervisorError::Disconnected {
        source: source.into(),
    };
    let destination = Connect::open(Some(&destination_uri(target)?)).map_err(unreached)?;
    // Without it the death of the destination would hold this thread for ever.
    destination
        .set_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1)
        .map_err(unreached)?;
    let arrived = domain.migrate3(&destination, parameters, flags(options))?;
    Ok(ffi::last_downtime(&arrived))
}

/// Leads a domain over, tells progress, calls it off at the deadline.
pub(crate) async fn migrate_to(
    bridge: Bridge,
    accelerator: Accelerator,
    job: Job,
    target: MigrateTarget,
    options: MigrateOptions,
    progress: ProgressSink,
) -> Result<()> {
    let Some(vm) = job.vm else {
        return Err(HypervisorError::BadSpec {
            reason: "no domain is named".into(),
        });
    };
    let began = Instant::now();
    let deadline = began + options.deadline.unwrap_or(job.limit);
    // libvirt must have time to call it off before the call itself is given up.
    let job = Job {
        limit: options.deadline.unwrap_or(job.limit) + ABORT_LIMIT * 2,
        ..job
    };
    let short = Job {
        lane: Lane::Short,
        limit: ABORT_LIMIT,
        operation: "migration progress",
        ..job
    };
    let leading = bridge.call(job, move |connect| {
        lead_over(connect, accelerator, vm, &target, &options)
    });
    let mut leading = std::pin::pin!(leading);
    let mut last = MigrateProgress::default();
    let mut called_off = false;
    let downtime = loop {
        tokio::select! {
            outcome = &mut leading => match outcome {
                Ok(downtime) => break downtime,
                Err(_) if called_off => {
                    let after = began.elapsed();
                    return Err(HypervisorError::TimedOut { operation: "migrate", after });
                }
                Err(error) => return Err(error),
            },
            () = tokio::time::sleep(PROGRESS_EVERY) => {}
        }
        if Instant::now() >= deadline && !called_off {
            called_off = true;
            tracing::warn!(%vm, "the migration took too long and is called off");
            if let Err(error) = bridge.call(short, move |connect| abort(connect, vm)).await {
                tracing::warn!(%vm, error = error.chain(), "the migration cannot be called off");
            }
        }
        if let Ok(Some(seen)) = bridge.call(short, move |connect| job_progress(connect, vm)).await {
            last = MigrateProgress {
                elapsed: began.elapsed(),
                ..seen
            };
            progress(last);
        }
    };
    progress(MigrateProgress {
        processed: last.processed.max(Bytes(1)),
        total: last.total.max(Bytes(1)),
        remaining: Bytes(0),
        elapsed: began.elapsed(),
        downtime,
    });
    Ok(())
}

/// How far the job of a domain is; nothing without one.
fn job_progress(connect: &Connect, vm: Uuid) -> Result<Option<MigrateProgress>, Fault> {
    let seen = find(connect, vm)?.job_info()?;
    // Not `job_stats`: in virt 0.5 it makes a vector of a null pointer when there is no job.
    let of = |number: Option<u64>| Bytes(number.unwrap_or(0));
    let kind = u32::try_from(seen.r#type).unwrap_or(sys::VIR_DOMAIN_JOB_NONE);
    if kind == sys::VIR_DOMAIN_JOB_NONE || of(seen.data_total).0 == 0 {
        return Ok(None);
    }
    Ok(Some(MigrateProgress {
        total: of(seen.data_total),
        processed: of(seen.data_processed),
        remaining: of(seen.data_remaining),
        elapsed: Duration::ZERO,
        downtime: None,
    }))
}

/// Calls off the job of a domain, if it has one.
pub(crate) fn abort(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    match ffi::abort_job(&domain) {
        Ok(()) => Ok(()),
        Err(error) if error.code().is(ErrorNumber::OperationInvalid) => {
            // "no job is active", unless the domain itself has gone.
            live(&domain).map(drop)
        }
        Err(error) => Err(error.into()),
    }
}

/// Measures what a domain writes. The measurement is QEMU's own; this only waits for it.
pub(crate) async fn dirty_rate(bridge: &Bridge, job: Job, over: Duration) -> Result<Option<Bytes>> {
    let Some(vm) = job.vm else { return Ok(None) };
    let seconds = i32::try_from(over.as_secs().clamp(1, 60)).unwrap_or(1);
    let begun = bridge.call(job, move |connect| {
        Ok(ffi::start_dirty_rate(&find(connect, vm)?, seconds)?)
    });
    match begun.await {
        // An older QEMU, or one that is at it already.
        Err(error) if !matches!(error, HypervisorError::NoSuchDomain { .. }) => {
            tracing::debug!(%vm, error = error.chain(), "what it writes cannot be measured");
            return Ok(None);
        }
        begun => begun?,
    }
    let until = Instant::now() + over + MEASURED_LATE;
    while Instant::now() < until {
        tokio::time::sleep(PROGRESS_EVERY).await;
        let seen = bridge
            .call(job, move |connect| Ok(ffi::dirty_rate(&find(connect, vm)?)?))
            .await?;
        if let Some(mebibytes) = seen {
            return Ok(Some(Bytes(mebibytes.saturating_mul(Bytes::MIB))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_path_with_odd_characters_is_quoted() {
        let target = |path: &str| MigrateTarget {
            control_socket: path.into(),
            data_uri: None,
            listen_address: None,
        };
        let uri = destination_uri(&target("/run/a b&c/s.sock")).unwrap();
        assert_eq!(uri, "qemu+unix:///system?socket=/run/a%20b%26c/s.sock");
        assert!(destination_uri(&target("s.sock")).is_err());
    }
}
