//! Shows what is being done, step by step, with the time each step took.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Numbers and times steps; silent when a program reads our output.
pub struct Steps {
    spoken: bool,
    started: Instant,
}

impl Steps {
    /// `spoken` is false when standard output belongs to a program.
    pub fn new(spoken: bool) -> Self {
        Self {
            spoken,
            started: Instant::now(),
        }
    }

    /// Runs one step; its name stands in front of its error.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.spoken {
            print!("  {name} … ");
            let _ = std::io::stdout().flush();
        }
        let started = Instant::now();
        let result = work();
        if self.spoken {
            let verdict = if result.is_ok() { "done" } else { "FAILED" };
            println!("{verdict} ({})", seconds(started.elapsed()));
        }
        result.map_err(|error| error.context(name.to_owned()))
    }

    /// Says a line; to standard error when standard output belongs to a program.
    pub fn say(&mut self, line: &str) {
        if self.spoken {
            println!("  {line}");
        } else {
            let _ = writeln!(std::io::stderr(), "  {line}");
        }
    }

    /// Time since the first step.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// As people read it.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(90) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
    }
}
