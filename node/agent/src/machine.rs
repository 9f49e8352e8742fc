//! The host as a machine: power, name, log, plug-ins. Each is a program that the operator can set; each runs for a
//! bounded time and may print a bounded amount.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use node_commands::{CommandError, CommandErrorKind, HostReply, MachineReply, MachineVerb};
use proto_types::ApiError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::agent::Agent;
use crate::certificates::{CertificateKeeper, shown_after};
use crate::operations::Outcome;
use crate::usb;

/// Programs by what they are for: the program and its first arguments. An empty one is not there.
#[derive(Clone, Debug, Default)]
pub struct MachineSettings {
    /// Switches the host off.
    pub power_off: Vec<String>,
    /// Reboots the host.
    pub reboot: Vec<String>,
    /// Starts the node anew.
    pub restart_node: Vec<String>,
    /// Changes the host's name, which follows as an argument.
    pub set_hostname: Vec<String>,
    /// Says where the log goes as well: the destination follows as an argument, an empty one ends it.
    pub set_syslog: Vec<String>,
    /// Prints the kernel's messages.
    pub kernel_log: Vec<String>,
    /// The folder of plug-ins.
    pub plugin_dir: Option<PathBuf>,
    /// The folder of extensions.
    pub extension_dir: Option<PathBuf>,
    /// The file by which the kernel is asked to show its state: the magic SysRq.
    pub sysrq: Option<PathBuf>,
    /// Where firmware for guests is described.
    pub firmware_dir: Option<PathBuf>,
    /// Where the kernel shows USB devices.
    pub usb_dir: Option<PathBuf>,
    /// Who keeps the certificates of this host.
    pub certificates: Option<Arc<dyn CertificateKeeper>>,
    /// Between the answer and the going down: the answer must be out by then.
    pub grace: Duration,
}

/// Longest time for a program of the host.
const SHORT: Duration = Duration::from_secs(15);
/// Longest time for a plug-in or an extension.
const PLUGIN_LIMIT: Duration = Duration::from_secs(300);
/// Most that a program may print; what comes after is thrown away.
const MOST_OUTPUT: u64 = 1024 * 1024;

/// What a program came to.
struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

fn unsupported(what: &str) -> CommandError {
    CommandError::new(
        CommandErrorKind::Unsupported,
        format!("this host has no way to {what}"),
    )
}

/// Runs a program to its end, or ends it when its time is over.
async fn run(mut command: Command, input: &str, limit: Duration) -> io::Result<Ended> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read is not at fault.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ((), stdout, stderr, status) = tokio::join!(feed, gather(stdout), gather(stderr), child.wait());
        Ok::<_, io::Error>(Ended {
            status: status?.code().unwrap_or(-1),
            stdout,
            stderr,
        })
    };
    tokio::time::timeout(limit, talk)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads to the end and keeps the beginning.
async fn gather(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut kept = Vec::new();
    // What cannot be read is as if it had not been printed.
    let _ = (&mut from).take(MOST_OUTPUT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// A program that the operator has set, with an argument more.
fn program(words: &[String], extra: &[&str]) -> Option<Command> {
    let (program, first) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(first).args(extra);
    Some(command)
}

/// Runs such a program and takes a failure for one.
async fn succeed(words: &[String], extra: &[&str], what: &str) -> Result<String, CommandError> {
    let command = program(words, extra).ok_or_else(|| unsupported(what))?;
    let failed = |why: String| CommandError::new(CommandErrorKind::Internal, format!("{what}: {why}"));
    match run(command, "", SHORT).await {
        Ok(ended) if ended.status == 0 => Ok(ended.stdout),
        Ok(ended) => Err(failed(format!(
            "status {}: {}",
            ended.status,
            ended.stderr.trim()
        ))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The file of a plug-in or an extension: a plain name within the folder, which must be a program.
fn script(folder: Option<&Path>, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
    let path = folder.filter(|_| plain)?.join(name);
    let found = std::fs::metadata(&path).ok()?;
    (found.is_file() && found.permissions().mode() & 0o111 != 0).then_some(path)
}

async fn run_script(path: &Path, args: &[&str], input: &str) -> Outcome {
    let mut command = Command::new(path);
    command.args(args);
    match run(command, input, PLUGIN_LIMIT).await {
        Ok(Ended {
            status,
            stdout,
            stderr,
        }) => Ok(HostReply::Machine(MachineReply::Output {
            status,
            stdout,
            stderr,
        })),
        Err(error) => Ok(HostReply::Machine(MachineReply::Output {
            status: -1,
            stdout: String::new(),
            stderr: error.to_string(),
        })),
    }
}

fn missing(error: ApiError, name: &str) -> CommandError {
    CommandError::api(
        CommandErrorKind::Forbidden,
        error,
        format!("no program {name:?} in the folder"),
    )
}

/// Keys of the magic SysRq that do nothing but print: locks, memory, backtraces, registers, timers, tasks, blocked tasks.
/// The others kill, remount, reboot or crash. Source: the kernel's admin-guide/sysrq.
const SHOWING_KEYS: &str = "dlmpqtw";
/// Most keys at once.
const MOST_KEYS: usize = 16;

async fn show_state(file: Option<&Path>, keys: &str) -> Outcome {
    let file = file.ok_or_else(|| unsupported("show its kernel's state"))?;
    if keys.len() > MOST_KEYS || keys.chars().any(|key| !SHOWING_KEYS.contains(key)) {
        let error = ApiError::new("INVALID_VALUE", ["keys", keys]);
        return Err(CommandError::api(
            CommandErrorKind::Forbidden,
            error,
            "a key that does more than show".to_owned(),
        ));
    }
    for key in keys.chars() {
        tokio::fs::write(file, key.to_string()).await.map_err(|error| {
            CommandError::new(CommandErrorKind::Internal, format!("ask the kernel: {error}"))
        })?;
    }
    machine_done()
}

fn machine_done() -> Outcome {
    Ok(HostReply::Machine(MachineReply::Done))
}

impl Agent {
    pub(crate) async fn machine(&self, verb: MachineVerb) -> Outcome {
        let settings = &self.inner.settings.machine;
        match verb {
            MachineVerb::PowerOff { of_start } | MachineVerb::Reboot { of_start }
                if of_start < self.inner.started =>
            {
                machine_done()
            }
            MachineVerb::PowerOff { .. } => self.go_down(&settings.power_off, "switch itself off"),
            MachineVerb::Reboot { .. } => self.go_down(&settings.reboot, "reboot"),
            MachineVerb::RestartNode => self.restart_node(),
            MachineVerb::SetHostname { name } => {
                succeed(&settings.set_hostname, &[&name], "change its name").await?;
                machine_done()
            }
            MachineVerb::SetSyslog { destination } => {
                let destination = destination.unwrap_or_default();
                succeed(&settings.set_syslog, &[&destination], "send its log elsewhere").await?;
                machine_done()
            }
            MachineVerb::KernelLog => {
                let text = succeed(&settings.kernel_log, &[], "show the kernel's messages").await?;
                Ok(HostReply::Machine(MachineReply::Text(text)))
            }
            MachineVerb::Clock => Ok(HostReply::Machine(MachineReply::Clock {
                utc: now(),
                ahead: local_offset().await,
            })),
            MachineVerb::Certificate => {
                let shown = self.keeper()?.shown();
                Ok(HostReply::Machine(MachineReply::Text(shown.api)))
            }
            MachineVerb::InstallCertificate { certificates, key } => {
                let keeper = self.keeper()?;
                shown_after(keeper, keeper.install(&certificates, &key.0).await)
            }
            MachineVerb::ResetCertificate => {
                let keeper = self.keeper()?;
                shown_after(keeper, keeper.reset().await)
            }
            MachineVerb::RenewCertificate => {
                let keeper = self.keeper()?;
                shown_after(keeper, keeper.renew().await)
            }
            MachineVerb::ShowState { keys } => show_state(settings.sysrq.as_deref(), &keys).await,
            MachineVerb::Timings => Ok(HostReply::Machine(MachineReply::Timings(
                self.inner.timings.all(),
            ))),
            MachineVerb::UsbDevices => {
                let folder = settings.usb_dir.clone();
                let seen =
                    tokio::task::spawn_blocking(move || folder.map(|f| usb::devices(&f)).unwrap_or_default());
                let seen = seen
                    .await
                    .map_err(|e| CommandError::new(CommandErrorKind::Internal, e.to_string()))?;
                Ok(HostReply::Machine(MachineReply::UsbDevices(seen)))
            }
            MachineVerb::HasExtension { name } => {
                let there = script(settings.extension_dir.as_deref(), &name).is_some();
                Ok(HostReply::Machine(MachineReply::Truth(there)))
            }
            MachineVerb::RunPlugin { name, argument } => {
                let path = script(settings.plugin_dir.as_deref(), &name)
                    .ok_or_else(|| missing(ApiError::new("XENAPI_MISSING_PLUGIN", [name.as_str()]), &name))?;
                run_script(&path, &[&argument], "").await
            }
            MachineVerb::RunExtension { name, request } => {
                let path = script(settings.extension_dir.as_deref(), &name).ok_or_else(|| {
                    missing(ApiError::new("MESSAGE_METHOD_UNKNOWN", [name.as_str()]), &name)
                })?;
                run_script(&path, &[], &request).await
            }
            MachineVerb::Drill { failure, seconds } => {
                let drills = self
                    .inner
                    .drills
                    .get()
                    .ok_or_else(|| unsupported("play a failure"))?;
                drills
                    .begin(failure, std::time::Duration::from_secs(seconds))
                    .map_err(|why| CommandError::new(CommandErrorKind::Busy, why))?;
                machine_done()
            }
            MachineVerb::Wake { mac } => {
                wake(&mac)
                    .await
                    .map_err(|error| CommandError::new(CommandErrorKind::Network, error.to_string()))?;
                machine_done()
            }
        }
    }

    /// Goes down after a moment. From now on the host tells nothing more, so that it counts as away at once.
    fn go_down(&self, words: &[String], what: &'static str) -> Outcome {
        let command = program(words, &[]).ok_or_else(|| unsupported(what))?;
        self.inner.leaving.store(true, Ordering::SeqCst);
        self.inner.hub.close();
        let agent = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(agent.inner.settings.machine.grace).await;
            tracing::warn!("the host goes down: asked to {what}");
            let ended = run(command, "", SHORT).await;
            // Whoever is still here after a while has not gone down.
            tokio::time::sleep(SHORT).await;
            tracing::error!(
                status = ended.as_ref().map_or(-1, |e| e.status),
                stderr = ended.as_ref().map_or("", |e| e.stderr.as_str()),
                "the host did not {what}"
            );
            agent.inner.leaving.store(false, Ordering::SeqCst);
        });
        machine_done()
    }

    fn restart_node(&self) -> Outcome {
        let settings = &self.inner.settings.machine;
        let command =
            program(&settings.restart_node, &[]).ok_or_else(|| unsupported("start its node anew"))?;
        let grace = settings.grace;
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            match run(command, "", SHORT).await {
                Ok(ended) if ended.status == 0 => {}
                Ok(ended) => tracing::error!(status = ended.status, stderr = ended.stderr, "not restarted"),
                Err(error) => tracing::error!(%error, "not restarted"),
            }
        });
        machine_done()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds by which local time is ahead of UTC, as `date` has it; 0 where there is none.
async fn local_offset() -> i32 {
    let words = ["date".to_owned(), "+%z".to_owned()];
    match succeed(&words, &[], "tell local time").await {
        Ok(text) => offset(text.trim()).unwrap_or(0),
        Err(_) => 0,
    }
}

/// `+0130` in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i32 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Whether the host has firmware for guests that brings Secure Boot's keys along.
/// Source: QEMU's docs/interop/firmware.json: the feature is called so in each descriptor.
pub(crate) fn has_keys(folder: Option<&Path>) -> bool {
    let files = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    files
        .into_iter()
        .flatten()
        .flatten()
        .any(|file| std::fs::read_to_string(file.path()).is_ok_and(|text| text.contains("\"enrolled-keys\"")))
}

/// When this host booted: when its first process started, which also holds for a host made of namespaces.
pub(crate) fn booted() -> i64 {
    let kernel = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = std::fs::read_to_string("/proc/1/stat").unwrap_or_default();
    booted_by(&kernel, &first)
}

/// Source: proc(5): `btime` is the kernel's boot in seconds since 1970; field 22 of a process counts hundredths of a
/// second from there to its start.
fn booted_by(kernel: &str, first: &str) -> i64 {
    let boot: Option<i64> = kernel
        .lines()
        .find_map(|l| l.strip_prefix("btime "))
        .and_then(|t| t.trim().parse().ok());
    let Some(boot) = boot else { return 0 };
    let ticks: i64 = first
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse().ok())
        .unwrap_or(0);
    boot + ticks / 100
}

/// Where the kernel shows the firmware's strings, by the names that VMs have for theirs.
const FIRMWARE: &[(&str, &str)] = &[
    ("bios-vendor", "bios_vendor"),
    ("bios-version", "bios_version"),
    ("system-manufacturer", "sys_vendor"),
    ("system-product-name", "product_name"),
    ("system-version", "product_version"),
    ("system-serial-number", "product_serial"),
    ("baseboard-manufacturer", "board_vendor"),
    ("baseboard-product-name", "board_name"),
    ("baseboard-version", "board_version"),
    ("baseboard-serial-number", "board_serial"),
    ("baseboard-asset-tag", "board_asset_tag"),
    ("enclosure-asset-tag", "chassis_asset_tag"),
];

/// The firmware's strings, as far as the kernel shows them.
pub(crate) fn bios_strings() -> BTreeMap<String, String> {
    let folder = Path::new("/sys/class/dmi/id");
    FIRMWARE
        .iter()
        .filter_map(|(key, file)| {
            let text = std::fs::read_to_string(folder.join(file)).ok()?;
            let text: String = text
                .trim()
                .chars()
                .filter(|c| c.is_ascii_graphic() || *c == ' ')
                .collect();
            (!text.is_empty()).then(|| ((*key).to_owned(), text))
        })
        .collect()
}

/// Sends a magic packet to everyone on the network.
async fn wake(mac: &str) -> io::Result<()> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "no hardware address");
    let octets: Vec<u8> = mac
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    if octets.len() != 6 {
        return Err(bad());
    }
    let mut packet = vec![0xff; 6];
    for _ in 0..16 {
        packet.extend_from_slice(&octets);
    }
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.set_broadcast(true)?;
    // One packet may be lost, and asking twice does no harm.
    for _ in 0..3 {
        socket.send_to(&packet, (Ipv4Addr::BROADCAST, 9)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn boot_is_the_first_processs_start() {
        let stat = "1 (a (b) c) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1250 99";
        assert_eq!(booted_by("cpu 1\nbtime 1000\n", stat), 1012);
        assert_eq!(booted_by("btime 1000", ""), 1000);
        assert_eq!(booted_by("", stat), 0);
    }

    #[test]
    fn offsets_are_read_with_their_sign() {
        assert_eq!(offset("+0130"), Some(5400));
        assert_eq!(offset("-0800"), Some(-28800));
        assert_eq!(offset("UTC"), None);
        assert_eq!(offset(""), None);
    }

    #[test]
    fn only_programs_of_the_folder_are_plugins() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = folder.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        file("good", 0o755);
        file("text", 0o644);
        file(".hidden", 0o755);
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let found = |name: &str| script(Some(folder.path()), name).is_some();
        assert!(found("good"));
        for name in [
            "text",
            ".hidden",
            "folder",
            "../good",
            "",
            "gone",
            "folder/../good",
        ] {
            assert!(!found(name), "{name}");
        }
        assert!(script(None, "good").is_none());
    }

    #[tokio::test]
    async fn only_keys_that_show_reach_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sysrq-trigger");
        show_state(Some(&file), "mt").await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "t");
        for bad in ["b", "mc", "T", "ttttttttttttttttt"] {
            let refused = show_state(Some(&file), bad).await.unwrap_err();
            assert_eq!(refused.kind, CommandErrorKind::Forbidden, "{bad}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "t");
        assert!(show_state(None, "t").await.is_err());
    }

    #[tokio::test]
    async fn a_program_is_bounded_in_time_and_in_what_it_prints() {
        let mut endless = Command::new("sleep");
        endless.arg("60");
        let error = run(endless, "", Duration::from_millis(50)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut chatty = Command::new("head");
        chatty.args(["-c", "3000000", "/dev/zero"]);
        let ended = run(chatty, "", SHORT).await.unwrap();
        assert_eq!((ended.status, ended.stdout.len()), (0, 1024 * 1024));
        let mut echo = Command::new("cat");
        echo.arg("-");
        assert_eq!(run(echo, "to and fro", SHORT).await.unwrap().stdout, "to and fro");
    }
}
