//! Who this host is: its uuid, key, certificate and whom it trusts, as files of the state folder.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use proto_wire::channel::Identity;
use uuid::Uuid;

const UUID: &str = "host-uuid";
const KEY: &str = "host-key.pem";
const CERTIFICATE: &str = "host-cert.pem";
/// The pool's certificate authority, which clients may be given.
const TRUST: &str = "pool-ca.pem";

/// Reads the identity of a host that belongs to a pool.
///
/// # Errors
/// When it belongs to none, or a file cannot be read.
pub fn load(dir: &Path) -> Result<Identity> {
    if !dir.join(CERTIFICATE).exists() {
        bail!("this host belongs to no pool yet: run `tarn pool create` or `tarn pool join` first");
    }
    let read = |name: &str| fs::read_to_string(dir.join(name)).with_context(|| format!("read {name}"));
    Ok(Identity {
        host: Uuid::try_parse(read(UUID)?.trim()).context("read host-uuid")?,
        certificate_pem: read(CERTIFICATE)?,
        key_pem: read(KEY)?,
        trust_pem: read(TRUST)?,
    })
}

/// Writes the identity; the certificate last, since its presence says that the host belongs to a pool.
///
/// # Errors
/// When a file cannot be written.
pub fn save(dir: &Path, identity: &Identity) -> Result<()> {
    fs::create_dir_all(dir).context("create the state folder")?;
    write(dir, UUID, &identity.host.to_string(), 0o644)?;
    write(dir, KEY, &identity.key_pem, 0o600)?;
    write(dir, TRUST, &identity.trust_pem, 0o644)?;
    write(dir, CERTIFICATE, &identity.certificate_pem, 0o644)
}

/// The host's uuid; made at first.
///
/// # Errors
/// When it cannot be read or written.
pub fn host_uuid(dir: &Path) -> Result<Uuid> {
    let file = dir.join(UUID);
    if file.exists() {
        let text = fs::read_to_string(&file).context("read host-uuid")?;
        return Uuid::try_parse(text.trim()).context("read host-uuid");
    }
    fs::create_dir_all(dir).context("create the state folder")?;
    let uuid = Uuid::new_v4();
    write(dir, UUID, &uuid.to_string(), 0o644)?;
    Ok(uuid)
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) -> Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .with_context(|| format!("write {name}"))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("write {name}"))?;
    file.sync_all().with_context(|| format!("write {name}"))?;
    fs::rename(&temporary, dir.join(name)).with_context(|| format!("write {name}"))
}
