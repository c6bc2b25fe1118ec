use proptest::prelude::*;
use serde_json::{Value, json};
use telephony::wire::Address;
use telephony::{FieldError, Params};
use units::Pii;

use super::*;
use crate::message::{Content, MediaKind, MediaSource, Provider};
use crate::outbound::{Outbound, OutboundContent, OutboundMedia, Template};
use crate::status::State;
use crate::{Answer, Refusal, UnixTime};

mod properties;

/// A body with letters, an escape and a sign outside the basic plane: what breaks when JSON is written again.
const BODY: &str = "{\"object\":\"whatsapp_business_account\",\"entry\":[],\"note\":\"שלום \\u05d0 😀\"}";

/// Our number's name at Meta, in the golden bodies.
const NUMBER: &str = "106540352242922";

/// HMAC-SHA256 of [`BODY`] under `app-secret-1` and `app-secret-2`, and of nothing under `app-secret-1`, computed with
/// Python's `hmac`.
const VECTORS: [(&str, &str, &str); 3] = [
    ("app-secret-1", BODY, "04e16138075a04eb9466e19ff14e0b4cb9c619d116c70ca874579db1f9322cd0"),
    ("app-secret-2", BODY, "8053cf5a7cb04a68a47903e727f690712255eb6b20cbf2e4713bb57d50606bd4"),
    ("app-secret-1", "", "141680187efb610d9f28ea617a8fe902610e8a09ae982bf690d88a6473b8ee46"),
];

#[test]
fn signatures_of_both_active_secrets_verify_and_no_others() {
    let verifier = Verifier::new(secret("app-secret-1")).with_secondary(secret("app-secret-2\n"));
    for (key, body, hex) in VECTORS {
        let header = format!("sha256={hex}");
        assert_eq!(Signer::new(secret(key)).sign(body.as_bytes()), header);
        assert_eq!(verifier.verify(body, Some(&header)).unwrap().bytes(), body.as_bytes());
        assert!(verifier.verify(body, Some(&format!("sha256={}", hex.to_uppercase()))).is_ok());
    }
    let third = Signer::new(secret("app-secret-3")).sign(BODY.as_bytes());
    assert_eq!(verifier.verify(BODY, Some(&third)).unwrap_err(), SignatureError::Wrong);
    let only = Verifier::new(secret("app-secret-1"));
    let second = format!("sha256={}", VECTORS[1].2);
    assert_eq!(only.verify(BODY, Some(&second)).unwrap_err(), SignatureError::Wrong);
}

#[test]
fn a_signature_that_is_missing_or_malformed_is_told_from_a_wrong_one() {
    let verifier = Verifier::new(secret("app-secret-1"));
    assert_eq!(verifier.verify(BODY, None).unwrap_err(), SignatureError::Missing);
    let hex = VECTORS[0].2;
    for header in ["", "sha256=", "sha1=00", hex, &format!("sha256={}", &hex[2..]), "sha256=zz", "sha256=אא"] {
        assert_eq!(verifier.verify(BODY, Some(header)).unwrap_err(), SignatureError::Malformed, "{header}");
    }
    let rewritten = serde_json::from_str::<Value>(BODY).unwrap().to_string();
    let header = format!("sha256={hex}");
    assert_eq!(verifier.verify(rewritten, Some(&header)).unwrap_err(), SignatureError::Wrong);
}

#[test]
fn the_challenge_is_answered_only_with_the_right_token() {
    let token = secret("verify-me");
    let query = |mode: &str, token: &str, challenge: &str| {
        Params::new().with("hub.mode", mode).with("hub.verify_token", token).with("hub.challenge", challenge)
    };
    assert_eq!(challenge(&query("subscribe", "verify-me", "1158201444"), &token), Ok("1158201444".to_owned()));
    for wrong in ["verify-m", "verify-mee", "Verify-me", "verify-me "] {
        let error = challenge(&query("subscribe", wrong, "1"), &token).unwrap_err();
        assert_eq!((error, error.http_status()), (ChallengeError::WrongToken, 403), "{wrong}");
    }
    let cases = [
        (query("unsubscribe", "verify-me", "1"), "hub.mode"),
        (query("subscribe", "", "1"), "hub.verify_token"),
        (query("subscribe", "verify-me", ""), "hub.challenge"),
        (query("subscribe", "verify-me", "<script>"), "hub.challenge"),
        (query("subscribe", "verify-me", &"1".repeat(257)), "hub.challenge"),
        (query("subscribe", "verify-me", "1").with("hub.challenge", "2"), "hub.challenge"),
        (Params::new(), "hub.mode"),
    ];
    for (query, name) in cases {
        let error = challenge(&query, &token).unwrap_err();
        let ChallengeError::Field(field) = error else { panic!("{name}: {error}") };
        assert_eq!((field_of(field), error.http_status()), (name, 400));
        assert!(!error.to_string().contains("verify-me"));
    }
    assert!("  \n".parse::<Secret>().is_err());
    assert_eq!(format!("{token:?} {:?}", Verifier::new(token.clone())).matches("[secret]").count(), 2);
}

#[test]
fn messages_of_every_kind_are_read() {
    let batch = golden(include_str!("../../golden/meta/messages.json"));
    assert_eq!((batch.statuses.len(), batch.broken.len(), batch.ignored), (0, 0, 0));
    for (number, inbound) in (1..).zip(&batch.inbound) {
        assert_eq!((inbound.provider, inbound.at), (Provider::Meta, UnixTime::from_secs(1_790_000_000 + number)));
        assert_eq!(inbound.from.reveal(), &Address::WhatsApp("+972541234567".to_owned()));
        assert_eq!(inbound.to.reveal(), &Address::WhatsApp("+972771234567".to_owned()));
        assert_eq!(inbound.profile_name.as_ref().unwrap().reveal(), "דנה כהן");
    }
    assert_eq!(batch.inbound[0].reply_to.as_ref().unwrap().as_str(), "wamid.EARLIER");
    let earlier = "wamid.EARLIER".parse().unwrap();
    let contents: Vec<_> = batch.inbound.iter().map(|inbound| &inbound.content).collect();
    assert_eq!(contents[0], &Content::Text(pii("שלום 😀")));
    let Content::Media { items, caption } = contents[1] else { panic!("no picture") };
    assert_eq!((items[0].kind, caption), (MediaKind::Image, &Some(pii("זה הנזק"))));
    assert_eq!(items[0].source, MediaSource::Meta { media: "1111".to_owned() });
    assert_eq!(items[0].sha256.unwrap()[31], 31);
    assert!(matches!(contents[2], Content::VoiceNote(media) if media.content_type == "audio/ogg"));
    assert!(matches!(contents[3], Content::Media { items, .. } if items[0].kind == MediaKind::Audio));
    assert!(matches!(contents[4], Content::Media { items, .. } if items[0].file_name == Some(pii("חוזה.pdf"))));
    assert!(matches!(contents[5], Content::Media { items, .. } if items[0].kind == MediaKind::Sticker));
    assert_eq!(contents[6], &Content::Button { payload: pii("confirm"), text: pii("כן, מתאים") });
    assert_eq!(contents[7], &Content::Button { payload: pii("sunday"), text: pii("יום ראשון") });
    assert_eq!(contents[8], &Content::Button { payload: pii("ten"), text: pii("10:00") });
    let Content::Location(place) = contents[9] else { panic!("no place") };
    assert_eq!((place.reveal().latitude_micros, place.reveal().longitude_micros), (32_085_300, 34_781_768));
    let Content::Contacts(contacts) = contents[10] else { panic!("no contacts") };
    assert_eq!(contacts.reveal()[0].name.as_deref(), Some("יוסי לוי"));
    assert_eq!(contacts.reveal()[0].phones, ["+972 52-765-4321"]);
    assert_eq!(contents[11], &Content::Reaction { to: earlier, emoji: Some(pii("👍")) });
    assert!(matches!(contents[12], Content::Reaction { emoji: None, .. }));
    assert_eq!(contents[13], &Content::Unknown { kind: "order".to_owned() });
    assert_eq!(contents[14], &Content::Unknown { kind: "unsupported".to_owned() });
    assert_eq!(contents.len(), 15);
}

#[test]
fn statuses_are_read_and_words_of_later_years_ignored() {
    let batch = golden(include_str!("../../golden/meta/statuses.json"));
    let states: Vec<_> = batch.statuses.iter().map(|update| &update.state).collect();
    assert_eq!(states[..3], [&State::Sent, &State::Delivered, &State::Read]);
    assert_eq!(states[3], &State::Failed { code: Some(131_047), text: Some(pii("More than 24 hours have passed")) });
    assert_eq!(batch.statuses[3].refusal(), Some(Refusal::WindowClosed));
    assert_eq!((states.len(), batch.ignored, batch.inbound.len()), (4, 1, 0));
}

#[test]
fn one_broken_message_does_not_lose_the_others() {
    let batch = golden(include_str!("../../golden/meta/batch.json"));
    let texts: Vec<_> = batch.inbound.iter().map(|inbound| inbound.content.clone()).collect();
    assert_eq!(texts, ["ראשונה", "אחרונה", "בשינוי אחר"].map(|text| Content::Text(pii(text))));
    let broken: Vec<_> =
        batch.broken.iter().map(|broken| (broken.entry, broken.change, broken.item, field_of(broken.error))).collect();
    assert_eq!(
        broken,
        [
            (0, 0, 1, "messages.from"),
            (0, 0, 2, "messages.image"),
            (0, 0, 3, "messages.from"),
            (0, 0, 4, "messages.from")
        ]
    );
    assert_eq!(batch.ignored, 1);
    let shown = format!("{batch:?}");
    for secret in ["secret-sender", "541234567", "MOTcyNTQxMjM0NTY3", "ראשונה", "דנה", "771234567"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_bad_message_is_refused_by_field_and_never_with_the_value() {
    let good = json!({"from": "972541234567", "id": "wamid.1", "timestamp": "1790000000", "type": "text",
        "text": {"body": "x"}});
    let cases = [
        ("/from", json!("qzq"), "messages.from"),
        ("/from", json!(972), "messages.from"),
        ("/from", json!(""), "messages.from"),
        ("/id", json!("qzq qzq"), "messages.id"),
        ("/id", json!(null), "messages.id"),
        ("/timestamp", json!("qzq"), "messages.timestamp"),
        ("/timestamp", json!(-1), "messages.timestamp"),
        ("/type", json!(null), "messages.type"),
        ("/text", json!("qzq"), "messages.text.body"),
        ("/text/body", json!(["qzq"]), "messages.text.body"),
        ("", json!({"type": "image", "image": {"id": "../qzq"}}), "messages.image"),
        ("", json!({"type": "audio", "audio": {"id": "1", "mime_type": "qzq"}}), "messages.audio"),
        ("", json!({"type": "video"}), "messages.video"),
        ("", json!({"type": "button", "button": {"payload": "qzq"}}), "messages.button"),
        ("", json!({"type": "interactive"}), "messages.interactive"),
        ("", json!({"type": "interactive", "interactive": {"qzq": 1}}), "messages.interactive.type"),
        ("", json!({"type": "interactive", "interactive": {"type": "list_reply"}}), "messages.interactive.list_reply"),
        ("", json!({"type": "location", "location": {"longitude": 1}}), "messages.location.latitude"),
        ("", json!({"type": "location", "location": {"latitude": 1, "longitude": 1e9}}), "messages.location.longitude"),
        ("", json!({"type": "reaction", "reaction": {"emoji": "qzq"}}), "messages.reaction.message_id"),
        ("", json!({"context": {"id": "א"}}), "messages.context.id"),
    ];
    for (pointer, change, name) in cases {
        let mut message = good.clone();
        match (pointer, change) {
            ("", Value::Object(fields)) => message.as_object_mut().unwrap().extend(fields),
            (pointer, change) => *message.pointer_mut(pointer).unwrap() = change,
        }
        let batch = golden(&envelope(&json!({"messages": [message, good]})));
        assert_eq!((batch.inbound.len(), batch.broken.len()), (1, 1), "{name}");
        let broken = batch.broken[0];
        assert_eq!(field_of(broken.error), name);
        assert!(!format!("{broken} {broken:?} {}", broken.error).contains("qzq"), "{name}");
    }
}

#[test]
fn what_is_of_another_number_is_counted_and_not_read() {
    let body = include_str!("../../golden/meta/messages.json");
    let other = read(&verified(body), Some("106540352242923")).unwrap();
    assert_eq!(other, Batch { of_others: 15, ..Batch::default() });
    let unknown = read(&verified(body), None).unwrap();
    assert_eq!((unknown.inbound.len(), unknown.of_others), (15, 0), "who has no name takes everything");
    let message = json!({"from": "972541234567", "id": "wamid.1", "timestamp": "1790000000", "type": "text",
        "text": {"body": "x"}});
    for metadata in [json!(null), json!({}), json!("x"), json!({"phone_number_id": ""}), json!({"phone_number_id": 1})]
    {
        let batch = golden(&envelope(&json!({"metadata": metadata, "messages": [message]})));
        assert_eq!((batch.inbound.len(), batch.of_others), (1, 0), "{metadata}");
    }
}

#[test]
fn a_body_of_rubbish_is_told_of_within_a_bound() {
    let batch = golden(&envelope(&json!({"messages": vec![0; MAX_BROKEN + 5]})));
    assert_eq!((batch.broken.len(), batch.ignored), (MAX_BROKEN, 5));
}

#[test]
fn a_body_that_is_no_payload_is_refused_as_a_whole() {
    let cases = [
        ("[".to_owned(), PayloadError::NotJson { line: 1, column: 1 }),
        ("[".repeat(1_000), PayloadError::NotJson { line: 1, column: 128 }),
        ("{}".to_owned(), PayloadError::OtherObject),
        (r#"{"object":"page"}"#.to_owned(), PayloadError::OtherObject),
        (
            " ".repeat(MAX_PAYLOAD_BYTES + 1),
            PayloadError::TooLarge { bytes: MAX_PAYLOAD_BYTES + 1, max: MAX_PAYLOAD_BYTES },
        ),
    ];
    for (body, error) in cases {
        assert_eq!(read(&verified(&body), Some(NUMBER)), Err(error));
    }
    assert_eq!(read(&verified(BODY), Some(NUMBER)), Ok(Batch::default()));
}

#[test]
fn a_message_is_written_as_the_json_of_the_cloud_api() {
    let written = |content| {
        let bytes = write(&Outbound { to: whatsapp(), content }).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let frame = |kind: &str, part: Value| {
        json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": "972541234567", "type": kind,
            kind: part})
    };
    let text = written(OutboundContent::Text(pii("שלום")));
    assert_eq!(text, frame("text", json!({"body": "שלום", "preview_url": false})));
    let kinds = [("image/png", "image"), ("video/mp4", "video"), ("application/pdf", "document")];
    for (content_type, kind) in kinds {
        let part = json!({"link": "https://box.example.org/m/1", "caption": "המפה"});
        assert_eq!(written(media(content_type, Some("המפה"))), frame(kind, part));
    }
    let part = json!({"link": "https://box.example.org/m/1"});
    assert_eq!(written(media("audio/ogg", None)), frame("audio", part));
    let values = json!([{"type": "body", "parameters": [{"type": "text", "text": "דנה"}]}]);
    let part = json!({"name": "appointment", "language": {"code": "he"}, "components": values});
    assert_eq!(written(template(&["דנה"])), frame("template", part));
    let part = json!({"name": "appointment", "language": {"code": "he"}});
    assert_eq!(written(template(&[])), frame("template", part));
}

#[test]
fn limits_of_the_cloud_api_hold_before_sending() {
    let refused = |content| {
        let refused = write(&Outbound { to: whatsapp(), content }).unwrap_err();
        (refused.field, refused.code(Provider::Meta))
    };
    assert!(write(&Outbound { to: whatsapp(), content: OutboundContent::Text(pii(&"א".repeat(4_096))) }).is_ok());
    assert_eq!(refused(OutboundContent::Text(pii(&"א".repeat(4_097)))), ("text", Some(100)));
    assert_eq!(refused(media("image/png", Some(&"א".repeat(1_025)))), ("media.caption", Some(100)));
    assert_eq!(refused(media("audio/ogg", Some("x"))), ("media.caption", Some(131_051)));
    for to in ["+972541234567", "", "client:dana"] {
        let message = Outbound { to: Address::of(to).into(), content: OutboundContent::Text(pii("x")) };
        let refused = write(&message).unwrap_err();
        assert_eq!((refused.field, refused.code(Provider::Meta)), ("to", Some(131_009)));
    }
}

#[test]
fn an_answer_is_accepted_refused_or_uncertain() {
    let accepted = read_answer(200, br#"{"messaging_product":"whatsapp","messages":[{"id":"wamid.1"}]}"#);
    assert_eq!(accepted, Answer::Accepted("wamid.1".parse().unwrap()));
    let cases = [
        (400, 131_047, Refusal::WindowClosed),
        (400, 131_026, Refusal::Undeliverable),
        (429, 130_429, Refusal::RateLimited),
        (400, 130_429, Refusal::RateLimited),
        (401, 190, Refusal::Unauthorized),
        (400, 999, Refusal::Other(999)),
    ];
    for (status, code, refusal) in cases {
        let body = json!({"error": {"message": "m", "code": code}}).to_string();
        assert_eq!(read_answer(status, body.as_bytes()), Answer::Refused { refusal, code: Some(code) });
    }
    assert_eq!(read_answer(500, b""), Answer::Uncertain);
    assert_eq!(read_answer(200, b"{}"), Answer::Uncertain);
}

proptest! {
    #[test]
    fn no_payload_makes_the_reader_panic(cut in 0_usize..4_000, flip in 0_usize..4_000, with in any::<u8>()) {
        let mut bytes = include_bytes!("../../golden/meta/messages.json").to_vec();
        if let Some(byte) = bytes.get_mut(flip) {
            *byte = with;
        }
        bytes.truncate(cut.max(1));
        let signer = Signer::new(secret("s"));
        let body = Verifier::new(secret("s")).verify(bytes.clone(), Some(&signer.sign(&bytes))).unwrap();
        drop(read(&body, Some(NUMBER)));
    }

    #[test]
    fn a_replaced_value_loses_at_most_its_own_message(index in 0_usize..15, key in 0_usize..5, with in 0_usize..6) {
        let mut body: Value = serde_json::from_str(include_str!("../../golden/meta/messages.json")).unwrap();
        let values = [json!(null), json!(7), json!("א ב"), json!([]), json!({}), json!(true)];
        let message = &mut body["entry"][0]["changes"][0]["value"]["messages"][index];
        let kind = message["type"].as_str().unwrap().to_owned();
        let key = ["from", "id", "timestamp", "type", kind.as_str()][key];
        message[key] = values[with].clone();
        let batch = golden(&body.to_string());
        prop_assert_eq!(batch.inbound.len() + batch.broken.len(), 15);
        prop_assert!(batch.broken.len() <= 1);
    }

    #[test]
    fn a_flipped_bit_of_body_or_signature_is_refused(byte in 0_usize..79, bit in 0_u8..8, digit in 7_usize..71) {
        let verifier = Verifier::new(secret("app-secret-1"));
        let header = format!("sha256={}", VECTORS[0].2);
        let mut body = BODY.as_bytes().to_vec();
        body[byte] ^= 1 << bit;
        prop_assert_eq!(verifier.verify(body, Some(&header)).unwrap_err(), SignatureError::Wrong);
        let mut other = header.into_bytes();
        other[digit] = if other[digit] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).unwrap();
        prop_assert_eq!(verifier.verify(BODY, Some(&other)).unwrap_err(), SignatureError::Wrong);
    }
}

fn golden(body: &str) -> Batch {
    read(&verified(body), Some(NUMBER)).unwrap()
}

/// A body that went through the only door.
fn verified(body: &str) -> VerifiedBody {
    let signature = Signer::new(secret("s")).sign(body.as_bytes());
    Verifier::new(secret("s")).verify(body, Some(&signature)).unwrap()
}

fn envelope(value: &Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value}]}]}).to_string()
}

const fn field_of(error: FieldError) -> &'static str {
    let (FieldError::Missing { field } | FieldError::Ambiguous { field } | FieldError::Unexpected { field, .. }) =
        error;
    field
}

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

fn pii(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}

fn whatsapp() -> Pii<Address> {
    Address::of("whatsapp:+972541234567").into()
}

fn media(content_type: &str, caption: Option<&str>) -> OutboundContent {
    OutboundContent::Media(OutboundMedia {
        url: pii("https://box.example.org/m/1"),
        caption: caption.map(pii),
        content_type: content_type.to_owned(),
        bytes: None,
    })
}

fn template(values: &[&str]) -> OutboundContent {
    OutboundContent::Template(Template {
        name: "appointment".to_owned(),
        sid: None,
        language: "he".to_owned(),
        variables: values.iter().map(|value| pii(value)).collect(),
        text: None,
    })
}
