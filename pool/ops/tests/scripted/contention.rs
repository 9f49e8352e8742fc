//! Many who want to write one row at once.

use std::time::Duration;

use pool_ops::core::own;
use proto_types::generated::vm;

use crate::bed::Pool;
use crate::stage::Stage;

/// As many as a script may start that clones one template again and again; more than races are decided again.
const MANY: usize = 300;

#[tokio::test(start_paused = true)]
async fn all_who_want_the_same_row_get_their_turn() {
    let mut pool = Pool::new();
    let (contended, other) = (pool.vm(), pool.vm());
    let stage = Stage::of(&pool);
    stage.commits_in(Duration::from_millis(5));
    let began = tokio::time::Instant::now();
    let writers: Vec<_> = (0..MANY)
        .map(|number| {
            let ops = stage.ops.clone();
            tokio::spawn(async move {
                let key = number.to_string();
                ops.decide(&own("test"), |d| {
                    d.read(vm::CLASS, contended)?;
                    d.put_key(contended, vm::OTHER_CONFIG, key.as_str(), "");
                    Ok(())
                })
                .await
                .map(|_| ())
            })
        })
        .collect();
    // Whoever writes another row does not wait for them.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = tokio::time::Instant::now();
    stage
        .decide(|d| {
            d.read(vm::CLASS, other)?;
            d.put_key(other, vm::OTHER_CONFIG, "own", "");
            Ok(())
        })
        .await;
    assert!(
        before.elapsed() < Duration::from_millis(20),
        "{:?}",
        before.elapsed()
    );
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let db = stage.db();
    let written = db.get(contended).unwrap().get(vm::OTHER_CONFIG).as_map().unwrap();
    let own = (0..MANY).filter(|n| written.contains_key(&n.to_string().into()));
    assert_eq!(own.count(), MANY);
    // One commit each, and little more.
    let commits = began.elapsed().as_millis() / 5;
    assert!(commits < MANY as u128 * 2, "{commits} commits for {MANY} writes");
}
