//! The calls of libvirt for which the `virt` crate has no wrapper: the only unsafe code of the project's own.
#![allow(
    unsafe_code,
    reason = "libvirt is a C library and the virt crate leaves these calls raw"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::{Error, ErrorNumber};
use virt::secret::Secret;
use virt_sys as sys;

/// What libvirt tells of a domain, before it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawEvent {
    Lifecycle { event: u32, detail: u32 },
    Reboot,
    DeviceRemoved { alias: String },
    DeviceRemovalFailed { alias: String },
    Agent { state: u32 },
    IoError,
}

/// Receives events on libvirt's thread; must not block.
pub(crate) type Sink = Arc<dyn Fn(Uuid, RawEvent) + Send + Sync>;
/// Is called on libvirt's thread when the connection is lost; must not block.
pub(crate) type CloseSink = Arc<dyn Fn() + Send + Sync>;

/// libvirt answers -1 for a failure and leaves the reason with the thread.
fn checked(answer: c_int) -> Result<c_int, Error> {
    if answer < 0 {
        Err(Error::last_error())
    } else {
        Ok(answer)
    }
}

/// The secret of a kind that libvirt knows under a name, if it does.
///
/// The `virt` crate has no such call, and its `Secret::usage_id`, with which one could search, frees what is libvirt's
/// (seen in 0.5.0).
pub(crate) fn secret_of(
    connect: &Connect,
    kind: sys::virSecretUsageType,
    usage: &CStr,
) -> Result<Option<Secret>, Error> {
    let kind = c_int::try_from(kind).unwrap_or(c_int::MAX);
    // SAFETY: the connection lives as long as the call, and the name ends with a zero.
    let secret = unsafe { sys::virSecretLookupByUsage(connect.as_ptr(), kind, usage.as_ptr()) };
    if !secret.is_null() {
        // SAFETY: the reference that libvirt gives is the caller's, and goes with the value.
        return Ok(Some(unsafe { Secret::from_ptr(secret) }));
    }
    let error = Error::last_error();
    if error.code().is(ErrorNumber::NoSecret) {
        return Ok(None);
    }
    Err(error)
}

/// Hands an event to the sink behind `opaque`.
///
/// # Safety
/// `opaque` must come from [`subscribe`], `domain` from libvirt for the time of the call.
unsafe fn hand_over(domain: sys::virDomainPtr, opaque: *mut c_void, event: impl FnOnce() -> RawEvent) {
    // A panic must not unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let mut bytes = [0_u8; 16];
        // SAFETY: libvirt lends the domain for the time of the call, and writes 16 bytes.
        if unsafe { sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) } == 0 {
            // SAFETY: `subscribe` boxed a Sink, which lives until `free_sink`.
            let sink = unsafe { &*opaque.cast::<Sink>() };
            sink(Uuid::from_bytes(bytes), event());
        }
    }));
}

/// Copies a C string that may be null.
///
/// # Safety
/// `text` must be null or a C string.
unsafe fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let event = u32::try_from(event).unwrap_or(u32::MAX);
    let detail = u32::try_from(detail).unwrap_or(u32::MAX);
    // SAFETY: called by libvirt with what `subscribe` gave it.
    unsafe { hand_over(domain, opaque, || RawEvent::Lifecycle { event, detail }) };
    0
}

unsafe extern "C" fn on_reboot(_: sys::virConnectPtr, domain: sys::virDomainPtr, opaque: *mut c_void) {
    // SAFETY: called by libvirt with what `subscribe` gave it.
    unsafe { hand_over(domain, opaque, || RawEvent::Reboot) };
}

unsafe extern "C" fn on_removed(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    alias: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: called by libvirt with what `subscribe` gave it and a C string.
    unsafe {
        hand_over(domain, opaque, || RawEvent::DeviceRemoved {
            alias: copied(alias),
        })
    };
}

unsafe extern "C" fn on_removal_failed(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    alias: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: called by libvirt with what `subscribe` gave it and a C string.
    unsafe {
        hand_over(domain, opaque, || RawEvent::DeviceRemovalFailed {
            alias: copied(alias),
        })
    };
}

unsafe extern "C" fn on_agent(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    state: c_int,
    _reason: c_int,
    opaque: *mut c_void,
) {
    let state = u32::try_from(state).unwrap_or(u32::MAX);
    // SAFETY: called by libvirt with what `subscribe` gave it.
    unsafe { hand_over(domain, opaque, || RawEvent::Agent { state }) };
}

unsafe extern "C" fn on_io_error(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _path: *const c_char,
    _alias: *const c_char,
    _action: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: called by libvirt with what `subscribe` gave it.
    unsafe { hand_over(domain, opaque, || RawEvent::IoError) };
}

unsafe extern "C" fn free_sink(opaque: *mut c_void) {
    // SAFETY: `subscribe` made the box, and libvirt frees it once.
    drop(unsafe { Box::from_raw(opaque.cast::<Sink>()) });
}

unsafe extern "C" fn on_close(_: sys::virConnectPtr, _reason: c_int, opaque: *mut c_void) {
    // SAFETY: `subscribe` boxed a CloseSink, which lives until `free_close_sink`.
    let _ = catch_unwind(AssertUnwindSafe(|| unsafe { &*opaque.cast::<CloseSink>() }()));
}

unsafe extern "C" fn free_close_sink(opaque: *mut c_void) {
    // SAFETY: `subscribe` made the box, and libvirt frees it once.
    drop(unsafe { Box::from_raw(opaque.cast::<CloseSink>()) });
}

/// Callbacks that are registered with a connection, until this is dropped.
///
/// libvirt keeps a connection open while it has callbacks, so this must go before the connection.
pub(crate) struct Subscription {
    connect: Connect,
    ids: Vec<c_int>,
    watches_close: bool,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for id in &self.ids {
            // SAFETY: the connection is open, the id came from it. A failure leaves the callback, which stays valid.
            unsafe { sys::virConnectDomainEventDeregisterAny(self.connect.as_ptr(), *id) };
        }
        if self.watches_close {
            // SAFETY: as above.
            unsafe { sys::virConnectUnregisterCloseCallback(self.connect.as_ptr(), Some(on_close)) };
        }
    }
}

/// Registers for all events of all domains and for the loss of the connection.
pub(crate) fn subscribe(connect: &Connect, sink: &Sink, close: &CloseSink) -> Result<Subscription, Error> {
    let mut subscription = Subscription {
        connect: connect.clone(),
        ids: Vec::new(),
        watches_close: false,
    };
    // SAFETY: libvirt casts each callback back to the type that belongs to its event before calling it.
    let callbacks: [(u32, sys::virConnectDomainEventGenericCallback); 6] = unsafe {
        use std::mem::transmute;
        let lifecycle: unsafe extern "C" fn(_, _, _, _, _) -> _ = on_lifecycle;
        let removed: unsafe extern "C" fn(_, _, _, _) = on_removed;
        let failed: unsafe extern "C" fn(_, _, _, _) = on_removal_failed;
        let agent: unsafe extern "C" fn(_, _, _, _, _) = on_agent;
        let io_error: unsafe extern "C" fn(_, _, _, _, _, _) = on_io_error;
        [
            (
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                Some(transmute::<*const (), _>(lifecycle as *const ())),
            ),
            (sys::VIR_DOMAIN_EVENT_ID_REBOOT, Some(on_reboot)),
            (
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                Some(transmute::<*const (), _>(removed as *const ())),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
                Some(transmute::<*const (), _>(failed as *const ())),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
                Some(transmute::<*const (), _>(agent as *const ())),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_IO_ERROR,
                Some(transmute::<*const (), _>(io_error as *const ())),
            ),
        ]
    };
    for (id, callback) in callbacks {
        let opaque = Box::into_raw(Box::new(sink.clone())).cast::<c_void>();
        let id = c_int::try_from(id).unwrap_or(c_int::MAX);
        // SAFETY: the box lives until libvirt calls `free_sink`, or is freed here after a failure.
        let answer = unsafe {
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                ptr::null_mut(),
                id,
                callback,
                opaque,
                Some(free_sink),
            )
        };
        match checked(answer) {
            Ok(registered) => subscription.ids.push(registered),
            Err(error) => {
                // SAFETY: libvirt does not keep what it refused.
                unsafe { free_sink(opaque) };
                return Err(error);
            }
        }
    }
    let opaque = Box::into_raw(Box::new(close.clone())).cast::<c_void>();
    // SAFETY: as for the events.
    let answer = unsafe {
        sys::virConnectRegisterCloseCallback(connect.as_ptr(), Some(on_close), opaque, Some(free_close_sink))
    };
    if answer == 0 {
        subscription.watches_close = true;
    } else {
        // A driver inside the process has no connection to lose.
        // SAFETY: libvirt does not keep what it refused.
        unsafe { free_close_sink(opaque) };
    }
    Ok(subscription)
}

/// State and reason of a domain. The wrapper in `virt` swallows the error.
pub(crate) fn state(domain: &Domain) -> Result<(u32, u32), Error> {
    let (mut state, mut reason): (c_int, c_int) = (0, 0);
    // SAFETY: the domain is held, the numbers are written during the call.
    checked(unsafe { sys::virDomainGetState(domain.as_ptr(), &mut state, &mut reason, 0) })?;
    Ok((
        u32::try_from(state).unwrap_or(0),
        u32::try_from(reason).unwrap_or(0),
    ))
}

/// Saves memory to a file and ends the domain.
pub(crate) fn save(domain: &Domain, path: &Path) -> Result<(), Error> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the domain and the string are held during the call.
    checked(unsafe { sys::virDomainSaveFlags(domain.as_ptr(), path.as_ptr(), ptr::null(), 0) })?;
    Ok(())
}

/// How overlays name what they build on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// As they did, without a folder.
    Relative,
    /// In full; images on servers have no other.
    Full,
}

/// Begins to move what `top` holds into `base`.
pub(crate) fn block_commit(
    domain: &Domain,
    disk: &str,
    base: &str,
    top: &str,
    names: Names,
) -> Result<(), Error> {
    let (disk, base, top) = (CString::new(disk)?, CString::new(base)?, CString::new(top)?);
    let flags = match names {
        Names::Relative => sys::VIR_DOMAIN_BLOCK_COMMIT_RELATIVE,
        Names::Full => 0,
    };
    // SAFETY: the domain and the strings are held during the call.
    checked(unsafe {
        sys::virDomainBlockCommit(
            domain.as_ptr(),
            disk.as_ptr(),
            base.as_ptr(),
            top.as_ptr(),
            0,
            flags,
        )
    })?;
    Ok(())
}

/// Begins to copy a disk into an image that is there, and to keep the two in step.
pub(crate) fn block_copy(domain: &Domain, disk: &str, destination: &str) -> Result<(), Error> {
    let (disk, destination) = (CString::new(disk)?, CString::new(destination)?);
    let flags = sys::VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | sys::VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES;
    // SAFETY: the domain and the strings are held during the call; there are no parameters.
    checked(unsafe {
        sys::virDomainBlockCopy(
            domain.as_ptr(),
            disk.as_ptr(),
            destination.as_ptr(),
            ptr::null_mut(),
            0,
            flags,
        )
    })?;
    Ok(())
}

/// Ends the copy of a disk that is in step: the guest writes to the copy alone from now on.
pub(crate) fn block_job_pivot(domain: &Domain, disk: &str) -> Result<(), Error> {
    let disk = CString::new(disk)?;
    let flags = sys::VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT;
    // SAFETY: the domain and the string are held during the call.
    checked(unsafe { sys::virDomainBlockJobAbort(domain.as_ptr(), disk.as_ptr(), flags) })?;
    Ok(())
}

/// How far the job of a disk is, of how much; `None` if it has none.
pub(crate) fn block_job(domain: &Domain, disk: &str) -> Result<Option<(u64, u64)>, Error> {
    let disk = CString::new(disk)?;
    let mut info = sys::virDomainBlockJobInfo {
        type_: 0,
        bandwidth: 0,
        cur: 0,
        end: 0,
    };
    // SAFETY: the domain and the string are held, the numbers are written during the call.
    let found =
        checked(unsafe { sys::virDomainGetBlockJobInfo(domain.as_ptr(), disk.as_ptr(), &mut info, 0) })?;
    Ok((found > 0).then_some((info.cur, info.end)))
}

/// Calls off the job of a disk, and waits until it has ended.
pub(crate) fn block_job_abort(domain: &Domain, disk: &str) -> Result<(), Error> {
    let disk = CString::new(disk)?;
    // SAFETY: the domain and the string are held during the call.
    checked(unsafe { sys::virDomainBlockJobAbort(domain.as_ptr(), disk.as_ptr(), 0) })?;
    Ok(())
}

/// Calls off the job of a domain.
pub(crate) fn abort_job(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is held.
    checked(unsafe { sys::virDomainAbortJob(domain.as_ptr()) })?;
    Ok(())
}

/// The pause of the guest in the last migration, as its destination counted it.
pub(crate) fn last_downtime(domain: &Domain) -> Option<Duration> {
    let (mut kind, mut count): (c_int, c_int) = (0, 0);
    let mut parameters: sys::virTypedParameterPtr = ptr::null_mut();
    let mut milliseconds: std::ffi::c_ulonglong = 0;
    // SAFETY: libvirt allocates the parameters, which are freed below and not used after that. The name is a C string.
    let found = unsafe {
        let answer = sys::virDomainGetJobStats(
            domain.as_ptr(),
            &mut kind,
            &mut parameters,
            &mut count,
            sys::VIR_DOMAIN_JOB_STATS_COMPLETED,
        );
        if answer < 0 {
            return None;
        }
        let found = sys::virTypedParamsGetULLong(parameters, count, c"downtime".as_ptr(), &mut milliseconds);
        sys::virTypedParamsFree(parameters, count);
        found
    };
    (found == 1).then(|| Duration::from_millis(milliseconds))
}

/// Processor time of each virtual CPU.
pub(crate) fn vcpu_times(domain: &Domain, most: u32) -> Result<Vec<Duration>, Error> {
    let most = c_int::try_from(most.min(4096)).unwrap_or(0);
    let empty = sys::virVcpuInfo {
        number: 0,
        state: 0,
        cpuTime: 0,
        cpu: 0,
    };
    let mut seen = vec![empty; usize::try_from(most).unwrap_or(0)];
    // SAFETY: libvirt writes at most `most` entries; no maps are asked for.
    let count = checked(unsafe {
        sys::virDomainGetVcpus(domain.as_ptr(), seen.as_mut_ptr(), most, ptr::null_mut(), 0)
    })?;
    seen.truncate(usize::try_from(count).unwrap_or(0));
    Ok(seen.iter().map(|v| Duration::from_nanos(v.cpuTime)).collect())
}

/// A value of libvirt's bulk statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Number(u64),
    Text(String),
}

/// What libvirt counts of one domain, by its own names such as `vcpu.0.time`.
pub(crate) type Parameters = std::collections::BTreeMap<String, Parameter>;

/// Counters of all live domains in one call. Of a domain that is busy with a job only some are there.
pub(crate) fn all_statistics(connect: &Connect) -> Result<Vec<(Uuid, i64, Parameters)>, Error> {
    const WANTED: u32 = sys::VIR_DOMAIN_STATS_STATE
        | sys::VIR_DOMAIN_STATS_BALLOON
        | sys::VIR_DOMAIN_STATS_CPU_TOTAL
        | sys::VIR_DOMAIN_STATS_VCPU
        | sys::VIR_DOMAIN_STATS_INTERFACE
        | sys::VIR_DOMAIN_STATS_BLOCK;
    const WHICH: u32 =
        sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is held. libvirt allocates the list, which is freed below and not used after that.
    unsafe {
        let count = checked(sys::virConnectGetAllDomainStats(
            connect.as_ptr(),
            WANTED,
            &mut records,
            WHICH,
        ))?;
        let mut all = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for position in 0..usize::try_from(count).unwrap_or(0) {
            let record = &**records.add(position);
            let mut bytes = [0_u8; 16];
            // It writes 16 bytes.
            if sys::virDomainGetUUID(record.dom, bytes.as_mut_ptr()) != 0 {
                continue;
            }
            let id = i64::from(sys::virDomainGetID(record.dom));
            all.push((
                Uuid::from_bytes(bytes),
                id,
                parameters(record.params, record.nparams),
            ));
        }
        sys::virDomainStatsRecordListFree(records);
        Ok(all)
    }
}

/// Has QEMU count for some seconds what a domain writes to its memory.
pub(crate) fn start_dirty_rate(domain: &Domain, seconds: c_int) -> Result<(), Error> {
    let mode = sys::VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING;
    // SAFETY: the domain is held.
    checked(unsafe { sys::virDomainStartDirtyRateCalc(domain.as_ptr(), seconds, mode) })?;
    Ok(())
}

/// What came of it: nothing yet, or MiB per second.
pub(crate) fn dirty_rate(domain: &Domain) -> Result<Option<u64>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the domain is held, and the list of domains ends with a null. libvirt allocates its own list, which is freed below and not used
    // after that.
    let seen = unsafe {
        let mut domains = [domain.as_ptr(), ptr::null_mut()];
        let count = checked(sys::virDomainListGetStats(
            domains.as_mut_ptr(),
            sys::VIR_DOMAIN_STATS_DIRTYRATE,
            &mut records,
            0,
        ))?;
        let seen = if count > 0 {
            let record = &**records;
            parameters(record.params, record.nparams)
        } else {
            Parameters::new()
        };
        sys::virDomainStatsRecordListFree(records);
        seen
    };
    let number = |name: &str| match seen.get(name) {
        Some(Parameter::Number(number)) => Some(*number),
        _ => None,
    };
    let measured = number("dirtyrate.calc_status") == Some(u64::from(sys::VIR_DOMAIN_DIRTYRATE_MEASURED));
    Ok(number("dirtyrate.megabytes_per_second").filter(|_| measured))
}

/// Copies parameters; those that are neither numbers nor text are left out.
///
/// # Safety
/// `first` must point to `count` parameters.
unsafe fn parameters(first: sys::virTypedParameterPtr, count: c_int) -> Parameters {
    let count = usize::try_from(count).unwrap_or(0);
    if first.is_null() || count == 0 {
        return Parameters::new();
    }
    // SAFETY: as the caller promises.
    let all = unsafe { std::slice::from_raw_parts(first, count) };
    all.iter()
        .filter_map(|parameter| {
            // SAFETY: names end with a null; the type says which of the values it is.
            let (name, value) = unsafe {
                let name = copied(parameter.field.as_ptr());
                let value = match u32::try_from(parameter.type_).unwrap_or(0) {
                    sys::VIR_TYPED_PARAM_INT => {
                        Parameter::Number(u64::try_from(parameter.value.i).unwrap_or(0))
                    }
                    sys::VIR_TYPED_PARAM_UINT => Parameter::Number(u64::from(parameter.value.ui)),
                    sys::VIR_TYPED_PARAM_LLONG => {
                        Parameter::Number(u64::try_from(parameter.value.l).unwrap_or(0))
                    }
                    sys::VIR_TYPED_PARAM_ULLONG => Parameter::Number(parameter.value.ul),
                    sys::VIR_TYPED_PARAM_STRING => Parameter::Text(copied(parameter.value.s)),
                    _ => return None,
                };
                (name, value)
            };
            Some((name, value))
        })
        .collect()
}
