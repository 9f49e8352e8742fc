//! What is stored, to and from protobuf. Classes and fields go by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use openraft::EntryPayload;
use pool_domain::database::Tombstone;
use pool_domain::transaction::Origin;
use pool_domain::{Change, Index, Outcome, RequestId, Row, Transaction};
use proto_types::{ClassId, DateTime, Field, Ref, Value};
use proto_wire::stored;
use proto_wire::stored::{change, log_entry, request_outcome};
use proto_wire::value::{
    Malformed, from_wire, reference_from_wire, reference_to_wire, to_wire, uuid_from_wire, uuid_to_wire,
};

use crate::types::{Command, Entry, LogId, Membership, Node, SnapshotMeta, StoredMembership, Vote};

/// One change of the format at rest.
#[derive(Clone, Copy, Debug)]
pub struct FormatChange {
    /// The format that the change made.
    pub format: u32,
    /// What changed.
    pub what: &'static str,
}

/// Every format there has been, oldest first. A store of a newer one is refused, of an older one read.
pub const FORMAT_CHANGES: &[FormatChange] = &[FormatChange {
    format: 1,
    what: "log, state and meta as column families, tagged protobuf",
}];

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many stored fields were dropped since start because this build does not know them.
pub fn dropped_fields() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

type Names = HashMap<&'static str, (ClassId, HashMap<&'static str, u16>)>;

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        ClassId::all()
            .map(|class| {
                let fields = class
                    .def()
                    .fields
                    .iter()
                    .zip(0u16..)
                    .map(|(field, index)| (field.name, index))
                    .collect();
                (class.name(), (class, fields))
            })
            .collect()
    })
}

fn class_by_name(name: &str) -> Result<(ClassId, &'static HashMap<&'static str, u16>), Malformed> {
    names()
        .get(name)
        .map(|(class, fields)| (*class, fields))
        .ok_or_else(|| Malformed::UnknownClass(name.to_owned()))
}

fn dropped(class: &str, field: &str) {
    if DROPPED.fetch_add(1, Ordering::Relaxed) == 0 {
        tracing::warn!(
            class,
            field,
            "a stored field is unknown to this build and was dropped; further ones are only counted"
        );
    }
}

fn fields_to_wire<'a>(
    fields: impl IntoIterator<Item = (&'static str, &'a Value)>,
) -> Vec<stored::FieldValue> {
    fields
        .into_iter()
        .map(|(name, value)| stored::FieldValue {
            name: name.to_owned(),
            value: Some(to_wire(value)),
        })
        .collect()
}

fn fields_from_wire(
    class: &str,
    fields: Vec<stored::FieldValue>,
) -> Result<(ClassId, Vec<(Field, Value)>), Malformed> {
    let (id, known) = class_by_name(class)?;
    let mut read = Vec::with_capacity(fields.len());
    for field in fields {
        let Some(index) = known.get(field.name.as_str()) else {
            dropped(class, &field.name);
            continue;
        };
        let value = from_wire(field.value.ok_or(Malformed::Missing("value of a field"))?)?;
        read.push((
            Field {
                class: id,
                index: *index,
            },
            value,
        ));
    }
    Ok((id, read))
}

/// The stored form of a transaction.
pub(crate) fn transaction_to_wire(transaction: &Transaction) -> stored::Transaction {
    stored::Transaction {
        request: uuid_to_wire(transaction.request),
        reads: transaction
            .reads
            .iter()
            .map(|(reference, version)| stored::Read {
                reference: reference_to_wire(*reference),
                version: *version,
            })
            .collect(),
        changes: transaction.changes.iter().map(change_to_wire).collect(),
        decided_at: transaction.decided_at.0,
        user: transaction.origin.user.clone(),
        method: transaction.origin.method.clone(),
        trace: transaction.origin.trace.clone(),
    }
}

fn change_to_wire(change: &Change) -> stored::Change {
    let named = |class: ClassId, fields: &[(Field, Value)]| {
        fields_to_wire(
            fields
                .iter()
                .filter(|(f, _)| f.class == class)
                .map(|(f, v)| (f.def().name, v)),
        )
    };
    let kind = match change {
        Change::Insert {
            class,
            reference,
            fields,
        } => change::Kind::Insert(stored::Insert {
            class: class.name().to_owned(),
            reference: reference_to_wire(*reference),
            fields: named(*class, fields),
        }),
        // All fields of an update are of the row's class; apply leaves out any other.
        Change::Update { reference, fields } => {
            let class = fields.first().map(|(field, _)| field.class);
            change::Kind::Update(stored::Update {
                class: class.map(|c| c.name().to_owned()).unwrap_or_default(),
                reference: reference_to_wire(*reference),
                fields: class.map(|c| named(c, fields)).unwrap_or_default(),
            })
        }
        Change::Touch { reference } => change::Kind::Touch(reference_to_wire(*reference)),
        Change::Delete { reference } => change::Kind::Delete(reference_to_wire(*reference)),
    };
    stored::Change { kind: Some(kind) }
}

/// Reads a transaction.
pub(crate) fn transaction_from_wire(wire: stored::Transaction) -> Result<Transaction, Malformed> {
    Ok(Transaction {
        request: uuid_from_wire(&wire.request)?,
        reads: wire
            .reads
            .into_iter()
            .map(|read| Ok((reference_from_wire(&read.reference)?, read.version)))
            .collect::<Result<_, Malformed>>()?,
        changes: wire
            .changes
            .into_iter()
            .map(change_from_wire)
            .collect::<Result<_, _>>()?,
        decided_at: DateTime(wire.decided_at),
        origin: Origin {
            user: wire.user,
            method: wire.method,
            trace: wire.trace,
        },
    })
}

fn change_from_wire(wire: stored::Change) -> Result<Change, Malformed> {
    Ok(match wire.kind.ok_or(Malformed::Missing("kind of change"))? {
        change::Kind::Insert(insert) => {
            let (class, fields) = fields_from_wire(&insert.class, insert.fields)?;
            Change::Insert {
                class,
                reference: reference_from_wire(&insert.reference)?,
                fields,
            }
        }
        change::Kind::Update(update) => {
            let fields = if update.class.is_empty() && update.fields.is_empty() {
                Vec::new()
            } else {
                fields_from_wire(&update.class, update.fields)?.1
            };
            Change::Update {
                reference: reference_from_wire(&update.reference)?,
                fields,
            }
        }
        change::Kind::Touch(reference) => Change::Touch {
            reference: reference_from_wire(&reference)?,
        },
        change::Kind::Delete(reference) => Change::Delete {
            reference: reference_from_wire(&reference)?,
        },
    })
}

/// The stored form of a row.
pub fn row_to_wire(row: &Row) -> stored::Row {
    stored::Row {
        class: row.class.name().to_owned(),
        reference: reference_to_wire(row.reference),
        created: row.created,
        version: row.version,
        fields: fields_to_wire(
            row.class
                .def()
                .fields
                .iter()
                .map(|f| f.name)
                .zip(row.values.iter()),
        ),
    }
}

/// Reads a row; fields that were not stored take their defaults.
///
/// # Errors
/// [`Malformed`] for a class this build does not know, or a value that is none.
pub fn row_from_wire(wire: stored::Row) -> Result<Row, Malformed> {
    let reference = reference_from_wire(&wire.reference)?;
    let (class, fields) = fields_from_wire(&wire.class, wire.fields)?;
    let mut values: Vec<Option<Value>> = vec![None; class.def().fields.len()];
    for (field, value) in fields {
        if let Some(slot) = values.get_mut(usize::from(field.index)) {
            *slot = Some(value);
        }
    }
    let values: Arc<[Value]> = values
        .into_iter()
        .zip(class.def().fields)
        .map(|(value, field)| value.unwrap_or_else(|| field.default_value()))
        .collect();
    Ok(Row::new(class, reference, values, wire.created, wire.version))
}

pub(crate) fn tombstone_to_wire(index: Index, reference: Ref, tombstone: Tombstone) -> stored::Tombstone {
    stored::Tombstone {
        index,
        reference: reference_to_wire(reference),
        class: tombstone.class.name().to_owned(),
        created: tombstone.created,
    }
}

pub(crate) fn tombstone_from_wire(wire: stored::Tombstone) -> Result<(Index, Ref, Tombstone), Malformed> {
    let (class, _) = class_by_name(&wire.class)?;
    Ok((
        wire.index,
        reference_from_wire(&wire.reference)?,
        Tombstone {
            class,
            created: wire.created,
        },
    ))
}

pub(crate) fn request_to_wire(id: RequestId, index: Index, outcome: &Outcome) -> stored::RequestOutcome {
    let outcome = match outcome {
        Outcome::Applied(at) => request_outcome::Outcome::Applied(*at),
        Outcome::Conflict(reference) => request_outcome::Outcome::Conflict(reference_to_wire(*reference)),
    };
    stored::RequestOutcome {
        request: uuid_to_wire(id),
        index,
        outcome: Some(outcome),
    }
}

pub(crate) fn request_from_wire(
    wire: stored::RequestOutcome,
) -> Result<(RequestId, Index, Outcome), Malformed> {
    let outcome = match wire.outcome.ok_or(Malformed::Missing("outcome"))? {
        request_outcome::Outcome::Applied(at) => Outcome::Applied(at),
        request_outcome::Outcome::Conflict(reference) => Outcome::Conflict(reference_from_wire(&reference)?),
    };
    Ok((uuid_from_wire(&wire.request)?, wire.index, outcome))
}

/// The wire form of a log position.
pub fn log_id_to_wire(log_id: &LogId) -> stored::LogId {
    stored::LogId {
        term: log_id.committed_leader_id().term,
        index: log_id.index,
    }
}

/// Reads a log position.
pub fn log_id_from_wire(wire: &stored::LogId) -> LogId {
    LogId::new_term_index(wire.term, wire.index)
}

/// The wire form of a vote.
pub fn vote_to_wire(vote: &Vote) -> stored::Vote {
    let leader = vote.leader_id();
    stored::Vote {
        term: leader.term,
        node_id: leader.voted_for,
        committed: vote.is_committed(),
    }
}

/// Reads a vote.
pub fn vote_from_wire(wire: &stored::Vote) -> Vote {
    if wire.committed {
        Vote::new_committed(wire.term, wire.node_id)
    } else {
        Vote::new(wire.term, wire.node_id)
    }
}

fn membership_to_wire(membership: &Membership) -> stored::Membership {
    stored::Membership {
        configurations: membership
            .get_joint_config()
            .iter()
            .map(|voters| stored::Voters {
                node_ids: voters.iter().copied().collect(),
            })
            .collect(),
        members: membership
            .nodes()
            .map(|(id, node)| stored::Member {
                node_id: *id,
                host: uuid_to_wire(node.host),
                address: node.address.clone(),
                port: u32::from(node.port),
            })
            .collect(),
    }
}

fn membership_from_wire(wire: stored::Membership) -> Result<Membership, Malformed> {
    let configurations: Vec<BTreeSet<u64>> = wire
        .configurations
        .into_iter()
        .map(|voters| voters.node_ids.into_iter().collect())
        .collect();
    let mut nodes: BTreeMap<u64, Node> = BTreeMap::new();
    for member in wire.members {
        let node = Node {
            node_id: member.node_id,
            host: uuid_from_wire(&member.host)?,
            address: member.address,
            port: u16::try_from(member.port).map_err(|_| Malformed::Missing("port"))?,
        };
        nodes.insert(node.node_id, node);
    }
    if configurations.is_empty() && nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configurations, nodes).map_err(|_| Malformed::Missing("member that votes"))
}

/// The wire form of a log entry. Costs no copy of the transaction.
pub fn entry_to_wire(entry: &Entry) -> stored::LogEntry {
    let payload = match &entry.payload {
        EntryPayload::Blank => log_entry::Payload::Blank(stored::Nothing {}),
        EntryPayload::Normal(command) => log_entry::Payload::Transaction(command.bytes().clone()),
        EntryPayload::Membership(membership) => {
            log_entry::Payload::Membership(membership_to_wire(membership))
        }
    };
    stored::LogEntry {
        id: Some(log_id_to_wire(&entry.log_id)),
        payload: Some(payload),
    }
}

/// Reads a log entry.
///
/// # Errors
/// [`Malformed`] when a part is missing. A transaction is not looked into.
pub fn entry_from_wire(wire: stored::LogEntry) -> Result<Entry, Malformed> {
    let log_id = log_id_from_wire(&wire.id.ok_or(Malformed::Missing("log id"))?);
    let payload = match wire.payload.ok_or(Malformed::Missing("payload"))? {
        log_entry::Payload::Blank(stored::Nothing {}) => EntryPayload::Blank,
        log_entry::Payload::Transaction(bytes) => EntryPayload::Normal(Command::from_bytes(bytes)),
        log_entry::Payload::Membership(membership) => {
            EntryPayload::Membership(membership_from_wire(membership)?)
        }
    };
    Ok(Entry { log_id, payload })
}

/// The wire form of how far a state has come.
pub fn head_to_wire(meta: &SnapshotMeta, history_from: Index) -> stored::StateHead {
    stored::StateHead {
        applied: meta.last_log_id.as_ref().map(log_id_to_wire),
        membership: Some(stored::StoredMembership {
            at: meta.last_membership.log_id().as_ref().map(log_id_to_wire),
            membership: Some(membership_to_wire(meta.last_membership.membership())),
        }),
        history_from,
    }
}

/// Reads how far a state has come.
///
/// # Errors
/// [`Malformed`] when a part is missing.
pub fn head_from_wire(wire: stored::StateHead) -> Result<(SnapshotMeta, Index), Malformed> {
    let membership = wire.membership.ok_or(Malformed::Missing("membership"))?;
    let at = membership.at.as_ref().map(log_id_from_wire);
    let inner = membership_from_wire(membership.membership.unwrap_or_default())?;
    let meta = SnapshotMeta {
        last_log_id: wire.applied.as_ref().map(log_id_from_wire),
        last_membership: StoredMembership::new(at, inner),
    };
    Ok((meta, wire.history_from))
}
