//! Every request that the client can make, against the table of the carrier's official description.

use std::collections::BTreeMap;

use carrier::request::{Kind, Name, Request};
use carrier::{CallEvent, CreateCall, Instructions, MachineDetection, StatusCallback, UpdateCall, WaitFor};
use messaging::outbound::{OutboundMedia, Template};
use messaging::twilio::{self, Sender};
use messaging::{Outbound, OutboundContent};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde::Deserialize;
use telephony::markup::{HttpMethod, Pause, Response as Document, Say};
use telephony::wire::Address;
use telephony::{AccountId, Params};
use units::{CallId, Pii};

const TABLE: &str = include_str!("../../../../../tests/data/twilio-rest/constraints.toml");

/// One operation of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    method: String,
    path: String,
    required: Vec<String>,
    one_of: Vec<Vec<String>>,
    excludes: Vec<Vec<String>>,
    fields: BTreeMap<String, Field>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    kind: String,
    #[serde(default)]
    words: Vec<String>,
    prefix: Option<String>,
    min: Option<u64>,
    max: Option<u64>,
    #[serde(default)]
    repeats: bool,
    most: Option<usize>,
}

fn table() -> BTreeMap<String, Operation> {
    toml::from_str(TABLE).unwrap()
}

/// Returns what the description has against a request.
fn check(operation: &Operation, method: &str, path: &str, form: &Params) -> Result<(), String> {
    let has = |name: &String| form.first(name).is_some();
    if operation.method != method {
        return Err(format!("method {method}"));
    }
    if !fits_path(&operation.path, path) {
        return Err(format!("path {path}"));
    }
    if let Some(missing) = operation.required.iter().find(|name| !has(name)) {
        return Err(format!("{missing} is missing"));
    }
    if let Some(none) = operation.one_of.iter().find(|names| !names.iter().any(has)) {
        return Err(format!("one of {none:?} is missing"));
    }
    if let Some(both) = operation.excludes.iter().find(|names| names.iter().filter(|name| has(name)).count() > 1) {
        return Err(format!("{both:?} exclude each other"));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in form.iter() {
        let Some(field) = operation.fields.get(name) else { return Err(format!("{name} is not known")) };
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count > 1 && !field.repeats || *count > field.most.unwrap_or(usize::MAX) {
            return Err(format!("{name} comes {count} times"));
        }
        if !fits(field, value) {
            return Err(format!("{name} is not {field:?}"));
        }
    }
    Ok(())
}

fn fits_path(pattern: &str, path: &str) -> bool {
    let pairs: Vec<_> = pattern.split('/').zip(path.split('/')).collect();
    pattern.split('/').count() == path.split('/').count()
        && pairs.iter().all(|(pattern, part)| match pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            None => pattern == part,
            Some((kinds, end)) => {
                let name = part.strip_suffix(end).unwrap_or_default();
                kinds.split('|').any(|kind| is_sid(kind, name))
            }
        })
}

fn is_sid(prefix: &str, text: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn fits(field: &Field, value: &str) -> bool {
    let length = value.chars().count() as u64;
    let is_short = field.max.is_none_or(|max| length <= max);
    match field.kind.as_str() {
        "text" => is_short,
        "uri" => {
            let host = value.split("://").nth(1).map(|rest| rest.split('/').next().unwrap_or_default());
            let is_host = host.is_some_and(|host| !host.is_empty() && !host.contains('_'));
            let is_web = value.starts_with("https://") || value.starts_with("http://");
            is_short && is_web && is_host && !value.contains(char::is_whitespace)
        }
        "endpoint" => is_phone(value) || value.starts_with("client:") || value.starts_with("sip:"),
        "phone" => is_phone(value.strip_prefix("whatsapp:").unwrap_or(value)),
        "integer" => value
            .parse::<u64>()
            .is_ok_and(|number| field.min.is_none_or(|min| number >= min) && field.max.is_none_or(|max| number <= max)),
        "boolean" => ["true", "false"].contains(&value),
        "words" => field.words.iter().any(|word| word == value),
        "sid" => is_sid(field.prefix.as_deref().unwrap(), value),
        "json" => value.starts_with('{') && value.ends_with('}'),
        // The table names no such kind.
        _ => false,
    }
}

fn check_request(request: &Request) -> Result<(), String> {
    let table = table();
    let operation = table.get(&format!("{:?}", request.kind())).ok_or("no such operation")?;
    check(operation, request.method().as_str(), request.path(), request.form())
}

fn account() -> AccountId {
    "AC0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn call() -> CallId {
    "CA0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "https?://[a-z0-9.-]{1,20}(:[0-9]{1,4})?/[a-zA-Z0-9/?&=#%._-]{0,40}",
        1 => ".{0,40}",
        1 => (3_900..4_100_usize).prop_map(|length| format!("https://a.example/{}", "x".repeat(length - 18))),
        1 => Just("https://my_box.example/".to_owned()),
    ]
}

fn document() -> impl Strategy<Value = Document> {
    let text = prop_oneof![8 => "[ -~א-ת]{0,80}", 1 => (3_000..4_200_usize).prop_map(|n| "א".repeat(n))];
    (text, 0..100_u32).prop_map(|(text, length)| {
        Document::new().then(Say { text, ..Say::default() }).then(Pause { length_s: Some(length) })
    })
}

fn instructions() -> impl Strategy<Value = Instructions> {
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

fn create_call() -> impl Strategy<Value = CreateCall> {
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
    let template = prop::collection::vec("[ -~א-ת\"]{0,30}", 0..4).prop_map(move |values| {
        OutboundContent::Template(Template {
            sid: Some("HX0123456789abcdef0123456789abcdef".to_owned()),
            name: "call_back".to_owned(),
            language: "he".to_owned(),
            variables: values.into_iter().map(pii).collect(),
            text: None,
        })
    });
    let content = prop_oneof![text.prop_map(move |text| OutboundContent::Text(pii(text))), media, template];
    (address(), content).prop_map(|(to, content)| Outbound { to, content })
}

proptest! {
    #[test]
    fn every_change_of_a_call_is_as_described(instructions in instructions()) {
        for update in [UpdateCall::Complete, UpdateCall::Cancel, UpdateCall::Redirect(instructions)] {
            // What the carrier would refuse is refused here.
            if let Ok(request) = Request::update_call(&account(), &call(), &update) {
                prop_assert_eq!(check_request(&request), Ok(()), "{:?}", update);
            }
        }
    }

    #[test]
    fn every_call_that_is_placed_is_as_described(wanted in create_call()) {
        if let Ok(request) = Request::create_call(&account(), &wanted) {
            prop_assert_eq!(check_request(&request), Ok(()), "{:?}", wanted);
        }
    }

    #[test]
    fn every_message_is_as_described(message in outbound(), by_service: bool, callback in prop::option::of(Just("https://box.example/m"))) {
        let number = if matches!(message.to.reveal(), Address::WhatsApp(_)) { "whatsapp:+972700000000" } else { "+972700000000" };
        let sender = if by_service {
            Sender::Service("MG0123456789abcdef0123456789abcdef".to_owned())
        } else {
            Sender::Number(Pii::new(Address::of(number)))
        };
        if let Ok(form) = twilio::write(&message, &sender, callback) {
            let request = Request::send_message(&account(), form);
            prop_assert_eq!(check_request(&request), Ok(()), "{:?}", message);
        }
    }
}

#[test]
fn the_strategies_make_requests_that_pass_and_ones_that_are_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts = [[0_u32; 2]; 2];
    for _ in 0..400 {
        let wanted = create_call().new_tree(&mut runner).unwrap().current();
        counts[0][usize::from(Request::create_call(&account(), &wanted).is_ok())] += 1;
        let wanted = UpdateCall::Redirect(instructions().new_tree(&mut runner).unwrap().current());
        counts[1][usize::from(Request::update_call(&account(), &call(), &wanted).is_ok())] += 1;
    }
    assert!(counts.iter().flatten().all(|count| *count >= 20), "{counts:?}");
}

#[test]
fn fetches_and_deletes_are_as_described() {
    let name = |text: &str| Name::new(&format!("{text}0123456789abcdef0123456789abcdef")).unwrap();
    let requests = [
        Request::recording(&account(), &name("RE")),
        Request::delete_recording(&account(), &name("RE")),
        Request::media(&account(), &name("MM"), &name("ME")),
        Request::delete_media(&account(), &name("SM"), &name("ME")),
    ];
    for request in requests {
        assert_eq!(check_request(&request), Ok(()), "{request:?}");
        assert!(request.form().is_empty());
    }
    assert_eq!(table().len(), Kind::ALL.len(), "an operation for each kind, and no other");
}

#[test]
fn wrong_requests_are_refused_by_the_table() {
    let table = table();
    let path = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Calls.json";
    let good =
        || Params::new().with("To", "+972500000003").with("From", "+972700000000").with("Url", "https://a.example");
    let refused =
        |method: &str, path: &str, form: &Params| check(&table["CreateCall"], method, path, form).unwrap_err();
    assert_eq!(check(&table["CreateCall"], "POST", path, &good()), Ok(()));
    assert_eq!(refused("GET", path, &good()), "method GET");
    assert!(refused("POST", "/2010-04-01/Accounts/AC1/Calls.json", &good()).starts_with("path"));
    assert_eq!(refused("POST", path, &Params::new().with("To", "+972500000003")), "From is missing");
    assert!(
        refused("POST", path, &Params::new().with("To", "+1234567").with("From", "+1234567")).starts_with("one of")
    );
    for (field, value, begins) in [
        ("MachineDetectionTimeout", "60", "MachineDetectionTimeout is not"),
        ("Timeout", "601", "Timeout is not"),
        ("Timeout", "soon", "Timeout is not"),
        ("StatusCallbackEvent", "answred", "StatusCallbackEvent is not"),
        ("StatusCallback", "https://my_box.example/", "StatusCallback is not"),
        ("To", "+972500000003", "To comes 2 times"),
        ("IfMachine", "Continue", "IfMachine is not known"),
    ] {
        let error = refused("POST", path, &good().with(field, value));
        assert!(error.starts_with(begins), "{error}");
    }
    let update =
        "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Calls/CA0123456789abcdef0123456789abcdef.json";
    let both = Params::new().with("Url", "https://a.example").with("Twiml", "<Response/>");
    assert!(check(&table["UpdateCall"], "POST", update, &both).unwrap_err().contains("exclude"));
    let long = Params::new().with("Twiml", "x".repeat(4_001));
    assert!(check(&table["UpdateCall"], "POST", update, &long).unwrap_err().starts_with("Twiml is not"));
}
