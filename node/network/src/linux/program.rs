//! Runs the system's own network programs: bounded in time, with what they are to read and what they print.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Such programs answer within milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);
/// What is kept of a complaint.
const LONGEST_COMPLAINT: usize = 500;

/// Why a program did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// It is not installed.
    Missing,
    /// It did not end in time.
    Slow(Duration),
    /// It refused, in its own words.
    Refused(String),
}

/// Runs a program to its end, with `input` on its standard input.
pub async fn run(program: &str, arguments: &[&str], input: &str) -> Result<(), Failure> {
    output(program, arguments, input).await.map(drop)
}

/// As [`run`]; what it has printed.
pub async fn output(program: &str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::Refused(error.to_string()),
        })?;
    let work = async {
        if let Some(mut pipe) = child.stdin.take() {
            // A program that ends before it has read all says why by its exit.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(DEADLINE, work)
        .await
        .map_err(|_| Failure::Slow(DEADLINE))?
        .map_err(|error| Failure::Refused(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Refused(
        complaint.trim().chars().take(LONGEST_COMPLAINT).collect(),
    ))
}
