//! Disks as files against `qemu-img convert`, clones and snapshots of a large disk, a scan of many images.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use super::idle;
use crate::pool::state::Hypervisor;
use crate::pool::{SHARED, power};
use crate::run;
use crate::xmlrpc::Value;

const ROUNDS: usize = 3;
const GIB: u64 = 1 << 30;
/// The disk that travels, and how much of it is data.
const DISK: u64 = 2 * GIB;
const DATA: u64 = GIB;
/// The disk that is cloned and snapshotted, which holds nothing.
const LARGE: u64 = 100 * GIB;
const CLONES: usize = 9;
const IMAGES: usize = 5_000;
/// As `/proc/sys/kernel/random/uuid` gives them.
const UUID_LENGTH: usize = 36;

/// Runs it.
pub fn run() -> Result<()> {
    let bed = Bed::up(Hypervisor::Qemu)?;
    travel(&bed)?;
    large(&bed)?;
    many(&bed)
}

/// Files on the disk that the hosts share: where they are here, and where a host sees them.
struct Files {
    here: PathBuf,
}

impl Files {
    fn here(&self, name: &str) -> PathBuf {
        self.here.join(name)
    }

    fn there(name: &str) -> String {
        format!("{SHARED}/{name}")
    }
}

fn travel(bed: &Bed) -> Result<()> {
    let files = Files {
        here: bed.testbed.shared_dir(),
    };
    fill(&files.here("given.raw"))?;
    let [given, made] = ["given.qcow2", "made.qcow2"].map(|name| files.here(name));
    convert("raw", &files.here("given.raw"), "qcow2", &given)?;
    let disk = vdi(bed, "travels", DISK)?;
    let uuid = bed.session.text("VDI.get_uuid", [disk.as_str().into()])?;
    let image = files.here("sr").join(format!("{uuid}.qcow2"));
    let master = bed.master()?;
    println!("              ours MiB/s   qemu-img MiB/s   share   RSS before   peak MiB");
    for (what, format) in [
        ("import", "raw"),
        ("import", "qcow2"),
        ("export", "raw"),
        ("export", "qcow2"),
    ] {
        let name = match what {
            "import" => format!("given.{format}"),
            _ => format!("out.{format}"),
        };
        let words = [
            "xe".to_owned(),
            format!("vdi-{what}"),
            format!("uuid={uuid}"),
            format!("filename={}", Files::there(&name)),
            format!("format={format}"),
        ];
        let before = idle::resident(&master)?;
        idle::forget_peak(&master)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            if what == "export" {
                remove(&files.here(&name))?;
            }
            ours.push(seconds(|| xe(bed, &words).map(drop))?);
            remove(&made)?;
            theirs.push(seconds(|| match what {
                "import" => convert(format, &files.here(&name), "qcow2", &made),
                _ => convert("qcow2", &image, format, &made),
            })?);
        }
        row(
            &format!("{what} {format}"),
            ours,
            theirs,
            before,
            idle::peak(&master)?,
        );
    }
    archive(bed, &files, &disk, &image, &master)?;
    for name in ["given.raw", "given.qcow2", "out.raw", "out.qcow2", "made.qcow2"] {
        remove(&files.here(name))?;
    }
    Ok(())
}

/// The same disk in a VM's archive.
fn archive(bed: &Bed, files: &Files, disk: &str, image: &Path, master: &str) -> Result<()> {
    let vm = bed.vm("travels")?;
    bed.session.call("VM.provision", [vm.as_str().into()])?;
    let record = Value::map([
        ("VM", vm.as_str().into()),
        ("VDI", disk.into()),
        ("userdevice", "0".into()),
        ("bootable", true.into()),
        ("mode", "RW".into()),
        ("type", "Disk".into()),
        ("empty", false.into()),
        ("other_config", Value::map([])),
        ("qos_algorithm_type", "".into()),
        ("qos_algorithm_params", Value::map([])),
    ]);
    bed.session.call("VBD.create", [record])?;
    let uuid = bed.session.text("VM.get_uuid", [vm.as_str().into()])?;
    let file = format!("filename={}", Files::there("out.xva"));
    let made = files.here("made.raw");
    let raw = files.here("given.raw");
    let export = [
        "xe".to_owned(),
        "vm-export".to_owned(),
        format!("uuid={uuid}"),
        file.clone(),
    ];
    let import = ["xe".to_owned(), "vm-import".to_owned(), file];
    for (what, words) in [("export", &export[..]), ("import", &import[..])] {
        let before = idle::resident(master)?;
        idle::forget_peak(master)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            if what == "export" {
                remove(&files.here("out.xva"))?;
            }
            let mut said = String::new();
            ours.push(seconds(|| {
                said = xe(bed, words)?;
                Ok(())
            })?);
            if what == "import" {
                let vm = said
                    .trim()
                    .get(..UUID_LENGTH)
                    .context("no VM is told")?
                    .to_owned();
                let words = ["xe", "vm-uninstall", &format!("uuid={vm}"), "force=true"].map(str::to_owned);
                xe(bed, &words)?;
            }
            remove(&made)?;
            theirs.push(seconds(|| match what {
                "export" => convert("qcow2", image, "raw", &made),
                _ => convert("raw", &raw, "qcow2", &made),
            })?);
        }
        row(&format!("{what} xva"), ours, theirs, before, idle::peak(master)?);
    }
    remove(&files.here("out.xva"))?;
    remove(&made)
}

#[allow(clippy::cast_precision_loss, reason = "a rate")]
fn row(what: &str, ours: Vec<f64>, theirs: Vec<f64>, before: f64, peak: f64) {
    let rate = |times| (DISK >> 20) as f64 / bed::median(times);
    let (ours, theirs) = (rate(ours), rate(theirs));
    println!(
        "{what:<13} {ours:>10.0}   {theirs:>14.0}   {:>5.2}   {before:>10.0}   {peak:>8.0}",
        ours / theirs
    );
}

/// Times of `VDI.snapshot` and `VDI.clone` of a large disk.
fn large(bed: &Bed) -> Result<()> {
    let disk = vdi(bed, "large", LARGE)?;
    for message in ["VDI.snapshot", "VDI.clone"] {
        let mut times = Vec::new();
        for _ in 0..CLONES {
            let args = [Value::from(disk.as_str()), Value::map([])];
            times.push(seconds(|| bed.session.call(message, args).map(drop))?);
        }
        println!(
            "{message} of 100 GiB: {:.3} s (median of {CLONES})",
            bed::median(times)
        );
    }
    Ok(())
}

/// Times of `SR.scan` of a folder of images.
fn many(bed: &Bed) -> Result<()> {
    let folder = bed.testbed.shared_dir().join("many");
    let pools = bed.session.call("pool.get_all", [])?;
    let pool = pools.list()?.first().context("no pool row")?.text()?.to_owned();
    let master = bed.session.text("pool.get_master", [pool.into()])?;
    let sr = bed.session.text(
        "SR.create",
        [
            master.into(),
            Value::map([("location", Files::there("many").into())]),
            "0".into(),
            "Many images".into(),
            "".into(),
            "file".into(),
            "user".into(),
            true.into(),
            Value::map([]),
        ],
    )?;
    let model = folder.join("model");
    let mut create = run::command("qemu-img", ["create", "-q", "-f", "qcow2"]);
    run::output(create.arg(&model).arg("10G"))?;
    for _ in 0..IMAGES {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").context("make a uuid")?;
        fs::copy(&model, folder.join(format!("{}.qcow2", uuid.trim()))).context("copy an image")?;
    }
    remove(&model)?;
    let scan = || seconds(|| bed.session.call("SR.scan", [sr.as_str().into()]).map(drop));
    let first = scan()?;
    let later: Vec<f64> = (0..ROUNDS).map(|_| scan()).collect::<Result<_>>()?;
    let known = bed.session.call("SR.get_VDIs", [sr.as_str().into()])?;
    anyhow::ensure!(known.list()?.len() == IMAGES, "not all images were found");
    println!(
        "SR.scan of {IMAGES} images: {first:.2} s when all are new, {:.2} s (median of {ROUNDS}) after",
        bed::median(later)
    );
    Ok(())
}

fn vdi(bed: &Bed, name: &str, size: u64) -> Result<String> {
    let sr = bed.session.by_name("SR", "Shared storage")?;
    let record = Value::map([
        ("name_label", name.into()),
        ("name_description", "".into()),
        ("SR", sr.into()),
        ("virtual_size", size.to_string().into()),
        ("type", "user".into()),
        ("sharable", false.into()),
        ("read_only", false.into()),
        ("other_config", Value::map([])),
    ]);
    bed.session.text("VDI.create", [record])
}

/// Makes the raw image: data that does not shrink, then nothing.
fn fill(path: &Path) -> Result<()> {
    let mut file = fs::File::create(path).context("make an image")?;
    let noise = fs::File::open("/dev/urandom").context("open /dev/urandom")?;
    std::io::copy(&mut noise.take(DATA), &mut file).context("fill an image")?;
    file.set_len(DISK).context("size an image")?;
    file.sync_all().context("keep an image")
}

fn convert(from: &str, source: &Path, to: &str, target: &Path) -> Result<()> {
    let mut convert = run::command("qemu-img", ["convert", "-f", from, "-O", to]);
    run::output(convert.arg(source).arg(target)).map(drop)
}

/// A command on the master.
fn xe(bed: &Bed, words: &[String]) -> Result<String> {
    let master = bed.testbed.hosts.first().context("no host")?;
    run::output(&mut power::inside(&bed.testbed, &master.name, words)?)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove a file"),
        _ => Ok(()),
    }
}

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    let took: Duration = began.elapsed();
    Ok(took.as_secs_f64())
}
