//! The thread on which libvirt's events arrive and its keep-alives are sent.
//!
//! libvirt knows one loop per process, and only connections opened after it was registered use it.

use std::sync::OnceLock;

use virt::error::Error;

static STARTED: OnceLock<Result<(), Error>> = OnceLock::new();

/// Starts the loop unless it runs. It ends with the process.
pub(crate) fn start() -> Result<(), Error> {
    STARTED
        .get_or_init(|| {
            // Otherwise libvirt writes every error to the process's standard error.
            virt::error::clear_error_callback();
            virt::event::event_register_default_impl()?;
            let looped = || {
                loop {
                    if let Err(error) = virt::event::event_run_default_impl() {
                        tracing::warn!(%error, "one round of libvirt's event loop failed");
                        std::thread::sleep(std::time::Duration::from_millis(100));
                    }
                }
            };
            if let Err(error) = std::thread::Builder::new()
                .name("libvirt-events".into())
                .spawn(looped)
            {
                tracing::error!(%error, "no thread for libvirt's events");
            }
            Ok(())
        })
        .clone()
}
