//! Whether KVM works here, found out by executing six bytes with it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use node_hypervisor::Accelerator;
use tokio::process::Command;

/// A device may exist and yet hang, so the child gets this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where a PC begins to execute: 16 bytes before the end of its firmware.
const RESET_VECTOR: usize = 16;
/// `mov al, 0x10; out 0xf4, al; hlt; jmp -3`
const PROGRAM: [u8; 7] = [0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd];
/// What QEMU's debug-exit device makes of 0x10.
const PROOF: i32 = (0x10 << 1) | 1;

/// Whether QEMU can execute code with KVM on this host. Takes a second at most where it works, ten where it hangs.
pub async fn kvm_works(emulator: &Path) -> bool {
    Path::new("/dev/kvm").exists() && executes(emulator, "kvm", PATIENCE).await
}

/// What to use when nobody has said so.
pub(crate) async fn probe(emulator: &Path) -> Accelerator {
    if kvm_works(emulator).await {
        return Accelerator::Kvm;
    }
    tracing::warn!("KVM does not work on this host: guests are emulated, which is slow");
    Accelerator::Tcg
}

/// Whether a machine with that accelerator comes to its own end.
async fn executes(emulator: &Path, accelerator: &str, patience: Duration) -> bool {
    let mut firmware = vec![0_u8; 64 * 1024];
    let start = firmware.len() - RESET_VECTOR;
    firmware
        .iter_mut()
        .skip(start)
        .zip(PROGRAM)
        .for_each(|(place, byte)| *place = byte);
    let Ok(file) = tempfile::NamedTempFile::new() else {
        return false;
    };
    if let Err(error) = std::fs::write(file.path(), &firmware) {
        tracing::warn!(%error, "cannot write the program that probes KVM");
        return false;
    }
    let child = Command::new(emulator)
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-M",
            "pc",
            "-m",
            "4",
        ])
        .args(["-accel", accelerator, "-no-reboot"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-bios"])
        .arg(file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    match tokio::time::timeout(patience, child).await {
        Ok(Ok(status)) => status.code() == Some(PROOF),
        Ok(Err(error)) => {
            tracing::warn!(%error, emulator = %emulator.display(), "cannot run the emulator");
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn the_probe_tells_what_executes_from_what_does_not() {
        let emulator = Path::new("/usr/bin/qemu-system-x86_64");
        if !emulator.exists() {
            println!("skipped: there is no QEMU on this host");
            return;
        }
        assert!(executes(emulator, "tcg", Duration::from_secs(60)).await);
        assert!(!executes(emulator, "nonsense", PATIENCE).await);
        assert!(!executes(Path::new("/nonexistent"), "tcg", PATIENCE).await);
    }
}
