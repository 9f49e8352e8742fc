//! Answers that are put together while they are sent.

use gateway_codec::{Limits, Outcome, WireValue, xmlrpc};
use hyper::body::Body;
use pool_domain::transaction::Origin;
use pool_domain::{Draft, Facts, apply};
use proto_types::generated::secret;
use proto_types::{ClassId, DateTime, Value};
use uuid::Uuid;

use super::*;
use crate::api::answer::{Answer, Shape};

/// So many secrets, each with a value that XML has to spell otherwise.
fn database(count: usize) -> (Database, Vec<Arc<Row>>) {
    let facts = Facts::counting(DateTime(1_000));
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    for number in 0..count {
        let text = format!("<{number}> & {}", "x".repeat(number % 999));
        draft.insert(secret::CLASS, vec![(secret::VALUE, text.as_str().into())]);
    }
    let made = draft.finish(Uuid::nil(), Origin::default());
    apply::apply(&mut db, 1, &made);
    let rows = db.rows(ClassId::by_name("secret").unwrap()).cloned().collect();
    (db, rows)
}

#[test]
fn the_pieces_are_the_answer() {
    for count in [1, 2, 257, 3_000] {
        let (db, rows) = database(count);
        let listing = Listing::new(&db, &rows);
        assert_eq!(Body::size_hint(&listing).exact(), Some(listing.len() as u64));
        let told = listing.len();
        let pieces: Vec<Bytes> = listing.collect();
        assert!(pieces.iter().all(|piece| piece.len() < 2 * PIECE), "{count}");
        let bytes = pieces.concat();
        assert_eq!(bytes.len(), told, "{count}");
        // Written anew, by no hand of the listing.
        let records = rows
            .iter()
            .map(|row| (Value::Ref(row.reference), pool_domain::query::record(&db, row)));
        let whole = xmlrpc::success(&Value::Map(records.collect()));
        assert!(bytes == whole, "{count}");
    }
}

#[test]
fn long_answers_are_listings_and_short_ones_are_not() {
    for (count, is_listing) in [(256, false), (257, true)] {
        let (db, rows) = database(count);
        let reply = Answer::Records(Box::new(db), rows).encode(&Shape::Xml);
        assert_eq!(matches!(reply.body, crate::Content::Listing(_)), is_listing);
        let bytes = reply.body.into_bytes();
        let limits = Limits::RESPONSE;
        let Ok(Outcome::Success(WireValue::Struct(members))) = xmlrpc::decode_response(&bytes, &limits)
        else {
            panic!("no records");
        };
        assert_eq!(members.len(), count);
    }
}
