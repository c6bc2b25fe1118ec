//! Requests of every kind: ones that are as described, and ones that the client refuses to make.

use carrier::{CallEvent, CreateCall, Instructions, MachineDetection, StatusCallback, WaitFor};
use messaging::outbound::{OutboundMedia, Template};
use messaging::twilio::Sender;
use messaging::{Outbound, OutboundContent};
use proptest::prelude::*;
use telephony::markup::{HttpMethod, Pause, Response as Document, Say};
use telephony::wire::Address;
use telephony::{AccountId, PublicUrl};
use units::{CallId, Pii};

pub(super) fn account() -> AccountId {
    "AC0123456789abcdef0123456789abcdef".parse().unwrap()
}

pub(super) fn call() -> CallId {
    "CA0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "https?://[a-z0-9.-]{1,20}(:[0-9]{1,4})?/[a-zA-Z0-9/?&=#%._-]{0,40}",
        1 => ".{0,40}",
        1 => (3_900..4_100_usize).prop_map(|length| format!("https://a.example/{}", "x".repeat(length - 18))),
        1 => Just("https://my_box.example/".to_owned()),
        1 => "https://[a-z_:@.\\[\\]0-9-]{1,20}/",
    ]
}

fn document() -> impl Strategy<Value = Document> {
    let text = prop_oneof![8 => "[ -~א-ת]{0,80}", 1 => (3_000..4_200_usize).prop_map(|n| "א".repeat(n))];
    (text, 0..100_u32).prop_map(|(text, length)| {
        Document::new().then(Say { text, ..Say::default() }).then(Pause { length_s: Some(length) })
    })
}

pub(super) fn instructions() -> impl Strategy<Value = Instructions> {
    let method = prop::sample::select(HttpMethod::ALL);
    prop_oneof![
        document().prop_map(Instructions::Document),
        (url(), method).prop_map(|(url, method)| Instructions::Url { url, method }),
    ]
}

fn address() -> impl Strategy<Value = Pii<Address>> {
    prop_oneof![6 => "\\+[1-9][0-9]{2,14}", 1 => "(client|sip|whatsapp):.{0,20}", 1 => ".{0,20}"]
        .prop_map(|text| Pii::new(Address::of(&text)))
}

fn number(most: u32) -> impl Strategy<Value = Option<u32>> {
    prop::option::of(prop_oneof![4 => 0..most, 1 => any::<u32>()])
}

fn detection() -> impl Strategy<Value = MachineDetection> {
    let wait_for = prop::sample::select(vec![WaitFor::Answer, WaitFor::MessageEnd]);
    (wait_for, number(70), number(7_000), number(6_000), number(12_000)).prop_map(
        |(wait_for, timeout_s, speech_ms, speech_end_ms, silence_ms)| MachineDetection {
            wait_for,
            timeout_s,
            speech_ms,
            speech_end_ms,
            silence_ms,
        },
    )
}

pub(super) fn create_call() -> impl Strategy<Value = CreateCall> {
    let events = prop::sample::subsequence(CallEvent::ALL.to_vec(), 0..=4);
    let status = prop::option::of((url(), events).prop_map(|(url, events)| StatusCallback { url, events }));
    let times = (number(700), number(20_000), prop::option::of(detection()));
    (address(), address(), instructions(), prop::option::of(url()), status, times).prop_map(
        |(to, from, instructions, fallback_url, status, (ring_for_s, time_limit_s, machine_detection))| CreateCall {
            to,
            from,
            instructions,
            fallback_url,
            status,
            ring_for_s,
            time_limit_s,
            machine_detection,
        },
    )
}

/// A name of that kind, or nearly one.
fn sid_of(kind: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just(format!("{kind}0123456789abcdefABCDEF9876543210")),
        1 => "[0-9a-g]{30,34}".prop_map(move |name| format!("{kind}{name}")),
        1 => "[A-Z]{2}[0-9a-f]{32}",
        1 => ".{0,10}",
    ]
}

fn sender(kind: &Address) -> impl Strategy<Value = Sender> + use<> {
    let number = if matches!(kind, Address::WhatsApp(_)) { "whatsapp:+972700000000" } else { "+972700000000" };
    let number = Just(Sender::Number(Pii::new(Address::of(number))));
    prop_oneof![number, sid_of("MG").prop_map(Sender::Service)]
}

/// Where a box of any public URL is told of its messages.
pub(super) fn callback() -> impl Strategy<Value = Option<String>> {
    let base = prop_oneof![
        "https?://([a-z]{1,4}:[a-z_]{1,4}@)?[a-z0-9-]{1,10}\\.example(:[0-9]{1,5})?(/[a-zA-Z0-9._-]{1,9})?",
        "https?://[ -~]{1,20}",
    ];
    prop::option::of(base.prop_map(|base| base.parse::<PublicUrl>().ok().map(|base| base.webhook("/webhook/s"))))
        .prop_map(Option::flatten)
}

fn outbound() -> impl Strategy<Value = Outbound> {
    let pii = |text: String| Pii::new(text);
    let text = prop_oneof![4 => ".{0,60}", 1 => (1_590..1_610_usize).prop_map(|n| "ש".repeat(n))];
    let media =
        ("https://[a-z]{1,9}\\.example/[a-z0-9]{0,20}", prop::option::of(".{0,40}")).prop_map(move |(url, caption)| {
            OutboundContent::Media(OutboundMedia {
                url: pii(url),
                caption: caption.map(pii),
                content_type: "image/png".to_owned(),
                bytes: Some(1_000),
            })
        });
    let values = prop::collection::vec("[ -~א-ת\"]{0,30}", 0..4);
    let template = (prop::option::weighted(0.9, sid_of("HX")), values).prop_map(move |(sid, values)| {
        OutboundContent::Template(Template {
            sid,
            name: "call_back".to_owned(),
            language: "he".to_owned(),
            variables: values.into_iter().map(pii).collect(),
            text: None,
        })
    });
    let content = prop_oneof![text.prop_map(move |text| OutboundContent::Text(pii(text))), media, template];
    (address(), content).prop_map(|(to, content)| Outbound { to, content })
}

pub(super) fn message() -> impl Strategy<Value = (Outbound, Sender)> {
    outbound().prop_flat_map(|message| {
        let sender = sender(message.to.reveal());
        (Just(message), sender)
    })
}
