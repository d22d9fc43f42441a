//! What wakes an event loop: a socket pair. The runtime writes a byte, the loop sees that its end can be read.

use std::io::{Read, Result, Write};

#[cfg(unix)]
mod pair {
    pub(super) use std::os::unix::net::UnixStream as Socket;

    pub(super) fn pair() -> std::io::Result<(Socket, Socket)> {
        Socket::pair()
    }

    pub(super) fn number(socket: &Socket) -> i64 {
        std::os::fd::AsRawFd::as_raw_fd(socket).into()
    }
}

#[cfg(windows)]
mod pair {
    pub(super) use std::net::TcpStream as Socket;

    pub(super) fn pair() -> std::io::Result<(Socket, Socket)> {
        let door = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let near = Socket::connect(door.local_addr()?)?;
        let own = near.local_addr()?;
        loop {
            // Somebody else may have found the door first.
            let (far, from) = door.accept()?;
            if from == own {
                return Ok((near, far));
            }
        }
    }

    pub(super) fn number(socket: &Socket) -> i64 {
        i64::try_from(std::os::windows::io::AsRawSocket::as_raw_socket(socket)).unwrap_or(-1)
    }
}

/// The end that the event loop watches.
pub(crate) struct Ear(pair::Socket);

impl Ear {
    /// It, and what rings: to be called on any thread. Who rings never waits, for a full socket has rung enough.
    pub(crate) fn new() -> Result<(Self, impl Fn() + Send + Sync + 'static)> {
        let (near, far) = pair::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok((Self(near), move || _ = (&far).write(&[1])))
    }

    /// The number by which an event loop knows it.
    pub(crate) fn number(&self) -> i64 {
        pair::number(&self.0)
    }

    /// Forgets that it was rung.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.0).read(&mut bytes).is_ok_and(|read| read == bytes.len()) {}
    }
}
