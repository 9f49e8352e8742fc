//! The process's `malloc` is jemalloc's (see `node/decisions/0010`).
//!
//! It stands under its plain names, so RocksDB and libvirt allocate and free with it as well. It is not Rust's global
//! allocator: the `virt` crate hands memory of libvirt's to `Vec`, which is sound only while both use one `malloc`.

/// Keeps the library in the program: nothing else names it.
#[used]
static MALLOC: unsafe extern "C" fn(usize) -> *mut std::ffi::c_void = tikv_jemalloc_sys::malloc;
