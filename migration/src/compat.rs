//! Whether a VM can live on a host, on plain data.

use std::collections::BTreeSet;

use proto_types::{ApiError, Bytes, Ref};

/// A host, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct HostSide {
    /// The host.
    pub host: Ref,
    /// Vendor of its processors.
    pub cpu_vendor: String,
    /// Features of its processors.
    pub cpu_flags: BTreeSet<String>,
    /// What runs guests' code, such as `kvm` or `tcg`; a live guest cannot go from one to another.
    pub accelerator: String,
    /// What new domains could take, after all that is promised already.
    pub memory_free: Bytes,
    /// Repositories plugged there.
    pub srs: BTreeSet<Ref>,
    /// Networks it reaches; an internal one counts as reached everywhere.
    pub networks: BTreeSet<Ref>,
    /// Release of its node, in a form that compares.
    pub version: Vec<u32>,
}

/// A VM, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct VmSide {
    /// The VM.
    pub vm: Ref,
    /// What it needs of the host's memory.
    pub memory: Bytes,
    /// Repositories of its disks and media.
    pub srs: BTreeSet<Ref>,
    /// Networks of its interfaces.
    pub networks: BTreeSet<Ref>,
    /// Features the guest has seen and may use; empty if unknown or a plain model.
    pub cpu_flags: BTreeSet<String>,
    /// Whether the guest sees the processor as it is.
    pub sees_real_cpu: bool,
}

/// Why a VM cannot go to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The processors are of another make.
    CpuVendor {
        /// Here.
        here: String,
        /// There.
        there: String,
    },
    /// The guest may use what the processor there does not have.
    CpuFeatures(Vec<String>),
    /// Guests' code is executed otherwise there.
    Accelerator {
        /// Here.
        here: String,
        /// There.
        there: String,
    },
    /// Not enough memory there.
    Memory {
        /// What it needs.
        needed: Bytes,
        /// What there is.
        available: Bytes,
    },
    /// A repository is not plugged there.
    Sr(Ref),
    /// A network is not reached from there.
    Network(Ref),
    /// The host there is of an older release.
    OlderRelease,
}

impl Obstacle {
    /// The API's error.
    pub fn to_api(&self, vm: Ref, host: Ref) -> ApiError {
        let incompatible = |reason: String| {
            ApiError::new(
                "VM_INCOMPATIBLE_WITH_THIS_HOST",
                [vm.to_string(), host.to_string(), reason],
            )
        };
        match self {
            Obstacle::CpuVendor { here, there } => {
                incompatible(format!("processors of {here} here and of {there} there"))
            }
            Obstacle::CpuFeatures(missing) => {
                incompatible(format!("the processor there lacks {}", missing.join(" ")))
            }
            Obstacle::Accelerator { here, there } => incompatible(format!("{here} here and {there} there")),
            Obstacle::Memory { needed, available } => ApiError::new(
                "HOST_NOT_ENOUGH_FREE_MEMORY",
                [needed.get().to_string(), available.get().to_string()],
            ),
            Obstacle::Sr(sr) => ApiError::new("VM_REQUIRES_SR", [vm.to_string(), sr.to_string()]),
            Obstacle::Network(network) => {
                ApiError::new("VM_REQUIRES_NETWORK", [vm.to_string(), network.to_string()])
            }
            Obstacle::OlderRelease => ApiError::new(
                "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE",
                [host.to_string(), vm.to_string()],
            ),
        }
    }
}

/// Everything in the way of a live migration; empty if it can go. A host is no obstacle to itself.
pub fn obstacles(vm: &VmSide, here: &HostSide, there: &HostSide) -> Vec<Obstacle> {
    if here.host == there.host {
        return Vec::new();
    }
    let mut found = Vec::new();
    if there.version < here.version {
        found.push(Obstacle::OlderRelease);
    }
    if here.accelerator != there.accelerator {
        found.push(Obstacle::Accelerator {
            here: here.accelerator.clone(),
            there: there.accelerator.clone(),
        });
    }
    // An emulated processor is the same everywhere.
    if here.accelerator == "kvm" && here.cpu_vendor != there.cpu_vendor {
        found.push(Obstacle::CpuVendor {
            here: here.cpu_vendor.clone(),
            there: there.cpu_vendor.clone(),
        });
    }
    let seen = if vm.sees_real_cpu {
        &here.cpu_flags
    } else {
        &vm.cpu_flags
    };
    let missing: Vec<String> = seen.difference(&there.cpu_flags).cloned().collect();
    if here.accelerator == "kvm" && !missing.is_empty() {
        found.push(Obstacle::CpuFeatures(missing));
    }
    found.extend(vm.srs.difference(&there.srs).copied().map(Obstacle::Sr));
    found.extend(
        vm.networks
            .difference(&there.networks)
            .copied()
            .map(Obstacle::Network),
    );
    if vm.memory > there.memory_free {
        found.push(Obstacle::Memory {
            needed: vm.memory,
            available: there.memory_free,
        });
    }
    found
}

#[cfg(test)]
mod test {
    use proto_types::Ref;
    use uuid_free::reference;

    use super::*;

    mod uuid_free {
        use proto_types::Ref;

        pub fn reference(number: u8) -> Ref {
            format!("OpaqueRef:00000000-0000-0000-0000-0000000000{number:02x}")
                .parse()
                .unwrap()
        }
    }

    fn host(number: u8) -> HostSide {
        HostSide {
            host: reference(number),
            cpu_vendor: "GenuineIntel".into(),
            cpu_flags: ["sse2".to_owned(), "avx".to_owned()].into(),
            accelerator: "kvm".into(),
            memory_free: Bytes::gib(1),
            srs: [reference(10)].into(),
            networks: [reference(20)].into(),
            version: vec![1, 0],
        }
    }

    fn vm() -> VmSide {
        VmSide {
            vm: reference(30),
            memory: Bytes::mib(128),
            srs: [reference(10)].into(),
            networks: [reference(20)].into(),
            ..VmSide::default()
        }
    }

    #[test]
    fn equal_hosts_are_no_obstacle() {
        assert_eq!(obstacles(&vm(), &host(1), &host(2)), []);
    }

    #[test]
    fn every_difference_is_named() {
        let mut there = host(2);
        there.cpu_vendor = "AuthenticAMD".into();
        there.cpu_flags.remove("avx");
        there.memory_free = Bytes::mib(64);
        there.srs.clear();
        there.networks.clear();
        there.version = vec![0, 9];
        let mut vm = vm();
        vm.sees_real_cpu = true;
        let found = obstacles(&vm, &host(1), &there);
        assert_eq!(found.len(), 6, "{found:?}");
        let codes: Vec<String> = found
            .iter()
            .map(|o| o.to_api(Ref::NULL, Ref::NULL).code.into_owned())
            .collect();
        for code in [
            "VM_INCOMPATIBLE_WITH_THIS_HOST",
            "VM_REQUIRES_SR",
            "VM_REQUIRES_NETWORK",
            "HOST_NOT_ENOUGH_FREE_MEMORY",
        ] {
            assert!(codes.iter().any(|c| c == code), "{code} is not among {codes:?}");
        }
    }

    #[test]
    fn an_emulated_processor_is_the_same_everywhere() {
        let (mut here, mut there) = (host(1), host(2));
        here.accelerator = "tcg".into();
        there.accelerator = "tcg".into();
        there.cpu_vendor = "AuthenticAMD".into();
        assert_eq!(obstacles(&vm(), &here, &there), []);
    }

    #[test]
    fn a_host_is_no_obstacle_to_itself() {
        let mut full = host(1);
        full.memory_free = Bytes(0);
        assert_eq!(obstacles(&vm(), &full, &full), []);
    }
}
