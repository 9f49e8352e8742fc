//! Releases that brought or took away parts of the API.

/// A named release: code name, product, version of the API.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// Code name, as in `since`.
    pub name: &'static str,
    /// Product.
    pub product: &'static str,
    /// Version of the API.
    pub api: (u16, u16),
}

const fn release(name: &'static str, product: &'static str, major: u16, minor: u16) -> Release {
    Release { name, product, api: (major, minor) }
}

/// Oldest first. Releases of the toolstack that go by a number, such as `24.16.0`, are later than each of these.
pub const RELEASES: &[Release] = &[
    release("rio", "XenServer 4.0", 1, 1),
    release("miami", "XenServer 4.1", 1, 2),
    release("symc", "XenServer 4.1.1", 1, 2),
    release("orlando", "XenServer 5.0", 1, 3),
    release("orlando-update-1", "XenServer 5.0 Update 1", 1, 3),
    release("george", "XenServer 5.5", 1, 6),
    release("midnight-ride", "XenServer 5.6", 1, 7),
    release("cowley", "XenServer 5.6 FP1", 1, 8),
    release("boston", "XenServer 6.0", 1, 9),
    release("tampa", "XenServer 6.1", 1, 10),
    release("clearwater", "XenServer 6.2", 2, 0),
    release("vgpu-tech-preview", "XenServer 6.2 SP1 Tech-Preview", 2, 0),
    release("vgpu-productisation", "XenServer 6.2 SP1", 2, 1),
    release("clearwater-felton", "XenServer 6.2 SP1 Hotfix 4", 2, 2),
    release("clearwater-whetstone", "XenServer 6.2 SP1 Hotfix 11", 2, 2),
    release("creedence", "XenServer 6.5", 2, 3),
    release("cream", "XenServer 6.5 SP1", 2, 4),
    release("indigo", "XenServer 6.5 SP1 Hotfix 31", 2, 4),
    release("dundee", "XenServer 7.0", 2, 5),
    release("ely", "XenServer 7.1", 2, 6),
    release("falcon", "XenServer 7.2", 2, 7),
    release("inverness", "XenServer 7.3", 2, 8),
    release("jura", "XenServer 7.4", 2, 9),
    release("kolkata", "XenServer 7.5", 2, 10),
    release("lima", "XenServer 7.6", 2, 11),
    release("naples", "Citrix Hypervisor 8.0", 2, 12),
    release("oslo", "(unreleased)", 2, 13),
    release("quebec", "Citrix Hypervisor 8.1", 2, 14),
    release("stockholm", "Citrix Hypervisor 8.2", 2, 15),
    release("stockholm_psr", "Citrix Hypervisor 8.2 Hotfix 2", 2, 15),
    release("nile-preview", "XenServer 8 Preview", 2, 20),
    release("nile", "XenServer 8", 2, 21),
    release("orinoco", "XenServer 9", 2, 23),
];

/// Says whether a text names a release: one of [`RELEASES`], a number of the toolstack, one of our own, or
/// `unlisted` where the reference names none.
pub fn is_release(name: &str) -> bool {
    let bare = name.strip_suffix("-next").unwrap_or(name);
    let numbered = bare.split('.').count() == 3
        && bare.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    numbered || is_own(name) || name == "unlisted" || RELEASES.iter().any(|r| r.name == name)
}

/// Says whether a release is one of ours, not of XenServer.
pub fn is_own(name: &str) -> bool {
    name.starts_with("tarn-")
}
