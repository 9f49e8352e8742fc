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
/// The key of a certificate that is being taken on.
const NEXT_KEY: &str = "host-key.next.pem";
/// An operator's own certificate for the API, with its chain and key.
const OF_API: &str = "api-identity.pem";

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

/// Says that this machine is no host of its pool: it only takes the log in.
const LEARNER: &str = "learner";

/// Notes that this machine only learns. Before it has an identity.
///
/// # Errors
/// When the file cannot be written.
pub fn note_learner(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).context("create the state folder")?;
    write(dir, LEARNER, "", 0o644)
}

/// Whether this machine only learns.
pub fn is_learner(dir: &Path) -> bool {
    dir.join(LEARNER).exists()
}

/// Gives a host that has no number yet the number of another, whose place it takes.
///
/// # Errors
/// When it has one already, or the file cannot be written.
pub fn take_uuid(dir: &Path, uuid: Uuid) -> Result<()> {
    let own = dir.join(UUID);
    if own.exists() && host_uuid(dir)? != uuid {
        bail!(
            "this host has a number of its own, in {}: only a host that never was in a pool can take another's place",
            own.display()
        );
    }
    fs::create_dir_all(dir).context("create the state folder")?;
    write(dir, UUID, &uuid.to_string(), 0o644)
}

/// Sets what is left of the pool's database aside, so that the host can come back with an empty one.
///
/// # Errors
/// When a file cannot be moved or removed.
pub fn set_aside(dir: &Path) -> Result<()> {
    let database = dir.join("raft");
    if database.exists() {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let name = format!("raft.aside-{}", since.unwrap_or_default().as_secs());
        fs::rename(&database, dir.join(name)).context("set the old database aside")?;
    }
    remove(&dir.join(CERTIFICATE))
}

/// Replaces certificate, key and trust while the host stays in its pool. May be cut off anywhere: [`settle`] finds a
/// key that belongs to the certificate.
///
/// # Errors
/// When a file cannot be written.
pub fn renew(dir: &Path, identity: &Identity) -> Result<()> {
    write(dir, NEXT_KEY, &identity.key_pem, 0o600)?;
    write(dir, TRUST, &identity.trust_pem, 0o644)?;
    write(dir, CERTIFICATE, &identity.certificate_pem, 0o644)?;
    take_key(dir)
}

/// Ends a renewal that was cut off. `fits` says whether key and certificate belong together.
///
/// # Errors
/// When a file cannot be read or moved.
pub fn settle(dir: &Path, fits: impl Fn(&Identity) -> bool) -> Result<()> {
    let next = dir.join(NEXT_KEY);
    if !next.exists() || !dir.join(CERTIFICATE).exists() {
        return Ok(());
    }
    let mut identity = load(dir)?;
    identity.key_pem = fs::read_to_string(&next).context("read the next key")?;
    if fits(&identity) {
        take_key(dir)
    } else {
        remove(&next)
    }
}

fn take_key(dir: &Path) -> Result<()> {
    fs::rename(dir.join(NEXT_KEY), dir.join(KEY)).context("take on the next key")
}

/// Writes whom to trust.
///
/// # Errors
/// When the file cannot be written.
pub fn save_trust(dir: &Path, trust_pem: &str) -> Result<()> {
    write(dir, TRUST, trust_pem, 0o644)
}

/// An operator's own certificate for the API, with its chain and key in one text. Holds a secret.
///
/// # Errors
/// When the file cannot be read.
pub fn api(dir: &Path) -> Result<Option<String>> {
    let file = dir.join(OF_API);
    if !file.exists() {
        return Ok(None);
    }
    fs::read_to_string(file)
        .map(Some)
        .context("read the API's certificate")
}

/// Writes an operator's own certificate for the API, or takes it away.
///
/// # Errors
/// When the file cannot be written or removed.
pub fn save_api(dir: &Path, all_pem: Option<&str>) -> Result<()> {
    match all_pem {
        Some(text) => write(dir, OF_API, text, 0o600),
        None => remove(&dir.join(OF_API)),
    }
}

/// Folder of an identity that is to be taken on at the next start.
const NEXT: &str = "next";
/// Says that the host has been sent away and begins a pool of its own at the next start.
const ALONE: &str = "alone.json";

/// Writes the identity that the host takes on at its next start, as a member of another pool.
///
/// # Errors
/// When a file cannot be written.
pub fn save_next(dir: &Path, identity: &Identity) -> Result<()> {
    save(&dir.join(NEXT), identity)
}

/// Takes on the identity written before the node stopped, if there is one: what belonged to the old pool goes first.
/// May be cut off anywhere and begun again.
///
/// # Errors
/// When a file cannot be moved or removed.
pub fn take_next(dir: &Path) -> Result<()> {
    let next = dir.join(NEXT);
    if !next.join(CERTIFICATE).exists() {
        return Ok(());
    }
    forget_pool(dir)?;
    for name in [UUID, KEY, TRUST, CERTIFICATE] {
        let file = next.join(name);
        if file.exists() {
            fs::rename(file, dir.join(name)).with_context(|| format!("take on {name}"))?;
        }
    }
    fs::remove_dir_all(&next).context("remove the folder of the next identity")
}

/// What a host that was sent away begins with: the superusers it knew, each with the hash of the password.
pub type Superusers = Vec<(String, String)>;

/// Notes that the host begins a pool of its own at its next start.
///
/// # Errors
/// When the file cannot be written.
pub fn note_alone(dir: &Path, superusers: &Superusers) -> Result<()> {
    write(
        dir,
        ALONE,
        &serde_json::to_string(superusers).context("encode")?,
        0o600,
    )
}

/// Says whether the host begins a pool of its own, and with which superusers. What belonged to the old pool is gone
/// when this returns them.
///
/// # Errors
/// When a file cannot be read or removed.
pub fn begins_alone(dir: &Path) -> Result<Option<Superusers>> {
    let file = dir.join(ALONE);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).context("read who may log in")?;
    let superusers = serde_json::from_str(&text).context("read who may log in")?;
    forget_pool(dir)?;
    for name in [CERTIFICATE, KEY, TRUST, NEXT_KEY] {
        remove(&dir.join(name))?;
    }
    Ok(Some(superusers))
}

/// The host has its own pool now.
///
/// # Errors
/// When the note cannot be removed.
pub fn is_alone_now(dir: &Path) -> Result<()> {
    remove(&dir.join(ALONE))
}

/// Removes the pool's database and the highest term seen in it: another pool counts its own.
///
/// # Errors
/// When a file cannot be removed.
pub fn forget_pool(dir: &Path) -> Result<()> {
    let database = dir.join("raft");
    if database.exists() {
        fs::remove_dir_all(&database).context("remove the old pool's database")?;
    }
    remove(&dir.join("agent").join("term"))
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", file.display()))
        }
        _ => Ok(()),
    }
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

#[cfg(test)]
mod test {
    use super::*;

    fn identity(certificate: &str) -> Identity {
        Identity {
            host: Uuid::from_u128(1),
            certificate_pem: certificate.to_owned(),
            key_pem: "key".to_owned(),
            trust_pem: "trust".to_owned(),
        }
    }

    #[test]
    fn a_new_identity_is_taken_on_with_nothing_left_of_the_old_pool() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        save(dir, &identity("old")).unwrap();
        fs::create_dir_all(dir.join("raft")).unwrap();
        fs::create_dir_all(dir.join("agent")).unwrap();
        fs::write(dir.join("agent/term"), "9").unwrap();
        take_next(dir).unwrap();
        assert_eq!(load(dir).unwrap().certificate_pem, "old");
        save_next(dir, &identity("new")).unwrap();
        // Cut off half way: the key has been moved already.
        fs::rename(dir.join("next").join(KEY), dir.join(KEY)).unwrap();
        take_next(dir).unwrap();
        assert_eq!(load(dir).unwrap().certificate_pem, "new");
        assert!(!dir.join("raft").exists() && !dir.join("agent/term").exists() && !dir.join("next").exists());
    }

    #[test]
    fn a_renewal_that_was_cut_off_ends_with_a_key_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let of = |text: &str| Identity {
            key_pem: text.to_owned(),
            ..identity(text)
        };
        let fits = |i: &Identity| i.key_pem == i.certificate_pem;
        save(dir, &of("old")).unwrap();
        settle(dir, fits).unwrap();
        // Before the certificate was written.
        write(dir, NEXT_KEY, "new", 0o600).unwrap();
        settle(dir, fits).unwrap();
        assert!(fits(&load(dir).unwrap()) && !dir.join(NEXT_KEY).exists());
        // After it.
        write(dir, NEXT_KEY, "new", 0o600).unwrap();
        write(dir, CERTIFICATE, "new", 0o644).unwrap();
        settle(dir, fits).unwrap();
        assert_eq!(load(dir).unwrap().key_pem, "new");
        renew(dir, &of("newer")).unwrap();
        settle(dir, fits).unwrap();
        assert!(fits(&load(dir).unwrap()) && !dir.join(NEXT_KEY).exists());
    }

    #[test]
    fn a_host_sent_away_belongs_to_no_pool_and_knows_its_superusers() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        save(dir, &identity("old")).unwrap();
        assert_eq!(begins_alone(dir).unwrap(), None);
        let users = vec![("root".to_owned(), "hash".to_owned())];
        note_alone(dir, &users).unwrap();
        // Asked twice: the first time may have been cut off.
        assert_eq!(begins_alone(dir).unwrap(), Some(users.clone()));
        assert_eq!(begins_alone(dir).unwrap(), Some(users));
        assert!(load(dir).is_err());
        assert_eq!(host_uuid(dir).unwrap(), Uuid::from_u128(1));
        is_alone_now(dir).unwrap();
        assert_eq!(begins_alone(dir).unwrap(), None);
    }
}
