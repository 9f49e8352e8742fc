//! A guest's serial port: the pseudo-terminal that its QEMU has opened.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// `O_NOCTTY | O_NONBLOCK`: the node must not get the guest as its own terminal.
const FLAGS: i32 = rustix::fs::OFlags::NOCTTY
    .union(rustix::fs::OFlags::NONBLOCK)
    .bits()
    .cast_signed();

/// The port, joined. QEMU has set the terminal raw; others who have it open get a part of what the guest says.
///
/// A terminal is waited for like a pipe, so the two ends are pipes to the runtime.
pub(crate) struct SerialPort {
    from: Receiver,
    to: Sender,
}

impl SerialPort {
    /// Joins it.
    pub(crate) fn open(path: &Path) -> io::Result<SerialPort> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(FLAGS)
            .open(path)?;
        Ok(SerialPort {
            to: Sender::from_file_unchecked(file.try_clone()?)?,
            from: Receiver::from_file_unchecked(file)?,
        })
    }
}

impl AsyncRead for SerialPort {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.from).poll_read(cx, buf)) {
            // The guest has gone, and its end of the terminal with it.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Poll::Ready(Ok(()))
            }
            other => Poll::Ready(other),
        }
    }
}

impl AsyncWrite for SerialPort {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.to).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod test {
    use std::fs::File;
    use std::io::{Read, Write};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_a_guest_that_has_gone_is_the_end() {
        use rustix::pty::OpenptFlags;
        use rustix::termios::OptionalActions;
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let path = rustix::pty::ptsname(&master, Vec::new())
            .unwrap()
            .into_string()
            .unwrap();
        let path = Path::new(&path);
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(FLAGS)
            .open(path)
            .unwrap();
        let mut raw = rustix::termios::tcgetattr(&slave).unwrap();
        raw.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &raw).unwrap();
        let mut port = SerialPort::open(path).unwrap();
        let mut guest = File::from(master);
        port.write_all(b"ls\n").await.unwrap();
        let mut seen = [0; 3];
        guest.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"ls\n");
        guest.write_all(b"file").unwrap();
        let mut seen = [0; 4];
        port.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"file");
        drop((guest, slave));
        assert_eq!(port.read(&mut seen).await.unwrap(), 0);
    }
}
