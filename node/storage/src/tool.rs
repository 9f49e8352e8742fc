//! Programs of the system: each call bounded in time and in what it may say.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Result, StorageError};
use crate::image::{judge, read_bounded, spawn, stop};

/// Runs a program and answers what it printed.
pub async fn run<S: AsRef<OsStr>>(
    tool: &'static str,
    args: impl IntoIterator<Item = S>,
    after: Duration,
) -> Result<String> {
    run_with(tool, args, [], after).await
}

/// As [`run`], with variables for what others must not see.
pub async fn run_with<S: AsRef<OsStr>>(
    tool: &'static str,
    args: impl IntoIterator<Item = S>,
    variables: impl IntoIterator<Item = (&'static str, &str)>,
    after: Duration,
) -> Result<String> {
    let mut command = Command::new(tool);
    command
        .args(args)
        .env("LC_ALL", "C")
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = spawn(tool, &mut command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(child.wait(), read_bounded(stdout), read_bounded(stderr)) };
    let Ok((status, output, message)) = timeout(after, all).await else {
        stop(&mut child).await;
        return Err(StorageError::TimedOut {
            operation: tool,
            after,
        });
    };
    // Some programs say what went wrong where they say all else, and last.
    let said = if message.is_empty() {
        last_line(&output)
    } else {
        &message
    };
    judge(
        tool,
        status.map_err(|source| StorageError::ToolMissing { tool, source })?,
        said,
    )?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn last_line(output: &[u8]) -> &[u8] {
    let mut lines = output.rsplit(|byte| *byte == b'\n');
    lines
        .find(|line| !line.trim_ascii().is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_reason_that_stands_last_among_much_is_told() {
        for (script, reason) in [
            ("seq 1000; echo the reason; exit 3", "the reason"),
            ("seq 1000; echo told >&2; exit 3", "told"),
            ("exit 3", ""),
        ] {
            let error = run("sh", ["-c", script], Duration::from_secs(10)).await;
            let StorageError::Tool { message, status, .. } = error.unwrap_err() else {
                panic!("another error");
            };
            assert_eq!((message.as_str(), status.as_str()), (reason, "exit code 3"));
        }
    }
}
