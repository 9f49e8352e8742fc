//! A digest of the state, to compare nodes by.

use std::fmt;

use pool_domain::{Database, Index};
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::format;

/// What a database comes down to: equal at the same applied index on every node, or something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The applied index. Databases that differ only in it have the same `sha256`.
    pub applied: Index,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 over rows, tombstones and remembered requests in their stored form and fixed order.
    pub sha256: [u8; 32],
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.applied, self.rows)?;
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Computes the digest. Reads everything: milliseconds per thousand rows; call it off the async threads.
pub fn digest(db: &Database) -> Digest {
    let mut hash = Sha256::new();
    let mut buffer = Vec::new();
    let mut rows: u64 = 0;
    for row in db.all() {
        rows = rows.saturating_add(1);
        feed(&mut hash, &mut buffer, 1, &format::row_to_wire(row));
    }
    for (index, reference, tombstone) in db.tombstones() {
        feed(
            &mut hash,
            &mut buffer,
            2,
            &format::tombstone_to_wire(index, reference, tombstone),
        );
    }
    for (id, index, outcome) in db.requests() {
        feed(
            &mut hash,
            &mut buffer,
            3,
            &format::request_to_wire(id, index, &outcome),
        );
    }
    Digest {
        applied: db.applied(),
        rows,
        sha256: hash.finalize().into(),
    }
}

fn feed(hash: &mut Sha256, buffer: &mut Vec<u8>, kind: u8, message: &impl Message) {
    buffer.clear();
    // Length first, so that no two sequences of messages look alike. A Vec takes any length: encoding cannot fail.
    if message.encode_length_delimited(buffer).is_ok() {
        hash.update([kind]);
        hash.update(&*buffer);
    }
}
