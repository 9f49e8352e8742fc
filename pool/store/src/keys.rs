//! The only place that knows the bytes of keys.

use proto_types::Ref;

/// Column family of small facts: format, node, vote, generation, purged position.
pub(crate) const META: &str = "meta";
/// Column family of the log: index, big-endian.
pub(crate) const LOG: &str = "log";
/// Column family of the state: generation, kind, key.
pub(crate) const STATE: &str = "state";

/// The store's format.
pub(crate) const FORMAT: &[u8] = b"format";
/// The node the store belongs to.
pub(crate) const NODE: &[u8] = b"node";
/// The last vote.
pub(crate) const VOTE: &[u8] = b"vote";
/// Which generation of the state is valid.
pub(crate) const GENERATION: &[u8] = b"generation";
/// The last position that was cut off the front of the log.
pub(crate) const PURGED: &[u8] = b"purged";

/// What a key of the state stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Head = 0,
    Row = 1,
    Tombstone = 2,
    Request = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Head, Kind::Row, Kind::Tombstone, Kind::Request]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

pub(crate) fn log(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

pub(crate) fn log_index(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// The first key of a generation of the state.
pub(crate) fn generation(generation: u32) -> [u8; 4] {
    generation.to_be_bytes()
}

pub(crate) fn head(generation: u32) -> Vec<u8> {
    state(generation, Kind::Head, &[])
}

pub(crate) fn row(generation: u32, reference: Ref) -> Vec<u8> {
    state(generation, Kind::Row, reference.as_uuid().as_bytes())
}

pub(crate) fn tombstone(generation: u32, index: u64, reference: Ref) -> Vec<u8> {
    let mut key = state(generation, Kind::Tombstone, &index.to_be_bytes());
    key.extend_from_slice(reference.as_uuid().as_bytes());
    key
}

pub(crate) fn request(generation: u32, index: u64) -> Vec<u8> {
    state(generation, Kind::Request, &index.to_be_bytes())
}

/// The kind of a key of the state, if it is of the generation.
pub(crate) fn kind(generation: u32, key: &[u8]) -> Option<Kind> {
    let rest = key.strip_prefix(&generation.to_be_bytes())?;
    Kind::from_byte(*rest.first()?)
}

fn state(generation: u32, kind: Kind, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(32);
    key.extend_from_slice(&generation.to_be_bytes());
    key.push(kind as u8);
    key.extend_from_slice(rest);
    key
}
