//! The engine: forward, back, and after an interruption at any point.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

#[derive(Default)]
struct World {
    done: Mutex<Vec<&'static str>>,
}

struct Put(&'static str, Option<&'static str>);

#[async_trait]
impl Step<World> for Put {
    fn name(&self) -> &'static str {
        self.0
    }
    async fn run(&self, cx: &World) -> Result<(), StepError> {
        if let Some(code) = self.1 {
            return Err(StepError::Failed(ApiError::bare(code)));
        }
        let mut done = cx.done.lock().unwrap();
        if !done.contains(&self.0) {
            done.push(self.0);
        }
        Ok(())
    }
    async fn undo(&self, cx: &World) -> Result<(), StepError> {
        cx.done.lock().unwrap().retain(|d| *d != self.0);
        Ok(())
    }
}

/// Keeps the log in memory and loses leadership after a number of entries.
struct Log {
    state: Mutex<SagaState>,
    entries_left: Mutex<usize>,
}

impl Log {
    fn new(entries: usize) -> Log {
        Log {
            state: Mutex::default(),
            entries_left: Mutex::new(entries),
        }
    }
    fn spend(&self) -> Result<(), StepError> {
        let mut left = self.entries_left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(StepError::LeadershipLost)?;
        Ok(())
    }
}

#[async_trait]
impl SagaLog for Log {
    async fn completed(&self, step: &'static str) -> Result<(), StepError> {
        self.spend()?;
        self.state.lock().unwrap().completed.push(step.to_owned());
        Ok(())
    }
    async fn failed(&self, error: &ApiError) -> Result<(), StepError> {
        self.spend()?;
        self.state.lock().unwrap().failure = Some(error.clone());
        Ok(())
    }
    async fn undone(&self, step: &'static str) -> Result<(), StepError> {
        self.spend()?;
        self.state.lock().unwrap().completed.retain(|c| c != step);
        Ok(())
    }
}

fn steps(fail_last: bool) -> Vec<Box<dyn Step<World>>> {
    vec![
        Box::new(Put("a", None)),
        Box::new(Put("b", None)),
        Box::new(Put("c", fail_last.then_some("INTERNAL_ERROR"))),
    ]
}

#[tokio::test]
async fn a_failed_saga_leaves_nothing_behind() {
    let (world, log) = (World::default(), Log::new(100));
    let ending = drive(&steps(true), &world, &log, SagaState::default()).await;
    assert_eq!(ending, Ending::Undone(ApiError::bare("INTERNAL_ERROR")));
    assert!(world.done.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupted_saga_ends_as_an_uninterrupted_one() {
    for fail in [false, true] {
        for cut in 0..8 {
            let (world, log) = (World::default(), Log::new(cut));
            let mut ending = drive(&steps(fail), &world, &log, SagaState::default()).await;
            if ending == Ending::LeadershipLost {
                *log.entries_left.lock().unwrap() = 100;
                let state = log.state.lock().unwrap().clone();
                ending = drive(&steps(fail), &world, &log, state).await;
            }
            let done = world.done.lock().unwrap().clone();
            if fail {
                assert!(matches!(ending, Ending::Undone(_)), "cut after {cut}");
                assert!(done.is_empty(), "cut after {cut}: {done:?}");
            } else {
                assert_eq!(ending, Ending::Done);
                assert_eq!(done, ["a", "b", "c"]);
            }
        }
    }
}
