//! Telephone numbers, so that one person is one lead however the number was written.

use telephony::wire::Address;

/// The country whose national numbers are understood: Israel (ITU-T E.164, country code 972).
const COUNTRY: &str = "972";

/// Returns a number in E.164, or `None` when it is none that can be called from abroad: withheld, a short code, a
/// freephone number, a word.
///
/// `054-123-4567`, `972541234567`, `00972541234567`, `+972 (0)54 1234567` and `whatsapp:+972541234567` are the same.
pub fn e164(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("whatsapp:").unwrap_or(text);
    if text.chars().any(|c| !(c.is_ascii_digit() || "+-.() /\u{2011}\u{200e}\u{200f}\u{a0}".contains(c))) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = if text.starts_with('+') {
        digits
    } else if let Some(rest) = digits.strip_prefix("00") {
        rest.to_owned()
    } else if let Some(rest) = digits.strip_prefix('0') {
        format!("{COUNTRY}{rest}")
    } else if digits.starts_with(COUNTRY) {
        digits
    } else {
        return None;
    };
    let number = match international.strip_prefix(COUNTRY) {
        // `+972 (0)54…` is written so by people.
        Some(rest) => {
            let rest = rest.strip_prefix('0').unwrap_or(rest);
            // Area code and seven digits, or a mobile's two digits and seven.
            if !(8..=9).contains(&rest.len()) || rest.starts_with('0') {
                return None;
            }
            format!("+{COUNTRY}{rest}")
        }
        None if (7..=15).contains(&international.len()) => format!("+{international}"),
        None => return None,
    };
    // The carrier writes words in digits for callers who withhold theirs.
    Address::of(&number).phone_number().map(str::to_owned)
}

/// Returns the digits of a number as it is dialled at home: `0541234567` for `+972541234567`.
pub(crate) fn national(number: &str) -> Option<String> {
    number.strip_prefix('+')?.strip_prefix(COUNTRY).map(|rest| format!("0{rest}"))
}
