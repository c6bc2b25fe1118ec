//! Small work on text that both providers need.

/// Returns bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]).collect()
}

/// Returns the bytes that hexadecimal digits of either case stand for, or `None` if they are none.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some((hex_value(*high)? << 4) | hex_value(*low)?),
            _ => None,
        })
        .collect()
}

/// Returns a provider's word as it may be logged: at most 32 ASCII letters, digits, `_` and `-`, the rest dropped.
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-').take(32).collect()
}

/// Returns a provider's explanation without control characters, cut to 300 characters.
pub(crate) fn explanation(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Returns the digit of a value below 16.
const fn hex_digit(value: u8) -> char {
    (match value {
        0..=9 => b'0' + value,
        _ => b'a' + (value & 15) - 10,
    }) as char
}

/// Returns the value of one hexadecimal digit.
const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
