//! `pool.sync_updates`: asks the enabled repositories what updates they hold, and keeps the digest.
//!
//! Packages are not copied here, unlike on a XenServer: hosts of this pool take theirs from where their distribution's tools
//! are told to. So this tells whether a repository is there and sound, and whether it has changed.

use std::sync::Arc;

use pool_domain::decide::certificate;
use pool_domain::decide::repository::{self, Asked};
use pool_domain::query;
use pool_domain::xml::repomd;
use proto_types::generated::pool;
use proto_types::{ApiError, Args, Ref, Value};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::fetch::{Manners, fetch, is_elsewhere};
use crate::api::Api;
use crate::api::gate::Entry;

/// The longest `repomd.xml`, and the longest description of updates.
const REPOMD: u64 = 1 << 20;
const UPDATEINFO: u64 = 64 << 20;

/// Answers the digest of the last update repository's description, empty if none has one.
///
/// # Errors
/// Those of [`repository::to_ask`]; `REPOSYNC_FAILED []` where one is not read; `INVALID_REPOMD_XML []`;
/// `UPDATEINFO_HASH_MISMATCH []`.
pub async fn sync(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let of = args.reference(0)?;
    query::find(&entry.db, pool::CLASS, of)?;
    let manners = Manners {
        may_ask: is_elsewhere,
        authorities: certificate::trusted_authorities(&entry.db),
    };
    let mut hashes = Vec::new();
    for asked in repository::to_ask(&entry.db)? {
        if let Some(hash) = ask(&asked, &manners).await? {
            hashes.push((asked.reference, hash));
        }
    }
    let origin = entry.caller.history("pool.sync_updates");
    api.ops
        .decide(&origin, |d| repository::synced(d, of, &hashes))
        .await?;
    let last = hashes.pop().map(|(_, hash): (Ref, String)| hash);
    Ok(last.unwrap_or_default().into())
}

/// What one repository says; nothing if it need not describe updates and does not.
async fn ask(asked: &Asked, manners: &Manners) -> Result<Option<String>, ApiError> {
    let text = read(&format!("{}/repodata/repomd.xml", asked.url), manners, REPOMD).await?;
    let text = String::from_utf8(text).map_err(|_| ApiError::bare("INVALID_REPOMD_XML"))?;
    let Some(part) = repomd::part(&text, "updateinfo")? else {
        return match asked.is_update {
            true => Err(ApiError::bare("INVALID_REPOMD_XML")),
            false => Ok(None),
        };
    };
    let updates = read(&format!("{}/{}", asked.url, part.location), manners, UPDATEINFO).await?;
    let found: String = Sha256::digest(&updates)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if found == part.checksum {
        Ok(Some(found))
    } else {
        Err(ApiError::bare("UPDATEINFO_HASH_MISMATCH"))
    }
}

/// All that lies behind a URL, up to a length.
async fn read(url: &str, manners: &Manners, most: u64) -> Result<Vec<u8>, ApiError> {
    let failed = |why: &dyn std::fmt::Display| {
        tracing::info!(%why, "a repository was not read");
        ApiError::bare("REPOSYNC_FAILED")
    };
    let found = fetch(url, manners).await.map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    let mut body = found.body.take(most + 1);
    body.read_to_end(&mut bytes)
        .await
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > most {
        return Err(failed(&"it is longer than any such file"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod test {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A repository on this machine that answers each connection by what it is asked for.
    async fn repository(repomd: String, updates: &'static [u8]) -> Asked {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/xs8", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let body = match String::from_utf8(request).unwrap().split(' ').nth(1) {
                    Some("/xs8/repodata/repomd.xml") => repomd.as_bytes(),
                    Some("/xs8/repodata/updateinfo.xml.gz") => updates,
                    _ => b"",
                };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body).await.unwrap();
            }
        });
        Asked {
            reference: Ref::NULL,
            url,
            is_update: true,
        }
    }

    fn describes(updates: &[u8]) -> String {
        let sum: String = Sha256::digest(updates)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        format!(
            "<repomd><data type=\"updateinfo\"><checksum type=\"sha256\">{sum}</checksum>\
             <location href=\"repodata/updateinfo.xml.gz\"/></data></repomd>"
        )
    }

    #[tokio::test]
    async fn the_digest_is_that_of_what_the_repository_really_serves() {
        let manners = Manners {
            may_ask: |_| true,
            authorities: Vec::new(),
        };
        let code = async |asked: &Asked| ask(asked, &manners).await.unwrap_err().code.into_owned();
        let sound = repository(describes(b"updates"), b"updates").await;
        let hash = ask(&sound, &manners).await.unwrap().unwrap();
        assert!(describes(b"updates").contains(&hash) && hash.len() == 64);
        let stale = repository(describes(b"updates"), b"others").await;
        assert_eq!(code(&stale).await, "UPDATEINFO_HASH_MISMATCH");
        let mut bare = repository("<repomd><revision>1</revision></repomd>".to_owned(), b"").await;
        assert_eq!(code(&bare).await, "INVALID_REPOMD_XML");
        bare.is_update = false;
        assert_eq!(ask(&bare, &manners).await.unwrap(), None);
        let long = repository(" ".repeat(REPOMD as usize + 1), b"").await;
        assert_eq!(code(&long).await, "REPOSYNC_FAILED");
        bare.url = "http://127.0.0.1:1/none".to_owned();
        assert_eq!(code(&bare).await, "REPOSYNC_FAILED");
    }
}
