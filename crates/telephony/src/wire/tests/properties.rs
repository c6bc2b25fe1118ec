//! Each reader against forms made up: what the carrier may send is read as it was meant, whatever stands beside it and
//! in whatever order; a form with one fault is refused by the name of the field; nothing personal shows.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What a parameter may hold.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: &'static str,
    is_required: bool,
    /// Values it cannot have.
    wrong: &'static [&'static str],
}

/// A parameter that has to be there.
const fn required(name: &'static str, wrong: &'static [&'static str]) -> Field {
    Field { name, is_required: true, wrong }
}

/// A parameter that may be there.
const fn optional(name: &'static str, wrong: &'static [&'static str]) -> Field {
    Field { name, is_required: false, wrong }
}

/// What no name is, and no number.
const NOT_AN_ID: &[&str] = &["../etc", "a b", "דנה", "CA1\n", "a.b", LONG];
const NOT_A_NUMBER: &[&str] = &["x", "-2", "1.5", " 1", "18446744073709551616", "٣", "0x1", "1e3"];
const LONG: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A form and what it means.
#[derive(Clone, Debug)]
struct Case<T> {
    form: Vec<(String, String)>,
    meaning: T,
    /// The parameters that are read from this form.
    fields: Vec<Field>,
}

/// What stands in a form beside what is read, and how it is written.
#[derive(Clone, Debug)]
struct Noise {
    unknown: Vec<(String, String)>,
    /// Pairs that come twice, which says nothing new.
    repeated: Vec<Index>,
    order: Vec<Index>,
}

/// What is wrong with a form.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Absent,
    Empty,
    /// There with two values.
    Doubled,
    /// There with a value it cannot have.
    Wrong(Index),
}

/// What stands for anything personal, to see whether it shows. It is in no name and no word of the carrier's.
const MARK: &str = "זהסוד";

macro_rules! properties {
    ($($reader:ident: $read:expr, $case:expr;)*) => { $(
        mod $reader {
            use super::*;

            proptest! {
                #![proptest_config(quick())]

                #[test]
                fn a_valid_form_is_read_as_it_is_meant(case in $case, noise in noise()) {
                    read_as_meant($read, &case, &noise)?;
                }

                #[test]
                fn a_form_with_one_fault_is_refused_by_its_field(
                    case in $case, noise in noise(), field in any::<Index>(), fault in fault(),
                ) {
                    refused_by_field($read, case, &noise, field, fault)?;
                }

                #[test]
                fn any_values_in_any_field_are_read_or_refused_and_not_shown(
                    case in $case, values in vec((any::<Index>(), value()), 0..12), cut in any::<Index>(),
                ) {
                    nothing_shows($read, &case, &values, cut)?;
                }
            }
        }
    )* };
}

properties! {
    incoming_call: IncomingCall::read, incoming_call_case();
    call_status: CallStatusUpdate::read, call_status_case();
    stream_status: StreamStatus::read, stream_status_case();
    recording_result: RecordingResult::read, recording_result_case();
    recording_status: RecordingStatus::read, recording_status_case();
    stream_ended: StreamEnded::read, stream_ended_case();
    dial_result: DialResult::read, dial_result_case();
    gather_result: GatherResult::read, gather_result_case();
}

/// There are many readers, and each has three properties.
fn quick() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

type Read<T> = fn(&VerifiedWebhook) -> Result<T, FieldError>;

fn read_as_meant<T: Debug + PartialEq>(read: Read<T>, case: &Case<T>, noise: &Noise) -> Result<(), TestCaseError> {
    let body = write(&case.form, noise);
    let read = read(&webhook(&body));
    prop_assert_eq!(read.as_ref(), Ok(&case.meaning), "{}", body);
    Ok(())
}

fn refused_by_field<T: Debug>(
    read: Read<T>,
    case: Case<T>,
    noise: &Noise,
    field: Index,
    fault: Fault,
) -> Result<(), TestCaseError> {
    let Case { mut form, fields, .. } = case;
    let Field { name, is_required, wrong } = *field.get(&fields);
    match fault {
        Fault::Absent | Fault::Empty if !is_required => return Ok(()),
        Fault::Wrong(_) if wrong.is_empty() => return Ok(()),
        Fault::Doubled => {
            let other = form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
            let pairs = [(name.to_owned(), other.to_owned()), (name.to_owned(), format!("{other}x"))];
            form.retain(|(known, _)| known != name);
            form.extend(pairs);
        }
        Fault::Absent | Fault::Empty | Fault::Wrong(_) => form.retain(|(known, _)| known != name),
    }
    let is_as_named = |error: &FieldError| match fault {
        Fault::Absent | Fault::Empty => *error == FieldError::Missing { field: name },
        Fault::Doubled => *error == FieldError::Ambiguous { field: name },
        Fault::Wrong(_) => matches!(error, FieldError::Unexpected { field, .. } if *field == name),
    };
    match fault {
        Fault::Empty => form.push((name.to_owned(), String::new())),
        Fault::Wrong(which) => form.push((name.to_owned(), (*which.get(wrong)).to_owned())),
        Fault::Absent | Fault::Doubled => {}
    }
    let body = write(&form, noise);
    let refused = read(&webhook(&body)).err();
    prop_assert!(refused.as_ref().is_some_and(is_as_named), "{} by {:?}: {:?}", name, fault, refused);
    Ok(())
}

fn nothing_shows<T: Debug>(
    read: Read<T>,
    case: &Case<T>,
    values: &[(Index, String)],
    cut: Index,
) -> Result<(), TestCaseError> {
    let mut form = case.form.clone();
    for (field, value) in values {
        let Field { name, .. } = field.get(&case.fields);
        // The carrier's own words and addresses are shown.
        let mark = if matches!(*name, "StreamError" | "RecordingUrl") { "" } else { MARK };
        form.retain(|(known, _)| known != name);
        form.push(((*name).to_owned(), format!("{value}{mark}")));
    }
    let body = write(&form, &Noise { unknown: Vec::new(), repeated: Vec::new(), order: Vec::new() });
    // A body torn off anywhere is a form or is none; where it is one, it is read or refused.
    let torn = body.get(..cut.index(body.len() + 1)).unwrap_or_default();
    for body in [body.as_str(), torn] {
        if Params::parse(body.as_bytes()).is_ok() {
            let shown = format!("{:?}", read(&webhook(body)));
            prop_assert!(!shown.contains(MARK), "{}", shown);
        }
    }
    Ok(())
}

/// Writes a form with the noise in it.
fn write(form: &[(String, String)], noise: &Noise) -> String {
    let mut pairs = form.to_vec();
    if !form.is_empty() {
        pairs.extend(noise.repeated.iter().map(|index| index.get(form).clone()));
    }
    pairs.extend(noise.unknown.iter().cloned());
    for (at, index) in noise.order.iter().enumerate().take(pairs.len()) {
        let other = index.index(pairs.len());
        pairs.swap(at, other);
    }
    pairs.into_iter().collect::<Params>().encode()
}

fn noise() -> impl Strategy<Value = Noise> {
    // No name of the carrier's begins with an X.
    let name = prop_oneof!["X[A-Za-z0-9]{0,9}", "Xדנה", "X ?&=%"];
    let unknown = vec((name, prop_oneof![Just(String::new()), value()]), 0..6);
    (unknown, vec(any::<Index>(), 0..4), vec(any::<Index>(), 0..40)).prop_map(|(unknown, repeated, order)| Noise {
        unknown,
        repeated,
        order,
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Absent),
        Just(Fault::Empty),
        Just(Fault::Doubled),
        any::<Index>().prop_map(Fault::Wrong),
        any::<Index>().prop_map(Fault::Wrong),
    ]
}

/// Any value at all.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", "[0-9+*#-]{0,12}", "[\\x00-\\x1f&=+% ]{0,6}", Just("x".repeat(2_000))]
}

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,64}"
}

/// An address as the carrier writes it, and what it means.
fn address() -> impl Strategy<Value = (String, Address)> {
    let number =
        || "\\+[13-9][0-9]{2,14}".prop_filter("the word for none", |text| Address::of(text) != Address::Withheld);
    prop_oneof![
        number().prop_map(|text| (text.clone(), Address::Phone(text))),
        number().prop_map(|text| (format!("whatsapp:{text}"), Address::WhatsApp(text))),
        "[a-z]{1,9}".prop_map(|text| (format!("client:{text}"), Address::Client(text))),
        "[a-z]{1,9}@[a-z]{1,9}\\.example".prop_map(|text| (format!("sip:{text}"), Address::Sip(text))),
        select(vec!["anonymous", "+266696687", "Restricted", ""]).prop_map(|text| (text.to_owned(), Address::Withheld)),
        "\\*[0-9]{1,5}".prop_map(|text| (text.clone(), Address::Other(text))),
    ]
}

/// A word and what it means; words of later years have no meaning of their own.
fn status() -> impl Strategy<Value = (String, CallStatus)> {
    let known = [
        ("queued", CallStatus::Queued),
        ("initiated", CallStatus::Initiated),
        ("ringing", CallStatus::Ringing),
        ("in-progress", CallStatus::InProgress),
        ("answered", CallStatus::InProgress),
        ("completed", CallStatus::Completed),
        ("busy", CallStatus::Busy),
        ("failed", CallStatus::Failed),
        ("no-answer", CallStatus::NoAnswer),
        ("canceled", CallStatus::Canceled),
        ("transferred", CallStatus::Other),
    ];
    select(known.to_vec()).prop_map(|(word, status)| (word.to_owned(), status))
}

/// A length as the carrier writes it; `None` is not written, empty, or -1.
fn length() -> impl Strategy<Value = (String, Option<Duration>)> {
    prop_oneof![
        any::<u64>().prop_map(|seconds| (seconds.to_string(), Some(Duration::from_secs(seconds)))),
        select(vec!["", "-1"]).prop_map(|text| (text.to_owned(), None)),
    ]
}

/// A name, a text about a person.
fn words() -> impl Strategy<Value = Option<String>> {
    option::of(prop_oneof!["דנה כהן", "\\PC{1,20}"])
}

/// Returns the pairs of a form from names and texts; what is `None` is not written.
fn pairs<const N: usize>(fields: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn text_of<N: ToString>(number: Option<N>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn incoming_call_case() -> impl Strategy<Value = Case<IncomingCall>> {
    let directions = [
        (Some("inbound"), Direction::Inbound),
        (Some("outbound-api"), Direction::OutboundApi),
        (Some("outbound-dial"), Direction::OutboundDial),
        (Some("sideways"), Direction::Other),
        (None, Direction::Inbound),
    ];
    let answerers = [
        (Some("human"), Some(AnsweredBy::Human)),
        (Some("machine_start"), Some(AnsweredBy::Machine)),
        (Some("machine_end_beep"), Some(AnsweredBy::Machine)),
        (Some("fax"), Some(AnsweredBy::Fax)),
        (Some("unknown"), Some(AnsweredBy::Unknown)),
        (Some("parrot"), Some(AnsweredBy::Unknown)),
        (None, None),
    ];
    let ends = (address(), address(), option::of(address()));
    let words_of_the_carrier = (select(directions.to_vec()), status(), select(answerers.to_vec()));
    (id(), id(), ends, words_of_the_carrier, words(), any::<Option<u32>>()).prop_map(
        |(call, account, (from, to, forwarded), (direction, status, answerer), name, error)| {
            // An address that is empty is one that was not told.
            let forwarded = forwarded.filter(|(text, _)| !text.is_empty());
            let form = pairs([
                ("CallSid", Some(call.clone())),
                ("AccountSid", Some(account.clone())),
                ("From", Some(from.0)),
                ("To", Some(to.0)),
                ("Direction", direction.0.map(str::to_owned)),
                ("CallStatus", Some(status.0)),
                ("CallerName", name.clone()),
                ("ForwardedFrom", forwarded.as_ref().map(|(text, _)| text.clone())),
                ("AnsweredBy", answerer.0.map(str::to_owned)),
                ("ErrorCode", text_of(error)),
            ]);
            let meaning = IncomingCall {
                call_id: call.parse().unwrap(),
                account: account.parse().unwrap(),
                from: from.1.into(),
                to: to.1.into(),
                direction: direction.1,
                status: status.1,
                caller_name: name.map(Pii::new),
                forwarded_from: forwarded.map(|(_, address)| address.into()),
                answered_by: answerer.1,
                primary_error: error,
            };
            let fields = vec![
                required("CallSid", NOT_AN_ID),
                required("AccountSid", NOT_AN_ID),
                optional("From", &[]),
                optional("To", &[]),
                optional("Direction", &[]),
                optional("CallStatus", &[]),
                optional("CallerName", &[]),
                optional("ForwardedFrom", &[]),
                optional("AnsweredBy", &[]),
                optional("ErrorCode", NOT_A_NUMBER),
            ];
            Case { form, meaning, fields }
        },
    )
}

fn call_status_case() -> impl Strategy<Value = Case<CallStatusUpdate>> {
    (id(), status(), any::<Option<u64>>(), length(), any::<Option<u16>>()).prop_map(
        |(call, status, sequence, duration, sip_response)| {
            let form = pairs([
                ("CallSid", Some(call.clone())),
                ("CallStatus", Some(status.0)),
                ("SequenceNumber", text_of(sequence)),
                ("CallDuration", Some(duration.0)),
                ("SipResponseCode", text_of(sip_response)),
            ]);
            let (call_id, status, duration) = (call.parse().unwrap(), status.1, duration.1);
            let fields = vec![
                required("CallSid", NOT_AN_ID),
                required("CallStatus", &[]),
                optional("SequenceNumber", NOT_A_NUMBER),
                optional("CallDuration", NOT_A_NUMBER),
                optional("SipResponseCode", &["65536", "x", "-1"]),
            ];
            Case { form, meaning: CallStatusUpdate { call_id, status, sequence, duration, sip_response }, fields }
        },
    )
}

/// A reason as the carrier gives it, and as it is kept.
fn reason() -> impl Strategy<Value = (String, String)> {
    ("[\\x00-\\x1f\\PC]{1,30}", any::<bool>()).prop_map(|(text, is_long)| {
        let text = if is_long { text.chars().cycle().take(400).collect() } else { text } + ".";
        let kept = text.chars().filter(|c| !c.is_control()).take(300).collect();
        (text, kept)
    })
}

fn stream_status_case() -> impl Strategy<Value = Case<StreamStatus>> {
    let failed = |reason: &str| StreamEvent::Failed { reason: reason.to_owned() };
    let event = prop_oneof![
        Just(("stream-started", None, StreamEvent::Started)),
        Just(("stream-stopped", None, StreamEvent::Stopped)),
        Just(("stream-error", None, failed("no reason given"))),
        reason().prop_map(move |(text, kept)| ("stream-error", Some(text), failed(&kept))),
        Just(("stream-paused", None, StreamEvent::Other)),
    ];
    (id(), option::of(id()), event).prop_map(|(call, stream, (word, error, event))| {
        let mut fields =
            vec![required("CallSid", NOT_AN_ID), optional("StreamSid", NOT_AN_ID), required("StreamEvent", &[])];
        fields.extend((word == "stream-error").then_some(optional("StreamError", &[])));
        let form = pairs([
            ("CallSid", Some(call.clone())),
            ("StreamSid", stream.clone()),
            ("StreamEvent", Some(word.to_owned())),
            ("StreamError", error),
        ]);
        let stream_id = stream.map(|stream| stream.parse().unwrap());
        Case { form, meaning: StreamStatus { call_id: call.parse().unwrap(), stream_id, event }, fields }
    })
}

fn stream_ended_case() -> impl Strategy<Value = Case<StreamEnded>> {
    (id(), status(), option::of(id()), option::of(reason())).prop_map(|(call, status, stream, error)| {
        let form = pairs([
            ("CallSid", Some(call.clone())),
            ("CallStatus", Some(status.0)),
            ("StreamSid", stream.clone()),
            ("StreamError", error.as_ref().map(|(text, _)| text.clone())),
        ]);
        let meaning = StreamEnded {
            call_id: call.parse().unwrap(),
            status: status.1,
            stream_id: stream.map(|stream| stream.parse().unwrap()),
            error: error.map(|(_, kept)| kept),
        };
        let fields = vec![
            required("CallSid", NOT_AN_ID),
            optional("CallStatus", &[]),
            optional("StreamSid", NOT_AN_ID),
            optional("StreamError", &[]),
        ];
        Case { form, meaning, fields }
    })
}

/// A recording, or none, with its part of the form and the fields that are read of it.
fn any_recording() -> impl Strategy<Value = Case<RecordingRef>> {
    (id(), option::of("https://[a-z/]{1,20}"), length()).prop_map(|(id, url, duration)| {
        let form = pairs([
            ("RecordingSid", Some(id.clone())),
            ("RecordingUrl", url.clone()),
            ("RecordingDuration", Some(duration.0)),
        ]);
        let fields = vec![
            optional("RecordingSid", NOT_AN_ID),
            optional("RecordingUrl", &[]),
            optional("RecordingDuration", NOT_A_NUMBER),
        ];
        Case { form, meaning: RecordingRef { id: id.parse().unwrap(), url, duration: duration.1 }, fields }
    })
}

fn recording_result_case() -> impl Strategy<Value = Case<RecordingResult>> {
    let key = |label| RecordEnd::Key(Digit::new(label).unwrap());
    let ends = vec![
        (None, RecordEnd::Timeout),
        (Some(""), RecordEnd::Timeout),
        (Some("hangup"), RecordEnd::HungUp),
        (Some("#"), key('#')),
        (Some("7"), key('7')),
        (Some("a"), key('A')),
    ];
    (id(), id(), address(), option::of(any_recording()), select(ends)).prop_map(
        |(call, account, from, recording, (digits, ended_by))| {
            let mut form = pairs([
                ("CallSid", Some(call.clone())),
                ("AccountSid", Some(account.clone())),
                ("From", Some(from.0)),
                ("Digits", digits.map(str::to_owned)),
            ]);
            let mut fields = vec![
                required("CallSid", NOT_AN_ID),
                required("AccountSid", NOT_AN_ID),
                optional("From", &[]),
                optional("Digits", &["12", "x", "Hangup", "א", " "]),
            ];
            let recording = recording.map(|recording| {
                form.extend(recording.form);
                fields.extend(recording.fields);
                recording.meaning
            });
            let (call_id, account) = (call.parse().unwrap(), account.parse().unwrap());
            let meaning = RecordingResult { call_id, account, from: from.1.into(), recording, ended_by };
            Case { form, meaning, fields }
        },
    )
}

fn recording_status_case() -> impl Strategy<Value = Case<RecordingStatus>> {
    let states = vec![
        ("in-progress", RecordingState::InProgress),
        ("completed", RecordingState::Completed),
        ("absent", RecordingState::Absent),
        ("failed", RecordingState::Failed),
        ("mislaid", RecordingState::Other),
    ];
    (id(), id(), any_recording(), select(states), any::<Option<u8>>(), any::<Option<u32>>()).prop_map(
        |(call, account, recording, (word, state), channels, error)| {
            let mut form = pairs([
                ("CallSid", Some(call.clone())),
                ("AccountSid", Some(account.clone())),
                ("RecordingStatus", Some(word.to_owned())),
                ("RecordingChannels", text_of(channels)),
                // 0 is no error.
                ("ErrorCode", Some(error.unwrap_or(0).to_string())),
            ]);
            form.extend(recording.form);
            let mut fields = vec![
                required("CallSid", NOT_AN_ID),
                required("AccountSid", NOT_AN_ID),
                required("RecordingStatus", &[]),
                optional("RecordingChannels", &["256", "two", "-1"]),
                optional("ErrorCode", &["4294967296", "none", "-1"]),
            ];
            fields.extend(recording.fields);
            for field in fields.iter_mut().filter(|field| field.name == "RecordingSid") {
                field.is_required = true;
            }
            let meaning = RecordingStatus {
                call_id: call.parse().unwrap(),
                account: account.parse().unwrap(),
                recording: recording.meaning,
                state,
                channels,
                error: error.filter(|code| *code != 0),
            };
            Case { form, meaning, fields }
        },
    )
}

fn dial_result_case() -> impl Strategy<Value = Case<DialResult>> {
    let bridged = [(Some("true"), Some(true)), (Some("false"), Some(false)), (Some("perhaps"), None), (None, None)];
    (id(), status(), option::of(id()), length(), select(bridged.to_vec())).prop_map(
        |(call, status, dialled, duration, bridged)| {
            let form = pairs([
                ("CallSid", Some(call.clone())),
                ("DialCallStatus", Some(status.0)),
                ("DialCallSid", dialled.clone()),
                ("DialCallDuration", Some(duration.0)),
                ("DialBridged", bridged.0.map(str::to_owned)),
            ]);
            let meaning = DialResult {
                call_id: call.parse().unwrap(),
                status: status.1,
                dialled_call_id: dialled.map(|dialled| dialled.parse().unwrap()),
                duration: duration.1,
                bridged: bridged.1,
            };
            let fields = vec![
                required("CallSid", NOT_AN_ID),
                required("DialCallStatus", &[]),
                optional("DialCallSid", NOT_AN_ID),
                optional("DialCallDuration", NOT_A_NUMBER),
                optional("DialBridged", &[]),
            ];
            Case { form, meaning, fields }
        },
    )
}

fn gather_result_case() -> impl Strategy<Value = Case<GatherResult>> {
    (id(), "[0-9*#A-Da-d]{0,20}").prop_map(|(call, keys)| {
        let form = pairs([("CallSid", Some(call.clone())), ("Digits", Some(keys.clone()))]);
        let digits: Vec<Digit> = keys.chars().map(|label| Digit::new(label).unwrap()).collect();
        let fields = vec![required("CallSid", NOT_AN_ID), optional("Digits", &["12 3", "E", "hangup", "דנה", "٣"])];
        Case { form, meaning: GatherResult { call_id: call.parse().unwrap(), digits: digits.into() }, fields }
    })
}
