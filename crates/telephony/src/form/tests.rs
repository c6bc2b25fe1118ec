use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[test]
fn a_form_is_stricter_than_a_browser() {
    assert_eq!(Params::parse(b"a=%D7"), Params::parse(b"a=%D7&b=1"));
    for (form, error) in [
        (&b"a=1&b=%4"[..], FormError::PercentEncoding { at: 6 }),
        (b"%", FormError::PercentEncoding { at: 0 }),
        (b"a=%g0", FormError::PercentEncoding { at: 2 }),
    ] {
        assert_eq!(Params::parse(form), Err(error));
    }
    for overlong in [&b"a=%C0%AF"[..], b"a=%ED%A0%80", b"a=%D7", b"\xff=1"] {
        assert!(matches!(Params::parse(overlong), Err(FormError::NotUtf8 { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_form_is_written_and_read_back_exactly(pairs in pairs()) {
        let params: Params = pairs.into_iter().collect();
        prop_assert_eq!(Params::parse(params.encode().as_bytes()), Ok(params));
    }

    #[test]
    fn any_spelling_of_a_form_is_read_the_same(pairs in pairs(), spellings in vec(any::<u8>(), 1..40)) {
        let form = spell(&pairs, &spellings);
        prop_assert_eq!(Params::parse(&form), Ok(pairs.into_iter().collect()), "{}", String::from_utf8_lossy(&form));
    }

    #[test]
    fn what_is_within_the_limits_is_read_and_the_first_beyond_is_named(
        pairs in pairs(), max_bytes in 0_usize..400, max_params in 0_usize..8, max_name_bytes in 0_usize..12,
        max_value_bytes in 0_usize..40,
    ) {
        let limits = FormLimits { max_bytes, max_params, max_name_bytes, max_value_bytes };
        let params: Params = pairs.into_iter().collect();
        let form = params.encode();
        let beyond = || {
            if form.len() > max_bytes {
                return Some(FormError::TooLarge { bytes: form.len(), max: max_bytes });
            }
            params.iter().enumerate().find_map(|(index, (name, value))| {
                if index >= max_params {
                    Some(FormError::TooManyParams { max: max_params })
                } else if name.len() > max_name_bytes {
                    Some(FormError::NameTooLong { index, max: max_name_bytes })
                } else if value.len() > max_value_bytes {
                    Some(FormError::ValueTooLong { index, max: max_value_bytes })
                } else {
                    None
                }
            })
        };
        prop_assert_eq!(Params::parse_within(form.as_bytes(), &limits).err(), beyond());
    }

    #[test]
    fn a_form_torn_off_anywhere_keeps_what_is_before_or_is_refused_at_its_end(pairs in pairs(), cut in any::<Index>()) {
        let params: Params = pairs.into_iter().collect();
        let form = params.encode();
        let torn = form.get(..cut.index(form.len() + 1)).unwrap_or_default();
        match Params::parse(torn.as_bytes()) {
            Ok(read) => {
                let whole = read.len().saturating_sub(1);
                prop_assert!(read.iter().take(whole).eq(params.iter().take(whole)));
                for ((name, value), (full_name, full_value)) in read.iter().zip(params.iter()).skip(whole) {
                    prop_assert!(full_name.starts_with(name) && full_value.starts_with(value));
                }
            }
            Err(FormError::PercentEncoding { at }) => prop_assert!(at + 3 > torn.len()),
            Err(FormError::NotUtf8 { near, .. }) => prop_assert!(!torn[near..].contains('&')),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_a_form_that_reads_back_or_are_refused(bytes in vec(any::<u8>(), 0..200), text in "[a=&%+0-9D\\PC]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(params) = Params::parse(bytes) {
                prop_assert_eq!(Params::parse(params.encode().as_bytes()), Ok(params));
            }
        }
    }

    #[test]
    fn of_one_name_only_one_value_is_taken(
        values in vec(prop_oneof![Just(String::new()), Just("x".to_owned()), "[xy]{0,2}"], 0..4), others in pairs(),
    ) {
        let mut params = Params::new();
        let mut others = others.into_iter().filter(|(name, _)| name != "N");
        for value in &values {
            params.push("N", value.as_str());
            if let Some((name, value)) = others.next() {
                params.push(name, value);
            }
        }
        let first = values.first().map(String::as_str);
        let is_ambiguous = values.iter().any(|value| Some(value.as_str()) != first);
        let value = first.filter(|value| !value.is_empty());
        let optional = if is_ambiguous { Err(FieldError::Ambiguous { field: "N" }) } else { Ok(value) };
        prop_assert_eq!(params.optional("N"), optional);
        let required = optional.and_then(|value| value.ok_or(FieldError::Missing { field: "N" }));
        prop_assert_eq!(params.required("N"), required);
        prop_assert_eq!(params.first("N"), first);
    }

    #[test]
    fn values_do_not_show(names in vec("[a-z]{0,5}", 0..5), value in "[A-Z]{3,9}") {
        let params: Params = names.into_iter().map(|name| (name, value.clone())).collect();
        let shown = format!("{params:?}");
        prop_assert!(!shown.contains(&value));
    }
}

/// Names and values of all kinds, empty ones and repeated names among them.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let text = || prop_oneof!["[a-c]{0,2}", "\\PC{0,8}", "[א-ת ]{0,6}", "[&=+% \\x00-\\x1f]{0,4}"];
    vec((text(), text()), 0..8)
}

/// Writes a form with every freedom there is: escapes in both cases where none are needed, `+` and `%20`, empty pairs,
/// no `=` before an empty value.
fn spell(pairs: &[(String, String)], spellings: &[u8]) -> Vec<u8> {
    let mut choices = spellings.iter().copied().cycle();
    let mut choose = move |of: u8| choices.next().unwrap_or_default() % of;
    let mut form = Vec::new();
    for (name, value) in pairs {
        form.extend(vec![b'&'; usize::from(choose(3)) + 1]);
        for byte in name.bytes() {
            spell_byte(&mut form, byte, choose(4));
        }
        if !value.is_empty() || name.is_empty() || choose(2) == 0 {
            form.push(b'=');
        }
        for byte in value.bytes() {
            spell_byte(&mut form, byte, choose(4));
        }
    }
    form
}

fn spell_byte(form: &mut Vec<u8>, byte: u8, choice: u8) {
    match (byte, choice) {
        (b' ', 0) => form.push(b'+'),
        (b'&' | b'=' | b'+' | b'%', 0 | 2) | (_, 1) => form.extend(format!("%{byte:02X}").into_bytes()),
        (b'&' | b'=' | b'+' | b'%', _) | (_, 3) => form.extend(format!("%{byte:02x}").into_bytes()),
        (byte, _) => form.push(byte),
    }
}
