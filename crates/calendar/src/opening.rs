//! Stretches of a day, as they are written.

use crate::config::ConfigError;

/// Minutes in a day.
pub(crate) const DAY: u16 = 24 * 60;
/// More openings in a day than any office has.
const MAX_OPENINGS: usize = 6;

/// A stretch of a day, in minutes from midnight by the clock; `to` is the first minute that is not of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The first minute of it.
    pub from: u16,
    /// The first minute after it, at most 1,440.
    pub to: u16,
}

/// Reads the stretches of a day, `["09:00-13:00", "16:00-19:00"]`, in any order.
pub(crate) fn read(field: &str, texts: &[String]) -> Result<Vec<Opening>, ConfigError> {
    let fail = |expected| ConfigError::new(field.to_owned(), expected);
    if texts.len() > MAX_OPENINGS {
        return Err(fail("at most 6 openings a day"));
    }
    let read = texts.iter().map(|text| {
        let (from, to) = text.split_once('-')?;
        Some(Opening { from: minute_of(from)?, to: minute_of(to)? })
    });
    let mut openings: Vec<Opening> =
        read.collect::<Option<_>>().ok_or_else(|| fail("times such as \"09:00-17:30\""))?;
    if openings.iter().any(|opening| opening.from >= opening.to) {
        return Err(fail("an opening that begins before it ends, on the same day"));
    }
    openings.sort_unstable();
    if openings.windows(2).any(|pair| matches!(pair, [first, second] if second.from < first.to)) {
        return Err(fail("openings that do not overlap"));
    }
    Ok(openings)
}

/// Reads a time of 24 hours, `9:00` to `24:00`, as minutes from midnight.
pub(crate) fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour, 2) || !digits(minute, 2) || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && total <= DAY).then_some(total)
}
