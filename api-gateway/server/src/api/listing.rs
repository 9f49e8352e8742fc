//! Many records as one answer that is put together while it is sent, so that it is in memory but once: with its rows.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use gateway_codec::ValueWriter;
use gateway_codec::xmlrpc::{self, XmlWriter};
use hyper::body::{Body, Frame, SizeHint};
use pool_domain::{Database, Row};
use proto_types::Ref;

use super::answer;

/// Size in bytes from which on a piece is handed over.
const PIECE: usize = 64 << 10;

/// An answer of records by reference in XML; its pieces in their order.
#[derive(Clone, Debug)]
pub struct Listing {
    head: Option<Vec<u8>>,
    members: vec::IntoIter<(Ref, Arc<[u8]>)>,
    tail: Option<Vec<u8>>,
    /// Bytes that are still to come.
    left: usize,
}

impl Listing {
    /// The records of some rows, of at least one. Those not written before are written now, by all processors.
    pub fn new(db: &Database, rows: &[Arc<Row>]) -> Listing {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = rows.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for rows in rows.chunks(share) {
                scope.spawn(|| answer::write_all(db, rows));
            }
        });
        let members: Vec<_> = rows
            .iter()
            .map(|row| (row.reference, Arc::clone(answer::encoded(db, row))))
            .collect();
        let [head, tail] = xmlrpc::success_around_members();
        let mut left = head.len().saturating_add(tail.len());
        for (reference, record) in &members {
            let around = member(Vec::new(), *reference, &[]).len();
            left = left.saturating_add(around).saturating_add(record.len());
        }
        Listing {
            head: Some(head),
            members: members.into_iter(),
            tail: Some(tail),
            left,
        }
    }

    /// Bytes that are still to come.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

fn member(out: Vec<u8>, reference: Ref, record: &[u8]) -> Vec<u8> {
    let mut writer = XmlWriter::new(out);
    writer.member(&reference.to_string(), |w| w.encoded(record));
    writer.into_bytes()
}

impl Iterator for Listing {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = Vec::with_capacity(PIECE.saturating_mul(2).min(self.left));
        piece.extend(self.head.take().unwrap_or_default());
        while piece.len() < PIECE {
            let Some((reference, record)) = self.members.next() else {
                piece.extend(self.tail.take().unwrap_or_default());
                break;
            };
            piece = member(piece, reference, &record);
        }
        self.left = self.left.saturating_sub(piece.len());
        (!piece.is_empty()).then(|| piece.into())
    }
}

impl Body for Listing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod test;
