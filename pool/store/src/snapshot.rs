//! Snapshots: a kept copy of the in-memory state, sent row by row and put together on the other side.

use pool_domain::database::Tombstone;
use pool_domain::{Database, Index, Outcome, RequestId, Row};
use prost::Message;
use proto_types::Ref;
use proto_wire::raft::snapshot_part::Part;
use proto_wire::raft::{SnapshotBegin, SnapshotItems, SnapshotPart};
use proto_wire::stored;
use proto_wire::stored::snapshot_item::Kind;
use proto_wire::value::Malformed;

use crate::digest::digest;
use crate::format;
use crate::types::{SnapshotMeta, Vote};

/// Encoded bytes per part that is sent.
const PART_BYTES: usize = 256 * 1024;
/// The most items a snapshot may have; it guards the receiver's memory.
const MOST_ITEMS: u64 = 50_000_000;

/// The state at one index. Costs a few reference counts; rows are shared with the running state.
#[derive(Clone, Debug)]
pub struct SnapshotData(pub Database);

/// A snapshot with what it stands for.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) meta: SnapshotMeta,
    pub(crate) data: SnapshotData,
}

/// Encodes a snapshot part by part; `send` returns whether to go on. Blocking: encodes and hashes every row.
pub fn parts(
    vote: &Vote,
    meta: &SnapshotMeta,
    data: &SnapshotData,
    mut send: impl FnMut(SnapshotPart) -> bool,
) {
    let db = &data.0;
    let head = format::head_to_wire(meta, db.history_from());
    let begin = SnapshotBegin {
        vote: Some(format::vote_to_wire(vote)),
        head: Some(head),
    };
    if !send(SnapshotPart {
        part: Some(Part::Begin(begin)),
    }) {
        return;
    }
    let rows = db.all().map(|row| Kind::Row(format::row_to_wire(row)));
    let tombstones = db.tombstones().map(|(index, reference, tombstone)| {
        Kind::Tombstone(format::tombstone_to_wire(index, reference, tombstone))
    });
    let requests = db
        .requests()
        .map(|(id, index, outcome)| Kind::Request(format::request_to_wire(id, index, &outcome)));
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut count: u64 = 0;
    for kind in rows.chain(tombstones).chain(requests) {
        let item = stored::SnapshotItem { kind: Some(kind) };
        bytes += item.encoded_len();
        count = count.saturating_add(1);
        items.push(item);
        if bytes >= PART_BYTES {
            bytes = 0;
            if !send(SnapshotPart {
                part: Some(Part::Items(SnapshotItems {
                    items: std::mem::take(&mut items),
                })),
            }) {
                return;
            }
        }
    }
    if !items.is_empty()
        && !send(SnapshotPart {
            part: Some(Part::Items(SnapshotItems { items })),
        })
    {
        return;
    }
    let end = stored::SnapshotEnd {
        items: count,
        digest: digest(db).sha256.to_vec().into(),
    };
    send(SnapshotPart {
        part: Some(Part::End(end)),
    });
}

/// Puts a snapshot together from its parts; nothing is used before the end has been checked.
pub struct Assembler {
    vote: Vote,
    meta: SnapshotMeta,
    history_from: Index,
    rows: Vec<Row>,
    tombstones: Vec<(Index, Ref, Tombstone)>,
    requests: Vec<(RequestId, Index, Outcome)>,
    count: u64,
}

impl Assembler {
    /// Begins with the first part.
    ///
    /// # Errors
    /// [`Malformed`] when it is not a beginning.
    pub fn begin(part: SnapshotPart) -> Result<Assembler, Malformed> {
        let Some(Part::Begin(begin)) = part.part else {
            return Err(Malformed::Missing("beginning of the snapshot"));
        };
        let (meta, history_from) = format::head_from_wire(begin.head.ok_or(Malformed::Missing("head"))?)?;
        Ok(Assembler {
            vote: format::vote_from_wire(&begin.vote.ok_or(Malformed::Missing("vote"))?),
            meta,
            history_from,
            rows: Vec::new(),
            tombstones: Vec::new(),
            requests: Vec::new(),
            count: 0,
        })
    }

    /// In whose name it comes.
    pub fn vote(&self) -> &Vote {
        &self.vote
    }

    /// Takes a further part; answers the whole once the last has come.
    ///
    /// # Errors
    /// [`Malformed`] when a part does not read, there are too many, or count or digest do not fit.
    pub fn push(mut self, part: SnapshotPart) -> Result<Progress, Malformed> {
        match part.part.ok_or(Malformed::Missing("part"))? {
            Part::Begin(_) => Err(Malformed::Missing("rest of the snapshot")),
            Part::Items(items) => {
                for item in items.items {
                    self.count = self.count.saturating_add(1);
                    match item.kind.ok_or(Malformed::Missing("item"))? {
                        Kind::Row(row) => self.rows.push(format::row_from_wire(row)?),
                        Kind::Tombstone(tombstone) => {
                            self.tombstones.push(format::tombstone_from_wire(tombstone)?);
                        }
                        Kind::Request(request) => self.requests.push(format::request_from_wire(request)?),
                    }
                }
                if self.count > MOST_ITEMS {
                    return Err(Malformed::NotAMessage(
                        "a snapshot of this size is not believed".to_owned(),
                    ));
                }
                Ok(Progress::More(Box::new(self)))
            }
            Part::End(end) => {
                if end.items != self.count {
                    return Err(Malformed::NotAMessage(format!(
                        "{} items of {}",
                        self.count, end.items
                    )));
                }
                let applied = self.meta.last_log_id.as_ref().map_or(0, |at| at.index);
                let db = Database::restore(
                    applied,
                    self.history_from,
                    self.rows,
                    self.tombstones,
                    self.requests,
                );
                // A sender of a newer release has fields that were dropped here: its digest then differs.
                if format::dropped_fields() == 0 && digest(&db).sha256 != *end.digest {
                    return Err(Malformed::NotAMessage(
                        "the digest of the snapshot does not fit".to_owned(),
                    ));
                }
                Ok(Progress::Whole(Box::new(Whole {
                    vote: self.vote,
                    meta: self.meta,
                    data: SnapshotData(db),
                })))
            }
        }
    }
}

/// How far an [`Assembler`] has come.
pub enum Progress {
    /// There is more to come.
    More(Box<Assembler>),
    /// All is there and checked.
    Whole(Box<Whole>),
}

/// A snapshot that has arrived whole.
pub struct Whole {
    /// The leader that sent it.
    pub vote: Vote,
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// The state.
    pub data: SnapshotData,
}
