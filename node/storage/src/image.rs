//! qemu-img: every call bounded in time, its child killed when nobody waits for it any more.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use md5::{Digest, Md5};
use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::error::{Result, StorageError};
use crate::job::Job;

/// Runs qemu-img.
#[derive(Clone, Debug)]
pub struct ImageTool {
    /// The program; found in `PATH` if it is a bare name.
    pub program: PathBuf,
    /// How long a short call may take.
    pub deadline: Duration,
    /// How long a copy may go without progress.
    pub stall: Duration,
}

impl Default for ImageTool {
    fn default() -> ImageTool {
        ImageTool {
            program: PathBuf::from("qemu-img"),
            deadline: Duration::from_secs(30),
            stall: Duration::from_secs(120),
        }
    }
}

/// What qemu-img says of an image.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageInfo {
    /// Size the guest sees, in bytes.
    pub virtual_size: u64,
    /// What it takes on the medium, in bytes; absent on some backends.
    #[serde(default)]
    pub actual_size: Option<u64>,
    /// Its format.
    pub format: String,
    /// Name of its backing file.
    #[serde(default)]
    pub backing_filename: Option<String>,
}

/// QEMU's name of a format.
pub fn format_name(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Vhd => "vpc",
    }
}

/// How qemu-img is told of a source: format and name. `None` for an empty drive.
fn source_name(source: &DiskSource) -> Option<(DiskFormat, String)> {
    match source {
        DiskSource::File { path, format } | DiskSource::Block { path, format } => {
            Some((*format, path.to_string_lossy().into_owned()))
        }
        DiskSource::Network { url, format, .. } => Some((*format, url.clone())),
        DiskSource::Empty => None,
    }
}

/// A file that goes when its user is done with it, or gives up.
struct RemovedAtLast(PathBuf);

impl Drop for RemovedAtLast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An overlay's backing file.
#[derive(Clone, Copy, Debug)]
pub struct Backing<'a> {
    /// Its name as it will stand in the overlay; relative ones are looked up beside the overlay.
    pub name: &'a str,
    /// Its format.
    pub format: DiskFormat,
}

impl ImageTool {
    /// Makes an image. With a backing file that need not exist yet; nothing of it is read.
    pub async fn create(
        &self,
        name: impl AsRef<OsStr>,
        format: DiskFormat,
        size: Bytes,
        backing: Option<Backing<'_>>,
    ) -> Result<()> {
        let mut command = self.command();
        command.args(["create", "-q", "-f", format_name(format)]);
        if let Some(backing) = backing {
            command.args(["-u", "-b", backing.name, "-F", format_name(backing.format)]);
        }
        command.arg(name.as_ref()).arg(size.get().to_string());
        self.run("qemu-img create", command).await.map(drop)
    }

    /// Looks at an image, also while a domain has it open.
    pub async fn info(&self, source: &DiskSource) -> Result<ImageInfo> {
        let (format, name) = source_name(source).ok_or(StorageError::Unsupported {
            kind: "empty",
            operation: "be looked at",
        })?;
        let mut command = self.command();
        command
            .args(["info", "-U", "--output=json", "-f", format_name(format)])
            .envs(source.environment())
            .arg(name);
        let output = self.run("qemu-img info", command).await?;
        serde_json::from_slice(&output).map_err(|error| StorageError::Tool {
            tool: "qemu-img info",
            status: "unreadable answer".to_owned(),
            message: error.to_string(),
        })
    }

    /// Makes an image larger.
    pub async fn resize(&self, name: &str, format: DiskFormat, size: Bytes) -> Result<()> {
        let mut command = self.command();
        command
            .args(["resize", "-q", "-f", format_name(format)])
            .arg(name)
            .arg(size.get().to_string());
        self.run("qemu-img resize", command).await.map(drop)
    }

    /// Verifies an image's structure. Leaked clusters, which cost only space, are no fault.
    ///
    /// # Errors
    /// [`StorageError::Damaged`].
    pub async fn check(&self, name: &str, format: DiskFormat) -> Result<()> {
        if format == DiskFormat::Raw {
            return Ok(());
        }
        let mut command = self.command();
        command.args(["check", "-q", "-f", format_name(format)]).arg(name);
        match self.run("qemu-img check", command).await {
            // Source: qemu-img(1): 3 leaked clusters, 2 corrupted.
            Err(StorageError::Tool { status, .. }) if status == "exit code 3" => Ok(()),
            Err(StorageError::Tool { status, message, .. }) if status == "exit code 2" => {
                Err(StorageError::Damaged {
                    location: name.to_owned(),
                    reason: message,
                })
            }
            other => other.map(drop),
        }
    }

    /// Copies all bytes of a source into a new image, zeros skipped. Bounded by the time without progress.
    ///
    /// # Errors
    /// [`StorageError::Cancelled`]; [`StorageError::TimedOut`] when it stalls. The target is left behind.
    pub async fn convert(
        &self,
        source: &DiskSource,
        target: &str,
        format: DiskFormat,
        job: &Job,
    ) -> Result<()> {
        const TOOL: &str = "qemu-img convert";
        let (from, name) = source_name(source).ok_or(StorageError::Unsupported {
            kind: "empty",
            operation: "be copied",
        })?;
        let mut command = self.command();
        command
            .args([
                "convert",
                "-p",
                "-f",
                format_name(from),
                "-O",
                format_name(format),
            ])
            .envs(source.environment())
            .arg(name)
            .arg(target);
        self.watched(TOOL, "copy", command, job).await?;
        job.advance(1000);
        Ok(())
    }

    /// MD5 of all bytes of a source, in hexadecimal digits; `plain` is a file that may hold them for that time.
    pub async fn checksum(&self, source: &DiskSource, plain: &Path, job: &Job) -> Result<String> {
        let gone = RemovedAtLast(plain.to_owned());
        self.convert(source, &plain.to_string_lossy(), DiskFormat::Raw, job)
            .await?;
        let path = plain.to_owned();
        let sum = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::open(&path)?;
            let mut sum = Md5::new();
            std::io::copy(&mut file, &mut sum)?;
            std::io::Result::Ok(sum.finalize())
        });
        let sum = sum
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|error| StorageError::io("read", &gone.0, error))?;
        Ok(sum.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Copies what an overlay holds into its backing file. The overlay stays as it is: both show the same bytes then, as
    /// they do at every moment before. Bounded by the time without progress.
    ///
    /// # Errors
    /// [`StorageError::Cancelled`]; [`StorageError::VolumeInUse`] if one of the two is open elsewhere.
    pub async fn commit(&self, overlay: &str, format: DiskFormat, job: &Job) -> Result<()> {
        let mut command = self.command();
        command
            .args(["commit", "-p", "-d", "-f", format_name(format)])
            .arg(overlay);
        self.watched("qemu-img commit", "merge", command, job).await
    }

    /// Names another backing file in an overlay, which must show the same bytes; nothing of it is read.
    pub async fn rebase(&self, overlay: &str, name: &str, format: DiskFormat) -> Result<()> {
        let mut command = self.command();
        command
            .args([
                "rebase",
                "-q",
                "-u",
                "-f",
                "qcow2",
                "-b",
                name,
                "-F",
                format_name(format),
            ])
            .arg(overlay);
        self.run("qemu-img rebase", command).await.map(drop)
    }

    /// Runs a long call that prints its progress.
    async fn watched(
        &self,
        tool: &'static str,
        operation: &'static str,
        mut command: Command,
        job: &Job,
    ) -> Result<()> {
        let mut child = spawn(tool, &mut command)?;
        let (mut stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let errors = tokio::spawn(async move { read_bounded(stderr).await });
        let mut line = Vec::new();
        let mut buffer = [0_u8; 4096];
        loop {
            let read = async {
                match stdout.as_mut() {
                    Some(stdout) => stdout.read(&mut buffer).await,
                    None => Ok(0),
                }
            };
            let count = tokio::select! {
                () = job.cancelled() => {
                    stop(&mut child).await;
                    return Err(StorageError::Cancelled { operation });
                }
                answer = timeout(self.stall, read) => match answer {
                    Ok(answer) => answer.unwrap_or(0),
                    Err(_) => {
                        stop(&mut child).await;
                        return Err(StorageError::TimedOut { operation, after: self.stall });
                    }
                },
            };
            if count == 0 {
                break;
            }
            for byte in buffer.iter().take(count) {
                match byte {
                    b'\r' | b'\n' => {
                        if let Some(permille) = progress(&line) {
                            job.advance(permille);
                        }
                        line.clear();
                    }
                    _ if line.len() < 200 => line.push(*byte),
                    _ => {}
                }
            }
        }
        let status = self.ended(tool, &mut child).await?;
        let message = timeout(self.deadline, errors)
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        judge(tool, status, &message)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a short call and answers its stdout.
    async fn run(&self, tool: &'static str, mut command: Command) -> Result<Vec<u8>> {
        let mut child = spawn(tool, &mut command)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let all = async { tokio::join!(child.wait(), read_bounded(stdout), read_bounded(stderr)) };
        let Ok((status, output, message)) = timeout(self.deadline, all).await else {
            stop(&mut child).await;
            return Err(StorageError::TimedOut {
                operation: tool,
                after: self.deadline,
            });
        };
        judge(
            tool,
            status.map_err(|source| StorageError::ToolMissing { tool, source })?,
            &message,
        )?;
        Ok(output)
    }

    async fn ended(&self, tool: &'static str, child: &mut Child) -> Result<ExitStatus> {
        match timeout(self.deadline, child.wait()).await {
            Ok(status) => status.map_err(|source| StorageError::ToolMissing { tool, source }),
            Err(_) => {
                stop(child).await;
                Err(StorageError::TimedOut {
                    operation: tool,
                    after: self.deadline,
                })
            }
        }
    }
}

pub(crate) fn spawn(tool: &'static str, command: &mut Command) -> Result<Child> {
    command
        .spawn()
        .map_err(|source| StorageError::ToolMissing { tool, source })
}

/// Kills a child. One that hangs in the kernel is reaped by the runtime whenever it ends.
pub(crate) async fn stop(child: &mut Child) {
    let _ = child.start_kill();
    let _ = timeout(Duration::from_secs(1), child.wait()).await;
}

/// Reads a stream to its end, keeping its first 64 KiB.
pub(crate) async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    const MOST: usize = 64 * 1024;
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut buffer = [0_u8; 4096];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = MOST.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
    }
    kept
}

pub(crate) fn judge(tool: &'static str, status: ExitStatus, stderr: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let message: String = text.chars().take(500).collect();
    if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
        return Err(StorageError::NoSpace {
            needed: Bytes(0),
            free: Bytes(0),
        });
    }
    if text.contains("Failed to get") && text.contains("lock") {
        return Err(StorageError::VolumeInUse { location: message });
    }
    let status = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    };
    Err(StorageError::Tool {
        tool,
        status,
        message,
    })
}

/// Reads `    (12.34/100%)` as thousandths.
fn progress(line: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(line).ok()?.trim();
    let (done, _) = text.strip_prefix('(')?.split_once('/')?;
    let (whole, part) = done.split_once('.').unwrap_or((done, "0"));
    let whole: u32 = whole.trim().parse().ok()?;
    let tenths = part
        .bytes()
        .next()
        .filter(u8::is_ascii_digit)
        .map_or(0, |digit| u32::from(digit - b'0'));
    Some(whole.checked_mul(10)?.checked_add(tenths)?.min(1000))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn progress_is_read_in_thousandths() {
        assert_eq!(progress(b"    (12.34/100%)"), Some(123));
        assert_eq!(progress(b"    (100.00/100%)"), Some(1000));
        assert_eq!(progress(b"qemu-img: error"), None);
        assert_eq!(progress(b"(x/100%)"), None);
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_at_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("hang");
        std::fs::write(&script, "#!/bin/sh\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let tool = ImageTool {
            program: script,
            deadline: Duration::from_millis(100),
            ..ImageTool::default()
        };
        let image = dir.path().join("x.qcow2");
        let answer = tool.create(&image, DiskFormat::Qcow2, Bytes::mib(1), None).await;
        assert!(matches!(answer, Err(StorageError::TimedOut { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn what_the_tool_says_on_stderr_is_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let gone = DiskSource::File {
            path: dir.path().join("gone.qcow2"),
            format: DiskFormat::Qcow2,
        };
        let error = ImageTool::default().info(&gone).await.unwrap_err();
        assert!(error.chain().contains("No such file"), "{error}");
    }
}
