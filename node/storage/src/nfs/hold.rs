//! Locks on a server without a lock manager.
//!
//! ```text
//!   .tarn/host-SESSION   who: the host and the session; its time is renewed while the process lives
//!   .tarn/lock.held      a second name of that file: the lock is held by the session
//! ```
//! Making a second name either succeeds or finds one there, so two never hold a lock. A lock whose holder is gone is
//! broken: on the same host at once, since a session also holds a lock of the system there; of another host when its
//! file's time has stood still while this one's own was renewed all along. The pool's leader orders the operations on a
//! repository, so these locks are the second line of defence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::Export;
use super::protocol::Handle;
use crate::medium::Held;

/// How often a session says that it lives.
const BEAT: Duration = Duration::from_secs(3);
/// How long a session of another host must have been silent to be taken for dead.
const SILENT: Duration = Duration::from_secs(15);
/// What the files of sessions begin with.
const SESSION: &str = "host-";
/// What is added to the name of a lock that is held.
const HELD: &str = ".held";
/// What the names of locks begin with that are being broken.
const BROKEN: &str = "broken-";

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    host: Uuid,
    session: Uuid,
}

/// The time of a file at a first look, and when that was.
type Seen = ((i64, i64), Instant);

/// The locks of one repository that this process holds or wants.
#[derive(Debug)]
pub struct Holds {
    export: Arc<Export>,
    private: PathBuf,
    sessions: PathBuf,
    session: Mutex<Option<Arc<Session>>>,
    held: Mutex<BTreeSet<PathBuf>>,
    seen: Mutex<BTreeMap<PathBuf, Seen>>,
}

/// A session, from the first lock until the repository is unplugged.
#[derive(Debug)]
struct Session {
    holder: Holder,
    export: Arc<Export>,
    file: PathBuf,
    handle: Handle,
    inode: u64,
    /// Since when each renewal has succeeded.
    steady: Mutex<Instant>,
    local: PathBuf,
    _alive: Flock<File>,
}

fn unlocked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is(error: &io::Error, kind: io::ErrorKind) -> bool {
    error.kind() == kind
}

/// A number of this start of this host.
fn host_id(sessions: &Path) -> io::Result<Uuid> {
    let file = sessions.join("host");
    let draft = sessions.join(format!("new-{}", Uuid::new_v4()));
    fs::write(&draft, Uuid::new_v4().to_string())?;
    let made = fs::hard_link(&draft, &file);
    let _ = fs::remove_file(&draft);
    match made {
        Err(error) if !is(&error, io::ErrorKind::AlreadyExists) => return Err(error),
        _ => {}
    }
    fs::read_to_string(&file)?
        .parse()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the host's number is none"))
}

impl Session {
    fn begin(export: &Arc<Export>, private: &Path, sessions: &Path) -> io::Result<Arc<Session>> {
        fs::create_dir_all(sessions)?;
        let holder = Holder {
            host: host_id(sessions)?,
            session: Uuid::new_v4(),
        };
        let local = sessions.join(holder.session.to_string());
        // Somebody may be looking just now whether it is held.
        let alive = Flock::lock(File::create(&local)?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        let file = private.join(format!("{SESSION}{}", holder.session));
        let text = serde_json::to_vec(&holder)?;
        let handle = export.at(&file, |client, folder, name| {
            let handle = client.create(folder, name)?;
            client.write(&handle, &text)?;
            Ok(handle)
        })?;
        let inode = export.with(|client| client.attributes(&handle))?.entry.inode;
        let session = Arc::new(Session {
            holder,
            export: Arc::clone(export),
            file,
            handle,
            inode,
            steady: Mutex::new(Instant::now()),
            local,
            _alive: alive,
        });
        let weak = Arc::downgrade(&session);
        std::thread::Builder::new()
            .name("sr-beat".to_owned())
            .spawn(move || beat(&weak))?;
        Ok(session)
    }
}

/// Renews a session's time until it ends.
fn beat(session: &Weak<Session>) {
    let mut last = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let Some(session) = session.upgrade() else { return };
        if last.elapsed() < BEAT {
            continue;
        }
        let renewed = session.export.with(|client| client.touch(&session.handle));
        let late = last.elapsed() > BEAT * 2;
        last = Instant::now();
        if renewed.is_err() || late {
            *unlocked(&session.steady) = last;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.local);
        let (export, file) = (Arc::clone(&self.export), self.file.clone());
        // The server may be dead; whoever lets go must not wait for it.
        let _ = std::thread::Builder::new()
            .name("sr-clean".to_owned())
            .spawn(move || export.at(&file, |client, folder, name| client.remove(folder, name)));
    }
}

/// A lock that is held.
struct Hold {
    holds: Arc<Holds>,
    session: Arc<Session>,
    name: PathBuf,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let ours = self.holds.inode(&self.name);
        if ours.is_ok_and(|inode| inode == Some(self.session.inode)) {
            let _ = self.holds.remove(&self.name);
        }
        // If it could not be removed, it is known as a left-over of this session from now on.
        unlocked(&self.holds.held).remove(&self.name);
    }
}

impl Holds {
    /// The locks of a repository with this private folder.
    pub fn new(export: Arc<Export>, private: PathBuf, sessions: PathBuf) -> Arc<Holds> {
        Arc::new(Holds {
            export,
            private,
            sessions,
            session: Mutex::default(),
            held: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    fn inode(&self, path: &Path) -> io::Result<Option<u64>> {
        match self.export.look_up(path) {
            Ok((_, found)) => Ok(Some(found.entry.inode)),
            Err(error) if is(&error, io::ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self
            .export
            .at(path, |client, folder, name| client.remove(folder, name));
        match removed {
            Err(error) if !is(&error, io::ErrorKind::NotFound) => Err(error),
            _ => Ok(()),
        }
    }

    /// The session, begun anew if its file is gone.
    fn session(&self) -> io::Result<Arc<Session>> {
        let mut session = unlocked(&self.session);
        if let Some(known) = session.as_ref()
            && self.inode(&known.file)? == Some(known.inode)
        {
            return Ok(Arc::clone(known));
        }
        let new = Session::begin(&self.export, &self.private, &self.sessions)?;
        *session = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Takes the lock on a file, asking again until `wait` has passed; `None` if another keeps it.
    pub fn take(self: &Arc<Holds>, path: &Path, wait: Duration) -> io::Result<Option<Held>> {
        let until = Instant::now() + wait;
        let mut name = path.as_os_str().to_owned();
        name.push(HELD);
        let name = PathBuf::from(name);
        let mut pause = Duration::from_millis(5);
        loop {
            let session = self.session()?;
            if self.try_take(&session, &name)? {
                return Ok(Some(Held::by(Hold {
                    holds: Arc::clone(self),
                    session,
                    name,
                })));
            }
            if self.is_abandoned(&session, &name)? {
                self.break_open(&name)?;
                continue;
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    fn try_take(&self, session: &Session, name: &Path) -> io::Result<bool> {
        // First noted, so that nobody of this process takes it for a left-over in between.
        if !unlocked(&self.held).insert(name.to_owned()) {
            return Ok(false);
        }
        let linked = self.export.at(name, |client, folder, name| {
            client.link(&session.handle, folder, name)
        });
        let taken = match linked {
            Ok(()) => Ok(true),
            Err(error) if is(&error, io::ErrorKind::AlreadyExists) => Ok(false),
            // The answer may have been lost.
            Err(error) => match self.inode(name) {
                Ok(Some(inode)) if inode == session.inode => Ok(true),
                _ => Err(error),
            },
        };
        if !matches!(taken, Ok(true)) {
            unlocked(&self.held).remove(name);
        }
        taken
    }

    /// Whether nobody holds a lock any more of which there is a file.
    fn is_abandoned(&self, own: &Session, name: &Path) -> io::Result<bool> {
        let (handle, found) = match self.export.look_up(name) {
            Ok(found) => found,
            Err(error) if is(&error, io::ErrorKind::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        };
        if found.entry.inode == own.inode {
            return Ok(!unlocked(&self.held).contains(name));
        }
        let mut text = [0; 512];
        let length = self.export.with(|client| client.read(&handle, 0, &mut text))?;
        let holder: Option<Holder> = text
            .get(..length)
            .and_then(|text| serde_json::from_slice(text).ok());
        if let Some(holder) = holder
            && holder.host == own.holder.host
        {
            return Ok(!self.lives_here(holder.session)?);
        }
        // Of another host, or of an earlier start of this one.
        let now = Instant::now();
        let mut seen = unlocked(&self.seen);
        let first = match seen.get(name) {
            Some((time, first)) if *time == found.entry.modified => *first,
            _ => {
                seen.insert(name.to_owned(), (found.entry.modified, now));
                now
            }
        };
        let steady = now.saturating_duration_since(*unlocked(&own.steady));
        Ok(now.saturating_duration_since(first) >= SILENT && steady >= SILENT)
    }

    /// Whether a session of this host is held by a process.
    fn lives_here(&self, session: Uuid) -> io::Result<bool> {
        let file = match File::open(self.sessions.join(session.to_string())) {
            Ok(file) => file,
            Err(error) if is(&error, io::ErrorKind::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err())
    }

    /// Removes the name of a lock whose holder is gone, and no other's that has come in between.
    fn break_open(&self, name: &Path) -> io::Result<()> {
        let Some(inode) = self.inode(name)? else {
            return Ok(());
        };
        let other = format!("{BROKEN}{}", Uuid::new_v4());
        let aside = name.with_file_name(&other);
        let moved = self.export.at(name, |client, folder, file| {
            client.rename((folder, file), (folder, &other))
        });
        match moved {
            Err(error) if is(&error, io::ErrorKind::NotFound) => return Ok(()),
            answer => answer?,
        }
        let (handle, found) = self.export.look_up(&aside)?;
        if found.entry.inode != inode {
            // It was taken by somebody who lives.
            self.export
                .at(name, |client, folder, file| client.link(&handle, folder, file))?;
        } else {
            tracing::warn!(lock = ?name, "a lock whose holder is gone was broken");
        }
        self.remove(&aside)
    }

    /// Removes the files of sessions that are no more, and answers their names.
    pub fn tidy(&self) -> io::Result<Vec<String>> {
        let own = self.session()?;
        let names = self.export.names(&self.private)?;
        let mut removed = Vec::new();
        for name in names {
            let path = self.private.join(&name);
            let gone = name.starts_with(BROKEN)
                || (name.starts_with(SESSION) && path != own.file && self.is_abandoned(&own, &path)?);
            if gone {
                self.remove(&path)?;
                let local = self.sessions.join(name.trim_start_matches(SESSION));
                let _ = fs::remove_file(local);
                removed.push(name);
            }
        }
        Ok(removed)
    }
}
