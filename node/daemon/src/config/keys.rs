//! Every key of the settings: what it does, what it may be, and what it is when not set.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use toml::Value;

/// One key.
pub struct Key {
    /// Its table in the file.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What may be set, in words that follow "allowed:".
    pub allowed: &'static str,
    /// What holds when it is not set: as written in the file, or in words if it begins with a parenthesis.
    pub default: &'static str,
    /// Something that may be set, as written in the file.
    pub example: &'static str,
    /// Whether a running node takes it on SIGHUP.
    pub is_live: bool,
    /// Whether a value is allowed.
    pub allows: fn(&Value) -> bool,
}

impl Key {
    /// Its full name.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable of the environment that overrides it.
    pub fn variable(&self) -> String {
        format!("TARN_{}_{}", self.section, self.name).to_uppercase()
    }
}

/// The tables of the file, in its order, with what each is about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("node", "This host."),
    ("listen", "Where the node listens."),
    ("telemetry", "What the node tells, and whom."),
    ("session", "Sessions of the API. The master's settings count."),
    ("limits", "How much clients may take of this host."),
    ("audit", "How much of the audit trail this host keeps."),
    (
        "history",
        "How much of the pool's past this host keeps, for `tarn history` and `tarn backup --at`.",
    ),
    (
        "machine",
        "The programs by which the API acts on the host as a machine, each a list of the program and its first arguments.\n[] takes one away: the API then refuses what needs it.",
    ),
    (
        "ha",
        "High availability. A host runs VMs only while it holds a lease from the master; `tarn watchdog` runs beside the node.",
    ),
];

const ABSOLUTE: &str = "an absolute path";
const PROGRAM: &str = "a list of texts, the program first; or []";
const SOCKET: &str = "an IP address and a port from 1 to 65535, such as \"0.0.0.0:443\" or \"[::]:443\"";

/// All keys, in the order of the file.
pub const KEYS: &[Key] = &[
    Key {
        section: "node",
        name: "name",
        about: "The host's name in the pool.",
        allowed: "1 to 63 letters, digits, hyphens and dots, a letter or digit first",
        default: "(the host name of the system)",
        example: "\"host1\"",
        is_live: false,
        allows: |v| text(v, is_name),
    },
    Key {
        section: "node",
        name: "address",
        about: "The address by which clients and the other hosts reach this one. It must be set, and is written into the\npool when the host creates or joins one.",
        allowed: "an IPv4 or IPv6 address, without a port",
        default: "",
        example: "\"192.0.2.11\"",
        is_live: false,
        allows: |v| text(v, |t| t.parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified())),
    },
    Key {
        section: "node",
        name: "state_dir",
        about: "Where the node keeps the pool database, its certificates and its own state. Every write to the API waits\nfor this disk.",
        allowed: ABSOLUTE,
        default: "\"/var/lib/tarn\"",
        example: "\"/var/lib/tarn\"",
        is_live: false,
        allows: |v| text(v, is_absolute),
    },
    Key {
        section: "node",
        name: "hypervisor",
        about: "What runs the VMs: QEMU through libvirt, or nothing (they are simulated, to try the API).",
        allowed: "\"qemu\" or \"sim\"",
        default: "\"qemu\"",
        example: "\"qemu\"",
        is_live: false,
        allows: |v| text(v, |t| matches!(t, "qemu" | "sim")),
    },
    Key {
        section: "node",
        name: "accelerator",
        about: "What executes the guests' code. \"auto\" takes KVM where it really works, else emulation.",
        allowed: "\"auto\", \"kvm\" or \"tcg\"",
        default: "\"auto\"",
        example: "\"kvm\"",
        is_live: false,
        allows: |v| text(v, |t| matches!(t, "auto" | "kvm" | "tcg")),
    },
    Key {
        section: "node",
        name: "libvirt_uri",
        about: "The libvirt that runs the VMs.",
        allowed: "a libvirt URI on this host, such as \"qemu:///system\"",
        default: "\"qemu:///system\"",
        example: "\"qemu:///system\"",
        is_live: false,
        allows: |v| {
            text(v, |t| {
                t.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty())
            })
        },
    },
    Key {
        section: "node",
        name: "boot_dirs",
        about: "Further folders from which VMs may be given a kernel (PV_kernel).",
        allowed: "a list of absolute paths",
        default: "[]",
        example: "[\"/srv/kernels\"]",
        is_live: false,
        allows: |v| texts(v, is_absolute),
    },
    Key {
        section: "listen",
        name: "https",
        about: "The API, for clients.",
        allowed: SOCKET,
        default: "\"0.0.0.0:443\"",
        example: "\"192.0.2.11:443\"",
        is_live: false,
        allows: is_socket,
    },
    Key {
        section: "listen",
        name: "http",
        about: "Plain HTTP, which only redirects to the API's HTTPS.",
        allowed: SOCKET,
        default: "(it does not listen)",
        example: "\"0.0.0.0:80\"",
        is_live: false,
        allows: is_socket,
    },
    Key {
        section: "listen",
        name: "grpc",
        about: "The other hosts of the pool. They need to reach it, nobody else does.",
        allowed: SOCKET,
        default: "\"0.0.0.0:7443\"",
        example: "\"192.0.2.11:7443\"",
        is_live: false,
        allows: is_socket,
    },
    Key {
        section: "listen",
        name: "socket",
        about: "Unix sockets on which root of this host calls the API without a password.",
        allowed: "a list of absolute paths",
        default: "[\"/var/xapi/xapi\", \"/var/lib/xcp/xapi\"]",
        example: "[\"/var/xapi/xapi\"]",
        is_live: false,
        allows: |v| texts(v, is_absolute),
    },
    Key {
        section: "telemetry",
        name: "log",
        about: "How much the log tells: a level, or levels by part.",
        allowed: "off, error, warn, info, debug or trace, perhaps with parts such as \"info,pool_raft=debug\"",
        default: "\"info\"",
        example: "\"info,node_agent=debug\"",
        is_live: true,
        allows: |v| {
            text(v, |t| {
                !t.trim().is_empty() && tracing_subscriber::EnvFilter::try_new(t).is_ok()
            })
        },
    },
    Key {
        section: "telemetry",
        name: "otlp_endpoint",
        about: "A collector to which traces are sent by OTLP over gRPC.",
        allowed: "an URL that begins with http:// or https://",
        default: "(none are sent)",
        example: "\"http://collector.example:4317\"",
        is_live: false,
        allows: |v| text(v, |t| t.starts_with("http://") || t.starts_with("https://")),
    },
    Key {
        section: "session",
        name: "most",
        about: "Sessions that there may be at once; beyond that the least recently used one ends.",
        allowed: "a whole number from 1 to 100000",
        default: "200",
        example: "500",
        is_live: true,
        allows: |v| number(v, 1, 100_000),
    },
    Key {
        section: "session",
        name: "idle_seconds",
        about: "Seconds after which a session that nobody uses ends.",
        allowed: "a whole number from 60 to 31536000",
        default: "86400",
        example: "3600",
        is_live: true,
        allows: |v| number(v, 60, 31_536_000),
    },
    Key {
        section: "limits",
        name: "connections",
        about: "Connections of clients that there may be at once; more are closed.",
        allowed: "a whole number from 16 to 1000000",
        default: "4096",
        example: "4096",
        is_live: false,
        allows: |v| number(v, 16, 1_000_000),
    },
    Key {
        section: "limits",
        name: "connections_per_address",
        about: "The same from one address.",
        allowed: "a whole number from 4 to 1000000",
        default: "512",
        example: "64",
        is_live: false,
        allows: |v| number(v, 4, 1_000_000),
    },
    Key {
        section: "audit",
        name: "file_bytes",
        about: "Bytes of one file of the trail.",
        allowed: "a whole number from 65536 to 1073741824",
        default: "4194304",
        example: "16777216",
        is_live: false,
        allows: |v| number(v, 65_536, 1_073_741_824),
    },
    Key {
        section: "audit",
        name: "files",
        about: "Files that are kept, the one that is written to included.",
        allowed: "a whole number from 2 to 1000",
        default: "8",
        example: "32",
        is_live: false,
        allows: |v| number(v, 2, 1_000),
    },
    Key {
        section: "history",
        name: "hours",
        about: "How far it reaches back; 0 keeps none.",
        allowed: "a whole number from 0 to 8760",
        default: "48",
        example: "168",
        is_live: false,
        allows: |v| number(v, 0, 8_760),
    },
    Key {
        section: "history",
        name: "mebibytes",
        about: "MiB of the log beyond which less is kept.",
        allowed: "a whole number from 16 to 1048576",
        default: "512",
        example: "4096",
        is_live: false,
        allows: |v| number(v, 16, 1_048_576),
    },
    Key {
        section: "machine",
        name: "power_off",
        about: "Switches the host off.",
        allowed: PROGRAM,
        default: "[\"systemctl\", \"poweroff\"]",
        example: "[\"systemctl\", \"poweroff\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "reboot",
        about: "Reboots the host.",
        allowed: PROGRAM,
        default: "[\"systemctl\", \"reboot\"]",
        example: "[\"systemctl\", \"reboot\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "restart_node",
        about: "Starts the node anew.",
        allowed: PROGRAM,
        default: "[\"systemctl\", \"restart\", \"tarn\"]",
        example: "[\"systemctl\", \"restart\", \"tarn\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "set_hostname",
        about: "Gives the host the name in the last argument.",
        allowed: PROGRAM,
        default: "[\"hostnamectl\", \"set-hostname\"]",
        example: "[\"hostnamectl\", \"set-hostname\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "set_syslog",
        about: "Sends the system's log to the host in the last argument as well, or no longer if that is empty.",
        allowed: PROGRAM,
        default: "[]",
        example: "[\"/usr/local/sbin/send-syslog-to\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "kernel_log",
        about: "Prints the messages of the kernel.",
        allowed: PROGRAM,
        default: "[\"dmesg\"]",
        example: "[\"dmesg\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "machine",
        name: "plugin_dir",
        about: "Programs that host.call_plugin may run.",
        allowed: ABSOLUTE,
        default: "\"/etc/xapi.d/plugins\"",
        example: "\"/etc/xapi.d/plugins\"",
        is_live: false,
        allows: |v| text(v, is_absolute),
    },
    Key {
        section: "machine",
        name: "extension_dir",
        about: "Programs that host.call_extension may run.",
        allowed: ABSOLUTE,
        default: "\"/etc/xapi.d/extensions\"",
        example: "\"/etc/xapi.d/extensions\"",
        is_live: false,
        allows: |v| text(v, is_absolute),
    },
    Key {
        section: "ha",
        name: "renew_ms",
        about: "How often the lease is renewed, in milliseconds.",
        allowed: "a whole number from 100 to 60000",
        default: "1000",
        example: "1000",
        is_live: false,
        allows: |v| number(v, 100, 60_000),
    },
    Key {
        section: "ha",
        name: "node_margin_ms",
        about: "The node ends the guests so long before the end of the lease: the time it takes libvirt to end them.",
        allowed: "a whole number from 100 to 60000",
        default: "3000",
        example: "3000",
        is_live: false,
        allows: |v| number(v, 100, 60_000),
    },
    Key {
        section: "ha",
        name: "watchdog_margin_ms",
        about: "The watchdog kills what is left so long before the end of the lease.",
        allowed: "a whole number from 100 to 60000",
        default: "1500",
        example: "1500",
        is_live: false,
        allows: |v| number(v, 100, 60_000),
    },
    Key {
        section: "ha",
        name: "last_resort",
        about: "What the watchdog runs where guests do not die, such as a program that resets the machine.",
        allowed: PROGRAM,
        default: "[]",
        example: "[\"/usr/local/sbin/reset-this-host\"]",
        is_live: false,
        allows: |v| texts(v, |_| true),
    },
    Key {
        section: "ha",
        name: "run_dir",
        about: "The folder, on a tmpfs, by which the node and its watchdog know of each other.",
        allowed: ABSOLUTE,
        default: "(/run/tarn; below state_dir for simulated VMs)",
        example: "\"/run/tarn\"",
        is_live: false,
        allows: |v| text(v, is_absolute),
    },
];

fn text(value: &Value, allows: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(allows)
}

fn texts(value: &Value, allows: impl Fn(&str) -> bool) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(|item| text(item, &allows)))
}

fn number(value: &Value, least: i64, most: i64) -> bool {
    value.as_integer().is_some_and(|n| (least..=most).contains(&n))
}

fn is_absolute(text: &str) -> bool {
    Path::new(text).is_absolute()
}

fn is_socket(value: &Value) -> bool {
    text(value, |t| {
        t.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0)
    })
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed)
}
