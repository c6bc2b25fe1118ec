use std::time::Duration;

use proptest::prelude::*;
use telephony::wire::Address;
use units::Pii;

use crate::outbound::{MAX_IMAGE_BYTES, MAX_MEDIA_BYTES, OutboundMedia, Template};
use crate::refusal::CODES;
use crate::window::{Allowed, WINDOW};
use crate::{
    Content, Inbound, MessageId, Outbound, OutboundContent, Progress, Provider, Refusal, Refused, State, StatusUpdate,
    UnixTime, Window,
};

const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

#[test]
fn every_order_of_every_state_with_repetitions_ends_the_same() {
    let updates = [
        update(State::Accepted, 1),
        update(State::Queued, 2),
        update(State::Sent, 3),
        update(failed(Some(131_026)), 4),
        update(State::Delivered, 5),
        update(State::Read, 6),
    ];
    for mask in 1_u32..64 {
        let chosen: Vec<_> = (0..6).filter(|bit| mask & (1 << bit) != 0).map(|bit| updates[bit].clone()).collect();
        let furthest = chosen.last().unwrap();
        for order in permutations(&chosen) {
            let mut progress = Progress::default();
            for update in order.iter().chain(&order).chain(order.iter().rev()) {
                progress.apply(update);
            }
            assert_eq!((progress.state(), progress.at()), (Some(&furthest.state), Some(furthest.at)));
        }
    }
}

#[test]
fn a_failure_after_delivery_is_ignored_and_a_repetition_changes_nothing() {
    let mut progress = Progress::default();
    assert_eq!((progress.state(), progress.at()), (None, None));
    assert!(progress.apply(&update(State::Sent, 1)));
    assert!(!progress.apply(&update(State::Sent, 1)));
    assert!(!progress.apply(&update(State::Queued, 2)));
    assert!(progress.apply(&update(failed(None), 3)));
    assert!(progress.apply(&update(failed(Some(63_016)), 4)));
    assert!(!progress.apply(&update(failed(None), 2)));
    assert!(progress.apply(&update(State::Delivered, 6)));
    assert!(!progress.apply(&update(failed(Some(63_016)), 7)));
    assert!(!progress.apply(&update(State::Delivered, 8)));
    assert!(progress.apply(&update(State::Delivered, 5)));
    assert_eq!((progress.state(), progress.at()), (Some(&State::Delivered), Some(UnixTime::from_secs(5))));
}

#[test]
fn progress_survives_the_store() {
    let mut progress = Progress::default();
    assert_eq!(serde_json::to_string(&progress).unwrap(), "null");
    progress.apply(&update(failed(Some(63_016)), 4));
    let stored = serde_json::to_string(&progress).unwrap();
    assert_eq!(stored, r#"{"state":{"failed":{"code":63016,"text":"to +972541234567"}},"at":4000}"#);
    assert_eq!(serde_json::from_str::<Progress>(&stored).unwrap(), progress);
}

proptest! {
    #[test]
    fn progress_is_a_join(
        a in any_progress(), b in any_progress(), c in any_progress(),
    ) {
        let join = |a: &Progress, b: &Progress| a.clone().join(b.clone());
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(&join(&a, &a), &a);
        prop_assert_eq!(&join(&a, &Progress::default()), &a);
    }

    #[test]
    fn a_shuffled_and_repeated_history_ends_as_the_straight_one(
        (history, shuffled) in prop::collection::vec(any_update(), 1..12).prop_flat_map(|history| {
            let twice: Vec<_> = history.iter().chain(&history).cloned().collect();
            (Just(history), Just(twice).prop_shuffle())
        }),
    ) {
        let end = |updates: &[StatusUpdate]| {
            let mut progress = Progress::default();
            let changed: Vec<bool> = updates.iter().map(|update| progress.apply(update)).collect();
            (progress, changed)
        };
        let (straight, _) = end(&history);
        prop_assert_eq!(&end(&shuffled).0, &straight);
        let furthest = history.iter().map(|update| update.state.rank()).max();
        prop_assert_eq!(straight.state().map(State::rank), furthest);
    }

    #[test]
    fn the_window_is_open_for_24_hours_after_the_latest_message(
        times in prop::collection::vec(0_u64..400_000, 0..8), now in 0_u64..600_000,
    ) {
        let mut window = Window::new();
        for time in &times {
            window.note_inbound(UnixTime::from_secs(*time));
        }
        let open_until = times.iter().max().map(|time| time + 86_400);
        let expected = match open_until {
            Some(until) if now < until => Allowed::FreeText { until: UnixTime::from_secs(until) },
            _ => Allowed::TemplateOnly,
        };
        prop_assert_eq!(window.allowed(UnixTime::from_secs(now)), expected);
    }
}

#[test]
fn outside_the_window_only_a_template_goes_out_on_whatsapp_and_anything_by_sms() {
    let mut window = Window::new();
    let free = [text("x"), media("image/png", None)];
    for message in &free {
        let refused = window.check(NOW, message).unwrap_err();
        assert_eq!(refused.refusal, Refusal::WindowClosed);
        assert_eq!(refused.code(Provider::Twilio), Some(63_016));
        assert_eq!(refused.code(Provider::Meta), Some(131_047));
        let sms = Outbound { to: Address::of("+972541234567").into(), ..message.clone() };
        assert_eq!(window.check(NOW, &sms), Ok(()));
    }
    assert_eq!(window.check(NOW, &template(&[], None)), Ok(()));
    window.note_inbound(NOW);
    let end = NOW.saturating_add(WINDOW);
    let last = UnixTime::from_millis(end.as_millis() - 1);
    assert!(free.iter().all(|message| window.check(last, message).is_ok()));
    assert!(free.iter().all(|message| window.check(end, message).is_err()));
}

#[test]
fn codes_are_in_one_row_each_and_refusals_name_their_own() {
    for provider in [Provider::Twilio, Provider::Meta] {
        for code in 0..140_000 {
            let refusal = Refusal::of(provider, code);
            let first = refusal.code(provider).unwrap();
            assert_eq!(Refusal::of(provider, first), refusal, "{code}");
        }
    }
    let mut codes: Vec<_> = CODES.iter().flat_map(|(_, twilio, _)| *twilio).collect();
    codes.extend(CODES.iter().flat_map(|(_, _, meta)| *meta));
    let all = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), all);
    assert_eq!(Refusal::MediaTooLarge.code(Provider::Meta), None);
    let transient = [
        (Provider::Meta, 130_429, true),
        (Provider::Twilio, 63_018, true),
        (Provider::Twilio, 20_429, true),
        (Provider::Meta, 131_016, true),
        (Provider::Meta, 131_026, false),
        (Provider::Meta, 131_047, false),
        (Provider::Twilio, 63_016, false),
        (Provider::Twilio, 63_038, false),
        (Provider::Twilio, 12_345, false),
    ];
    for (provider, code, expected) in transient {
        assert_eq!(Refusal::of(provider, code).is_transient(), expected, "{code}");
    }
    assert_eq!(Refusal::of(Provider::Twilio, 131_047), Refusal::Other(131_047));
    assert_eq!(Refusal::of(Provider::Meta, 131_047), Refusal::of(Provider::Twilio, 63_016));
}

#[test]
fn texts_and_files_are_checked_before_sending() {
    let refused = |message: &Outbound| {
        let refused: Refused = message.check(1_600).unwrap_err();
        (refused.field, refused.code(Provider::Twilio))
    };
    for blank in ["", " \n\t", "\u{A0}"] {
        assert_eq!(refused(&text(blank)), ("text", Some(21_619)));
    }
    assert_eq!(refused(&text(&"x".repeat(1_601))), ("text", Some(21_617)));
    for url in ["", "http://a/b", "https://", "https:///x", "https://a/b c", "https://a/שלום", "ftp://a", "https://?x"]
    {
        let mut message = media("image/png", None);
        set_media(&mut message, |media| media.url = pii(url));
        assert_eq!(refused(&message), ("media.url", Some(21_620)), "{url}");
    }
    let mut message = media("image/png", None);
    set_media(&mut message, |media| media.url = pii(&format!("https://a/{}", "x".repeat(2_048))));
    assert_eq!(refused(&message).0, "media.url");
    for content_type in ["", "image", "image/", "/png", "im age/png"] {
        assert_eq!(refused(&media(content_type, None)), ("media.content_type", Some(63_005)), "{content_type}");
    }
    assert_eq!(refused(&media("audio/ogg", Some("x"))), ("media.caption", Some(63_005)));
    assert_eq!(refused(&media("image/png", Some(" "))), ("media.caption", Some(21_619)));
    for (content_type, max) in
        [("image/jpeg", MAX_IMAGE_BYTES), ("video/mp4", MAX_MEDIA_BYTES), ("application/pdf", MAX_MEDIA_BYTES)]
    {
        let mut message = media(content_type, None);
        set_media(&mut message, |media| media.bytes = Some(max));
        assert_eq!(message.check(1_600), Ok(()));
        set_media(&mut message, |media| media.bytes = Some(max + 1));
        assert_eq!(refused(&message), ("media.bytes", Some(63_034)));
    }
}

#[test]
fn templates_are_checked_before_sending() {
    let refused = |message: &Outbound| {
        let refused = message.check(1_600).unwrap_err();
        (refused.field, refused.code(Provider::Twilio), refused.code(Provider::Meta))
    };
    let invalid = ("template.variables", Some(63_013), Some(132_012));
    for value in ["", "  ", "a     b", "a\nb", "a\tb"] {
        assert_eq!(refused(&template(&["דנה", value], None)), invalid, "{value:?}");
    }
    assert!(template(&["a    b", "a b c d e f g"], None).check(1_600).is_ok());
    let count = ("template.variables", Some(63_028), Some(132_000));
    assert_eq!(refused(&template(&["a"], Some("no places"))), count);
    assert_eq!(refused(&template(&["a"], Some("{{1}} and {{2}}"))), count);
    assert_eq!(refused(&template(&["x"; 101], None)), count);
    assert!(template(&["a", "b"], Some("{{2}} {{ 1 }} {{x}} {{")).check(1_600).is_ok());
    let long = ("template.variables", Some(63_021), Some(132_005));
    let (fits, over) = ("א".repeat(1_024), "א".repeat(1_025));
    assert!(template(&[&fits], None).check(1_600).is_ok());
    assert_eq!(refused(&template(&[&over], None)), long);
    let half = "א".repeat(510);
    assert!(template(&[&half], Some("ab{{1}}cd{{1}}")).check(1_600).is_ok());
    assert_eq!(refused(&template(&[&half], Some("abc{{1}}cd{{1}}"))), long);
    for (change, field) in [(0, "template.name"), (1, "template.sid"), (2, "template.language")].map(|(what, field)| {
        let mut message = template(&[], None);
        if let OutboundContent::Template(template) = &mut message.content {
            match what {
                0 => template.name = "two words".to_owned(),
                1 => template.sid = Some("HX/1".to_owned()),
                _ => template.language = String::new(),
            }
        }
        (message, field)
    }) {
        assert_eq!(refused(&change), (field, Some(63_027), Some(132_001)));
    }
}

#[test]
fn nothing_about_a_person_is_shown() {
    let inbound = Inbound {
        id: "wamid.HBgMOTcyNTQxMjM0NTY3".parse().unwrap(),
        provider: Provider::Meta,
        from: Address::of("whatsapp:+972541234567").into(),
        to: Address::of("whatsapp:+972771234567").into(),
        profile_name: Some(pii("דנה")),
        at: NOW,
        content: Content::Text(pii("יש לי בעיה")),
        reply_to: None,
    };
    let mut outbound = media("image/png", Some("הנה"));
    set_media(&mut outbound, |media| media.url = pii("https://a/t0ken"));
    let mut progress = Progress::default();
    progress.apply(&update(failed(Some(1)), 1));
    let shown = format!(
        "{inbound:?} {outbound:?} {:?} {:?} {progress:?} {:?}",
        text("סוד"),
        template(&["סוד"], None),
        update(failed(None), 1)
    );
    assert!(shown.contains("MessageId(073ee0cf)"), "{shown}");
    for secret in ["54123", "77123", "HBgM", "דנה", "בעיה", "הנה", "t0ken", "סוד"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn names_of_messages_are_short_visible_ascii() {
    for bad in ["", "a b", "א", "a\n", &"x".repeat(257)] {
        assert!(bad.parse::<MessageId>().is_err(), "{bad:?}");
        assert!(serde_json::from_value::<MessageId>(bad.into()).is_err());
    }
    let id: MessageId = "wamid.HBgM+/==".parse().unwrap();
    assert_eq!(serde_json::to_string(&id).unwrap(), r#""wamid.HBgM+/==""#);
}

#[test]
fn times_at_the_edges_saturate() {
    let end = UnixTime::from_secs(u64::MAX);
    assert_eq!(end.saturating_add(Duration::MAX), end);
    assert_eq!(NOW.saturating_since(end), Duration::ZERO);
    let mut window = Window::new();
    window.note_inbound(end);
    assert_eq!(window.allowed(end), Allowed::TemplateOnly);
}

/// Every order of these updates.
fn permutations(updates: &[StatusUpdate]) -> Vec<Vec<StatusUpdate>> {
    let mut orders = vec![Vec::new()];
    for update in updates {
        orders = orders
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(|at| {
                    let mut longer = order.clone();
                    longer.insert(at, update.clone());
                    longer
                })
            })
            .collect();
    }
    orders
}

fn any_update() -> impl Strategy<Value = StatusUpdate> {
    let states = prop_oneof![
        Just(State::Accepted),
        Just(State::Queued),
        Just(State::Sent),
        Just(State::Delivered),
        Just(State::Read),
        (prop::option::of(0_u32..3), prop::option::of("[ab]"))
            .prop_map(|(code, text)| State::Failed { code, text: text.map(Pii::new) }),
    ];
    (states, 0_u64..4).prop_map(|(state, at)| update(state, at))
}

fn any_progress() -> impl Strategy<Value = Progress> {
    prop::option::of(any_update()).prop_map(|update| update.map_or_else(Progress::default, |u| Progress::of(&u)))
}

fn update(state: State, at: u64) -> StatusUpdate {
    StatusUpdate { id: "SM1".parse().unwrap(), provider: Provider::Twilio, state, at: UnixTime::from_secs(at) }
}

fn failed(code: Option<u32>) -> State {
    State::Failed { code, text: Some(pii("to +972541234567")) }
}

fn text(text: &str) -> Outbound {
    Outbound { to: Address::of("whatsapp:+972541234567").into(), content: OutboundContent::Text(pii(text)) }
}

fn media(content_type: &str, caption: Option<&str>) -> Outbound {
    let media = OutboundMedia {
        url: pii("https://box.example.org/m/1"),
        caption: caption.map(pii),
        content_type: content_type.to_owned(),
        bytes: None,
    };
    Outbound { content: OutboundContent::Media(media), ..text("") }
}

fn set_media(message: &mut Outbound, change: impl FnOnce(&mut OutboundMedia)) {
    if let OutboundContent::Media(media) = &mut message.content {
        change(media);
    }
}

fn template(values: &[&str], approved: Option<&str>) -> Outbound {
    let template = Template {
        name: "appointment".to_owned(),
        sid: Some("HX1".to_owned()),
        language: "he".to_owned(),
        variables: values.iter().map(|value| pii(value)).collect(),
        text: approved.map(str::to_owned),
    };
    Outbound { content: OutboundContent::Template(template), ..text("") }
}

fn pii(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}
