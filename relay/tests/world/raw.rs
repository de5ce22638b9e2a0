//! Frames written by hand, for what no library would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{House, UPGRADE, patiently};

pub const CONTINUE: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
/// The bit that says that a frame is a message's last.
pub const LAST: u8 = 0x80;

/// Memory of this process, relay and clients together, in MiB.
pub fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// A WebSocket whose frames are written by hand.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn open(house: &House) -> Self {
        let mut stream = house.raw().await;
        stream.write_all(format!("{UPGRADE}\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patiently(stream.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    /// Writes bytes. Where the relay has closed already, that shows when reading.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = patiently(self.0.write_all(bytes)).await;
    }

    /// The close code that comes in the end.
    pub async fn close_code(mut self) -> u16 {
        let mut heard = Vec::new();
        let _ = patiently(self.0.read_to_end(&mut heard)).await;
        let close = heard.windows(2).rposition(|two| two[0] == 0x88).expect("a close frame");
        u16::from_be_bytes([heard[close + 2], heard[close + 3]])
    }
}

/// A masked frame, as a client must send it. The mask is zeros, which changes nothing.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
