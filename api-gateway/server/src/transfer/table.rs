//! Which handler answers what: by method and the longest prefix of the path.

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use proto_types::schema::Role;

use super::{Exchange, Refusal, Reply, audit_log, blob, console, database, export, figures, import, raw_vdi};

/// The methods of handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `GET`
    Get,
    /// `PUT`
    Put,
    /// `POST`
    Post,
    /// `CONNECT`
    Connect,
}

impl Verb {
    fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET => Some(Verb::Get),
            Method::PUT => Some(Verb::Put),
            Method::POST => Some(Verb::Post),
            Method::CONNECT => Some(Verb::Connect),
            _ => None,
        }
    }
}

/// Where a handler can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On any host.
    Any,
    /// On the leader, since it writes; others send the client there.
    Leader,
}

/// What carries a request out.
pub type Handle = fn(Exchange) -> BoxFuture<'static, Result<Reply, Refusal>>;

/// One handler.
pub struct Entry {
    /// Its method.
    pub verb: Verb,
    /// What its path begins with.
    pub path: &'static str,
    /// How it is called in 401 answers and in tasks made for it.
    pub label: &'static str,
    /// The permission is `http/` and this.
    pub action: &'static str,
    /// Least role.
    pub role: Role,
    /// Where it can work.
    pub place: Place,
    /// Whether the audit trail tells of it: something leaves, comes or is touched.
    pub is_told: bool,
    /// What carries it out.
    pub handle: Handle,
}

/// All handlers.
pub const TABLE: &[Entry] = &[
    Entry {
        verb: Verb::Connect,
        path: "/console",
        label: "Console.get",
        action: "connect_console",
        role: Role::VmOperator,
        place: Place::Any,
        is_told: true,
        handle: |exchange| Box::pin(console::connect(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/console",
        label: "Console.get",
        action: "get_console",
        role: Role::VmOperator,
        place: Place::Any,
        is_told: true,
        handle: |exchange| Box::pin(console::websocket(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/rrd_updates",
        label: "RRD_updates.get",
        action: "get_rrd_updates",
        role: Role::ReadOnly,
        place: Place::Any,
        is_told: false,
        handle: |exchange| Box::pin(figures::updates(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/host_rrd",
        label: "Host_RRD.get",
        action: "get_host_rrd",
        role: Role::ReadOnly,
        place: Place::Any,
        is_told: false,
        handle: |exchange| Box::pin(figures::of_host(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/vm_rrd",
        label: "VM_RRD.get",
        action: "get_vm_rrd",
        role: Role::ReadOnly,
        place: Place::Any,
        is_told: false,
        handle: |exchange| Box::pin(figures::of_vm(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/sr_rrd",
        label: "SR_RRD.get",
        action: "get_sr_rrd",
        role: Role::ReadOnly,
        place: Place::Any,
        is_told: false,
        handle: |exchange| Box::pin(figures::of_sr(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/metrics",
        label: "Metrics.get",
        action: "get_metrics",
        role: Role::ReadOnly,
        place: Place::Any,
        is_told: false,
        handle: |exchange| Box::pin(figures::prometheus(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/export",
        label: "VM.export",
        action: "get_export",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(export::export(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/export_metadata",
        label: "VM.metadata_export",
        action: "get_export_metadata",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(export::metadata(exchange)),
    },
    Entry {
        verb: Verb::Put,
        path: "/import",
        label: "VM.import",
        action: "put_import",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(import::import(exchange)),
    },
    Entry {
        verb: Verb::Put,
        path: "/import_metadata",
        label: "VM.metadata_import",
        action: "put_import_metadata",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(import::metadata(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/export_raw_vdi",
        label: "VDI.export_raw",
        action: "get_export_raw_vdi",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(raw_vdi::export(exchange)),
    },
    Entry {
        verb: Verb::Put,
        path: "/import_raw_vdi",
        label: "VDI.import_raw",
        action: "put_import_raw_vdi",
        role: Role::VmAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(raw_vdi::import(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/audit_log",
        label: "Audit_log.get",
        action: "get_audit_log",
        role: Role::ReadOnly,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(audit_log::get(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/blob",
        label: "Blob.get",
        action: "get_blob",
        role: Role::ReadOnly,
        place: Place::Leader,
        is_told: false,
        handle: |exchange| Box::pin(blob::get(exchange)),
    },
    Entry {
        verb: Verb::Put,
        path: "/blob",
        label: "Blob.put",
        action: "put_blob",
        role: Role::VmPowerAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(blob::put(exchange)),
    },
    Entry {
        verb: Verb::Get,
        path: "/pool/xmldbdump",
        label: "Pool.xml_db_sync",
        action: "get_pool_xml_db_sync",
        role: Role::PoolAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(database::get(exchange)),
    },
    Entry {
        verb: Verb::Put,
        path: "/pool/xmldbdump",
        label: "Pool.xml_db_sync",
        action: "put_pool_xml_db_sync",
        role: Role::PoolAdmin,
        place: Place::Leader,
        is_told: true,
        handle: |exchange| Box::pin(database::put(exchange)),
    },
];

/// Handlers of the API that are not built. A `POST` to one of them is not a call.
const UNBUILT: &[&str] = &[
    "/vncsnapshot",
    "/rrd",
    "/messages",
    "/services",
    "/wlb_",
    "/host_logs_download",
    "/system-status",
    "/pool_patch_upload",
    "/bundle",
    "/host_backup",
    "/host_restore",
    "/sync_config_files",
    "/cli",
    "/remote_db_access",
    "/remotecmd",
    "/repository",
    "/host_updates",
    "/update",
];

/// Whether a path belongs to a handler, built or not.
pub fn knows(path: &str) -> bool {
    built(path).next().is_some() || UNBUILT.iter().any(|prefix| path.starts_with(prefix))
}

fn built(path: &str) -> impl Iterator<Item = &'static Entry> {
    TABLE.iter().filter(move |entry| path.starts_with(entry.path))
}

/// The handler of a request.
///
/// # Errors
/// 403 for a path that has none for the method, 501 for one that is not built or a method that no handler has.
pub fn find(method: &Method, path: &str) -> Result<&'static Entry, StatusCode> {
    let Some(verb) = Verb::of(method) else {
        return Err(StatusCode::NOT_IMPLEMENTED);
    };
    let longest = built(path)
        .filter(|entry| entry.verb == verb)
        .max_by_key(|entry| entry.path.len());
    let unbuilt = UNBUILT
        .iter()
        .filter(|prefix| path.starts_with(**prefix))
        .map(|prefix| prefix.len())
        .max();
    match (longest, unbuilt) {
        (Some(entry), Some(length)) if length > entry.path.len() => Err(StatusCode::NOT_IMPLEMENTED),
        (Some(entry), _) => Ok(entry),
        (None, Some(_)) => Err(StatusCode::NOT_IMPLEMENTED),
        (None, None) => Err(StatusCode::FORBIDDEN),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_trailing_slash_reaches_the_same_handler() {
        for path in ["/console", "/console/"] {
            assert_eq!(
                find(&Method::CONNECT, path).map(|e| e.action),
                Ok("connect_console")
            );
        }
    }

    #[test]
    fn the_longest_path_counts() {
        for (path, action) in [
            ("/export/", "get_export"),
            ("/export_metadata", "get_export_metadata"),
            ("/export_raw_vdi/", "get_export_raw_vdi"),
        ] {
            assert_eq!(find(&Method::GET, path).map(|e| e.action), Ok(action));
        }
    }

    #[test]
    fn a_path_without_a_handler_for_the_method_is_forbidden_and_an_unbuilt_one_says_so() {
        assert_eq!(
            find(&Method::PUT, "/console").map(|e| e.action),
            Err(StatusCode::FORBIDDEN)
        );
        assert_eq!(
            find(&Method::GET, "/vncsnapshot").map(|e| e.action),
            Err(StatusCode::NOT_IMPLEMENTED)
        );
        assert_eq!(
            find(&Method::DELETE, "/console").map(|e| e.action),
            Err(StatusCode::NOT_IMPLEMENTED)
        );
    }

    #[test]
    fn each_handler_is_a_permission_of_the_data_model() {
        for entry in TABLE {
            let name = format!("http/{}", entry.action);
            let role = proto_types::rbac::permission(&name).map(|p| p.role);
            assert_eq!(role, Some(entry.role), "{name}");
        }
    }

    #[test]
    fn no_handler_stands_twice() {
        for (at, entry) in TABLE.iter().enumerate() {
            let same = |other: &&Entry| other.verb == entry.verb && other.path == entry.path;
            assert!(
                !TABLE[at + 1..].iter().any(|other| same(&other)),
                "{:?} {}",
                entry.verb,
                entry.path
            );
        }
    }
}
