//! Reading WebSocket frames as a server does (RFC 6455, 5.2): bytes in, messages out.
//!
//! The writing half is `frames.rs`; the handshake is tungstenite's. Reading is done here because a
//! relay's sockets are many and mostly idle: bytes are read into a buffer that belongs to the
//! thread, unmasked where they lie and handed on as they lie, and a connection keeps bytes of its
//! own only for a message that has not wholly come. tungstenite keeps a buffer for every
//! connection, and copies each message out of it twice.
//!
//! Deliberately absent: extensions. None is offered, so a reserved bit is an error.

use ayni_protocol::limits::MESSAGE_FRAMES;

use crate::frames::CloseCode;

/// Room that a connection may keep while nothing is left over.
const KEPT_BYTES: usize = 1_024;

/// What a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A whole message. Some clients send text as binary, so both are text here.
    Text(&'a str),
    /// A ping, to be answered with its own bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The client closes, with a code and a reason if it likes.
    Close(&'a [u8]),
}

/// How a client broke the protocol, as the close frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(pub CloseCode, pub &'static str);

/// Whether more is wanted of the bytes that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appetite {
    /// Go on.
    More,
    /// Keep the rest for later.
    Enough,
}

/// One connection's reading: what has come of a frame or a message that is not whole.
#[derive(Debug)]
pub struct Reader {
    /// Bytes that came and were not yet taken, from the beginning of a frame on.
    rest: Vec<u8>,
    /// Fragments of a message, unmasked.
    message: Vec<u8>,
    fragments: u32,
    message_bytes: usize,
    paused: bool,
}

/// A frame's header.
struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header itself.
    length: usize,
    payload: usize,
}

impl Reader {
    /// A reader of messages up to so many bytes. `first` came with the handshake.
    pub const fn new(message_bytes: usize, first: Vec<u8>) -> Self {
        let paused = !first.is_empty();
        Self { rest: first, message: Vec::new(), fragments: 0, message_bytes, paused }
    }

    /// Whether bytes may lie here that hold a message and were not looked at.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// The reader itself, to be put back when it has read: so that what it hands on may change
    /// whoever it belongs to.
    pub const fn lend(&mut self) -> Self {
        std::mem::replace(self, Self::new(0, Vec::new()))
    }

    /// Takes fresh bytes, and any kept before them, and hands on what is whole in them.
    ///
    /// # Errors
    /// What the client did wrong; nothing more can be read from it then.
    pub fn take(
        &mut self,
        fresh: &mut [u8],
        mut each: impl FnMut(Heard<'_>) -> Appetite,
    ) -> Result<(), Violation> {
        if self.rest.is_empty() {
            let used = self.cut(fresh, &mut each)?;
            self.rest.extend_from_slice(fresh.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(fresh);
        let used = self.cut(&mut rest, &mut each)?;
        rest.drain(..used);
        if !rest.is_empty() || rest.capacity() <= KEPT_BYTES {
            self.rest = rest;
        }
        Ok(())
    }

    /// Hands on what is whole; gives how many bytes that took.
    fn cut(
        &mut self,
        bytes: &mut [u8],
        each: &mut impl FnMut(Heard<'_>) -> Appetite,
    ) -> Result<usize, Violation> {
        let mut used = 0;
        self.paused = false;
        while let Some(rest) = bytes.get_mut(used..)
            && let Some(header) = self.header(rest)?
        {
            let end = header.length + header.payload;
            let Some(payload) = rest.get_mut(header.length..end) else { break };
            unmask(payload, header.mask);
            used += end;
            if self.frame(&header, payload, each)? == Appetite::Enough {
                self.paused = true;
                break;
            }
        }
        Ok(used)
    }

    /// The header at the beginning of some bytes, once all of it is there.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) {
            return Err(Violation(CloseCode::Protocol, "the WebSocket protocol"));
        }
        if second & 0x80 == 0 {
            return Err(Violation(CloseCode::Protocol, "frames of clients are masked"));
        }
        let short = usize::from(second & 0x7f);
        if opcode >= 8 && (!last || short > 125) {
            return Err(Violation(CloseCode::Protocol, "control frames are short and whole"));
        }
        let (payload, at) = match short {
            126 => (bytes.get(2..4).map(number), 4),
            127 => (bytes.get(2..10).map(number), 10),
            short => (Some(short), 2),
        };
        let Some(payload) = payload else { return Ok(None) };
        let room = self.message_bytes.saturating_sub(self.message.len());
        if payload > room && opcode < 8 {
            return Err(Violation(CloseCode::TooBig, "the message is too long"));
        }
        let mask = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
        Ok(mask.map(|mask| Header { last, opcode, mask, length: at + 4, payload }))
    }

    /// One whole frame, unmasked.
    fn frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        each: &mut impl FnMut(Heard<'_>) -> Appetite,
    ) -> Result<Appetite, Violation> {
        let begun = self.fragments > 0;
        Ok(match header.opcode {
            8 => each(Heard::Close(payload)),
            9 => each(Heard::Ping(payload)),
            10 => each(Heard::Pong),
            0 if !begun => {
                return Err(Violation(CloseCode::Protocol, "this continues no message"));
            }
            1 | 2 if begun => {
                return Err(Violation(CloseCode::Protocol, "the message before was not ended"));
            }
            1 | 2 if header.last => each(Heard::Text(text(payload)?)),
            _ => {
                self.fragments += 1;
                if self.fragments > MESSAGE_FRAMES {
                    return Err(Violation(CloseCode::TooBig, "the message has too many frames"));
                }
                self.message.extend_from_slice(payload);
                if !header.last {
                    return Ok(Appetite::More);
                }
                self.fragments = 0;
                let message = std::mem::take(&mut self.message);
                each(Heard::Text(text(&message)?))
            }
        })
    }
}

fn text(payload: &[u8]) -> Result<&str, Violation> {
    str::from_utf8(payload).map_err(|_| Violation(CloseCode::NotText, "text must be UTF-8"))
}

/// A big-endian number. What does not fit is far beyond every limit.
fn number(bytes: &[u8]) -> usize {
    let all = bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    usize::try_from(all).unwrap_or(usize::MAX)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
    use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocket, WebSocketConfig};

    use super::*;

    const MOST: usize = 70_000;

    fn frame(opcode: OpCode, last: bool, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader { is_final: last, opcode, mask, ..FrameHeader::default() };
        let mut bytes = Vec::new();
        Frame::from_payload(header, payload.to_vec().into()).format(&mut bytes).unwrap();
        bytes
    }

    fn say(heard: Heard<'_>) -> String {
        match heard {
            Heard::Text(text) => format!("text {text}"),
            Heard::Ping(bytes) => format!("ping {}", bytes.len()),
            Heard::Pong => "pong".into(),
            Heard::Close(_) => "close".into(),
        }
    }

    /// Everything that is heard when the bytes come in pieces of `step`, and how it ended.
    fn ours(bytes: &[u8], step: usize, sips: bool) -> (Vec<String>, Option<CloseCode>) {
        let mut reader = Reader::new(MOST, Vec::new());
        let mut said = Vec::new();
        for piece in bytes.chunks(step) {
            let mut piece = piece.to_vec();
            loop {
                let mut stopped = false;
                let taken = reader.take(&mut piece, |heard| {
                    said.push(say(heard));
                    stopped = sips;
                    if sips { Appetite::Enough } else { Appetite::More }
                });
                if let Err(Violation(code, _)) = taken {
                    return (said, Some(code));
                }
                if !stopped {
                    break;
                }
                piece.clear();
            }
        }
        (said, None)
    }

    /// Bytes to read; what is written, pongs for example, goes nowhere.
    struct OneWay(Cursor<Vec<u8>>);

    impl Read for OneWay {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for OneWay {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What tungstenite hears of the same bytes, up to an error.
    fn theirs(bytes: &[u8]) -> Vec<String> {
        let config = WebSocketConfig::default().max_message_size(Some(MOST));
        let socket = OneWay(Cursor::new(bytes.to_vec()));
        let mut socket = WebSocket::from_raw_socket(socket, Role::Server, Some(config));
        let mut said = Vec::new();
        while let Ok(message) = socket.read() {
            said.push(match &message {
                Message::Text(text) => say(Heard::Text(text)),
                Message::Binary(bytes) => say(Heard::Text(str::from_utf8(bytes).unwrap())),
                Message::Ping(bytes) => say(Heard::Ping(bytes)),
                Message::Pong(_) => say(Heard::Pong),
                Message::Close(_) => say(Heard::Close(&[])),
                Message::Frame(_) => unreachable!("only written"),
            });
        }
        said
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let opcode = prop_oneof![
            6 => Just(OpCode::Data(Data::Text)),
            3 => Just(OpCode::Data(Data::Continue)),
            1 => Just(OpCode::Data(Data::Binary)),
            1 => Just(OpCode::Control(Control::Ping)),
            1 => Just(OpCode::Control(Control::Pong)),
        ];
        let payload = prop_oneof![
            8 => "[a-zé\"]{0,20}",
            1 => (120_usize..130).prop_map(|length| "y".repeat(length)),
            1 => (65_500_usize..65_560).prop_map(|length| "z".repeat(length)),
        ];
        (opcode, prop::bool::weighted(0.7), any::<[u8; 4]>(), payload).prop_map(
            |(opcode, last, mask, payload)| {
                let control = matches!(opcode, OpCode::Control(_));
                let payload = if control { payload.get(..5).unwrap_or("") } else { &payload };
                frame(opcode, last || control, Some(mask), payload.as_bytes())
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        /// Two readings of the same bytes, however they come, hear the same.
        #[test]
        fn tungstenite_hears_the_same(
            frames in prop::collection::vec(any_frame(), 0..8),
            step in prop_oneof![Just(1_usize), 2_usize..9, Just(4_096), Just(1_000_000)],
            sips in any::<bool>(),
        ) {
            let bytes = frames.concat();
            let step = if bytes.len() > 10_000 { step.max(1_000) } else { step };
            prop_assert_eq!(ours(&bytes, step, sips).0, theirs(&bytes));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = ours(&bytes, 7, true);
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_said() {
        let masked = |opcode, last, payload: &[u8]| frame(opcode, last, Some([1; 4]), payload);
        let (text, more) = (OpCode::Data(Data::Text), OpCode::Data(Data::Continue));
        let fragments = [masked(text, false, b"a"), masked(text, true, b"b")].concat();
        let endless = [masked(text, false, b""), masked(more, false, b"").repeat(2_000)].concat();
        let long = "x".repeat(40_000);
        let long = [masked(text, false, long.as_bytes()), masked(more, true, long.as_bytes())];
        let mut reserved = masked(text, true, b"a");
        reserved[0] |= 0x40;
        let cases = [
            (frame(text, true, None, b"unmasked"), CloseCode::Protocol),
            (masked(text, true, &[0xff]), CloseCode::NotText),
            (masked(more, true, b"of nothing"), CloseCode::Protocol),
            (masked(OpCode::Control(Control::Ping), false, b""), CloseCode::Protocol),
            // A gibibyte is announced: refused before any of it comes.
            (vec![0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0], CloseCode::TooBig),
            (fragments, CloseCode::Protocol),
            (endless, CloseCode::TooBig),
            (long.concat(), CloseCode::TooBig),
            (reserved, CloseCode::Protocol),
            (vec![0x83, 0x80, 0, 0, 0, 0], CloseCode::Protocol),
        ];
        for (bytes, code) in cases {
            assert_eq!(ours(&bytes, 3, false).1, Some(code), "{:?}", bytes.get(..12));
        }
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_left() {
        let mut reader = Reader::new(MOST, Vec::new());
        let text = OpCode::Data(Data::Text);
        let bytes = frame(text, true, Some([9; 4]), &[b'x'; 60_000]);
        for piece in bytes.chunks(10_000) {
            reader.take(&mut piece.to_vec(), |_| Appetite::More).unwrap();
        }
        assert_eq!((reader.rest.len(), reader.rest.capacity()), (0, 0));
    }
}
