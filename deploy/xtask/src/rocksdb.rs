//! Builds RocksDB once, as a few large units, into the user's cache.
//!
//! Cargo would compile the 343 C++ files of `librocksdb-sys` one by one, for each profile and
//! target folder again: a quarter of an hour on two cores, most of it spent parsing the same
//! headers. Here the same sources are compiled some twenty to a unit, which takes about four
//! minutes, and every later build links the archive through `ROCKSDB_LIB_DIR`. A plain
//! `cargo build` without that variable still works; it is only slow.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{cached, paths};

/// Sources in one unit. More is faster to compile and coarser to show; none of the units clash
/// at this size (a clash would be a compile error, not a wrong library).
const SOURCES_PER_UNIT: usize = 18;

/// What `librocksdb-sys` 0.19 passes on Linux without compression features.
///
/// Source: that crate's `build.rs`.
const DEFINES: &[&str] = &[
    "NDEBUG=1",
    "HAVE_ALIGNED_NEW",
    "HAVE_UINT128_EXTENSION",
    "OS_LINUX",
    "ROCKSDB_PLATFORM_POSIX",
    "ROCKSDB_LIB_IO_POSIX",
    "ROCKSDB_SCHED_GETCPU_PRESENT",
    "ROCKSDB_AUXV_GETAUXVAL_PRESENT",
    "ROCKSDB_FALLOCATE_PRESENT",
    "ROCKSDB_RANGESYNC_PRESENT",
];

const FLAGS: &[&str] = &["-std=c++20", "-O2", "-fPIC", "-w", "-include", "cstdint"];

/// The environment that makes cargo link the prebuilt archive.
pub struct Prebuilt {
    folder: Option<PathBuf>,
}

impl Prebuilt {
    /// Variables for cargo and everything it starts; none when no crate uses RocksDB.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        vec![
            ("ROCKSDB_LIB_DIR", folder.display().to_string()),
            ("ROCKSDB_STATIC", "1".to_owned()),
        ]
    }
}

/// Returns the prebuilt archive for this clone's RocksDB and this machine's compiler, building
/// it first when it is missing. Concurrent callers wait for one another.
pub fn ensure_built() -> Result<Prebuilt> {
    let Some(krate) = crate_folder()? else {
        return Ok(Prebuilt { folder: None });
    };
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "g++".to_owned());
    let version = compiler_version(&compiler)?;
    let flags = flags();
    let recipe = format!("{flags:?} {DEFINES:?} {SOURCES_PER_UNIT}");
    let name = format!(
        "rocksdb-{}-{version}-{}",
        krate.version,
        cached::short_hash(recipe.as_bytes())
    );

    let folder = cached::build_once(&name, |work| {
        build(&krate.folder, &compiler, &flags, work)?;
        for entry in fs::read_dir(work).context("list the build folder")? {
            let path = entry.context("list the build folder")?.path();
            if !path.ends_with("librocksdb.a") {
                fs::remove_file(&path).context("clear the build folder")?;
            }
        }
        Ok(())
    })?;
    Ok(Prebuilt { folder: Some(folder) })
}

struct RocksCrate {
    version: String,
    folder: PathBuf,
}

/// Asks cargo where the sources of `librocksdb-sys` lie (fetching them when needed).
fn crate_folder() -> Result<Option<RocksCrate>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1"])
        .current_dir(paths::repo()?)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let package = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "librocksdb-sys");
    let Some(package) = package else { return Ok(None) };
    let manifest = package["manifest_path"]
        .as_str()
        .context("manifest_path is missing")?;
    let version = package["version"].as_str().context("version is missing")?;
    Ok(Some(RocksCrate {
        version: version.to_owned(),
        folder: Path::new(manifest)
            .parent()
            .context("manifest without a folder")?
            .to_path_buf(),
    }))
}

fn compiler_version(compiler: &str) -> Result<String> {
    let output = Command::new(compiler)
        .args(["-dumpfullversion", "-dumpversion"])
        .output()
        .with_context(|| format!("run {compiler} (cargo xtask install brings it)"))?;
    ensure!(output.status.success(), "{compiler} does not tell its version");
    let base = Path::new(compiler)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(format!("{}{version}", base.unwrap_or_default()))
}

/// Adds the checksum instructions where this CPU has them; RocksDB's log checks every record.
fn flags() -> Vec<&'static str> {
    let mut flags = FLAGS.to_vec();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") && std::arch::is_x86_feature_detected!("pclmulqdq") {
        flags.extend(["-msse4.2", "-mpclmul"]);
    }
    flags
}

fn build(krate: &Path, compiler: &str, flags: &[&str], work: &Path) -> Result<()> {
    let sources = fs::read_to_string(krate.join("rocksdb_lib_sources.txt"))
        .context("read the crate's list of sources")?;
    let sources: Vec<&str> = sources
        .split_whitespace()
        .filter(|source| *source != "util/build_version.cc")
        .collect();

    let mut units = Vec::new();
    for (index, chunk) in sources.chunks(SOURCES_PER_UNIT).enumerate() {
        let path = work.join(format!("unit{index:02}.cc"));
        let text: String = chunk
            .iter()
            .map(|source| format!("#include \"rocksdb/{source}\"\n"))
            .collect();
        fs::write(&path, text).context("write a unit")?;
        units.push(path);
    }
    let version_unit = work.join("unit_version.cc");
    fs::write(&version_unit, "#include \"build_version.cc\"\n").context("write a unit")?;
    units.push(version_unit);

    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let progress = Progress::new(units.len());
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = compile(krate, compiler, flags, unit) {
                        next.store(units.len(), Ordering::Relaxed);
                        if let Ok(mut slot) = failure.lock() {
                            slot.get_or_insert(error);
                        }
                        return;
                    }
                    progress.step();
                }
            });
        }
    });
    progress.finish();
    if let Some(error) = failure.into_inner().ok().flatten() {
        return Err(error);
    }

    let status = Command::new("ar")
        .arg("crs")
        .arg(work.join("librocksdb.a"))
        .args(units.iter().map(|unit| unit.with_extension("o")))
        .status()
        .context("run ar")?;
    ensure!(status.success(), "ar failed");
    Ok(())
}

fn compile(krate: &Path, compiler: &str, flags: &[&str], unit: &Path) -> Result<()> {
    let output = Command::new(compiler)
        .args(flags)
        .args(DEFINES.iter().map(|define| format!("-D{define}")))
        .arg("-I")
        .arg(krate)
        .arg("-I")
        .arg(krate.join("rocksdb/include"))
        .arg("-I")
        .arg(krate.join("rocksdb"))
        .arg("-I")
        .arg(krate.join("rocksdb/third-party/gtest-1.8.1/fused-src"))
        .arg("-c")
        .arg(unit)
        .arg("-o")
        .arg(unit.with_extension("o"))
        .output()
        .with_context(|| format!("run {compiler}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let first: Vec<&str> = text.lines().take(12).collect();
        bail!("compile {}:\n{}", unit.display(), first.join("\n"));
    }
    Ok(())
}

/// One line that is rewritten on a terminal, one line per step elsewhere.
struct Progress {
    total: usize,
    done: AtomicUsize,
    started: Instant,
    live: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        let progress = Self {
            total,
            done: AtomicUsize::new(0),
            started: Instant::now(),
            live: std::io::stdout().is_terminal(),
        };
        println!(
            "RocksDB: compiling {total} units once for all later builds (about four minutes on two cores)"
        );
        progress
    }

    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let spent = self.started.elapsed();
        let left = spent.mul_f64((self.total - done) as f64 / done as f64);
        let line = format!(
            "RocksDB: {done:2}/{} units, {}, about {} left",
            self.total,
            show(spent),
            show(left)
        );
        if self.live {
            print!("\r{line:70}");
            let _ = std::io::stdout().flush();
        } else {
            println!("{line}");
        }
    }

    fn finish(&self) {
        if self.live {
            println!();
        }
        println!(
            "RocksDB: {} in {}",
            self.done.load(Ordering::Relaxed),
            show(self.started.elapsed())
        );
    }
}

fn show(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn cargo_children_are_told_where_the_archive_lies() {
        let prebuilt = Prebuilt {
            folder: Some(PathBuf::from("somewhere")),
        };
        assert!(
            prebuilt
                .env()
                .contains(&("ROCKSDB_LIB_DIR", "somewhere".to_owned()))
        );
    }
}
