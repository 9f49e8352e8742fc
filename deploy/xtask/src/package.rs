//! `cargo xtask package`: the .deb, and with `--rpm` an RPM of the same files.
//!
//! ```text
//! cargo build ─► stage (programs, manual, completion, unit, settings) ─► dpkg-deb
//!                                                                    └─► rpmbuild
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::steps::Steps;
use crate::{building, install, paths, run};

mod stamp;

/// For packing: what finds out which libraries a program needs.
pub const TOOLS: &[&str] = &["dpkg-dev", "binutils", "gzip"];

/// What to pack.
#[derive(Args, Clone)]
pub struct Package {
    /// Cargo's profile. `dist` is what should be given away; `dev` is quick.
    #[arg(long, default_value = "dist")]
    pub profile: String,
    /// Make an RPM as well.
    #[arg(long)]
    pub rpm: bool,
    /// A folder with `tarn` and `xe`, instead of building them.
    #[arg(long)]
    pub programs: Option<PathBuf>,
    /// The revision of the package, for one that is made again of the same release.
    #[arg(long, default_value_t = 1)]
    pub revision: u32,
    /// Make another release of the same build: the program then says this number, such as 0.2.0.
    #[arg(long, default_value = VERSION)]
    pub release: String,
    /// Pack loosely: larger packages in a fraction of the time.
    #[arg(long)]
    pub quick: bool,
    /// Where the packages go; `package` in cargo's target folder when not given.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// What was made.
pub struct Made {
    /// The package for Debian.
    pub deb: PathBuf,
    /// The RPM, if it was asked for.
    pub rpm: Option<PathBuf>,
}

/// The release of what is built.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Packs, and prints where the packages are.
pub fn run(args: &Package) -> Result<()> {
    let made = make(args)?;
    println!("{}", made.deb.display());
    if let Some(rpm) = made.rpm {
        println!("{}", rpm.display());
    }
    Ok(())
}

/// Packs.
///
/// # Errors
/// When a tool is missing or fails; the message says which.
pub fn make(args: &Package) -> Result<Made> {
    install::packages(TOOLS)?;
    if args.rpm {
        install::packages(&["rpm"])?;
    }
    let mut steps = Steps::new(true);
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => steps.run("build tarn and xe", || build(&args.profile))?,
    };
    let out = match &args.out {
        Some(folder) => std::path::absolute(folder).context("resolve --out")?,
        None => paths::target()?.join("package"),
    };
    fs::create_dir_all(&out).with_context(|| format!("create {}", out.display()))?;
    // Of this process alone: two may pack at once.
    let stage = out.join(format!("stage-{}", std::process::id()));
    let made = steps.run("pack", || {
        stage_files(&programs, &stage, &args.release)?;
        let deb = deb(&stage, &out, args)?;
        let rpm = args.rpm.then(|| rpm(&stage, &out, args)).transpose()?;
        Ok(Made { deb, rpm })
    });
    let _ = fs::remove_dir_all(&stage);
    made
}

fn build(profile: &str) -> Result<PathBuf> {
    let mut cargo = building::cargo()?;
    cargo.args(["build", "--quiet", "--profile", profile]);
    cargo.args([
        "--package",
        "node-daemon",
        "--bin",
        "tarn",
        "--package",
        "gateway-cli",
        "--bin",
        "xe",
    ]);
    run::visibly(&mut cargo)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(paths::target()?.join(folder))
}

/// A file of the package: from where, to where, with which rights.
fn put(from: &Path, stage: &Path, to: &str, mode: u32) -> Result<()> {
    let target = stage.join(to);
    let folder = target.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::copy(from, &target).with_context(|| format!("copy {}", from.display()))?;
    fs::set_permissions(&target, fs::Permissions::from_mode(mode))
        .with_context(|| format!("set rights of {to}"))
}

/// As [`put`], packed: what Debian wants of manuals and change logs. No time goes in, so the same text is the same bytes.
fn put_packed(from: &Path, stage: &Path, to: &str) -> Result<()> {
    put(from, stage, to, 0o644)?;
    run::output(Command::new("gzip").arg("-9nf").arg(stage.join(to))).map(drop)
}

fn stage_files(programs: &Path, stage: &Path, release: &str) -> Result<()> {
    if stage.exists() {
        fs::remove_dir_all(stage).context("clear the stage")?;
    }
    let deploy = paths::repo()?.join("deploy");
    for program in ["tarn", "xe"] {
        let to = format!("usr/bin/{program}");
        put(&programs.join(program), stage, &to, 0o755)?;
        run::output(
            Command::new("strip")
                .args(["--strip-unneeded", "--remove-section=.comment"])
                .arg(stage.join(to)),
        )?;
    }
    if release != VERSION {
        stamp::stamp(&stage.join("usr/bin/tarn"), VERSION, release)?;
    }
    let pages = stage.join("pages");
    run::output(Command::new(stage.join("usr/bin/tarn")).arg("pages").arg(&pages))
        .context("write the manual")?;
    for page in fs::read_dir(&pages).context("list the manual")? {
        let path = page.context("list the manual")?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match path.extension().and_then(|e| e.to_str()) {
            Some(section @ ("1" | "5")) => {
                put_packed(&path, stage, &format!("usr/share/man/man{section}/{name}"))?
            }
            _ => put(&path, stage, "usr/share/bash-completion/completions/tarn", 0o644)?,
        }
    }
    fs::remove_dir_all(&pages).context("clear the manual")?;
    put_packed(
        &deploy.join("packaging/man/xe.1"),
        stage,
        "usr/share/man/man1/xe.1",
    )?;
    for (from, to) in [
        ("completion/xe.bash", "usr/share/bash-completion/completions/xe"),
        ("systemd/tarn.service", "usr/lib/systemd/system/tarn.service"),
        (
            "systemd/tarn-watchdog.service",
            "usr/lib/systemd/system/tarn-watchdog.service",
        ),
        ("systemd/tarn.tmpfiles", "usr/lib/tmpfiles.d/tarn.conf"),
        ("packaging/tarn.toml", "etc/tarn/tarn.toml"),
        ("packaging/debian/copyright", "usr/share/doc/tarn/copyright"),
        (
            "packaging/debian/lintian-overrides",
            "usr/share/lintian/overrides/tarn",
        ),
        ("observation/alerts.yml", "usr/share/doc/tarn/examples/alerts.yml"),
        (
            "observation/dashboard.json",
            "usr/share/doc/tarn/examples/dashboard.json",
        ),
        (
            "observation/prometheus.yml",
            "usr/share/doc/tarn/examples/prometheus.yml",
        ),
    ] {
        put(&deploy.join(from), stage, to, 0o644)?;
    }
    put_packed(
        &deploy.join("packaging/debian/changelog"),
        stage,
        "usr/share/doc/tarn/changelog.Debian",
    )?;
    folders_for_all(stage)
}

/// Folders may have been made under any umask.
fn folders_for_all(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).context("set rights of a folder")?;
    for entry in fs::read_dir(folder).context("list the stage")? {
        let path = entry.context("list the stage")?.path();
        if path.is_dir() {
            folders_for_all(&path)?;
        }
    }
    Ok(())
}

/// Every file below a folder, with its length in bytes.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry.context("list the stage")?;
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push((path, entry.metadata().context("measure a file")?.len()));
        }
    }
    found.sort();
    Ok(found)
}

fn deb(stage: &Path, out: &Path, args: &Package) -> Result<PathBuf> {
    let (release, revision) = (&args.release, args.revision);
    let all = files(stage)?;
    let kibibytes: u64 = all.iter().map(|(_, length)| length.div_ceil(1024)).sum();
    let debian = paths::repo()?.join("deploy/packaging/debian");
    let architecture = run::output(Command::new("dpkg").arg("--print-architecture"))?;
    let libraries = libraries(stage, out)?;
    let sums = run::output(
        Command::new("md5sum")
            .current_dir(stage)
            .args(all.iter().filter_map(|(path, _)| path.strip_prefix(stage).ok())),
    )?;
    let control = fs::read_to_string(debian.join("control")).context("read the control file")?;
    let control = control
        .replace("@VERSION@", &format!("{release}-{revision}"))
        .replace("@ARCHITECTURE@", architecture.trim())
        .replace("@SIZE@", &kibibytes.to_string())
        .replace("@LIBRARIES@", &libraries);
    let scripts = stage.join("DEBIAN");
    fs::create_dir_all(&scripts).context("create the control folder")?;
    for (name, text) in [
        ("control", control.as_str()),
        ("md5sums", &sums),
        ("conffiles", "/etc/tarn/tarn.toml\n"),
    ] {
        fs::write(scripts.join(name), text).with_context(|| format!("write {name}"))?;
        fs::set_permissions(scripts.join(name), fs::Permissions::from_mode(0o644)).context("set rights")?;
    }
    for name in ["postinst", "prerm", "postrm"] {
        put(&debian.join(name), &scripts, name, 0o755)?;
    }
    folders_for_all(&scripts)?;
    let deb = out.join(format!("tarn_{release}-{revision}_{}.deb", architecture.trim()));
    let mut pack = Command::new("dpkg-deb");
    pack.arg("--root-owner-group");
    pack.args(if args.quick {
        ["-Zgzip", "-z1"]
    } else {
        ["-Zxz", "-z6"]
    });
    pack.arg("--build").arg(stage).arg(&deb);
    run::output(&mut pack)?;
    fs::remove_dir_all(&scripts).context("clear the control folder")?;
    Ok(deb)
}

/// The packages of the libraries that the programs need, with the versions they need.
fn libraries(stage: &Path, out: &Path) -> Result<String> {
    let folder = out.join(format!("libraries-{}", std::process::id()));
    fs::create_dir_all(folder.join("debian")).context("create a folder for dpkg")?;
    fs::write(
        folder.join("debian/control"),
        "Source: tarn\n\nPackage: tarn\nArchitecture: any\n",
    )
    .context("write a control file for dpkg")?;
    let mut ask = Command::new("dpkg-shlibdeps");
    ask.current_dir(&folder).arg("-O");
    for program in ["tarn", "xe"] {
        ask.arg(format!("-e{}", stage.join("usr/bin").join(program).display()));
    }
    let answer = run::output(&mut ask);
    let _ = fs::remove_dir_all(&folder);
    let answer = answer.context("ask which libraries are needed")?;
    let libraries = answer.trim().strip_prefix("shlibs:Depends=").unwrap_or_default();
    ensure!(
        libraries.contains("libvirt0"),
        "the node needs libvirt, but only this was found: {libraries:?}"
    );
    Ok(libraries.to_owned())
}

fn rpm(stage: &Path, out: &Path, args: &Package) -> Result<PathBuf> {
    let top = out.join(format!("rpm-{}", std::process::id()));
    let spec = paths::repo()?.join("deploy/packaging/tarn.spec");
    let mut pack = Command::new("rpmbuild");
    pack.args(["-bb", "--quiet"]);
    for (name, value) in [
        ("_topdir", top.display().to_string()),
        ("stage", stage.display().to_string()),
        ("release_of", args.release.clone()),
        (
            "_binary_payload",
            if args.quick { "w1.gzdio" } else { "w19.zstdio" }.to_owned(),
        ),
    ] {
        pack.args(["--define", &format!("{name} {value}")]);
    }
    let packed = run::output(pack.arg(spec)).context("make the RPM");
    let found = packed.and_then(|_| files(&top.join("RPMS")));
    let moved = found.and_then(|found| {
        let (made, _) = found.first().context("rpmbuild left no package")?;
        let rpm = out.join(made.file_name().unwrap_or_default());
        fs::copy(made, &rpm).context("copy the RPM")?;
        Ok(rpm)
    });
    let _ = fs::remove_dir_all(&top);
    moved
}
