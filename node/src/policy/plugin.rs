//! A program of the operator's that judges events, in the format of strfry's write policy: it reads
//! one JSON object a line and answers each with one.
//!
//! Events are handed to it without waiting for its answer to the one before, and nobody waits
//! longer than the configured time: then the configured verdict holds. A program that is silent for
//! that long while something is asked of it is ended, one that ends is started again, each time
//! after a longer rest. What it writes to its standard error goes to the log.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ayni_protocol::{EventId, Prefix, Rejection, Timestamp, VerifiedEvent};
use ayni_relay::Source;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::Fallback;

/// Events that may wait to be handed to it.
const QUEUE: usize = 1_024;
/// How long it rests before it is started again, the first time and at most.
const RESTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(30)];

/// What it says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Store it.
    Accept,
    /// Refuse it, with this message.
    Reject(String),
    /// Say that it is stored, and do not store it.
    ShadowReject,
}

/// The way to the program. Cheap to clone; the program ends with the last clone.
#[derive(Clone)]
pub struct Plugin {
    requests: mpsc::Sender<Request>,
    timeout: Duration,
    fallback: Fallback,
}

struct Request {
    id: EventId,
    line: String,
    answer: oneshot::Sender<Verdict>,
}

/// A line it wrote.
#[derive(Deserialize)]
struct Answer {
    id: EventId,
    action: Action,
    #[serde(default)]
    msg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Accept,
    Reject,
    ShadowReject,
}

impl Plugin {
    /// Starts the program. To be called inside a tokio runtime.
    #[must_use]
    pub fn start(command: Vec<String>, timeout: Duration, fallback: Fallback) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Keeper { command, timeout, queue, waiting: HashMap::new() }.run());
        Self { requests, timeout, fallback }
    }

    /// Asks it about an event that came from `source` at `now`.
    ///
    /// # Errors
    /// Where it did not answer in time, and the configuration says that nothing is stored then.
    pub async fn ask(
        &self,
        event: &VerifiedEvent,
        source: &Source,
        now: Timestamp,
    ) -> Result<Verdict, Rejection> {
        let (answer, verdict) = oneshot::channel();
        let request = Request { id: event.id, line: question(event, source, now), answer };
        let asked = async {
            self.requests.send(request).await.ok()?;
            verdict.await.ok()
        };
        match (tokio::time::timeout(self.timeout, asked).await, self.fallback) {
            (Ok(Some(verdict)), _) => Ok(verdict),
            (_, Fallback::Accept) => Ok(Verdict::Accept),
            (_, Fallback::Reject) => {
                let sentence = "the relay could not judge this event; send it again later";
                Err(Rejection::new(Prefix::Error, sentence))
            }
        }
    }
}

/// One question, with its line's end. The event is written as it is stored.
fn question(event: &VerifiedEvent, source: &Source, now: Timestamp) -> String {
    let authed = source.keys.first().map(|key| format!(r#","authed":"{key}""#));
    let kind = if source.address.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        r#"{{"type":"new","event":{},"receivedAt":{now},"sourceType":"{kind}","sourceInfo":"{}"{}}}"#,
        event.json(),
        source.address,
        authed.unwrap_or_default(),
    ) + "\n"
}

/// Keeps the program running.
struct Keeper {
    command: Vec<String>,
    timeout: Duration,
    queue: mpsc::Receiver<Request>,
    waiting: HashMap<EventId, Vec<oneshot::Sender<Verdict>>>,
}

/// Why a run of the program is over.
enum End {
    /// Nobody will ask any more.
    Unneeded,
    /// It ended, or had to be ended; and whether it had said anything sensible.
    Failed { reason: String, useful: bool },
}

/// A program that runs, and the threads that write to it and read from it.
struct Running {
    child: Child,
    questions: blocking::Sender<String>,
    answers: mpsc::UnboundedReceiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; and what was killed is waited for, so that nothing is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Keeper {
    async fn run(mut self) {
        let mut rest = RESTS[0];
        loop {
            let end = match self.spawn() {
                Ok(running) => self.attend(running).await,
                Err(error) => End::Failed { reason: format!("{error:#}"), useful: false },
            };
            // Whoever waits hears at once that there will be no answer.
            self.waiting.clear();
            let End::Failed { reason, useful } = end else { return };
            rest = if useful { RESTS[0] } else { (rest * 2).min(RESTS[1]) };
            tracing::error!(reason, again_in_ms = rest.as_millis(), "the plugin failed");
            if self.decline_for(rest).await {
                return;
            }
        }
    }

    fn spawn(&self) -> Result<Running> {
        let (program, arguments) = self.command.split_first().context("no program is named")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut input = input.context("it has no standard input")?;
        let output = output.context("it has no standard output")?;
        let said = child.stderr.take().context("it has no standard error")?;
        let (questions, to_write) = blocking::channel::<String>();
        let (read, answers) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let mut lines = to_write.iter();
            while lines.next().is_some_and(|line| input.write_all(line.as_bytes()).is_ok()) {}
        });
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| read.send(line).is_ok()) {}
        });
        thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                tracing::warn!(target: "ayni_node::plugin", "{line}");
            }
        });
        Ok(Running { child, questions, answers })
    }

    /// Hands on questions and answers until one side ends.
    async fn attend(&mut self, mut running: Running) -> End {
        let mut useful = false;
        let mut heard = Instant::now();
        loop {
            let silent = heard + self.timeout;
            tokio::select! {
                request = self.queue.recv(), if self.waiting.len() < QUEUE => {
                    let Some(request) = request else { return End::Unneeded };
                    if self.waiting.is_empty() {
                        heard = Instant::now();
                    }
                    // Where this fails, its output ends too.
                    let _ = self.enter(request).map(|line| running.questions.send(line));
                }
                line = running.answers.recv() => {
                    let Some(line) = line else {
                        return End::Failed { reason: "it ended".into(), useful };
                    };
                    heard = Instant::now();
                    useful |= self.answer(&line);
                }
                () = tokio::time::sleep_until(silent), if !self.waiting.is_empty() => {
                    return End::Failed { reason: "it was silent for too long".into(), useful };
                }
            }
        }
    }

    /// Notes who waits, and gives what is to be written: nothing where it was asked already.
    fn enter(&mut self, request: Request) -> Option<String> {
        let waiting = self.waiting.entry(request.id).or_default();
        waiting.push(request.answer);
        (waiting.len() == 1).then_some(request.line)
    }

    /// Hands on one answer. Tells whether it was one.
    fn answer(&mut self, line: &str) -> bool {
        let answer: Answer = match serde_json::from_str(line) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, line, "the plugin wrote something that is no answer");
                return false;
            }
        };
        let verdict = match answer.action {
            Action::Accept => Verdict::Accept,
            Action::Reject => Verdict::Reject(answer.msg),
            Action::ShadowReject => Verdict::ShadowReject,
        };
        for waiting in self.waiting.remove(&answer.id).into_iter().flatten() {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(verdict.clone());
        }
        true
    }

    /// Lets all that is asked go unanswered for a while. Tells whether nobody will ask any more.
    async fn decline_for(&mut self, rest: Duration) -> bool {
        let over = Instant::now() + rest;
        loop {
            match tokio::time::timeout_at(over, self.queue.recv()).await {
                Err(_) => return false,
                Ok(None) => return true,
                Ok(Some(request)) => drop(request),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ayni_protocol::{Draft, Keys, kind};

    use super::*;

    fn source() -> Source {
        let ana = Keys::from_secret([9; 32]).unwrap().public();
        Source { address: "203.0.113.7".parse().unwrap(), keys: BTreeSet::from([ana]) }
    }

    fn note(content: &str) -> VerifiedEvent {
        let keys = Keys::from_secret([1; 32]).unwrap();
        Draft::new(kind::NOTE).content(content).sign(&keys, 100, [0; 32])
    }

    /// A plugin of the shell, which has `$id` and `$line` of every question.
    fn shell(body: &str, timeout_ms: u64, fallback: Fallback) -> Plugin {
        let script = format!(
            "while read -r line; do id=${{line#*'\"id\":\"'}}; id=${{id%%'\"'*}}\n{body}\ndone"
        );
        let command = vec!["sh".into(), "-c".into(), script];
        Plugin::start(command, Duration::from_millis(timeout_ms), fallback)
    }

    const BY_CONTENT: &str = r#"case "$line" in
        *spam*) echo "{\"id\":\"$id\",\"action\":\"reject\",\"msg\":\"blocked: no spam\"}";;
        *troll*) echo "{\"id\":\"$id\",\"action\":\"shadowReject\"}";;
        *die*) exit 3;;
        *hang*) sleep 600;;
        *mumble*) echo hm; echo "{\"id\":\"$id\",\"action\":\"accept\"}";;
        '{"type":"new","event":{'*'},"receivedAt":7,"sourceType":"IP4","sourceInfo":"203.0.113.7","authed":"'*)
            echo "{\"id\":\"$id\",\"action\":\"accept\"}";;
        esac"#;

    async fn says(plugin: &Plugin, content: &str) -> Result<Verdict, String> {
        let asked = plugin.ask(&note(content), &source(), 7).await;
        asked.map_err(|rejection| rejection.to_string())
    }

    #[tokio::test]
    async fn it_is_obeyed() {
        let plugin = shell(BY_CONTENT, 20_000, Fallback::Reject);
        assert_eq!(says(&plugin, "hello").await, Ok(Verdict::Accept));
        assert_eq!(says(&plugin, "spam").await, Ok(Verdict::Reject("blocked: no spam".into())));
        assert_eq!(says(&plugin, "troll").await, Ok(Verdict::ShadowReject));
        assert_eq!(says(&plugin, "mumble").await, Ok(Verdict::Accept));
    }

    #[tokio::test]
    async fn many_are_asked_at_once_and_one_twice() {
        // It answers nothing before it has read all three, and then backwards.
        let body = r#"all="$id $all"; n=$((n+1)); if [ $n = 3 ]; then for i in $all; do
            echo "{\"id\":\"$i\",\"action\":\"accept\"}"; done; fi"#;
        let plugin = shell(body, 20_000, Fallback::Reject);
        let asked = ["a", "b", "b", "c"].map(|content| says(&plugin, content));
        let verdicts = futures_util::future::join_all(asked).await;
        assert_eq!(verdicts, vec![Ok(Verdict::Accept); 4]);
    }

    #[tokio::test]
    async fn a_crash_and_a_hang_give_the_configured_verdict_and_it_starts_again() {
        for (trouble, timeout_ms) in [("die", 20_000), ("hang", 500)] {
            let strict = shell(BY_CONTENT, timeout_ms, Fallback::Reject);
            let refusal = says(&strict, trouble).await.unwrap_err();
            assert!(refusal.starts_with("error: "), "{refusal}");
            let mild = shell(BY_CONTENT, timeout_ms, Fallback::Accept);
            assert_eq!(says(&mild, trouble).await, Ok(Verdict::Accept));
            // Sooner or later there is one again that answers.
            while says(&strict, "hello").await != Ok(Verdict::Accept) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    #[tokio::test]
    async fn one_that_does_not_exist_is_declined_for() {
        let command = vec!["/nowhere/plugin".into()];
        let plugin = Plugin::start(command, Duration::from_secs(20), Fallback::Reject);
        assert!(says(&plugin, "hello").await.unwrap_err().starts_with("error: "));
    }
}
