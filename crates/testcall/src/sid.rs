//! Names and times in the carrier's way of writing them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a new name: two letters and 32 random hexadecimal digits.
pub(crate) fn new_sid(kind: &str) -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{kind}{:016x}{:016x}", half(), half())
}

/// Returns a new name as the identity it is for.
pub(crate) fn new_id<T: FromStr>(kind: &str) -> T {
    match new_sid(kind).parse() {
        Ok(id) => id,
        Err(_) => unreachable!("a name of letters and digits is an identity"),
    }
}

/// Returns a time as RFC 2822 writes it: `Sat, 21 Nov 2026 08:00:00 +0000`.
pub(crate) fn rfc_2822(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, clock, days) = civil(time);
    let day_name = usize::try_from(days % 7).ok().and_then(|n| DAYS.get(n)).unwrap_or(&"Thu");
    let month = usize::try_from(date.1 - 1).ok().and_then(|n| MONTHS.get(n)).unwrap_or(&"Jan");
    format!("{day_name}, {:02} {month} {} {:02}:{:02}:{:02} +0000", date.2, date.0, clock.0, clock.1, clock.2)
}

/// Returns a time as ISO 8601 writes it: `2026-11-21T08:00:00Z`.
pub(crate) fn iso_8601(time: SystemTime) -> String {
    let (date, clock, _) = civil(time);
    format!("{}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.0, date.1, date.2, clock.0, clock.1, clock.2)
}

type Triple = (u64, u64, u64);

/// Returns the date (year, month, day), the time of day, and the days since 1970, in UTC.
///
/// Counts in eras of 400 years that begin on a 1 March, so that the leap day is the last of its year.
fn civil(time: SystemTime) -> (Triple, Triple, u64) {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let days = seconds / 86_400;
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let of_day = seconds % 86_400;
    ((year, month, day), (of_day / 3_600, of_day / 60 % 60, of_day % 60), days)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{iso_8601, new_sid, rfc_2822};

    #[test]
    fn times_are_written_as_the_carrier_writes_them() {
        for (seconds, rfc, iso) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00Z"),
            (1_795_248_000, "Sat, 21 Nov 2026 08:00:00 +0000", "2026-11-21T08:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!((rfc_2822(time).as_str(), iso_8601(time).as_str()), (rfc, iso));
        }
    }

    #[test]
    fn names_are_new_each_time_and_as_long_as_the_carriers() {
        let (one, other) = (new_sid("CA"), new_sid("CA"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 34);
    }
}
