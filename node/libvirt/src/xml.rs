//! Domain XML: building it from a spec, reading it from a live domain, changing it on the way to another host.

pub(crate) mod devices;
pub(crate) mod domain;
pub(crate) mod foreign;
pub(crate) mod live;
pub(crate) mod rewrite;
pub(crate) mod smbios;
pub(crate) mod tree;

/// Namespace of what the driver notes in a domain's metadata.
pub(crate) const NAMESPACE: &str = "urn:tarn:domain:1";
/// Namespace of the numbers that devices of a domain have which was taken over.
pub(crate) const NUMBERS: &str = "urn:tarn:devices:1";
