//! What emulated trusted platform modules hold: a file of swtpm for each, in a folder of libvirt.
//!
//! libvirt makes a new one when the folder is empty, and hands it to the user that swtpm runs as.

use std::io;
use std::path::{Path, PathBuf};

use node_hypervisor::{HypervisorError, Result};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

/// The largest state that is read; swtpm's own limit is far below.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Source: libvirt's `qemu_tpm.c` and swtpm's backend `dir`: what lasts of a TPM 2.0 is one file.
fn file(folder: &Path, vm: Uuid) -> PathBuf {
    folder.join(vm.to_string()).join("tpm2").join("tpm2-00.permall")
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> HypervisorError {
    move |source| HypervisorError::Failed {
        operation,
        source: source.into(),
    }
}

pub(crate) async fn put(folder: &Path, vm: Uuid, state: Option<&[u8]>) -> Result<()> {
    let failed = failed("lay down TPM state");
    let own = folder.join(vm.to_string());
    match tokio::fs::remove_dir_all(&own).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let Some(state) = state else { return Ok(()) };
    let file = file(folder, vm);
    let parent = file.parent().unwrap_or(&own).to_owned();
    tokio::fs::create_dir_all(&parent).await.map_err(&failed)?;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut open = options.open(&file).await.map_err(&failed)?;
    tokio::io::AsyncWriteExt::write_all(&mut open, state)
        .await
        .map_err(&failed)?;
    // What became of the bytes is told here only.
    tokio::io::AsyncWriteExt::flush(&mut open)
        .await
        .map_err(&failed)?;
    open.sync_all().await.map_err(&failed)
}

pub(crate) async fn read(folder: &Path, vm: Uuid) -> Result<Option<Vec<u8>>> {
    let failed = failed("read TPM state");
    let open = match tokio::fs::File::open(file(folder, vm)).await {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut state = Vec::new();
    open.take(LARGEST.saturating_add(1))
        .read_to_end(&mut state)
        .await
        .map_err(&failed)?;
    if u64::try_from(state.len()).is_ok_and(|length| length <= LARGEST) {
        Ok(Some(state))
    } else {
        Err(failed(io::Error::other("it is too large")))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn what_is_laid_down_is_read_back_until_a_new_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let vm = Uuid::from_u128(1);
        assert_eq!(read(folder.path(), vm).await.unwrap(), None);
        put(folder.path(), vm, None).await.unwrap();
        for state in [b"first".as_slice(), b"2nd"] {
            put(folder.path(), vm, Some(state)).await.unwrap();
            assert_eq!(read(folder.path(), vm).await.unwrap().as_deref(), Some(state));
        }
        put(folder.path(), vm, None).await.unwrap();
        assert_eq!(read(folder.path(), vm).await.unwrap(), None);
    }
}
