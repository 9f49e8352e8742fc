//! Builds the test guest: a Debian cloud kernel, an initramfs of busybox, and a disk of both
//! that starts under BIOS and UEFI. Needs no root and no mount; lies in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{command, output};
use crate::{cached, install, run};

const INIT: &str = include_str!("../../dev-cluster/guest/init");
const SYSLINUX: &str = include_str!("../../dev-cluster/guest/syslinux.cfg");

/// Modules of the guest, in the order they can be loaded; the kernel package has them loose.
const MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_balloon",
    "virtio_console",
    "qemu_fw_cfg",
    "evdev",
    "button",
];

/// Command line of the unified kernel image; `syslinux.cfg` says the same for BIOS.
const CMDLINE: &str = "console=ttyS0 quiet";

/// Raised when the way the image is put together changes.
const RECIPE: u32 = 3;

/// Size of the disk; the kernel is in it twice, for BIOS and in the UEFI image.
const DISK_MIB: u64 = 96;

/// The files of the test guest.
pub struct Guest {
    folder: PathBuf,
}

impl Guest {
    /// For direct kernel boot.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// For direct kernel boot.
    pub fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs.cpio.gz")
    }

    /// A qcow2 that boots by itself, under BIOS and UEFI.
    pub fn disk(&self) -> PathBuf {
        self.folder.join("guest.qcow2")
    }
}

/// Returns the guest, building it when missing.
pub fn ensure_built() -> Result<Guest> {
    let busybox = find_busybox()?;
    let recipe = format!("{RECIPE} {INIT} {SYSLINUX} {MODULES:?} {CMDLINE} {DISK_MIB}");
    let name = format!("guest-{}", cached::short_hash(recipe.as_bytes()));
    let folder = cached::build_once(&name, |work| build(work, &busybox))?;
    Ok(Guest { folder })
}

fn find_busybox() -> Result<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .context("busybox is missing (cargo xtask install brings busybox-static)")
}

fn build(work: &Path, busybox: &Path) -> Result<()> {
    println!("guest: fetching Debian's cloud kernel");
    let scratch = work.join("scratch");
    fs::create_dir_all(&scratch).context("create the scratch folder")?;
    let unpacked = fetch_kernel(&scratch)?;
    let boot = unpacked.join("boot");
    let kernel = newest(&boot, "vmlinuz-")?;
    fs::copy(&kernel, work.join("vmlinuz")).context("copy the kernel")?;

    initramfs(&scratch, &unpacked, busybox, &work.join("initramfs.cpio.gz"))?;
    disk(work, &scratch)?;
    fs::remove_dir_all(&scratch).context("clear the scratch folder")
}

/// Downloads the kernel package and unpacks it, without installing it.
fn fetch_kernel(scratch: &Path) -> Result<PathBuf> {
    let package = match kernel_package() {
        Some(package) => package,
        // A machine that has all packages may have no lists of them.
        None if nix::unistd::geteuid().is_root() => {
            install::renew_lists()?;
            kernel_package().context("apt knows no linux-image-cloud-amd64")?
        }
        None => bail!("apt knows no linux-image-cloud-amd64: run `apt-get update` as root"),
    };
    output(command("apt-get", ["download", "-q", &package]).current_dir(scratch))?;
    let archive = newest(scratch, "linux-image-")?;
    let unpacked = scratch.join("kernel");
    output(Command::new("dpkg").arg("-x").arg(&archive).arg(&unpacked))?;
    fs::remove_file(&archive).context("remove the kernel package")?;
    Ok(unpacked)
}

/// The package that holds the newest cloud kernel, if apt's lists have one.
fn kernel_package() -> Option<String> {
    let depends = output(&mut command("apt-cache", ["depends", "linux-image-cloud-amd64"])).ok()?;
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|package| package.starts_with("linux-image-"))
        .map(str::to_owned)
}

fn newest(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("list {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        })
        .collect();
    found.sort();
    found
        .pop()
        .with_context(|| format!("no {prefix}* in {}", folder.display()))
}

fn initramfs(scratch: &Path, unpacked: &Path, busybox: &Path, to: &Path) -> Result<()> {
    let root = scratch.join("root");
    for folder in ["bin", "modules", "proc", "sys", "dev", "etc", "tmp", "run"] {
        fs::create_dir_all(root.join(folder)).context("lay out the initramfs")?;
    }
    fs::copy(busybox, root.join("bin/busybox")).context("copy busybox")?;
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).context("link the shell")?;
    fs::write(root.join("init"), INIT).context("write init")?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))
        .context("make init executable")?;

    let listing = output(Command::new("find").arg(unpacked).args(["-name", "*.ko"]))?;
    for module in MODULES {
        let file = format!("/{module}.ko");
        let path = listing
            .lines()
            .find(|line| line.ends_with(&file))
            .with_context(|| format!("the kernel has no module {module}"))?;
        fs::copy(path, root.join("modules").join(format!("{module}.ko")))
            .with_context(|| format!("copy module {module}"))?;
    }
    fs::write(root.join("modules/order"), MODULES.join("\n")).context("write the module order")?;

    let names = output(Command::new("find").arg(".").current_dir(&root))?;
    let list = scratch.join("list");
    fs::write(&list, names).context("write the file list")?;
    let archive = scratch.join("initramfs.cpio");
    let status = Command::new("cpio")
        .args(["--quiet", "-o", "-H", "newc", "-R", "0:0"])
        .current_dir(&root)
        .stdin(fs::File::open(&list).context("open the file list")?)
        .stdout(fs::File::create(&archive).context("create the initramfs")?)
        .status()
        .context("run cpio")?;
    ensure!(status.success(), "cpio failed");
    let packed = Command::new("gzip")
        .arg("-9nc")
        .arg(&archive)
        .stdout(fs::File::create(to).context("create the packed initramfs")?)
        .stdin(Stdio::null())
        .status()
        .context("run gzip")?;
    ensure!(packed.success(), "gzip failed");
    Ok(())
}

/// One FAT file system without partitions: BIOS starts its boot sector (syslinux), UEFI finds
/// `\EFI\BOOT\BOOTX64.EFI` in it.
fn disk(work: &Path, scratch: &Path) -> Result<()> {
    let raw = scratch.join("guest.raw");
    let file = fs::File::create(&raw).context("create the disk")?;
    file.set_len(DISK_MIB << 20).context("size the disk")?;
    drop(file);
    output(
        Command::new("/usr/sbin/mkfs.vfat")
            .args(["-F", "32", "-n", "TARN"])
            .arg(&raw),
    )?;

    let unified = scratch.join("BOOTX64.EFI");
    unified_image(work, scratch, &unified)?;
    let config = scratch.join("syslinux.cfg");
    fs::write(&config, SYSLINUX).context("write syslinux.cfg")?;

    output(
        Command::new("mmd")
            .arg("-i")
            .arg(&raw)
            .args(["::/EFI", "::/EFI/BOOT"]),
    )?;
    for (from, to) in [
        (work.join("vmlinuz"), "::/vmlinuz"),
        (work.join("initramfs.cpio.gz"), "::/initrd.gz"),
        (config, "::/syslinux.cfg"),
        (unified, "::/EFI/BOOT/BOOTX64.EFI"),
    ] {
        output(Command::new("mcopy").arg("-i").arg(&raw).arg(&from).arg(to))?;
    }
    output(Command::new("syslinux").arg("--install").arg(&raw))?;
    output(
        Command::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .arg(&raw)
            .arg(work.join("guest.qcow2")),
    )
    .map(drop)
}

/// Kernel, initramfs and command line as one UEFI program, on systemd-boot's stub.
fn unified_image(work: &Path, scratch: &Path, to: &Path) -> Result<()> {
    let stub = Path::new("/usr/lib/systemd/boot/efi/linuxx64.efi.stub");
    let cmdline = scratch.join("cmdline");
    fs::write(&cmdline, CMDLINE).context("write the command line")?;
    let mut objcopy = Command::new("objcopy");
    for (section, path, address) in [
        (".cmdline", cmdline, "0x30000"),
        (".linux", work.join("vmlinuz"), "0x2000000"),
        (".initrd", work.join("initramfs.cpio.gz"), "0x4000000"),
    ] {
        objcopy
            .arg("--add-section")
            .arg(format!("{section}={}", path.display()))
            .arg("--change-section-vma")
            .arg(format!("{section}={address}"));
    }
    run::output(objcopy.arg(stub).arg(to)).map(drop)
}
