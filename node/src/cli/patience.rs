//! Waiting for what others have to do: witnesses to sign, a clearing node to quote. Most of it takes
//! a moment; where it takes longer the command says what it waits for, and how long it will.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long nothing is said.
const SILENT: Duration = Duration::from_secs(2);

/// Asks until there is an answer, at least once; nothing where there is none within `longest`.
/// `awaited` is what the command says on standard error that it waits for.
///
/// # Errors
/// What asking fails with.
pub fn patiently<T>(
    longest: Duration,
    awaited: &str,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        let answer = ask()?;
        let spent = began.elapsed();
        if answer.is_some() || spent >= longest {
            return Ok(answer);
        }
        if !is_told && spent >= SILENT {
            eprintln!("Waiting for {awaited}, up to {} s.", longest.as_secs());
            is_told = true;
        }
        std::thread::sleep(LOOK.min(longest.saturating_sub(spent)));
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn asks_until_there_is_an_answer() {
        let mut asked = 0;
        let answer = patiently(Duration::from_secs(60), "a third question", || {
            asked += 1;
            Ok((asked == 3).then_some("here"))
        });
        assert_eq!((answer.unwrap(), asked), (Some("here"), 3));
    }

    #[test]
    fn asks_once_where_there_is_no_time_and_passes_on_what_fails() {
        let mut asked = 0;
        let answer = patiently(Duration::ZERO, "nothing", || {
            asked += 1;
            Ok(None::<()>)
        });
        assert_eq!((answer.unwrap(), asked), (None, 1));
        assert!(
            patiently(Duration::from_secs(60), "it", || -> Result<Option<()>> { bail!("no") })
                .is_err()
        );
    }
}
