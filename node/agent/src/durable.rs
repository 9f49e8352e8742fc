//! Files that are still whole after a power cut.

use std::io;
use std::path::Path;

use tokio::io::AsyncWriteExt;

/// Replaces a file in a way that leaves the old or the new content, whatever happens. Only the node's own user may read it.
pub(crate) async fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut handle = options.open(&fresh).await?;
    handle.write_all(content).await?;
    // `write_all` only hands the bytes over, and `sync_all` does not tell what came of them: a full disk would leave nothing.
    handle.flush().await?;
    handle.sync_all().await?;
    drop(handle);
    tokio::fs::rename(&fresh, file).await?;
    if let Some(folder) = file.parent() {
        tokio::fs::File::open(folder).await?.sync_all().await?;
    }
    Ok(())
}
