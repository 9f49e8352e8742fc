//! Events: who hears what, when, and what is said to whoever asks wrongly.

use std::time::{Duration, Instant};

use gateway_codec::{Outcome as Reply, WireValue};
use proto_types::generated::{network, tarn_event_queue, vm};
use proto_types::{Ref, Value};

use super::leader::Leader;

fn classes(names: &[&str]) -> Value {
    Value::strings(names)
}

fn from(names: &[&str], token: &str, seconds: f64) -> [Value; 3] {
    [classes(names), token.into(), Value::Float(seconds)]
}

fn token_of(batch: &WireValue) -> String {
    batch
        .member("token")
        .and_then(WireValue::as_str)
        .unwrap()
        .to_owned()
}

/// Operation and reference of each event.
fn told(batch: &WireValue) -> Vec<(String, String)> {
    let Some(WireValue::Array(events)) = batch.member("events") else {
        panic!("no events: {batch:?}")
    };
    let text =
        |event: &WireValue, name: &str| event.member(name).and_then(WireValue::as_str).unwrap().to_owned();
    events
        .iter()
        .map(|event| (text(event, "operation"), text(event, "ref")))
        .collect()
}

fn rename(leader: &Leader, this: Ref, name: &str) {
    leader.set(this, vm::NAME_LABEL, name);
}

#[tokio::test]
async fn a_watcher_hears_of_a_write_soon_and_of_others_not_at_all() {
    let leader = Leader::new().await;
    let (guest, other) = (leader.vm().await, leader.vm().await);
    let one = format!("vm/{guest}");
    let first = leader.ok("event.from", &from(&[&one], "", 0.0)).await;
    assert_eq!(told(&first), [("add".to_owned(), guest.to_string())]);
    let token = token_of(&first);
    let asked = from(&[&one], &token, 20.0);
    let waits = leader.ok("event.from", &asked);
    let writes = async {
        // What concerns nobody who waits does not end the wait.
        for number in 0..10 {
            rename(&leader, other, &format!("other {number}"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        rename(&leader, guest, "watched");
        Instant::now()
    };
    let (batch, written) = tokio::join!(waits, writes);
    assert_eq!(told(&batch), [("mod".to_owned(), guest.to_string())]);
    let took = written.elapsed();
    assert!(
        took < Duration::from_millis(500),
        "{took:?} from the write to the answer"
    );
    // The next token is behind it: nothing is told twice.
    let quiet = leader
        .ok("event.from", &from(&[&one], &token_of(&batch), 0.1))
        .await;
    assert!(told(&quiet).is_empty());
    // Whoever missed much hears of each object once, as it is now.
    let batch = leader.ok("event.from", &from(&["VM"], &token, 0.0)).await;
    let mut all = told(&batch);
    all.sort();
    let mut expected = [guest, other].map(|r| ("mod".to_owned(), r.to_string()));
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn subscriptions_and_tokens_that_make_no_sense_are_refused() {
    let leader = Leader::new().await;
    for bad in ["nonsense", "vm/nonsense", "tarn_saga"] {
        for (method, params) in [
            ("event.from", from(&[bad], "", 0.0).to_vec()),
            ("event.register", vec![classes(&[bad])]),
        ] {
            assert_eq!(
                leader.refused(method, &params).await,
                ["EVENT_SUBSCRIPTION_PARSE_FAILURE", bad],
                "{method}"
            );
        }
    }
    assert_eq!(
        leader
            .refused("event.from", &from(&["*"], "yesterday", 0.0))
            .await,
        ["EVENT_FROM_TOKEN_PARSE_FAILURE", "yesterday"]
    );
    assert_eq!(
        leader.refused("event.next", &[]).await,
        ["SESSION_NOT_REGISTERED", &leader.session]
    );
}

#[tokio::test]
async fn whoever_registered_and_comes_too_late_is_told_that_events_are_lost() {
    let leader = Leader::new().await;
    leader.ok("event.register", &[classes(&["network"])]).await;
    let made = leader
        .db()
        .rows(network::CLASS)
        .next()
        .map(|row| row.reference)
        .unwrap();
    leader.set(made, network::NAME_LABEL, "told");
    match leader.ok("event.next", &[]).await {
        WireValue::Array(events) => assert_eq!(events.len(), 1),
        other => panic!("{other:?}"),
    }
    // History is forgotten up to here, and the queue stands before it.
    let queue = leader
        .db()
        .rows(tarn_event_queue::CLASS)
        .next()
        .unwrap()
        .reference;
    leader.set(queue, tarn_event_queue::READ, 0_i64);
    leader.forget_history();
    assert_eq!(leader.refused("event.next", &[]).await, ["EVENTS_LOST"]);
    // The client registers anew, and goes on.
    leader.ok("event.unregister", &[classes(&["network"])]).await;
    leader.ok("event.register", &[classes(&["network"])]).await;
    leader.set(made, network::NAME_LABEL, "told again");
    assert!(matches!(
        leader.call("event.next", &[]).await,
        Reply::Success(WireValue::Array(events)) if events.len() == 1
    ));
}
