//! The calls of NFS version 3 that a repository needs, on handles that the server gave.
//!
//! Source: RFC 1813; RFC 1833 for finding the ports.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::rpc::{CALL, Connection, Port};
use super::xdr::{Reader, Writer, bad};
use crate::medium::Entry;

const PORT_MAPPER: (u32, u32) = (100_000, 2);
const PORT_MAPPER_PORT: u16 = 111;
const MOUNT: (u32, u32) = (100_005, 3);
const NFS: (u32, u32) = (100_003, 3);
const TCP: u32 = 6;

/// What one call reads or writes at most; every server takes that much.
pub const CHUNK: usize = 64 << 10;
/// Bytes of names that one call lists.
const NAMES: u32 = 32 << 10;
/// Names in one folder; beyond that something is wrong.
const MOST_NAMES: usize = 1 << 20;

/// A file or folder on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle(Vec<u8>);

/// What the server says of an object.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// As the repository sees it.
    pub entry: Entry,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// A connection to an export.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    root: Handle,
    used: Instant,
}

fn addresses(server: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let bare = server.trim_start_matches('[').trim_end_matches(']');
    Ok((bare, port).to_socket_addrs()?.collect())
}

/// Where a program of the server listens.
fn port_of(address: SocketAddr, (program, version): (u32, u32)) -> io::Result<SocketAddr> {
    let mut mapper = Connection::open(address, PORT_MAPPER, Port::Free)?;
    let asked = Writer::default().u32(program).u32(version).u32(TCP).u32(0);
    let port = Reader::new(&mapper.call(3, asked.done())?).u32()?;
    let mut found = address;
    match u16::try_from(port) {
        Ok(port @ 1..) => found.set_port(port),
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "it serves no NFS 3",
            ));
        }
    }
    Ok(found)
}

fn mounted(address: SocketAddr, export: &str) -> io::Result<Handle> {
    let mut mount = Connection::open(port_of(address, MOUNT)?, MOUNT, Port::Reserved)?;
    let answer = mount.call(1, Writer::default().bytes(export.as_bytes()).done())?;
    let mut answer = Reader::new(&answer);
    checked(answer.u32()?)?;
    Ok(Handle(answer.bytes(64)?.to_vec()))
}

impl Client {
    /// Connects to a server and asks for an export.
    pub fn open(server: &str, export: &str) -> io::Result<Client> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses(server, PORT_MAPPER_PORT)? {
            let tried = mounted(address, export).and_then(|root| {
                let connection = Connection::open(port_of(address, NFS)?, NFS, Port::Reserved)?;
                Ok(Client {
                    connection,
                    root,
                    used: Instant::now(),
                })
            });
            match tried {
                Ok(client) => return Ok(client),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The export's folder.
    pub fn root(&self) -> Handle {
        self.root.clone()
    }

    /// Whether it can be used: one that has been idle is asked first, since its server may have been started anew.
    pub fn is_alive(&mut self) -> bool {
        self.used.elapsed() < Duration::from_secs(1) || self.connection.call(0, Vec::new()).is_ok()
    }

    /// Makes a call, again if the server says that it is not ready yet.
    fn call(&mut self, procedure: u32, arguments: Writer) -> io::Result<Vec<u8>> {
        const NOT_READY: u32 = 10_008;
        let arguments = arguments.done();
        let until = Instant::now() + CALL;
        loop {
            let answer = self.connection.call(procedure, arguments.clone())?;
            self.used = Instant::now();
            match Reader::new(&answer).u32()? {
                NOT_READY if Instant::now() < until => sleep(Duration::from_millis(200)),
                status => {
                    checked(status)?;
                    return Ok(answer.get(4..).unwrap_or_default().to_vec());
                }
            }
        }
    }

    /// What an object is.
    pub fn attributes(&mut self, object: &Handle) -> io::Result<Attributes> {
        let answer = self.call(1, Writer::default().bytes(&object.0))?;
        attributes(&mut Reader::new(&answer))
    }

    /// Says that an object was changed now, by the server's clock.
    pub fn touch(&mut self, object: &Handle) -> io::Result<()> {
        let now = Writer::default()
            .bytes(&object.0)
            .u32(0)
            .u32(0)
            .u32(0)
            .u32(0)
            .u32(0)
            .u32(1);
        self.call(2, now.u32(0)).map(drop)
    }

    /// Makes a file longer; what is new reads as zeros and takes no room.
    pub fn lengthen(&mut self, file: &Handle, length: u64) -> io::Result<()> {
        let asked = Writer::default().bytes(&file.0).u32(0).u32(0).u32(0);
        self.call(2, asked.u32(1).u64(length).u32(0).u32(0).u32(0))
            .map(drop)
    }

    /// What a name in a folder stands for; links are not followed.
    pub fn look_up(&mut self, folder: &Handle, name: &str) -> io::Result<(Handle, Attributes)> {
        let answer = self.call(3, place(folder, name))?;
        let mut answer = Reader::new(&answer);
        let handle = Handle(answer.bytes(64)?.to_vec());
        let found = match answer.flag()? {
            true => attributes(&mut answer)?,
            false => self.attributes(&handle)?,
        };
        Ok((handle, found))
    }

    /// Reads at most [`CHUNK`] bytes; none at the end.
    pub fn read(&mut self, file: &Handle, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(CHUNK);
        let count = u32::try_from(wanted).map_err(|_| bad("count"))?;
        let answer = self.call(6, Writer::default().bytes(&file.0).u64(offset).u32(count))?;
        let mut answer = Reader::new(&answer);
        optional_attributes(&mut answer)?;
        answer.u32()?;
        answer.flag()?;
        let bytes = answer.bytes(wanted)?;
        buffer
            .get_mut(..bytes.len())
            .unwrap_or_default()
            .copy_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Writes all of it; it is on the medium then.
    pub fn write(&mut self, file: &Handle, content: &[u8]) -> io::Result<()> {
        const ON_MEDIUM: u32 = 2;
        let mut offset = 0;
        while let Some(rest) = content.get(offset..).filter(|rest| !rest.is_empty()) {
            let part = rest.get(..CHUNK).unwrap_or(rest);
            let count = u32::try_from(part.len()).map_err(|_| bad("count"))?;
            let asked = Writer::default().bytes(&file.0).u64(offset as u64).u32(count);
            let answer = self.call(7, asked.u32(ON_MEDIUM).bytes(part))?;
            let mut answer = Reader::new(&answer);
            change(&mut answer)?;
            match usize::try_from(answer.u32()?) {
                Ok(written) if written > 0 && written <= part.len() => offset += written,
                _ => return Err(bad("a write that wrote nothing")),
            }
        }
        Ok(())
    }

    /// Makes a file, or empties the one that is there.
    pub fn create(&mut self, folder: &Handle, name: &str) -> io::Result<Handle> {
        // Mode 0600 and length 0; owner and times as the server has them.
        let how = place(folder, name).u32(0).u32(1).u32(0o600).u32(0).u32(0);
        let answer = self.call(8, how.u32(1).u64(0).u32(0).u32(0))?;
        let mut answer = Reader::new(&answer);
        match answer.flag()? {
            true => Ok(Handle(answer.bytes(64)?.to_vec())),
            false => self.look_up(folder, name).map(|(handle, _)| handle),
        }
    }

    /// Makes a folder.
    pub fn make_folder(&mut self, folder: &Handle, name: &str) -> io::Result<()> {
        let how = place(folder, name).u32(1).u32(0o700).u32(0).u32(0).u32(0);
        self.call(9, how.u32(0).u32(0)).map(drop)
    }

    /// Removes a name of a file.
    pub fn remove(&mut self, folder: &Handle, name: &str) -> io::Result<()> {
        self.call(12, place(folder, name)).map(drop)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&mut self, folder: &Handle, name: &str) -> io::Result<()> {
        self.call(13, place(folder, name)).map(drop)
    }

    /// Gives a file another name; what had that name is replaced.
    pub fn rename(&mut self, from: (&Handle, &str), to: (&Handle, &str)) -> io::Result<()> {
        let to = place(to.0, to.1).done();
        self.call(14, place(from.0, from.1).raw(&to)).map(drop)
    }

    /// Gives a file a second name.
    pub fn link(&mut self, file: &Handle, folder: &Handle, name: &str) -> io::Result<()> {
        let to = place(folder, name).done();
        self.call(15, Writer::default().bytes(&file.0).raw(&to)).map(drop)
    }

    /// The names in a folder, as far as they are text, without `.` and `..`.
    pub fn names(&mut self, folder: &Handle) -> io::Result<Vec<String>> {
        let (mut names, mut cookie, mut verifier) = (Vec::new(), 0, 0);
        loop {
            let asked = Writer::default().bytes(&folder.0).u64(cookie).u64(verifier);
            let answer = self.call(16, asked.u32(NAMES))?;
            let mut answer = Reader::new(&answer);
            optional_attributes(&mut answer)?;
            verifier = answer.u64()?;
            let before = cookie;
            while answer.flag()? {
                answer.u64()?;
                let name = answer.bytes(1024)?;
                cookie = answer.u64()?;
                if let Ok(name) = std::str::from_utf8(name)
                    && ![".", ".."].contains(&name)
                    && !name.contains('/')
                {
                    names.push(name.to_owned());
                }
            }
            if answer.flag()? {
                return Ok(names);
            }
            if cookie == before || names.len() > MOST_NAMES {
                return Err(bad("a folder without end"));
            }
        }
    }

    /// Bytes of the medium, and how many of them are free.
    pub fn space(&mut self) -> io::Result<(u64, u64)> {
        let root = self.root();
        let answer = self.call(18, Writer::default().bytes(&root.0))?;
        let mut answer = Reader::new(&answer);
        optional_attributes(&mut answer)?;
        Ok((answer.u64()?, answer.u64()?))
    }

    /// Brings what was written to a file to the medium.
    pub fn commit(&mut self, file: &Handle) -> io::Result<()> {
        self.call(21, Writer::default().bytes(&file.0).u64(0).u32(0))
            .map(drop)
    }
}

fn place(folder: &Handle, name: &str) -> Writer {
    Writer::default().bytes(&folder.0).bytes(name.as_bytes())
}

fn time(answer: &mut Reader<'_>) -> io::Result<(i64, i64)> {
    Ok((answer.u32()?.into(), answer.u32()?.into()))
}

fn attributes(answer: &mut Reader<'_>) -> io::Result<Attributes> {
    let kind = answer.u32()?;
    // Mode, links, owner and group.
    answer.skip(16)?;
    let (length, taken) = (answer.u64()?, answer.u64()?);
    // Device and file system.
    answer.skip(16)?;
    let inode = answer.u64()?;
    time(answer)?;
    let (modified, changed) = (time(answer)?, time(answer)?);
    let entry = Entry {
        is_file: kind == 1,
        length,
        taken,
        inode,
        modified,
        changed,
    };
    Ok(Attributes {
        entry,
        is_folder: kind == 2,
    })
}

fn optional_attributes(answer: &mut Reader<'_>) -> io::Result<()> {
    if answer.flag()? {
        attributes(answer)?;
    }
    Ok(())
}

/// What an object was before a change, and is after it.
fn change(answer: &mut Reader<'_>) -> io::Result<()> {
    if answer.flag()? {
        answer.skip(24)?;
    }
    optional_attributes(answer)
}

/// Turns a status into an error, in the system's terms where it has one.
fn checked(status: u32) -> io::Result<()> {
    use nix::errno::Errno;
    let known = match status {
        0 => return Ok(()),
        63 => Errno::ENAMETOOLONG,
        66 => Errno::ENOTEMPTY,
        69 => Errno::EDQUOT,
        70 | 10_001 => Errno::ESTALE,
        10_004 => Errno::EOPNOTSUPP,
        10_008 => Errno::ETIMEDOUT,
        // These have the numbers that they have in the system.
        1..=31 => Errno::from_raw(i32::try_from(status).unwrap_or(nix::libc::EIO)),
        _ => return Err(io::Error::other(format!("the server answers NFS error {status}"))),
    };
    Err(known.into())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_server_s_errors_are_the_system_s() {
        assert!(checked(0).is_ok());
        for (status, kind) in [
            (2, io::ErrorKind::NotFound),
            (17, io::ErrorKind::AlreadyExists),
            (28, io::ErrorKind::StorageFull),
            (66, io::ErrorKind::DirectoryNotEmpty),
            (69, io::ErrorKind::QuotaExceeded),
            (70, io::ErrorKind::StaleNetworkFileHandle),
            (10_004, io::ErrorKind::Unsupported),
        ] {
            assert_eq!(checked(status).unwrap_err().kind(), kind, "{status}");
        }
    }
}
