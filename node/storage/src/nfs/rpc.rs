//! Calls to a server over TCP, bounded in size and time.
//!
//! Source: RFC 5531.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::xdr::{Reader, Writer, bad};

/// How long a call may take.
pub const CALL: Duration = Duration::from_secs(10);
/// How long it may take until a server has let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: usize = 2 << 20;
const LAST_FRAGMENT: u32 = 1 << 31;

/// From which of this host's ports a server is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Any.
    Free,
    /// One that only root can have, where that is possible: many servers ask for it.
    Reserved,
}

/// A connection to one program of a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    program: u32,
    version: u32,
    call: u32,
    credential: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(server: SocketAddr, program: (u32, u32), port: Port) -> io::Result<Connection> {
        let (program, version) = program;
        let stream = connect(server, port)?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            program,
            version,
            call: 0,
            credential: credential(),
        })
    }

    /// Makes a call and answers its result's words.
    pub fn call(&mut self, procedure: u32, arguments: Vec<u8>) -> io::Result<Vec<u8>> {
        let until = Instant::now() + CALL;
        self.call = self.call.wrapping_add(1);
        let message = Writer::default()
            .u32(self.call)
            .u32(0)
            .u32(2)
            .u32(self.program)
            .u32(self.version)
            .u32(procedure)
            .raw(&self.credential)
            .u32(0)
            .u32(0)
            .raw(&arguments)
            .done();
        let length = u32::try_from(message.len()).map_err(|_| bad("the call is too long"))?;
        let mut record = (LAST_FRAGMENT | length).to_be_bytes().to_vec();
        record.extend(message);
        self.stream.set_write_timeout(Some(left(until)?))?;
        self.stream.write_all(&record).map_err(late)?;
        let answer = self.answer(until)?;
        let mut reader = Reader::new(&answer);
        if reader.u32()? != self.call || reader.u32()? != 1 {
            return Err(bad("an answer to another call"));
        }
        if reader.u32()? != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the server refuses these credentials",
            ));
        }
        reader.u32()?;
        reader.bytes(400)?;
        match reader.u32()? {
            0 => {
                let head = answer.len() - reader.left();
                Ok(answer.get(head..).unwrap_or_default().to_vec())
            }
            1..=3 => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the server does not speak this protocol",
            )),
            other => Err(io::Error::other(format!("the server failed ({other})"))),
        }
    }

    fn answer(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        loop {
            let mut head = [0; 4];
            self.fill(&mut head, until)?;
            let head = u32::from_be_bytes(head);
            let length = usize::try_from(head & !LAST_FRAGMENT).map_err(|_| bad("length"))?;
            let have = answer.len();
            if have.saturating_add(length) > LONGEST {
                return Err(bad("the answer is too long"));
            }
            answer.resize(have + length, 0);
            self.fill(answer.get_mut(have..).unwrap_or_default(), until)?;
            if head & LAST_FRAGMENT != 0 {
                return Ok(answer);
            }
        }
    }

    fn fill(&mut self, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            self.stream.set_read_timeout(Some(left(until)?))?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(late(error)),
            }
        }
        Ok(())
    }
}

/// What is left of a call's time.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Sockets say "would block" when their time is over.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn connect(server: SocketAddr, port: Port) -> io::Result<TcpStream> {
    if port == Port::Reserved && nix::unistd::geteuid().is_root() {
        // Spread, so that two processes seldom want the same.
        let first = u16::try_from(std::process::id() % 400).unwrap_or_default();
        for number in 0..400 {
            let port = 1023 - (first + number) % 400;
            let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
            let own = match server {
                SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], port)),
                SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], port)),
            };
            match socket
                .bind(&own.into())
                .and_then(|()| socket.connect_timeout(&server.into(), CONNECT))
            {
                Ok(()) => return Ok(socket.into()),
                // Taken, or still remembered by the server from an earlier connection.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
                    ) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                Err(error) => return Err(error),
            }
        }
    }
    TcpStream::connect_timeout(&server, CONNECT)
}

/// Who calls: this process's user, as QEMU says of itself.
fn credential() -> Vec<u8> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let host = host.as_bytes().get(..64).unwrap_or(host.as_bytes());
    let body = Writer::default()
        .u32(0)
        .bytes(host)
        .u32(nix::unistd::geteuid().as_raw())
        .u32(nix::unistd::getegid().as_raw())
        .u32(0)
        .done();
    Writer::default().u32(1).bytes(&body).done()
}
