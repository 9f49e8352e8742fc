//! A pool's database as one file: taken while the pool works, whole or refused when read.
//!
//! ```text
//! "TARN BACKUP 1\n", then frames, each with its length before it: header (JSON), one per row (as stored), the SHA-256
//! of everything before it
//! ```

use std::io::{self, Read, Write};

use pool_domain::Database;
use prost::Message;
use proto_wire::stored;
use proto_wire::value::Malformed;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::digest;
use crate::format::{self, FORMAT_CHANGES};

const MAGIC: &[u8] = b"TARN BACKUP 1\n";
/// No row is larger; a length beyond it is damage.
const LARGEST_FRAME: u32 = 64 * 1024 * 1024;

/// What stands at the head of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// The format of its rows.
    pub format: u32,
    /// The release that wrote it.
    pub release: String,
    /// The pool's uuid.
    pub pool: String,
    /// The pool's name.
    pub name: String,
    /// The uuid of the host that was the master.
    pub master: String,
    /// The log index that it stands for.
    pub applied: u64,
    /// When it was taken, in seconds since 1970.
    pub taken: i64,
    /// Number of rows.
    pub rows: u64,
    /// Digest of the rows.
    pub sha256: String,
}

/// A backup that was read and found whole.
pub struct Backup {
    /// Its head.
    pub header: BackupHeader,
    /// The rows as they were.
    pub database: Database,
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It does not begin like one.
    #[error("this is no backup of a pool")]
    NoBackup,
    /// It ends early, or was changed.
    #[error("the backup is damaged: {what}")]
    Damaged {
        /// Where.
        what: &'static str,
    },
    /// A newer release wrote it.
    #[error("the backup has format {found}, this release knows up to {known}")]
    Newer {
        /// Its format.
        found: u32,
        /// The newest format of this release.
        known: u32,
    },
    /// A row does not read.
    #[error("a row of the backup does not read")]
    Unreadable(#[from] Malformed),
    /// It cannot be read.
    #[error("the backup cannot be read")]
    Io(#[from] io::Error),
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The rows alone: what was deleted and which requests were answered belongs to the log that ends here.
fn rows_only(db: &Database) -> Database {
    Database::restore(
        db.applied(),
        db.applied(),
        db.all().map(|row| row.forget_encoded()),
        [],
        [],
    )
}

/// Writes a backup. `header` says who and when; what depends on the rows is filled in. Takes milliseconds per thousand
/// rows: call it off the async threads.
///
/// # Errors
/// When writing fails.
pub fn write(db: &Database, header: BackupHeader, out: &mut impl Write) -> io::Result<BackupHeader> {
    let digest = digest(&rows_only(db));
    let header = BackupHeader {
        format: FORMAT_CHANGES.last().map_or(0, |change| change.format),
        applied: db.applied(),
        rows: digest.rows,
        sha256: hex(&digest.sha256),
        ..header
    };
    let mut sum = Sha256::new();
    let mut put = |bytes: &[u8]| {
        sum.update(bytes);
        out.write_all(bytes)
    };
    put(MAGIC)?;
    frame(&serde_json::to_vec(&header)?, &mut put)?;
    for row in db.all() {
        frame(&format::row_to_wire(row).encode_to_vec(), &mut put)?;
    }
    let sum: [u8; 32] = sum.finalize().into();
    frame(&sum, &mut |bytes| out.write_all(bytes))?;
    out.flush()?;
    Ok(header)
}

fn frame(bytes: &[u8], put: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    put(&length.to_be_bytes())?;
    put(bytes)
}

/// Reads a backup and checks that it is whole: its checksum, the number of rows, and their digest.
///
/// # Errors
/// [`BackupError`].
pub fn read(input: &mut impl Read) -> Result<Backup, BackupError> {
    let mut sum = Sha256::new();
    let mut magic = vec![0; MAGIC.len()];
    input.read_exact(&mut magic).map_err(|_| BackupError::NoBackup)?;
    if magic != MAGIC {
        return Err(BackupError::NoBackup);
    }
    sum.update(&magic);
    let head = next(input, "its head")?;
    note(&mut sum, &head);
    let header: BackupHeader =
        serde_json::from_slice(&head).map_err(|_| BackupError::Damaged { what: "its head" })?;
    let known = FORMAT_CHANGES.last().map_or(0, |change| change.format);
    if header.format > known {
        return Err(BackupError::Newer {
            found: header.format,
            known,
        });
    }
    let mut rows = Vec::new();
    for _ in 0..header.rows {
        let bytes = next(input, "it ends early")?;
        note(&mut sum, &bytes);
        let row = stored::Row::decode(&*bytes).map_err(Malformed::from)?;
        rows.push(format::row_from_wire(row)?);
    }
    let wanted = next(input, "it ends early")?;
    if wanted != sum.finalize().as_slice() {
        return Err(BackupError::Damaged { what: "its checksum" });
    }
    let database = Database::restore(header.applied, header.applied, rows, [], []);
    if hex(&digest(&database).sha256) != header.sha256 {
        return Err(BackupError::Damaged { what: "its rows" });
    }
    Ok(Backup { header, database })
}

fn note(sum: &mut Sha256, frame: &[u8]) {
    sum.update(u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes());
    sum.update(frame);
}

fn next(input: &mut impl Read, what: &'static str) -> Result<Vec<u8>, BackupError> {
    let mut length = [0; 4];
    input
        .read_exact(&mut length)
        .map_err(|_| BackupError::Damaged { what })?;
    let length = u32::from_be_bytes(length);
    if length > LARGEST_FRAME {
        return Err(BackupError::Damaged { what });
    }
    // Grows as bytes come: a length alone takes no memory.
    let mut bytes = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() == usize::try_from(length).unwrap_or(usize::MAX) {
        Ok(bytes)
    } else {
        Err(BackupError::Damaged { what })
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use pool_domain::apply::apply;
    use pool_domain::transaction::Origin;
    use pool_domain::{Change, Transaction};
    use proto_types::generated::vm;
    use proto_types::{DateTime, Ref, Value};
    use uuid::Uuid;

    fn database() -> Database {
        let mut db = Database::default();
        for number in 1..50_u64 {
            let reference = Ref::from_uuid(Uuid::from_u128(u128::from(number)));
            let transaction = Transaction {
                request: Uuid::from_u128(u128::from(number)),
                reads: Vec::new(),
                changes: vec![Change::Insert {
                    class: vm::CLASS,
                    reference,
                    fields: vec![(vm::NAME_LABEL, Value::str(format!("vm {number}")))],
                }],
                decided_at: DateTime(1),
                origin: Origin::default(),
            };
            apply(&mut db, number, &transaction);
        }
        db
    }

    fn written() -> (Vec<u8>, BackupHeader) {
        let mut bytes = Vec::new();
        let header = BackupHeader {
            name: "lab".to_owned(),
            taken: 7,
            ..BackupHeader::default()
        };
        let header = write(&database(), header, &mut bytes).unwrap();
        (bytes, header)
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let (bytes, header) = written();
        assert_eq!(
            (header.rows, header.applied, header.name.as_str()),
            (49, 49, "lab")
        );
        let backup = read(&mut bytes.as_slice()).unwrap();
        assert_eq!(backup.header, header);
        assert_eq!(digest(&backup.database), digest(&rows_only(&database())));
    }

    #[test]
    fn a_backup_cut_off_or_changed_anywhere_is_refused() {
        let (bytes, _) = written();
        for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            assert!(read(&mut &bytes[..length]).is_err(), "cut off at {length}");
        }
        for at in (0..bytes.len()).step_by(61) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(read(&mut changed.as_slice()).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let (bytes, header) = written();
        let old = serde_json::to_vec(&header).unwrap();
        let new = serde_json::to_vec(&BackupHeader {
            format: 999,
            ..header
        })
        .unwrap();
        let at = MAGIC.len();
        let mut changed = bytes[..at].to_vec();
        changed.extend(u32::try_from(new.len()).unwrap().to_be_bytes());
        changed.extend(&new);
        changed.extend(&bytes[at + 4 + old.len()..]);
        assert!(matches!(
            read(&mut changed.as_slice()),
            Err(BackupError::Newer { found: 999, .. })
        ));
    }
}
