//! NBD, by which volumes of any kind are read and written through `qemu-nbd`.
//!
//! Source: the NBD protocol, "fixed newstyle negotiation" and "structured replies".

mod client;
mod handshake;
mod messages;

pub use client::NbdDisk;

#[cfg(test)]
mod test;
