//! Writing WebSocket frames as a server does: two to ten bytes of header, then the plain payload
//! (RFC 6455, 5.2).
//!
//! The reading half is `reader.rs`. Writing is done here because a server's frames need no masking
//! and no state, and so an event goes from its shared bytes into the socket's buffer in one copy;
//! tungstenite would first want each recipient's frame put together, then copy it again.

use crate::session::Frame;

const FINAL_TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Close codes of RFC 6455, 7.4.1, as far as they are sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The relay stops, or the client was silent too long.
    GoingAway,
    /// The client broke the WebSocket protocol.
    Protocol,
    /// Text that is no UTF-8.
    NotText,
    /// A message beyond the limit.
    TooBig,
}

impl CloseCode {
    const fn number(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::NotText => 1007,
            Self::TooBig => 1009,
        }
    }
}

/// Appends one frame and gives how many payload bytes it has.
pub fn write(frame: &Frame, out: &mut Vec<u8>) -> usize {
    let length = frame.payload_bytes();
    match frame {
        Frame::Ping => out.extend_from_slice(&[PING, 0]),
        Frame::Text(_) | Frame::Event { .. } => {
            header(FINAL_TEXT, length, out);
            frame.write_payload(out);
        }
    }
    length
}

/// Appends the answer to a ping.
pub fn write_pong(payload: &[u8], out: &mut Vec<u8>) {
    header(PONG, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends the answer to a close frame: its code again, if it had one; a protocol error where it had
/// one that nobody may send (RFC 6455, 7.4).
pub fn write_close_again(payload: &[u8], out: &mut Vec<u8>) {
    if payload.is_empty() {
        return header(CLOSE, 0, out);
    }
    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
    let may_be_sent = |code: &u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    let code = code.filter(may_be_sent).unwrap_or(CloseCode::Protocol.number());
    header(CLOSE, 2, out);
    out.extend_from_slice(&code.to_be_bytes());
}

/// Appends a close frame.
pub fn write_close(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    let reason = reason.get(..reason.len().min(120)).unwrap_or_default();
    header(CLOSE, reason.len() + 2, out);
    out.extend_from_slice(&code.number().to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

fn header(opcode: u8, length: usize, out: &mut Vec<u8>) {
    out.push(opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(middle)) => {
            out.push(126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocket};

    use super::*;

    #[test]
    fn tungstenite_reads_what_is_written() {
        let texts = [0, 1, 125, 126, 65_535, 65_536].map(|length| "x".repeat(length));
        let mut wire = Vec::new();
        for text in &texts {
            assert_eq!(write(&Frame::Text(text.clone()), &mut wire), text.len());
        }
        write(&Frame::Event { head: "[1,".into(), json: "{}".into() }, &mut wire);
        write(&Frame::Ping, &mut wire);
        write_close(CloseCode::TooBig, "why", &mut wire);
        let mut socket = WebSocket::from_raw_socket(Cursor::new(wire), Role::Client, None);
        for text in &texts {
            assert_eq!(socket.read().unwrap(), Message::text(text.as_str()));
        }
        assert_eq!(socket.read().unwrap(), Message::text("[1,{}]"));
        assert_eq!(socket.read().unwrap(), Message::Ping("".into()));
        let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("a close frame") };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (1009, "why"));
    }
}
