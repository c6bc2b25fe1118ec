use telephony::wire::Address;
use telephony::{AuthKey, FieldError, Method, Params, PublicUrl, Signer, VerifiedWebhook, Verifier, WebhookRequest};
use units::Pii;

use super::*;
use crate::message::{Content, Inbound, MediaKind, MediaSource, Provider};
use crate::outbound::{Outbound, OutboundContent, OutboundMedia, Template};
use crate::status::{State, StatusUpdate};
use crate::{Answer, Refusal, UnixTime};

mod properties;

const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);
const SERVICE: &str = "MG0123456789abcdef0123456789ABCDEF";
const TEMPLATE: &str = "HX0123456789abcdef0123456789abcdef";

#[test]
fn a_text_on_whatsapp_is_read_with_who_sent_it() {
    let inbound = golden(include_str!("../../golden/twilio/text.form"));
    assert_eq!(inbound.id.as_str(), "SM00112233445566778899aabbccddeeff");
    assert_eq!((inbound.provider, inbound.at, inbound.reply_to), (Provider::Twilio, NOW, None));
    assert_eq!(inbound.from.reveal(), &Address::WhatsApp("+972541234567".to_owned()));
    assert_eq!(inbound.to.reveal(), &Address::WhatsApp("+972771234567".to_owned()));
    assert_eq!(inbound.profile_name.unwrap().reveal(), "דנה כהן");
    assert_eq!(inbound.content, Content::Text(pii("שלום, אפשר לקבוע פגישה? 😀")));
}

#[test]
fn an_sms_is_the_same_without_a_profile() {
    let inbound = golden(include_str!("../../golden/twilio/sms.form"));
    assert_eq!(inbound.from.reveal(), &Address::Phone("+972541234567".to_owned()));
    assert_eq!((inbound.profile_name, inbound.content), (None, Content::Text(pii("Is the office open today?"))));
}

#[test]
fn files_are_named_by_where_they_wait_and_a_lone_ogg_is_a_voice_note() {
    let inbound = golden(include_str!("../../golden/twilio/image.form"));
    let Content::Media { items, caption } = inbound.content else { panic!("not media") };
    assert_eq!((items.len(), caption), (1, Some(pii("זה הנזק"))));
    assert_eq!((items[0].kind, items[0].content_type.as_str()), (MediaKind::Image, "image/jpeg"));
    let source = MediaSource::Twilio {
        account: "AC0f0e0d0c0b0a09080706050403020100".parse().unwrap(),
        message: "MM00112233445566778899aabbccddeeff".to_owned(),
        media: format!("ME{:032x}", 1),
    };
    assert_eq!(items[0].source, source);

    let inbound = golden(include_str!("../../golden/twilio/voice-note.form"));
    assert!(matches!(inbound.content, Content::VoiceNote(media) if media.kind == MediaKind::Audio));

    let inbound = golden(include_str!("../../golden/twilio/mms.form"));
    let Content::Media { items, caption: None } = inbound.content else { panic!("not media") };
    let kinds: Vec<_> = items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [MediaKind::Image, MediaKind::Document]);
}

#[test]
fn buttons_places_and_unknown_kinds_are_told_apart() {
    let inbound = golden(include_str!("../../golden/twilio/button.form"));
    assert_eq!(inbound.content, Content::Button { payload: pii("confirm"), text: pii("כן, מתאים") });
    assert_eq!(inbound.reply_to.unwrap().as_str(), "SMffeeddccbbaa99887766554433221100");

    let inbound = golden(include_str!("../../golden/twilio/location.form"));
    let Content::Location(place) = inbound.content else { panic!("no place") };
    let place = place.into_revealed();
    assert_eq!((place.latitude_micros, place.longitude_micros), (32_085_300, 34_781_768));
    assert_eq!(place.name.as_deref(), Some("המשרד"));

    let inbound = golden(include_str!("../../golden/twilio/unknown.form"));
    assert_eq!(inbound.content, Content::Unknown { kind: "hologram".to_owned() });

    let blank = "MessageSid=SM1&From=%2B972541234567&To=%2B972771234567&Body=";
    assert_eq!(golden(blank).content, Content::Text(pii("")));
    let sticker = format!("{blank}&NumMedia=1&MessageType=sticker&MediaUrl0={MEDIA_URL}&MediaContentType0=image/webp");
    let Content::Media { items, .. } = golden(&sticker).content else { panic!("not media") };
    assert_eq!(items[0].kind, MediaKind::Sticker);
}

#[test]
fn statuses_are_read_and_the_event_counts_when_it_is_further() {
    let cases = [
        (include_str!("../../golden/twilio/status-sent.form"), State::Sent),
        (include_str!("../../golden/twilio/status-delivered.form"), State::Delivered),
        (include_str!("../../golden/twilio/status-read.form"), State::Read),
        (
            include_str!("../../golden/twilio/status-failed.form"),
            State::Failed { code: Some(63_016), text: Some(pii("outside the window")) },
        ),
        ("MessageSid=SM1&MessageStatus=accepted", State::Accepted),
        ("MessageSid=SM1&MessageStatus=scheduled", State::Accepted),
        ("MessageSid=SM1&MessageStatus=queued", State::Queued),
        ("MessageSid=SM1&MessageStatus=sending", State::Queued),
        ("MessageSid=SM1&MessageStatus=partially_delivered", State::Sent),
        ("MessageSid=SM1&MessageStatus=canceled", State::Failed { code: None, text: None }),
        ("MessageSid=SM1&MessageStatus=failed&ErrorCode=0", State::Failed { code: None, text: None }),
    ];
    for (body, state) in cases {
        let update: StatusUpdate = read_status(&webhook(body), NOW).unwrap().unwrap();
        assert_eq!((update.state, update.at, update.provider), (state, NOW, Provider::Twilio), "{body}");
    }
    for word in ["received", "receiving", "teleported"] {
        assert_eq!(read_status(&webhook(&format!("MessageSid=SM1&MessageStatus={word}")), NOW), Ok(None));
    }
    let failed = read_status(&webhook(include_str!("../../golden/twilio/status-failed.form")), NOW).unwrap().unwrap();
    assert_eq!(failed.refusal(), Some(Refusal::WindowClosed));
}

#[test]
fn a_bad_form_is_refused_by_field_and_never_with_the_value() {
    const GOOD: &str = "MessageSid=SM1&From=%2B972541234567&To=%2B972771234567";
    let cases = [
        ("From=%2B972541234567&To=b", "MessageSid"),
        ("MessageSid=SM%20541234567&From=a&To=b", "MessageSid"),
        ("MessageSid=SM1&To=b", "From"),
        ("MessageSid=SM1&From=a", "To"),
        ("MessageSid=SM1&From=972541234567&From=x&To=b", "From"),
        ("{GOOD}&NumMedia=541234567x", "NumMedia"),
        ("{GOOD}&NumMedia=11", "NumMedia"),
        ("{GOOD}&NumMedia=-1", "NumMedia"),
        ("{GOOD}&NumMedia=1", "MediaUrl0"),
        ("{GOOD}&NumMedia=1&MediaUrl0=https://evil.example/541234567", "MediaUrl0"),
        ("{GOOD}&NumMedia=1&MediaUrl0=https://x/Accounts/AC1/Messages/MM1/Media/..", "MediaUrl0"),
        ("{GOOD}&NumMedia=1&MediaUrl0=https://x/Accounts/AC1/Media/ME1", "MediaUrl0"),
        ("{GOOD}&NumMedia=1&MediaUrl0={MEDIA_URL}&MediaContentType0=541234567", "MediaContentType0"),
        ("{GOOD}&Latitude=541234567&Longitude=1", "Latitude"),
        ("{GOOD}&Latitude=NaN&Longitude=1", "Latitude"),
        ("{GOOD}&Latitude=1&Longitude=180.1", "Longitude"),
        ("{GOOD}&OriginalRepliedMessageSid=%D7%90", "OriginalRepliedMessageSid"),
    ];
    for (body, name) in cases {
        let body = body.replace("{GOOD}", GOOD).replace("{MEDIA_URL}", MEDIA_URL);
        let error = read_inbound(&webhook(&body), NOW).unwrap_err();
        let (FieldError::Missing { field } | FieldError::Ambiguous { field } | FieldError::Unexpected { field, .. }) =
            error;
        assert_eq!(field, name, "{body}");
        assert!(!format!("{error} {error:?}").contains("541234567"), "{error}");
    }
    for body in ["MessageStatus=sent", "MessageSid=SM1", "MessageSid=SM1&MessageStatus=failed&ErrorCode=x"] {
        assert!(read_status(&webhook(body), NOW).is_err(), "{body}");
    }
}

#[test]
fn a_message_is_written_as_the_form_of_messages_json() {
    let sender = Sender::Number(Address::of("whatsapp:+972771234567").into());
    let form = write(&text("שלום"), &sender, Some("https://box.example.org/s")).unwrap();
    let pairs: Vec<_> = form.iter().collect();
    assert_eq!(
        pairs,
        [
            ("To", "whatsapp:+972541234567"),
            ("From", "whatsapp:+972771234567"),
            ("Body", "שלום"),
            ("StatusCallback", "https://box.example.org/s"),
        ]
    );

    let media = OutboundMedia {
        url: pii("https://box.example.org/m/1?t=secret"),
        caption: Some(pii("המפה")),
        content_type: "image/png".to_owned(),
        bytes: Some(5_000_000),
    };
    let message = Outbound { to: whatsapp(), content: OutboundContent::Media(media) };
    let form = write(&message, &Sender::Service(SERVICE.to_owned()), None).unwrap();
    let pairs: Vec<_> = form.iter().skip(1).collect();
    assert_eq!(
        pairs,
        [("MessagingServiceSid", SERVICE), ("Body", "המפה"), ("MediaUrl", "https://box.example.org/m/1?t=secret")]
    );

    let form = write(&template(&["דנה", "10:30"], Some(TEMPLATE)), &sender, None).unwrap();
    let pairs: Vec<_> = form.iter().skip(2).collect();
    assert_eq!(pairs, [("ContentSid", TEMPLATE), ("ContentVariables", r#"{"1":"דנה","2":"10:30"}"#)]);
    assert_eq!(form.first("Body"), None);
    let form = write(&template(&[], Some(TEMPLATE)), &sender, None).unwrap();
    assert_eq!(form.first("ContentVariables"), None);
}

#[test]
fn a_sender_of_another_channel_and_a_recipient_without_a_number_are_refused() {
    let sms = Sender::Number(Address::of("+972771234567").into());
    let service = Sender::Service(SERVICE.to_owned());
    let refused = write(&text("x"), &sms, None).unwrap_err();
    assert_eq!((refused.field, refused.code(Provider::Twilio)), ("sender", Some(21_910)));
    for service in ["MG1", "", TEMPLATE, "MG0123456789abcdef0123456789abcdeg", "MG0123456789abcdef0123456789abcdef0"] {
        let refused = write(&text("x"), &Sender::Service(service.to_owned()), None).unwrap_err();
        assert_eq!((refused.field, refused.refusal), ("sender", Refusal::SenderInvalid), "{service}");
    }
    for to in ["", "client:dana", "sip:x@y", "*100"] {
        let message = Outbound { to: Address::of(to).into(), ..text("x") };
        let refused = write(&message, &service, None).unwrap_err();
        assert_eq!((refused.field, refused.code(Provider::Twilio)), ("to", Some(21_211)), "{to}");
    }
    let message = Outbound { to: Address::of("+972541234567").into(), ..text("x") };
    assert_eq!(write(&message, &sms, None).unwrap().first("To"), Some("+972541234567"));
    for sid in [None, Some("HX1"), Some(SERVICE)] {
        let refused = write(&template(&[], sid), &service, None).unwrap_err();
        assert_eq!((refused.field, refused.refusal), ("template.sid", Refusal::TemplateUnknown));
    }
}

#[test]
fn the_longest_text_is_1600_characters_of_any_script() {
    let service = Sender::Service(SERVICE.to_owned());
    assert!(write(&text(&"א".repeat(1_600)), &service, None).is_ok());
    let refused = write(&text(&"א".repeat(1_601)), &service, None).unwrap_err();
    assert_eq!((refused.field, refused.code(Provider::Twilio)), ("text", Some(21_617)));
}

#[test]
fn an_answer_is_accepted_refused_or_uncertain() {
    let accepted = Answer::Accepted("SM1".parse().unwrap());
    assert_eq!(read_answer(201, br#"{"sid":"SM1","status":"queued","error_code":null}"#), accepted);
    let refused = read_answer(400, br#"{"code":63016,"message":"m","more_info":"u","status":400}"#);
    assert_eq!(refused, Answer::Refused { refusal: Refusal::WindowClosed, code: Some(63_016) });
    let refused = read_answer(429, br#"{"code":20429}"#);
    assert_eq!(refused, Answer::Refused { refusal: Refusal::RateLimited, code: Some(20_429) });
    let refused = read_answer(404, b"<html>");
    assert_eq!(refused, Answer::Refused { refusal: Refusal::Other(404), code: None });
    assert_eq!(read_answer(401, b""), Answer::Refused { refusal: Refusal::Unauthorized, code: None });
    for (status, body) in
        [(500, &b"{\"code\":20500}"[..]), (503, b""), (408, b""), (201, b"{}"), (200, b"["), (302, b"")]
    {
        assert_eq!(read_answer(status, body), Answer::Uncertain, "{status}");
    }
}

proptest::proptest! {
    #[test]
    fn no_form_makes_the_readers_panic_or_show_a_value(
        fields in proptest::collection::vec((0_usize..FIELDS.len(), ".{0,12}"), 0..12),
    ) {
        let mut params = Params::new().with("MessageSid", "SM1").with("From", "f").with("To", "t");
        for (index, value) in fields {
            // The carrier's own words and media types are no personal data, and shown.
            let mark = if matches!(FIELDS[index], "MessageType" | "MediaContentType0") { "" } else { "qzq" };
            params.push(FIELDS[index], format!("{value}{mark}"));
        }
        let webhook = webhook(&params.encode());
        let shown = format!("{:?} {:?}", read_inbound(&webhook, NOW), read_status(&webhook, NOW));
        proptest::prop_assert!(!shown.contains("qzq"), "{}", shown);
    }
}

/// Fields that change what is read.
const FIELDS: [&str; 12] = [
    "Body",
    "NumMedia",
    "MediaUrl0",
    "MediaContentType0",
    "MessageType",
    "Latitude",
    "Longitude",
    "ButtonText",
    "ProfileName",
    "OriginalRepliedMessageSid",
    "ErrorCode",
    "EventType",
];

/// Where a file waits.
const MEDIA_URL: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";

fn golden(body: &str) -> Inbound {
    read_inbound(&webhook(body), NOW).unwrap()
}

fn pii(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}

fn whatsapp() -> Pii<Address> {
    Address::of("whatsapp:+972541234567").into()
}

fn text(text: &str) -> Outbound {
    Outbound { to: whatsapp(), content: OutboundContent::Text(pii(text)) }
}

fn template(values: &[&str], sid: Option<&str>) -> Outbound {
    let template = Template {
        name: "appointment".to_owned(),
        sid: sid.map(str::to_owned),
        language: "he".to_owned(),
        variables: values.iter().map(|value| pii(value)).collect(),
        text: None,
    };
    Outbound { to: whatsapp(), content: OutboundContent::Template(template) }
}

/// A form that went through the only door.
fn webhook(body: &str) -> VerifiedWebhook {
    let key: AuthKey = "k".parse().unwrap();
    let base: PublicUrl = "https://box.example.org".parse().unwrap();
    let params = Params::parse(body.as_bytes()).unwrap();
    let signature = Signer::new(key.clone()).sign(&base.webhook("/w"), &params);
    let request = WebhookRequest {
        method: Method::Post,
        path_and_query: "/w",
        content_type: None,
        signature: Some(&signature),
        idempotency_token: None,
        body: body.as_bytes(),
    };
    Verifier::new(key).verify_webhook(&base, &request).unwrap()
}
