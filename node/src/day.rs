//! Days of the calendar and unix seconds: what people write, and what events say.
//!
//! By the proleptic Gregorian calendar and UTC, after Howard Hinnant's days-to-civil and its
//! inverse, which count days since 0000-03-01.

use anyhow::{Context as _, Result};
use ayni_protocol::Timestamp;

const DAY_SECS: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// The first second of a day that somebody wrote as `2026-03-01`, or the second itself.
///
/// # Errors
/// Where it is neither.
pub fn start(text: &str) -> Result<Timestamp> {
    if let Ok(second) = text.parse() {
        return Ok(second);
    }
    let days = days(text).with_context(|| {
        format!("{text} is no day: write it as 2026-03-01, or give unix seconds")
    })?;
    Ok(days.saturating_mul(DAY_SECS))
}

/// The first second after such a day, or the second itself.
///
/// # Errors
/// As [`start`].
pub fn end(text: &str) -> Result<Timestamp> {
    let start = start(text)?;
    Ok(if text.contains('-') { start.saturating_add(DAY_SECS) } else { start })
}

/// Days since 1970 of `2026-03-01`.
fn days(text: &str) -> Option<u64> {
    let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=9_999).contains(&year) {
        return None;
    }
    let from_march = if month > 2 { month - 3 } else { month.checked_add(9)? };
    let year_from_march = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let day_of_year = (153 * from_march.min(11) + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(EPOCH)?;
    // The thirtieth of February is a day of another month.
    (written(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of a number of days since 1970.
const fn written(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(EPOCH);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// `2026-11-21T13:05:00Z`.
#[must_use]
pub fn date(at: Timestamp) -> String {
    let ((year, month, day), secs) = (written(at / DAY_SECS), at % DAY_SECS);
    let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(u64, &str); 5] = [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (1_795_266_300, "2026-11-21T13:05:00Z"),
    ];

    #[test]
    fn dates_are_the_calendars() {
        for (at, expected) in CASES {
            assert_eq!(date(at), expected);
            let day = expected.split('T').next().unwrap();
            assert_eq!(start(day).unwrap(), at - at % DAY_SECS, "{day}");
            assert_eq!(end(day).unwrap(), at - at % DAY_SECS + DAY_SECS, "{day}");
        }
    }

    #[test]
    fn what_is_no_day_is_refused_and_seconds_are_seconds() {
        for wrong in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1",
            "1969-12-31",
            "today",
            "2026-01-00",
            "2026-01-01-01",
        ] {
            let said = start(wrong).unwrap_err().to_string();
            assert!(said.contains("is no day"), "{wrong}: {said}");
        }
        assert_eq!((start("7").unwrap(), end("7").unwrap()), (7, 7));
    }
}
