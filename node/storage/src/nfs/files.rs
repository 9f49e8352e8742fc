//! The files of an export, spoken to in user space; QEMU opens them by its own driver for NFS.
//!
//! That driver has its peculiarities, seen with QEMU 7.2: it takes no locks, so nobody can tell whether an image is open;
//! it looks for a parent that is named without a folder *below* the overlay, so overlays name their parents by URL; and it
//! does not see a file grow that another one writes.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use node_hypervisor::{DiskFormat, DiskSource, ImageBelow};
use proto_types::Bytes;
use serde_json::{Value, json};

use super::hold::Holds;
use super::protocol::{Attributes, Client, Handle};
use crate::driver::SrSpace;
use crate::medium::{Entry, Held, ImageAt, Medium, Naming, OpenBy, ReadAt};

/// The largest file that is read whole: a record of the changes of a disk of 16 TiB.
const LARGEST: u64 = 64 << 20;
/// What an image may take beyond its disk's size and its tables: headers, bitmaps, clusters that a crash has lost.
const SPARE: u64 = 64 << 20;
/// How often a folder is read before it counts as gone.
const LISTINGS: usize = 5;
/// Between two of these.
const LISTED_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);
/// Connections that are kept while nobody uses them.
const KEPT: usize = 4;

/// Connections to an export, and the folders that are known of it.
#[derive(Debug)]
pub struct Export {
    server: String,
    path: PathBuf,
    idle: Mutex<Vec<Client>>,
    folders: Mutex<HashMap<PathBuf, Handle>>,
}

/// The files of an export, of which one folder is a repository. Clones are the same one.
#[derive(Clone, Debug)]
pub struct NfsFiles {
    export: Arc<Export>,
    holds: Arc<Holds>,
}

fn unlocked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a call may have failed since the connection is of no use.
fn is_broken(error: &io::Error) -> bool {
    // What the server has answered has a number of the system or is unsupported; all else came from the way there.
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::InvalidData
            | Kind::UnexpectedEof
    )
}

impl Export {
    /// An export of a server; nothing is asked for yet.
    pub fn new(server: &str, path: &str) -> Export {
        Export {
            server: server.to_owned(),
            path: PathBuf::from(path),
            idle: Mutex::default(),
            folders: Mutex::default(),
        }
    }

    fn client(&self) -> io::Result<Client> {
        loop {
            let kept = unlocked(&self.idle).pop();
            match kept {
                Some(mut client) => {
                    if client.is_alive() {
                        return Ok(client);
                    }
                }
                None => return Client::open(&self.server, &self.path.to_string_lossy()),
            }
        }
    }

    /// Does something on a connection.
    pub fn with<T>(&self, work: impl FnOnce(&mut Client) -> io::Result<T>) -> io::Result<T> {
        let mut client = self.client()?;
        let answer = work(&mut client);
        if !answer.as_ref().is_err_and(is_broken) {
            let mut idle = unlocked(&self.idle);
            if idle.len() < KEPT {
                idle.push(client);
            }
        }
        answer
    }

    /// Walks to a folder, or to what it knows of the way.
    fn folder(&self, client: &mut Client, path: &Path) -> io::Result<Handle> {
        if let Some(known) = unlocked(&self.folders).get(path) {
            return Ok(known.clone());
        }
        let below = path.strip_prefix(&self.path).map_err(|_| outside(path))?;
        let (mut at, mut walked) = (client.root(), self.path.clone());
        for part in below.components() {
            let Component::Normal(name) = part else {
                return Err(outside(path));
            };
            walked.push(name);
            let (handle, found) = client.look_up(&at, name.to_str().ok_or_else(|| outside(path))?)?;
            if !found.is_folder {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            at = handle;
        }
        unlocked(&self.folders).insert(walked, at.clone());
        Ok(at)
    }

    /// Does something in the folder of a path; again on the way anew if the folder is another one meanwhile.
    pub fn at<T>(
        &self,
        path: &Path,
        work: impl Fn(&mut Client, &Handle, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
            return Err(outside(path));
        };
        self.with(|client| {
            let folder = self.folder(client, parent)?;
            match work(client, &folder, name) {
                Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                    self.forget(parent);
                    let folder = self.folder(client, parent)?;
                    work(client, &folder, name)
                }
                answer => answer,
            }
        })
    }

    /// Forgets a folder and what is below it.
    fn forget(&self, folder: &Path) {
        unlocked(&self.folders).retain(|known, _| !known.starts_with(folder) && !folder.starts_with(known));
    }

    /// The names in a folder.
    pub fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.in_folder(folder, listed)
    }

    fn in_folder<T>(
        &self,
        path: &Path,
        work: impl Fn(&mut Client, &Handle) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with(|client| {
            let folder = self.folder(client, path)?;
            match work(client, &folder) {
                Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                    self.forget(path);
                    let folder = self.folder(client, path)?;
                    work(client, &folder)
                }
                answer => answer,
            }
        })
    }

    /// What a path leads to.
    pub fn look_up(&self, path: &Path) -> io::Result<(Handle, Attributes)> {
        if path == self.path {
            return self.in_folder(path, |client, folder| {
                Ok((folder.clone(), client.attributes(folder)?))
            });
        }
        self.at(path, |client, folder, name| client.look_up(folder, name))
    }

    /// The URL of a path.
    fn url(&self, path: &Path) -> String {
        let mut url = format!("nfs://{}", self.server);
        for byte in path.to_string_lossy().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                    url.push(char::from(byte));
                }
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url
    }
}

/// The names in a folder. A server may answer that something is not there, it seems when a name vanishes while it reads (seen of
/// nfs-ganesha 4.3 beside locks that were given up; RFC 1813, 3.3.16, has no such error): it is asked again.
fn listed(client: &mut Client, folder: &Handle) -> io::Result<Vec<String>> {
    for _ in 1..LISTINGS {
        match client.names(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::thread::sleep(LISTED_AGAIN),
            answer => return answer,
        }
    }
    client.names(folder)
}

fn outside(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{path:?} is no path in the export"),
    )
}

impl NfsFiles {
    /// The files of an export, with locks in this repository's private folder. `sessions` is a folder of this host that
    /// does not outlive its start.
    pub fn new(export: Export, private: PathBuf, sessions: PathBuf) -> NfsFiles {
        let export = Arc::new(export);
        NfsFiles {
            holds: Holds::new(Arc::clone(&export), private, sessions),
            export,
        }
    }

    /// Sees to it that the server lets this host in.
    pub fn reach(&self) -> io::Result<()> {
        self.export.with(|_| Ok(()))
    }

    fn remove_all(&self, path: &Path, depth: usize) -> io::Result<()> {
        for name in self.names(path)? {
            let below = path.join(&name);
            let found = match self.export.look_up(&below) {
                Ok((_, found)) => found,
                // Its owner was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match (found.is_folder, depth) {
                (true, 0) => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
                (true, _) => self.remove_all(&below, depth - 1)?,
                (false, _) => match self.remove(&below) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                },
            }
        }
        self.remove_folder(path)
    }
}

/// An open file.
struct NfsFile {
    export: Arc<Export>,
    handle: Handle,
}

impl ReadAt for NfsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.export
            .with(|client| client.read(&self.handle, offset, buffer))
    }
}

impl Medium for NfsFiles {
    fn naming(&self) -> Naming {
        Naming::Url
    }

    /// QEMU's driver asks for a file's length once, when it opens it, and shows zeros behind that. A domain that comes here
    /// by migration has opened the image while its source still let it grow, so the file is made as long before as it can
    /// become.
    fn make_room(&self, image: &Path, format: DiskFormat, size: Bytes) -> io::Result<()> {
        if format != DiskFormat::Qcow2 {
            return Ok(());
        }
        // Tables take a thousandth with usual clusters.
        let most = size.get().saturating_add(size.get() / 512).saturating_add(SPARE);
        let (handle, found) = self.export.look_up(image)?;
        if found.entry.length >= most {
            return Ok(());
        }
        self.export.with(|client| client.lengthen(&handle, most))
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        self.export.look_up(path).map(|(_, found)| found.entry)
    }

    fn assert_folder(&self, path: &Path) -> io::Result<()> {
        // What is known of it may be out of date.
        self.export.forget(path);
        self.export.in_folder(path, |_, _| Ok(()))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.export.names(folder)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        let (handle, found) = self.export.look_up(path)?;
        if !found.entry.is_file {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
        }
        let export = Arc::clone(&self.export);
        Ok(Box::new(NfsFile { export, handle }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (handle, found) = self.export.look_up(path)?;
        if found.entry.length > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = usize::try_from(found.entry.length).map_err(io::Error::other)?;
        let mut content = vec![0; length];
        let mut have = 0;
        self.export.with(|client| {
            while let Some(rest) = content.get_mut(have..).filter(|rest| !rest.is_empty()) {
                match client.read(&handle, have as u64, rest)? {
                    0 => break,
                    count => have += count,
                }
            }
            Ok(())
        })?;
        content.truncate(have);
        Ok(content)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.export.at(path, |client, folder, name| {
            let file = client.create(folder, name)?;
            client.write(&file, content)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (Some(folder), Some(new)) = (to.parent(), to.file_name().and_then(|n| n.to_str())) else {
            return Err(outside(to));
        };
        self.export.at(from, |client, old_folder, old| {
            let folder = self.export.folder(client, folder)?;
            client.rename((old_folder, old), (&folder, new))
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (file, _) = self.export.look_up(from)?;
        self.export
            .at(to, |client, folder, name| client.link(&file, folder, name))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.export
            .at(path, |client, folder, name| client.remove(folder, name))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.export
            .at(path, |client, folder, name| client.make_folder(folder, name))
    }

    fn make_folders(&self, path: &Path) -> io::Result<()> {
        let below = path.strip_prefix(&self.export.path).map_err(|_| outside(path))?;
        let mut at = self.export.path.clone();
        for part in below.components() {
            at.push(part);
            match self.make_folder(&at) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let removed = self
            .export
            .at(path, |client, folder, name| client.remove_folder(folder, name));
        self.export.forget(path);
        removed
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        // Another host that has just been about to begin something may still put its session's file there.
        let until = Instant::now() + Duration::from_secs(3);
        loop {
            // The repository makes no deeper folders.
            match self.remove_all(path, 4) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                removed => return removed,
            }
        }
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let (file, _) = self.export.look_up(path)?;
        self.export.with(|client| client.commit(&file))
    }

    /// A server answers a change of names when it is on the medium.
    ///
    /// Source: RFC 1813, 4.8.
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _folder: &Path) -> io::Result<SrSpace> {
        let (size, free) = self.export.with(Client::space)?;
        Ok(SrSpace {
            physical_size: Bytes(size),
            physical_utilisation: Bytes(size.saturating_sub(free)),
        })
    }

    fn take(&self, path: &Path, wait: Duration) -> io::Result<Option<Held>> {
        self.entry(path)?;
        self.holds.take(path, wait)
    }

    fn make(&self, path: &Path) -> io::Result<Option<Held>> {
        match self.entry(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write(path, b"")?,
            answer => drop(answer?),
        }
        self.holds.take(path, Duration::ZERO)
    }

    fn tidy(&self) -> io::Result<Vec<String>> {
        self.holds.tidy()
    }

    fn open_by(&self, _path: &Path) -> io::Result<OpenBy> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn qemu_name(&self, path: &Path) -> String {
        self.export.url(path)
    }

    /// QEMU opens parents for reading, and its driver for NFS refuses to open them for writing afterwards.
    fn writable_below(&self, overlay: &Path) -> String {
        let host = self.export.server.trim_start_matches('[').trim_end_matches(']');
        let image = json!({
            "driver": "qcow2",
            "file": {
                "driver": "nfs",
                "server": {"type": "inet", "host": host},
                "path": overlay.to_string_lossy(),
            },
            "backing": {"read-only": false},
        });
        format!("json:{image}")
    }

    fn source(&self, chain: &[ImageAt]) -> DiskSource {
        let Some(((path, format), below)) = chain.split_first() else {
            return DiskSource::Empty;
        };
        let below = below.iter().map(|(path, format)| ImageBelow {
            url: self.export.url(path),
            format: *format,
        });
        DiskSource::Network {
            url: self.export.url(path),
            format: *format,
            below: below.collect(),
            login: None,
        }
    }

    fn backing_name(&self, _folder: &Path, parent: &Path) -> String {
        self.export.url(parent)
    }

    fn parent_file(&self, folder: &Path, backing: &str) -> Option<String> {
        let path = match backing.strip_prefix("json:") {
            Some(json) => written_by_qemu(&self.export.server, json)?,
            None => {
                let all = self.export.url(folder);
                return decoded(backing.strip_prefix(&all)?.strip_prefix('/')?);
            }
        };
        let name = Path::new(&path).strip_prefix(folder).ok()?;
        Some(name.to_str()?.to_owned())
    }
}

/// The path in what QEMU writes as a parent's name when a running guest's images are merged.
fn written_by_qemu(server: &str, json: &str) -> Option<String> {
    let whole: Value = serde_json::from_str(json).ok()?;
    // Nothing else may be asked for in it.
    let known = |value: &Value, keys: &[&str]| {
        value
            .as_object()
            .is_some_and(|all| all.keys().all(|key| keys.contains(&key.as_str())))
    };
    let (file, host) = (whole.get("file")?, whole.get("file")?.get("server")?);
    let ours = known(&whole, &["driver", "file"])
        && known(file, &["driver", "server", "path"])
        && known(host, &["host", "type"])
        && whole.get("driver").is_none_or(|driver| driver == "qcow2")
        && file.get("driver")? == "nfs"
        && host.get("host")? == server.trim_start_matches('[').trim_end_matches(']');
    ours.then(|| file.get("path").and_then(Value::as_str).map(str::to_owned))?
}

/// Undoes the escapes of a URL.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod test {
    use super::*;

    fn files() -> NfsFiles {
        let export = Export::new("10.0.0.1", "/export");
        NfsFiles::new(export, "/export/sr/.tarn".into(), "/nowhere".into())
    }

    #[test]
    fn only_parents_of_the_same_folder_are_known() {
        let (files, folder) = (files(), Path::new("/export/sr"));
        let ours = files.backing_name(folder, Path::new("/export/sr/a b.qcow2"));
        assert_eq!(ours, "nfs://10.0.0.1/export/sr/a%20b.qcow2");
        assert_eq!(files.parent_file(folder, &ours).as_deref(), Some("a b.qcow2"));
        let json = |host: &str, path: &str, more: &str| {
            format!(
                r#"json:{{"file":{{"driver":"nfs","server":{{"host":"{host}","type":"inet"}},"path":"{path}"{more}}}}}"#
            )
        };
        assert_eq!(
            files
                .parent_file(folder, &json("10.0.0.1", "/export/sr/x.qcow2", ""))
                .as_deref(),
            Some("x.qcow2")
        );
        for evil in [
            "/etc/passwd",
            "x.qcow2",
            "nfs://10.0.0.2/export/sr/x.qcow2",
            "nfs://10.0.0.1/export/srx.qcow2",
            &json("10.0.0.2", "/export/sr/x.qcow2", ""),
            &json("10.0.0.1", "/export/other/x.qcow2", ""),
            &json("10.0.0.1", "/export/sr/x.qcow2", r#","user":7"#),
            "json:{",
        ] {
            assert_eq!(files.parent_file(folder, evil), None, "{evil}");
        }
    }

    #[test]
    fn qemu_is_told_the_whole_chain() {
        let chain = [
            (PathBuf::from("/export/sr/top.qcow2"), DiskFormat::Qcow2),
            (PathBuf::from("/export/sr/base.raw"), DiskFormat::Raw),
        ];
        let below = vec![ImageBelow {
            url: "nfs://10.0.0.1/export/sr/base.raw".to_owned(),
            format: DiskFormat::Raw,
        }];
        assert_eq!(
            files().source(&chain),
            DiskSource::Network {
                url: "nfs://10.0.0.1/export/sr/top.qcow2".to_owned(),
                format: DiskFormat::Qcow2,
                below,
                login: None,
            }
        );
    }
}
