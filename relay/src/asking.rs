//! Handing a conversation's questions to the backend: on the socket's own thread where an answer
//! is a matter of microseconds, else on a blocking thread, as many at once as there are cores.
//!
//! Deliberately absent: what is asked (`session`) and how it is answered (`inquiry`).

use std::sync::Arc;

use ayni_protocol::{Prefix, Rejection};

use crate::backend::{Backend, Viewer};
use crate::inquiry::Clerk;
use crate::line::Line;
use crate::relay::Shared;
use crate::session::{Answer, Question};

/// Whoever answers for this viewer.
pub(crate) fn clerk<'a, B: Backend>(shared: &'a Shared<B>, viewer: &'a Viewer) -> Clerk<'a, B> {
    let limits = &shared.settings.limits;
    Clerk { backend: &*shared.backend, limits, pool: &shared.pool, viewer }
}

/// Answers here and now.
pub(crate) fn answers<B: Backend>(
    shared: &Shared<B>,
    line: &Arc<Line>,
    viewer: &Viewer,
    questions: Vec<Question>,
) -> Vec<Answer> {
    let clerk = clerk(shared, viewer);
    let watch = |key, filters: &_| shared.audience.watch(line, key, filters);
    questions.into_iter().map(|question| clerk.answer(question, watch)).collect()
}

/// Answers on a blocking thread, once one is free for scans.
pub(crate) async fn answer_aside<B: Backend>(
    shared: Arc<Shared<B>>,
    line: Arc<Line>,
    viewer: Arc<Viewer>,
    questions: Vec<Question>,
) -> Vec<Answer> {
    // If the backend panics, every question still gets its answer.
    let refusals: Vec<Answer> =
        questions.iter().map(|question| question.refuse(trouble())).collect();
    let Ok(permit) = Arc::clone(&shared.scans).acquire_owned().await else { return refusals };
    let scan = tokio::task::spawn_blocking(move || {
        let answers = answers(&shared, &line, &viewer, questions);
        drop(permit);
        answers
    });
    scan.await.unwrap_or(refusals)
}

fn trouble() -> Rejection {
    Rejection::new(Prefix::Error, "this relay could not answer; try again later")
}
