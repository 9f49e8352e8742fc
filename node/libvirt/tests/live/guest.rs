//! The hosts and guests of the live tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use node_hypervisor::{
    Accelerator, Boot, Bytes, DiskFormat, DiskIndex, DiskSource, DiskSpec, DomainEvent, DomainEventKind,
    DomainSpec, NicIndex, NicModel, NicSpec,
};
use node_libvirt::{LibvirtConfig, LibvirtHypervisor};
use uuid::Uuid;

/// How long anything may take; emulation is slow.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What the environment offers.
pub struct Live {
    pub hypervisor: LibvirtHypervisor,
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub bridge: Option<String>,
    pub folder: tempfile::TempDir,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// A driver for that libvirt, emulating unless told otherwise.
pub async fn driver(uri: String) -> LibvirtHypervisor {
    let accelerator = match variable("TARN_LIVE_ACCELERATOR").as_deref() {
        Some("kvm") => Accelerator::Kvm,
        _ => Accelerator::Tcg,
    };
    LibvirtHypervisor::new(LibvirtConfig {
        uri,
        accelerator: Some(accelerator),
        ..LibvirtConfig::default()
    })
    .await
}

impl Live {
    /// The host under test, or `None` with a printed reason.
    pub async fn new() -> Option<Live> {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let Some(uri) = variable("TARN_LIVE_LIBVIRT_URI") else {
            println!("skipped: TARN_LIVE_LIBVIRT_URI names no libvirt");
            return None;
        };
        let (Some(kernel), Some(initrd)) = (variable("TARN_LIVE_KERNEL"), variable("TARN_LIVE_INITRD"))
        else {
            println!("skipped: TARN_LIVE_KERNEL and TARN_LIVE_INITRD name no guest");
            return None;
        };
        let place = variable("TARN_LIVE_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
        Some(Live {
            hypervisor: driver(uri).await,
            kernel: kernel.into(),
            initrd: initrd.into(),
            bridge: variable("TARN_LIVE_BRIDGE"),
            folder: tempfile::Builder::new()
                .prefix("tarn-live")
                .tempdir_in(place)
                .unwrap(),
        })
    }

    /// Another host, its libvirt's socket and address, or `None` with a printed reason.
    pub async fn second(&self) -> Option<(LibvirtHypervisor, PathBuf, String)> {
        let found = variable("TARN_LIVE_SECOND_URI")
            .zip(variable("TARN_LIVE_SECOND_SOCKET"))
            .zip(variable("TARN_LIVE_SECOND_DATA_URI"));
        let Some(((uri, socket), data_uri)) = found else {
            println!("skipped: TARN_LIVE_SECOND_URI, _SOCKET and _DATA_URI name no second host");
            return None;
        };
        Some((driver(uri).await, socket.into(), data_uri))
    }

    /// A guest with a disk, an interface and consoles.
    pub fn spec(&self, name: &str) -> DomainSpec {
        self.spec_with(name, "")
    }

    /// The same with more words on its kernel's command line.
    pub fn spec_with(&self, name: &str, words: &str) -> DomainSpec {
        let uuid = Uuid::new_v4();
        let mut spec = DomainSpec::new(format!("start-{uuid}"), uuid, name, Bytes::mib(160));
        spec.boot = Boot::Kernel {
            kernel: self.kernel.clone(),
            initrd: Some(self.initrd.clone()),
            args: format!("console=ttyS0 quiet {words}"),
        };
        spec.disks = vec![
            self.disk(&format!("{uuid}-0"), DiskIndex(0)),
            DiskSpec::cdrom(DiskIndex(3), DiskSource::Empty),
        ];
        spec.nics = self.nic(NicIndex(0)).into_iter().collect();
        spec.serial_log = Some(self.folder.path().join(format!("{uuid}/serial.log")));
        spec.vnc_socket = Some(self.folder.path().join(format!("{uuid}/vnc.sock")));
        spec
    }

    /// A disk with a new raw image of 16 MiB.
    pub fn disk(&self, name: &str, index: DiskIndex) -> DiskSpec {
        let path = self.folder.path().join(format!("{name}.raw"));
        std::fs::File::create(&path)
            .unwrap()
            .set_len(16 * Bytes::MIB)
            .unwrap();
        DiskSpec::disk(
            index,
            DiskSource::File {
                path,
                format: DiskFormat::Raw,
            },
            name,
        )
    }

    pub fn nic(&self, index: NicIndex) -> Option<NicSpec> {
        let low = rand_byte();
        Some(NicSpec {
            index,
            mac: format!("02:00:00:00:{low:02x}:{:02x}", index.0),
            bridge: self.bridge.clone()?,
            tap: None,
            mtu: None,
            model: NicModel::Virtio,
        })
    }
}

fn rand_byte() -> u8 {
    Uuid::new_v4().as_bytes()[0]
}

/// The numbers that a guest has counted so far, by its serial log.
pub fn counts(log: &Path) -> Vec<u64> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| {
            line.split_once("count ")?
                .1
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .collect()
}

/// Waits until a guest has counted so often since `from` lines.
pub async fn counts_on(log: &Path, from: usize, more: usize) -> Vec<u64> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let seen = counts(log);
        if seen.len() >= from + more {
            return seen;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} counted only {seen:?}",
            log.display()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for an event of that domain; answers all of its events until then.
pub async fn event(
    events: &mut tokio::sync::broadcast::Receiver<DomainEvent>,
    vm: Uuid,
    wanted: &DomainEventKind,
) -> Vec<DomainEventKind> {
    let mut seen = Vec::new();
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let next = tokio::time::timeout_at(deadline, events.recv()).await;
        let next = next
            .unwrap_or_else(|_| panic!("no {wanted:?}, only {seen:?}"))
            .unwrap();
        if next.vm == vm {
            seen.push(next.kind.clone());
            if next.kind == *wanted {
                return seen;
            }
        }
    }
}
