//! A question on its way: framed beforehand, and known by how its answer ends.

use anyhow::Result;

use super::wire::{self, Talk};

/// A question under a name of its own, so that what a relay says to the end of another is not taken for
/// its answer.
pub struct Question {
    /// What asks, framed.
    ask: Vec<u8>,
    /// What ends it where it stays open after its answer, framed.
    close: Vec<u8>,
    /// How an answer ends after which it stays open.
    answered: String,
    /// How an answer ends that closes it, as of a relay that has nothing to add.
    closed: String,
}

/// What came as an answer.
#[derive(Default)]
pub struct Answer {
    /// Events.
    pub events: usize,
    /// Bytes of everything.
    pub bytes: usize,
    /// Whether the relay closed the question, as one does that refuses it.
    pub closed: bool,
}

impl Question {
    /// A REQ of one filter, or of several with commas between them.
    pub fn req(number: usize, filters: &str) -> Self {
        let ask = format!(r#"["REQ","q{number}",{filters}]"#);
        Self::new(&ask, &format!(r#"["CLOSE","q{number}"]"#), number, ["EOSE", "CLOSED"])
    }

    /// A COUNT, which nothing has to end.
    pub fn count(number: usize, filter: &str) -> Self {
        Self::new(&format!(r#"["COUNT","q{number}",{filter}]"#), "", number, ["COUNT", "CLOSED"])
    }

    /// The first message of a reconciliation, of a client that has nothing.
    pub fn reconciliation(number: usize, filter: &str) -> Self {
        let ask = format!(r#"["NEG-OPEN","q{number}",{filter},"6100000200"]"#);
        let close = format!(r#"["NEG-CLOSE","q{number}"]"#);
        Self::new(&ask, &close, number, ["NEG-MSG", "NEG-ERR"])
    }

    fn new(ask: &str, close: &str, number: usize, ends: [&str; 2]) -> Self {
        let framed = |text: &str| {
            let mut frame = Vec::new();
            if !text.is_empty() {
                wire::text(text, &mut frame);
            }
            frame
        };
        let [answered, closed] = ends.map(|word| format!(r#"["{word}","q{number}""#));
        Self { ask: framed(ask), close: framed(close), answered, closed }
    }

    /// Asks and waits for the end of the answer. What ends the question stays in `frames` and goes out
    /// with the next one; some relays hang up on whoever closes what they closed themselves.
    ///
    /// # Errors
    /// Where the relay hung up, or said nothing for long.
    pub fn put(&self, talk: &mut Talk, frames: &mut Vec<u8>) -> Result<Answer> {
        frames.extend_from_slice(&self.ask);
        talk.send(frames)?;
        frames.clear();
        let (mut answer, mut open) = (Answer::default(), true);
        while open {
            talk.hear(|payload| {
                answer.bytes += payload.len();
                answer.events += usize::from(payload.starts_with(b"[\"EVENT\""));
                if payload.starts_with(self.answered.as_bytes()) {
                    self.close.clone_into(frames);
                    open = false;
                }
                answer.closed |= payload.starts_with(self.closed.as_bytes());
                open &= !answer.closed;
            })?;
        }
        Ok(answer)
    }
}
