//! Nothing but tests: see `tests/live.rs`. They need root, libvirt and QEMU, and are run by `cargo xtask test`.
#![forbid(unsafe_code)]
