//! `iscsi`: the LUNs of an iSCSI target, each a volume, opened by QEMU itself (libiscsi). Works on hosts whose kernel has
//! no iSCSI. LUNs are made and taken away on the server; here they are found and used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use md5::{Digest, Md5};
use node_hypervisor::{DiskFormat, DiskSource, NetworkLogin};
use proto_types::Bytes;
use uuid::Uuid;

use crate::driver::{
    Access, ConfigKey, CreateSr, DeviceConfig, DriverDescription, NewVolume, PluggedSr, ProbedSr, SrDriver,
    SrScan, SrSpace, Volume,
};
use crate::error::{Result, StorageError};
use crate::image::ImageTool;
use crate::job::Job;
use crate::tool;

#[cfg(test)]
mod test;

/// How long a server may take to tell its targets and LUNs.
const DISCOVERY: Duration = Duration::from_secs(20);
/// Most bytes of a name or a password to log in with.
const LONGEST_LOGIN: usize = 254;
/// LUNs of one target that are looked at.
const MOST_LUNS: usize = 256;

/// The driver of type `iscsi`.
#[derive(Clone)]
pub struct IscsiDriver {
    images: ImageTool,
}

static DESCRIPTION: DriverDescription = DriverDescription {
    kind: "iscsi",
    label: "Raw iSCSI",
    description: "LUNs of an iSCSI target as disks, opened by QEMU itself",
    vendor: "Tarn",
    copyright: "The Tarn authors",
    version: "1.0",
    required_api_version: "1.0",
    features: &[
        ("SR_PROBE", 1),
        ("SR_UPDATE", 1),
        ("SR_SCAN", 1),
        ("SR_ATTACH", 1),
        ("SR_DETACH", 1),
        ("VDI_ATTACH", 1),
        ("VDI_DETACH", 1),
        ("VDI_INTRODUCE", 1),
        ("VDI_UPDATE", 1),
    ],
    configuration: &[
        ConfigKey {
            name: "target",
            description: "name or address of the server",
            required: true,
            secret: false,
        },
        ConfigKey {
            name: "targetIQN",
            description: "name of the target; a probe without it lists those of the server",
            required: true,
            secret: false,
        },
        ConfigKey {
            name: "chapuser",
            description: "name with which to log in, if the target asks for one",
            required: false,
            secret: false,
        },
        ConfigKey {
            name: "chappassword",
            description: "password that goes with it",
            required: false,
            secret: true,
        },
        ConfigKey {
            name: "port",
            description: "port of the server; 3260 if it is not given",
            required: false,
            secret: false,
        },
    ],
    image_formats: &["raw"],
    can_be_shared: true,
    content_type: "user",
};

/// A target, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    server: Server,
    iqn: String,
}

/// A server, and how to log in to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    /// Name and port as URLs have them.
    portal: String,
    login: Option<NetworkLogin>,
}

fn invalid(key: &'static str, reason: &str) -> StorageError {
    StorageError::ConfigInvalid {
        key,
        reason: reason.to_owned(),
    }
}

fn server(config: &DeviceConfig) -> Result<Server> {
    Ok(Server {
        portal: portal(config)?,
        login: login(config)?,
    })
}

fn login(config: &DeviceConfig) -> Result<Option<NetworkLogin>> {
    let (user, password) = match (config.get("chapuser"), config.get("chappassword")) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        (None, Some(_)) => return Err(invalid("chapuser", "a password needs a name")),
        (Some(_), None) => return Err(invalid("chappassword", "a name needs a password")),
    };
    // As long as libiscsi keeps them; it would cut the rest off without a word.
    for (key, value) in [("chapuser", user), ("chappassword", password)] {
        if value.is_empty() || value.len() > LONGEST_LOGIN || value.contains(char::is_control) {
            return Err(invalid(key, "it is empty or too long"));
        }
    }
    Ok(Some(NetworkLogin {
        user: user.to_owned(),
        password: password.to_owned(),
    }))
}

/// Server and port as URLs have them.
fn portal(config: &DeviceConfig) -> Result<String> {
    let server = config.require("target")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if server.starts_with('-') || !server.chars().all(plain) {
        return Err(invalid("target", "it is no name or address"));
    }
    let port: u16 = config
        .get("port")
        .unwrap_or("3260")
        .parse()
        .map_err(|_| invalid("port", "it is no port"))?;
    Ok(if server.contains(':') {
        format!("[{server}]:{port}")
    } else {
        format!("{server}:{port}")
    })
}

fn check_iqn(iqn: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if iqn.len() > 223 || !iqn.chars().all(plain) {
        return Err(invalid("targetIQN", "it is no name of a target"));
    }
    Ok(())
}

impl Target {
    fn read(config: &DeviceConfig) -> Result<Target> {
        let server = server(config)?;
        let iqn = config.require("targetIQN")?.to_owned();
        check_iqn(&iqn)?;
        Ok(Target { server, iqn })
    }

    fn source(&self, lun: u64) -> DiskSource {
        DiskSource::Network {
            url: format!("iscsi://{}/{}/{lun}", self.server.portal, self.iqn),
            format: DiskFormat::Raw,
            below: Vec::new(),
            login: self.server.login.clone(),
        }
    }

    /// The same on every host and at every scan.
    fn uuid(&self, lun: u64) -> Uuid {
        let mut hash = Md5::new();
        hash.update(self.iqn.as_bytes());
        hash.update(lun.to_be_bytes());
        let bytes: [u8; 16] = hash.finalize().into();
        uuid::Builder::from_md5_bytes(bytes).into_uuid()
    }
}

/// What a server says it has: targets, each with the numbers of its disks.
fn listed(text: &str) -> Vec<(String, Vec<u64>)> {
    let mut targets: Vec<(String, Vec<u64>)> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some(iqn) = first.strip_prefix("Target:") {
            // A server with several addresses tells a target once for each.
            if !targets.iter().any(|(known, _)| known == iqn) {
                targets.push((iqn.to_owned(), Vec::new()));
            }
        } else if let (Some(number), Some((_, luns))) = (
            first.strip_prefix("Lun:").and_then(|n| n.parse().ok()),
            targets.last_mut(),
        ) && words
            .next()
            .is_some_and(|kind| kind.starts_with("Type:DIRECT_ACCESS"))
            && luns.len() < MOST_LUNS
            && !luns.contains(&number)
        {
            luns.push(number);
        }
    }
    targets
}

async fn ask(server: &Server, with_luns: bool) -> Result<Vec<(String, Vec<u64>)>> {
    let url = format!("iscsi://{}", server.portal);
    let args: &[&str] = if with_luns { &["-s", &url] } else { &[&url] };
    let login = server.login.iter().flat_map(NetworkLogin::environment);
    match tool::run_with("iscsi-ls", args, login, DISCOVERY).await {
        Ok(text) => Ok(listed(&text)),
        Err(StorageError::Tool { message, .. }) if message.to_lowercase().contains("authentication") => {
            Err(StorageError::LoginRefused {
                server: server.portal.clone(),
            })
        }
        Err(StorageError::Tool { message, .. }) => Err(StorageError::ServerUnreachable {
            server: server.portal.clone(),
            reason: message,
        }),
        Err(other) => Err(other),
    }
}

/// The targets of a server, in the form that clients of probes read.
fn targets_xml(portal: &str, targets: &[(String, Vec<u64>)]) -> String {
    let address = portal.rsplit_once(':').map_or(portal, |(address, _)| address);
    let mut text = String::from("<?xml version=\"1.0\" ?>\n<iscsi-target-iqns>\n");
    for (index, (iqn, _)) in targets.iter().enumerate() {
        // Names from the wire: only what needs no escaping is handed on.
        if check_iqn(iqn).is_ok() {
            text.push_str(&format!(
                "\t<TGT>\n\t\t<Index>{index}</Index>\n\t\t<IPAddress>{address}</IPAddress>\n\t\t<TargetIQN>{iqn}</TargetIQN>\n\t</TGT>\n"
            ));
        }
    }
    text.push_str("</iscsi-target-iqns>\n");
    text
}

impl IscsiDriver {
    /// A driver that runs this qemu-img to measure LUNs.
    pub fn new(images: ImageTool) -> IscsiDriver {
        IscsiDriver { images }
    }

    async fn verify(&self, sr: Uuid, config: &DeviceConfig) -> Result<Target> {
        let target = Target::read(config)?;
        // Only a login shows whether a password is right.
        let known = ask(&target.server, target.server.login.is_some()).await?;
        if known.iter().any(|(iqn, _)| *iqn == target.iqn) {
            return Ok(target);
        }
        Err(StorageError::SrUnavailable {
            sr,
            reason: format!("{} has no target {}", target.server.portal, target.iqn),
        })
    }
}

#[async_trait]
impl SrDriver for IscsiDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        // The target exists already; it only becomes known to the pool.
        self.verify(request.sr, &request.config).await.map(drop)
    }

    async fn destroy(&self, _sr: Uuid, config: &DeviceConfig) -> Result<()> {
        // The LUNs are the server's.
        Target::read(config).map(drop)
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let server = server(config)?;
        if config.get("targetIQN").is_none() {
            let targets = ask(&server, false).await?;
            return Err(StorageError::ConfigChoices {
                key: "targetIQN",
                xml: targets_xml(&server.portal, &targets),
            });
        }
        self.verify(Uuid::nil(), config).await?;
        Ok(vec![ProbedSr {
            sr: None,
            config: config.clone(),
            space: SrSpace::default(),
        }])
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let target = self.verify(sr, config).await?;
        Ok(Arc::new(IscsiSr {
            sr,
            target,
            images: self.images.clone(),
            closed: AtomicBool::new(false),
        }))
    }
}

/// A target in use.
struct IscsiSr {
    sr: Uuid,
    target: Target,
    images: ImageTool,
    closed: AtomicBool,
}

impl IscsiSr {
    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::NotPlugged { sr: self.sr });
        }
        Ok(())
    }

    async fn luns(&self) -> Result<Vec<u64>> {
        self.check_open()?;
        let targets = ask(&self.target.server, true).await?;
        targets
            .into_iter()
            .find(|(iqn, _)| *iqn == self.target.iqn)
            .map(|(_, luns)| luns)
            .ok_or_else(|| StorageError::SrUnavailable {
                sr: self.sr,
                reason: format!(
                    "{} has no target {} any more",
                    self.target.server.portal, self.target.iqn
                ),
            })
    }

    async fn measure(&self, lun: u64) -> Result<Volume> {
        let info = self.images.info(&self.target.source(lun)).await?;
        Ok(Volume {
            location: lun.to_string(),
            uuid: Some(self.target.uuid(lun)),
            name: None,
            virtual_size: Bytes(info.virtual_size),
            utilisation: Bytes(info.virtual_size),
            parent: None,
            format: DiskFormat::Raw,
            read_only: false,
            hidden: false,
        })
    }

    /// A location in the one spelling that scans give.
    async fn find(&self, location: &str) -> Result<u64> {
        let gone = || StorageError::NoSuchVolume {
            location: location.to_owned(),
        };
        let lun: u64 = location.parse().map_err(|_| gone())?;
        if lun.to_string() != location || !self.luns().await?.contains(&lun) {
            return Err(gone());
        }
        Ok(lun)
    }
}

/// What is the server's to do.
fn unsupported<T>(operation: &'static str) -> Result<T> {
    Err(StorageError::Unsupported {
        kind: "iscsi",
        operation,
    })
}

#[async_trait]
impl PluggedSr for IscsiSr {
    fn sr(&self) -> Uuid {
        self.sr
    }

    async fn unplug(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }

    async fn space(&self) -> Result<SrSpace> {
        Ok(self.scan().await?.space)
    }

    async fn scan(&self) -> Result<SrScan> {
        self.check_open()?;
        let failed = |source| StorageError::ScanFailed {
            sr: self.sr,
            source: Box::new(source),
        };
        let mut scan = SrScan::default();
        for lun in self.luns().await.map_err(failed)? {
            match self.measure(lun).await {
                Ok(volume) => scan.volumes.push(volume),
                Err(error) => scan.refused.push((lun.to_string(), error.chain())),
            }
        }
        scan.volumes.sort_by(|a, b| a.location.cmp(&b.location));
        let total: u64 = scan.volumes.iter().map(|v| v.virtual_size.get()).sum();
        scan.space = SrSpace {
            physical_size: Bytes(total),
            physical_utilisation: Bytes(total),
        };
        Ok(scan)
    }

    async fn stat(&self, location: &str) -> Result<Volume> {
        let lun = self.find(location).await?;
        self.measure(lun).await
    }

    async fn create_volume(&self, _new: &NewVolume, _job: &Job) -> Result<Volume> {
        unsupported("create volumes")
    }

    async fn resize(&self, _location: &str, _virtual_size: Bytes) -> Result<Volume> {
        unsupported("resize volumes")
    }

    async fn prepare_online_resize(&self, _location: &str, _virtual_size: Bytes) -> Result<()> {
        unsupported("resize volumes")
    }

    async fn destroy_volume(&self, _location: &str) -> Result<()> {
        unsupported("destroy volumes")
    }

    async fn resolve(&self, location: &str, _access: Access) -> Result<DiskSource> {
        let lun = self.find(location).await?;
        Ok(self.target.source(lun))
    }

    async fn release(&self, _location: &str) -> Result<()> {
        Ok(())
    }

    async fn check(&self, location: &str) -> Result<()> {
        self.stat(location).await.map(drop)
    }
}
