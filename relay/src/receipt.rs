//! What whoever submitted an event waits for, and what the backend answers it with.
//!
//! A busy relay answers tens of thousands of events a second. So an answer is neither a future nor a
//! channel of its own: it goes to its connection's [`Line`], and the connection wakes once for all
//! that lie there.

use std::sync::Arc;

use ayni_protocol::{EventId, Prefix, Rejection};
use tokio::sync::oneshot;

use crate::backend::Accepted;
use crate::line::{Line, Settled};

/// What became of an event.
pub type Verdict = Result<Accepted, Rejection>;

/// To be answered once, when the event is durable or refused. One that is dropped unanswered, as
/// when a node stops, is answered `error:`.
#[derive(Debug)]
pub struct Receipt(Option<Way>);

#[derive(Debug)]
enum Way {
    Line { line: Arc<Line>, id: EventId, weight: usize },
    Waiting(oneshot::Sender<Verdict>),
}

impl Receipt {
    /// A receipt for whoever awaits the answer themselves.
    pub fn awaited() -> (Self, impl Future<Output = Verdict> + Send) {
        let (answer, verdict) = oneshot::channel();
        // A receipt that is dropped answers too, so the other case cannot come.
        let verdict = async { verdict.await.unwrap_or_else(|_| Err(unanswered())) };
        (Self(Some(Way::Waiting(answer))), verdict)
    }

    /// A receipt for an event that came over a connection, and that counts for so many bytes there.
    pub(crate) const fn for_line(line: Arc<Line>, id: EventId, weight: usize) -> Self {
        Self(Some(Way::Line { line, id, weight }))
    }

    /// Answers.
    pub fn give(mut self, verdict: Verdict) {
        self.answer(verdict);
    }

    fn answer(&mut self, verdict: Verdict) {
        match self.0.take() {
            Some(Way::Line { line, id, weight }) => line.settle(Settled { id, weight, verdict }),
            // Whoever no longer waits need not be told.
            Some(Way::Waiting(answer)) => drop(answer.send(verdict)),
            None => {}
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.answer(Err(unanswered()));
        }
    }
}

fn unanswered() -> Rejection {
    Rejection::new(Prefix::Error, "the node is stopping; try again later")
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn what_nobody_answers_is_answered_that_the_node_stops() {
        let line = Arc::new(Line::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST), 100));
        let receipt = |number| Receipt::for_line(Arc::clone(&line), EventId([number; 32]), 7);
        receipt(1).give(Ok(Accepted::stored()));
        drop(receipt(2));
        let settled = line.take().settled;
        let [first, second] = settled.as_slice() else { panic!("{settled:?}") };
        assert_eq!((first.id.0[0], &first.verdict), (1, &Ok(Accepted::stored())));
        assert_eq!((second.id.0[0], second.weight), (2, 7));
        assert_eq!(second.verdict.as_ref().unwrap_err().prefix, Prefix::Error);
    }

    #[tokio::test]
    async fn whoever_waits_is_told() {
        let (receipt, verdict) = Receipt::awaited();
        receipt.give(Ok(Accepted::duplicate()));
        assert_eq!(verdict.await, Ok(Accepted::duplicate()));
        let (receipt, verdict) = Receipt::awaited();
        drop(receipt);
        assert_eq!(verdict.await.unwrap_err().prefix, Prefix::Error);
    }
}
