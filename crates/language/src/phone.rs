//! How long telephone numbers are, so that a caller is not cut off in the middle of one.
//!
//! Israel's numbering plan: mobile `05x` and office `07x` numbers have 10 digits, landlines (`02`, `03`, `04`, `08`,
//! `09`) 9, toll-free and shared-cost `1-800`, `1-700`, `1-599`, `1-809` 10, short office numbers are `*` and 4 digits. With the
//! country code, `+972` takes the place of the first zero. North American numbers have 10 digits, or 11 with a leading 1.

use alloc::string::String;
use alloc::vec::Vec;

use units::Language;

/// How far a telephone number has been dictated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneProgress {
    /// These digits do not begin a telephone number, or are too few to tell.
    NoNumber,
    /// A number is under way; this many digits are missing.
    Partial {
        /// Digits still to come, at least 1.
        missing: usize,
    },
    /// All digits are there.
    Complete,
    /// More digits than any number of this kind has.
    TooLong,
}

/// Returns how far `digits` (as [`crate::digits::DigitRun::digits`] gives them) are from a whole telephone number.
pub fn phone_progress(digits: &str, language: Language) -> PhoneProgress {
    let Some(expected) = expected_len(digits, language) else { return PhoneProgress::NoNumber };
    let have = digits.chars().filter(|c| *c != '#').count();
    match have.cmp(&expected) {
        core::cmp::Ordering::Less => PhoneProgress::Partial { missing: expected - have },
        core::cmp::Ordering::Equal => PhoneProgress::Complete,
        core::cmp::Ordering::Greater => PhoneProgress::TooLong,
    }
}

/// Returns how many characters (digits, and `+` or `*` in front) a number that starts so has.
fn expected_len(digits: &str, language: Language) -> Option<usize> {
    let starts = |prefix: &str| digits.starts_with(prefix);
    if starts("*") {
        return Some(5);
    }
    if let Some(abroad) = digits.strip_prefix('+') {
        return Some(match abroad.strip_prefix("972") {
            Some(rest) if rest.starts_with(['5', '7']) => 13,
            Some(rest) if !rest.is_empty() => 12,
            Some(_) => 13,
            None => 12,
        });
    }
    if starts("972") && digits.len() > 3 {
        return Some(if starts("9725") || starts("9727") { 12 } else { 11 });
    }
    if starts("05") || starts("07") || digits == "0" {
        return Some(10);
    }
    if ["02", "03", "04", "08", "09"].iter().any(|prefix| starts(prefix)) {
        return Some(9);
    }
    if ["1800", "1700", "1599", "1809", "1801", "1222"]
        .iter()
        .any(|prefix| starts(prefix) || (digits.len() > 1 && prefix.starts_with(digits)))
    {
        return Some(10 + usize::from(language == Language::English && starts("1800")));
    }
    if language == Language::English && digits.len() >= 3 && starts_with_area(digits) {
        return Some(if starts("1") { 11 } else { 10 });
    }
    None
}

/// Area codes of North America start with 2 to 9.
fn starts_with_area(digits: &str) -> bool {
    digits.strip_prefix('1').unwrap_or(digits).starts_with(['2', '3', '4', '5', '6', '7', '8', '9'])
}

/// Splits the digits of a number the way it is said: 054-123-4567, 03-123-4567, 1-800-123-456, *1234.
///
/// A leading `+` or `*` stays with the first group.
pub fn phone_groups(digits: &str) -> Vec<String> {
    let plain: Vec<char> = digits.chars().filter(|c| c.is_ascii_digit() || matches!(c, '+' | '*')).collect();
    let text: String = plain.iter().collect();
    let sizes: &[usize] = match plain.len() {
        _ if text.starts_with("+9725") || text.starts_with("+9727") => &[4, 2, 3, 4],
        _ if text.starts_with("+972") => &[4, 1, 3, 4],
        _ if text.starts_with("+1") => &[2, 3, 3, 4],
        _ if text.starts_with('*') => &[5],
        10 if text.starts_with('1') => &[1, 3, 3, 3],
        11 if text.starts_with('1') => &[1, 3, 3, 4],
        9 if text.starts_with('0') => &[2, 3, 4],
        10 => &[3, 3, 4],
        _ => &[3; 16],
    };
    let mut groups = Vec::new();
    let mut rest = plain.as_slice();
    let mut sizes = sizes.iter();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(3).min(rest.len());
        let (group, after) = rest.split_at(size);
        groups.push(group.iter().collect::<String>());
        rest = after;
    }
    // A lone last digit is said with the group before it.
    if let [.., before, last] = groups.as_mut_slice()
        && last.len() == 1
    {
        before.push_str(last);
        groups.pop();
    }
    groups
}
