//! Unix seconds as people read them, for the sentences of refusals. Coordinated universal time:
//! a node does not know where its reader lives.

use ayni_protocol::Timestamp;

const DAY_SECS: u64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const CYCLE_DAYS: u64 = 146_097;
/// Days from 1 March of year 0 to 1 January 1970.
const EPOCH_DAYS: u64 = 719_468;

/// `2026-03-01 12:00:05 UTC`.
pub fn utc(at: Timestamp) -> String {
    let (year, month, day) = date(at / DAY_SECS);
    let (hour, minute, second) = (at / 3_600 % 24, at / 60 % 60, at % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date of a day since 1970, in years that start in March, so that a leap day comes last.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAYS;
    let (cycle, day) = (days / CYCLE_DAYS, days % CYCLE_DAYS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // Months from March have 31, 30, 31, 30, 31 days and again: 153 in every five.
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (cycle * 400 + year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn known_moments() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_692_803_367), "2023-08-23 15:09:27 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59:59 UTC");
    }
}
