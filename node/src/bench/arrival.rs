//! When bytes reached a socket. Linux notes it for each packet (`SO_TIMESTAMPNS`), so that whoever
//! reads may take their time; elsewhere it is when they are read.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

/// How long a reader may let bytes lie, so as not to take the processor from whoever sends them.
pub const REST: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 20 } else { 0 });

/// Has the arrivals at a socket noted from now on.
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub fn note(stream: &TcpStream) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};

    Ok(setsockopt(stream, ReceiveTimestampns, &true)?)
}

/// Reads what has come, and tells when the last of it came.
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub fn read(
    stream: &impl std::os::fd::AsRawFd,
    buffer: &mut [u8],
) -> io::Result<(usize, SystemTime)> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use nix::sys::time::TimeSpec;

    let mut notes = nix::cmsg_space!(TimeSpec);
    let mut into = [io::IoSliceMut::new(buffer)];
    let fd = stream.as_raw_fd();
    let message = recvmsg::<()>(fd, &mut into, Some(&mut notes), MsgFlags::empty())?;
    let arrived = message.cmsgs()?.find_map(|note| match note {
        ControlMessageOwned::ScmTimestampns(time) => {
            Some(SystemTime::UNIX_EPOCH + Duration::from(time))
        }
        _ => None,
    });
    Ok((message.bytes, arrived.unwrap_or_else(SystemTime::now)))
}

/// Has the arrivals at a socket noted from now on.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "linux"))]
pub const fn note(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Reads what has come, and tells when.
///
/// # Errors
/// What the system says.
#[cfg(not(target_os = "linux"))]
pub fn read(mut stream: impl io::Read, buffer: &mut [u8]) -> io::Result<(usize, SystemTime)> {
    Ok((stream.read(buffer)?, SystemTime::now()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::thread::sleep;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_lies_for_long_came_when_it_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        note(&receiver).unwrap();
        let mut buffer = [0; 16];
        // The system begins to note arrivals soon after it is asked to, not at once.
        let noted = (0..500).any(|_| {
            let before = SystemTime::now();
            sender.write_all(b"news").unwrap();
            receiver.peek(&mut buffer).unwrap();
            sleep(Duration::from_millis(20));
            let late = SystemTime::now();
            let (read, arrived) = read(&receiver, &mut buffer).unwrap();
            assert!(read == 4 && before <= arrived);
            arrived < late
        });
        assert!(noted);
    }
}
