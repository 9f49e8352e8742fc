//! Work that the pool does behind a task: waiting for it, showing how far it is, taking its result.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use gateway_codec::{Limits, WireValue, xmlrpc};
use proto_types::{ApiError, Value};

use crate::client::{Object, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;

/// How long one question for events may wait.
const PATIENCE: f64 = 5.0;

/// How many marks a full bar has.
const BAR: f64 = 70.0;

/// A bar on standard error.
pub struct Bar {
    shown: bool,
    drawn: bool,
    turn: usize,
}

impl Bar {
    /// A bar if the user asked for one with `--progress`, or would see it on a terminal.
    pub fn wanted(cx: &Context<'_>) -> Bar {
        let minimal = cx.params.truth("minimal").unwrap_or(false);
        Bar {
            shown: cx.params.has("progress") || (std::io::stderr().is_terminal() && !minimal),
            drawn: false,
            turn: 0,
        }
    }

    /// Shows how far the work is.
    pub fn draw(&mut self, progress: f64) {
        // Work that no one has taken on yet is below zero.
        let progress = progress.clamp(0.0, 1.0);
        if !self.shown || (!self.drawn && progress <= 0.0) {
            return;
        }
        self.drawn = true;
        let line = line(progress, self.turn);
        self.turn = self.turn.wrapping_add(1);
        let mut err = std::io::stderr();
        let _ = err.write_all(line.as_bytes());
        let _ = err.flush();
    }

    /// Ends the line that the bar stands on.
    pub fn end(&mut self) {
        if self.drawn {
            let _ = writeln!(std::io::stderr());
            self.drawn = false;
        }
    }
}

fn line(progress: f64, turn: usize) -> String {
    let mark = ['|', '/', '-', '\\'].get(turn % 4).copied().unwrap_or('|');
    let percent = format!("{:.0}", (progress * 100.0).floor());
    let length: usize = format!("{:.0}", (progress * BAR).floor()).parse().unwrap_or(0);
    format!("\r {percent:>3}% {mark} {}", "#".repeat(length))
}

/// Begins a message behind a task and waits for its end.
///
/// # Errors
/// What the API refuses, at once or in the end.
pub fn run(cx: &mut Context<'_>, method: &str, args: &[Value]) -> Result<WireValue, Failure> {
    let task = cx.client.text(&format!("Async.{method}"), args)?;
    let mut bar = Bar::wanted(cx);
    let outcome = wait(cx, &task, &mut bar);
    bar.end();
    let result = outcome.and_then(|task| result(&task));
    // The pool ages tasks out by itself; that this one is gone already is fine.
    let _ = cx.client.call("task.destroy", &[Value::str(&task)]);
    result
}

/// Waits until a task is no longer pending.
fn wait(cx: &Context<'_>, task: &str, bar: &mut Bar) -> Result<Object, Failure> {
    let mut token = String::new();
    loop {
        let now = cx.client.object("task", task)?;
        if now.text("status") != "pending" {
            return Ok(now);
        }
        bar.draw(progress(&now));
        let classes = Value::strings([format!("task/{task}")]);
        let answer = cx.client.call(
            "event.from",
            &[classes, Value::str(&token), Value::Float(PATIENCE)],
        );
        match answer {
            Ok(events) => token = events.member("token").map(text_of).unwrap_or_default(),
            // A pool without these events is asked again and again.
            Err(Failure::Api(_)) => std::thread::sleep(Duration::from_millis(500)),
            Err(other) => return Err(other),
        }
    }
}

/// How far a task is.
pub fn progress(task: &Object) -> f64 {
    match task.record.member("progress") {
        Some(WireValue::Double(part)) => *part,
        _ => 0.0,
    }
}

/// The result of a task that has ended.
///
/// # Errors
/// What ended it, if that was no success.
pub fn result(task: &Object) -> Result<WireValue, Failure> {
    match task.text("status") {
        "success" => Ok(value(task.text("result"))),
        "cancelled" | "cancelling" => Err(ApiError::new("TASK_CANCELLED", [task.reference.as_str()]).into()),
        _ => {
            let mut said = task
                .record
                .member("error_info")
                .map(texts)
                .unwrap_or_default()
                .into_iter();
            Err(match said.next() {
                Some(code) => Failure::Api(ApiError {
                    code: code.into(),
                    params: said.collect(),
                }),
                None => ApiError::internal("Task failed but no error recorded").into(),
            })
        }
    }
}

/// Results are stored as the text of one value.
fn value(text: &str) -> WireValue {
    if text.is_empty() {
        return WireValue::Nil;
    }
    let read = xmlrpc::decode_value(text.as_bytes(), &Limits::RESPONSE);
    read.unwrap_or_else(|_| WireValue::String(text.to_owned()))
}

#[cfg(test)]
mod test {
    use super::*;

    fn task(status: &str, members: &[(&str, WireValue)]) -> Object {
        let mut all = vec![("status".to_owned(), WireValue::String(status.to_owned()))];
        all.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Object {
            reference: "OpaqueRef:t".to_owned(),
            record: WireValue::Struct(all),
        }
    }

    #[test]
    fn the_bar_grows() {
        assert_eq!(line(0.0, 0), "\r   0% | ");
        assert_eq!(line(0.5, 1), format!("\r  50% / {}", "#".repeat(35)));
        assert_eq!(line(1.0, 3), format!("\r 100% \\ {}", "#".repeat(70)));
    }

    #[test]
    fn results_are_values_and_failures_are_errors() {
        let text = WireValue::String("<value>OpaqueRef:1</value>".into());
        let good = result(&task("success", &[("result", text)]));
        assert_eq!(good.unwrap(), WireValue::String("OpaqueRef:1".into()));
        let said = ["VM_BAD_POWER_STATE", "vm", "halted", "running"].map(|s| WireValue::String(s.into()));
        let bad = result(&task(
            "failure",
            &[("error_info", WireValue::Array(said.to_vec()))],
        ));
        assert_eq!(bad.unwrap_err().code(), Some("VM_BAD_POWER_STATE"));
        assert_eq!(
            result(&task("cancelled", &[])).unwrap_err().code(),
            Some("TASK_CANCELLED")
        );
    }
}
