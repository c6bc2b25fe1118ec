//! Both readers against forms made up: what Twilio may send is read as it was meant, whatever stands beside it and in
//! whatever order; a form with one fault is refused by the name of the field; nothing personal shows.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;
use crate::message::{Location, Media};

/// A form and what it means.
#[derive(Clone, Debug)]
struct Case<T> {
    form: Vec<(String, String)>,
    meaning: T,
    /// The parameters that are read from this form, whether each has to be there, and values it cannot have.
    fields: Vec<Field>,
}

type Field = (&'static str, Need, &'static [&'static str]);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Required,
    Optional,
}

use Need::{Optional, Required};

/// What is wrong with a form.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Absent,
    Empty,
    Doubled,
    Wrong(Index),
}

const NOT_AN_ID: &[&str] = &["SM 1", "דנה", "SM1\n"];
const NOT_A_URL: &[&str] =
    &["https://x/Accounts/AC1/Messages/MM1/Media/..", "x", "/Media/ME1", "https://x/Accounts/AC1/Media/ME1"];
const NOT_DEGREES: &[&str] = &["NaN", "180.1", "inf", "x", "1,5", "-1000"];
const NOT_A_TYPE: &[&str] = &["x", "/", "image/", "image/ jpeg", "א/ב"];

/// Stands for anything personal, to see whether it shows. It is in no name and no word of the carrier's.
const MARK: &str = "זהסוד";

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_valid_message_is_read_as_it_is_meant(case in message(), unknown in unknown(), order in order()) {
        let body = written(case.form, unknown, &order);
        prop_assert_eq!(read_inbound(&webhook(&body), NOW), Ok(case.meaning), "{}", body);
    }

    #[test]
    fn a_valid_status_is_read_as_it_is_meant(case in status(), unknown in unknown(), order in order()) {
        let body = written(case.form, unknown, &order);
        prop_assert_eq!(read_status(&webhook(&body), NOW), Ok(case.meaning), "{}", body);
    }

    #[test]
    fn a_message_with_one_fault_is_refused_by_its_field(
        case in message(), unknown in unknown(), order in order(), field in any::<Index>(), fault in fault(),
    ) {
        let field = *field.get(&case.fields);
        if let Some(form) = with_fault(case.form, field, fault) {
            let body = written(form, unknown, &order);
            is_refused(read_inbound(&webhook(&body), NOW).err(), field.0, fault)?;
        }
    }

    #[test]
    fn a_status_with_one_fault_is_refused_by_its_field(
        case in status(), unknown in unknown(), order in order(), field in any::<Index>(), fault in fault(),
    ) {
        let field = *field.get(&case.fields);
        if let Some(form) = with_fault(case.form, field, fault) {
            let body = written(form, unknown, &order);
            is_refused(read_status(&webhook(&body), NOW).err(), field.0, fault)?;
        }
    }

    #[test]
    fn any_values_in_any_field_are_read_or_refused_and_not_shown(
        case in message(), other in status(), values in vec((any::<Index>(), "\\PC{0,8}|[0-9./:+-]{0,12}"), 0..8),
        cut in any::<Index>(),
    ) {
        let fields = [case.fields, other.fields].concat();
        let mut form = [case.form, other.form].concat();
        for (field, value) in values {
            let (name, ..) = field.get(&fields);
            form.retain(|(known, _)| known != name);
            form.push(((*name).to_owned(), format!("{value}{MARK}")));
        }
        let body = written(form, Vec::new(), &[]);
        // A body torn off anywhere is a form or is none.
        for body in [body.as_str(), &body[..cut.index(body.len() + 1)]] {
            if Params::parse(body.as_bytes()).is_ok() {
                let webhook = webhook(body);
                let shown = format!("{:?} {:?}", read_inbound(&webhook, NOW), read_status(&webhook, NOW));
                prop_assert!(!shown.contains(MARK), "{}", shown);
            }
        }
    }
}

/// Puts a fault into a form; `None` where it would be none.
fn with_fault(form: Vec<(String, String)>, field: Field, fault: Fault) -> Option<Vec<(String, String)>> {
    let (name, need, wrong) = field;
    let value = form.iter().find(|(known, _)| known == name).map_or(String::new(), |(_, value)| value.clone());
    let mut form: Vec<_> = form.into_iter().filter(|(known, _)| known != name).collect();
    match fault {
        Fault::Absent | Fault::Empty if need == Optional => return None,
        Fault::Wrong(_) if wrong.is_empty() => return None,
        Fault::Absent => {}
        Fault::Empty => form.push((name.to_owned(), String::new())),
        Fault::Doubled => form.extend([(name.to_owned(), format!("{value}x")), (name.to_owned(), value)]),
        Fault::Wrong(which) => form.push((name.to_owned(), (*which.get(wrong)).to_owned())),
    }
    Some(form)
}

fn is_refused(error: Option<FieldError>, name: &'static str, fault: Fault) -> Result<(), TestCaseError> {
    let is_as_named = match (fault, error) {
        (Fault::Absent | Fault::Empty, Some(FieldError::Missing { field }))
        | (Fault::Doubled, Some(FieldError::Ambiguous { field }))
        | (Fault::Wrong(_), Some(FieldError::Unexpected { field, .. })) => field == name,
        _ => false,
    };
    prop_assert!(is_as_named, "{} by {:?}: {:?}", name, fault, error);
    Ok(())
}

/// Writes a form with what else is in it, in any order.
fn written(form: Vec<(String, String)>, unknown: Vec<(String, String)>, order: &[Index]) -> String {
    let mut pairs = form;
    pairs.extend(unknown);
    for (at, index) in order.iter().enumerate().take(pairs.len()) {
        let other = index.index(pairs.len());
        pairs.swap(at, other);
    }
    // What comes twice the same says nothing new.
    pairs.extend(pairs.first().cloned());
    pairs.into_iter().collect::<Params>().encode()
}

fn unknown() -> impl Strategy<Value = Vec<(String, String)>> {
    // No name of Twilio's begins with a Y.
    vec(("Y[A-Za-z0-9א-ת&=]{0,6}", "[a-z0-9א-ת&=+% ]{0,12}"), 0..5)
}

fn order() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..30)
}

fn fault() -> impl Strategy<Value = Fault> {
    let wrong = || any::<Index>().prop_map(Fault::Wrong);
    prop_oneof![Just(Fault::Absent), Just(Fault::Empty), Just(Fault::Doubled), wrong(), wrong()]
}

/// Something a person wrote.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[א-ת ]{1,20}", "\\PC{1,12}", "[&=+%\\n ]{1,5}"]
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.=_-]{1,40}"
}

/// What a message says, with its part of the form and the parameters that are read of it.
fn content() -> impl Strategy<Value = Case<Content>> {
    prop_oneof![
        option::of(words()).prop_map(text_case),
        (words(), option::of(words()), option::of(words())).prop_map(button_case),
        ((-90_000_000_i32..=90_000_000, -180_000_000_i32..=180_000_000), option::of(words()), option::of(words()))
            .prop_map(place_case),
        (vec(file(), 1..=10), option::of(words()), any::<bool>()).prop_map(files_case),
        select(vec!["hologram", "order", "x"]).prop_map(|kind| Case {
            form: pairs([("Body", Some(String::new())), ("MessageType", Some(kind.to_owned()))]),
            meaning: Content::Unknown { kind: kind.to_owned() },
            fields: vec![
                ("Body", Optional, &[]),
                ("MessageType", Optional, &[]),
                ("NumMedia", Optional, &["11", "-1"])
            ],
        }),
    ]
}

fn text_case(text: Option<String>) -> Case<Content> {
    let form =
        pairs([("Body", text.clone()), ("MessageType", Some("text".to_owned())), ("NumMedia", Some("0".to_owned()))]);
    let fields = vec![("Body", Optional, &[][..]), ("NumMedia", Optional, &["11", "x", "-1", "1.0", "²"])];
    Case { form, meaning: Content::Text(Pii::new(text.unwrap_or_default())), fields }
}

fn button_case((text, payload, body): (String, Option<String>, Option<String>)) -> Case<Content> {
    let form = pairs([("ButtonText", Some(text.clone())), ("ButtonPayload", payload.clone()), ("Body", body)]);
    let payload = payload.unwrap_or_else(|| text.clone());
    let fields = vec![("ButtonText", Optional, &[][..]), ("ButtonPayload", Optional, &[]), ("Body", Optional, &[])];
    Case { form, meaning: Content::Button { payload: Pii::new(payload), text: Pii::new(text) }, fields }
}

fn place_case(((latitude, longitude), name, address): ((i32, i32), Option<String>, Option<String>)) -> Case<Content> {
    let degrees = |micros: i32| (f64::from(micros) / 1e6).to_string();
    let form = pairs([
        ("Latitude", Some(degrees(latitude))),
        ("Longitude", Some(degrees(longitude))),
        ("Label", name.clone()),
        ("Address", address.clone()),
    ]);
    let location = Location { latitude_micros: latitude, longitude_micros: longitude, name, address };
    let fields = vec![
        ("Latitude", Optional, NOT_DEGREES),
        ("Longitude", Optional, NOT_DEGREES),
        ("Label", Optional, &[]),
        ("Address", Optional, &[]),
    ];
    Case { form, meaning: Content::Location(location.into()), fields }
}

/// A file: its account, message and name, and its media type as it is written and as it is meant.
fn file() -> impl Strategy<Value = (String, String, String, (&'static str, &'static str))> {
    let types = vec![
        ("image/jpeg", "image/jpeg"),
        ("IMAGE/PNG", "image/png"),
        ("audio/ogg; codecs=opus", "audio/ogg"),
        ("video/mp4", "video/mp4"),
        ("application/pdf", "application/pdf"),
        ("", "application/octet-stream"),
    ];
    ("AC[0-9a-f]{1,32}", "MM[0-9a-f]{1,32}", "ME[0-9a-f]{1,32}", select(types))
}

type File = (String, String, String, (&'static str, &'static str));

fn files_case((files, caption, is_sticker): (Vec<File>, Option<String>, bool)) -> Case<Content> {
    let mut form = pairs([
        ("NumMedia", Some(files.len().to_string())),
        ("Body", caption.clone()),
        ("MessageType", is_sticker.then(|| "sticker".to_owned())),
    ]);
    let mut items = Vec::new();
    for (number, (account, message, media, (stated, meant))) in files.into_iter().enumerate() {
        let url = format!("https://api.example.org/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}?x=1");
        form.extend([(format!("MediaUrl{number}"), url), (format!("MediaContentType{number}"), stated.to_owned())]);
        items.push(Media {
            source: MediaSource::Twilio { account: account.parse().unwrap(), message, media },
            kind: MediaKind::of(meant),
            content_type: meant.to_owned(),
            sha256: None,
            file_name: None,
        });
    }
    let meaning = match items.as_slice() {
        [only] if only.content_type == "audio/ogg" && caption.is_none() => Content::VoiceNote(only.clone()),
        _ => {
            let as_meant =
                |item: Media| Media { kind: if is_sticker { MediaKind::Sticker } else { item.kind }, ..item };
            Content::Media { items: items.into_iter().map(as_meant).collect(), caption: caption.map(Pii::new) }
        }
    };
    let fields = vec![
        ("NumMedia", Optional, &["11", "-1", "many"][..]),
        ("MediaUrl0", Required, NOT_A_URL),
        ("MediaContentType0", Optional, NOT_A_TYPE),
        ("Body", Optional, &[]),
    ];
    Case { form, meaning, fields }
}

fn message() -> impl Strategy<Value = Case<Inbound>> {
    let address = || {
        let number = "[1-9][0-9]{8,13}"
            .prop_filter("the word for none", |digits| Address::of(&format!("+{digits}")) != Address::Withheld);
        (number, any::<bool>())
            .prop_map(|(digits, is_sms)| format!("{}+{digits}", if is_sms { "" } else { "whatsapp:" }))
    };
    (name(), address(), address(), option::of(words()), option::of(name()), content()).prop_map(
        |(id, from, to, profile, replied, content)| {
            let mut form = pairs([
                ("MessageSid", Some(id.clone())),
                ("From", Some(from.clone())),
                ("To", Some(to.clone())),
                ("ProfileName", profile.clone()),
                ("OriginalRepliedMessageSid", replied.clone()),
            ]);
            form.extend(content.form);
            let meaning = Inbound {
                id: id.parse().unwrap(),
                provider: Provider::Twilio,
                from: Address::of(&from).into(),
                to: Address::of(&to).into(),
                profile_name: profile.map(Pii::new),
                at: NOW,
                content: content.meaning,
                reply_to: replied.map(|id| id.parse().unwrap()),
            };
            let mut fields = vec![
                ("MessageSid", Required, NOT_AN_ID),
                ("From", Required, &[]),
                ("To", Required, &[]),
                ("ProfileName", Optional, &[]),
                ("OriginalRepliedMessageSid", Optional, NOT_AN_ID),
            ];
            fields.extend(content.fields);
            Case { form, meaning, fields }
        },
    )
}

/// A word, what it means, and whether the reason of a failure is read with it.
const WORDS: [(&str, Option<State>); 11] = [
    ("accepted", Some(State::Accepted)),
    ("scheduled", Some(State::Accepted)),
    ("queued", Some(State::Queued)),
    ("sending", Some(State::Queued)),
    ("sent", Some(State::Sent)),
    ("partially_delivered", Some(State::Sent)),
    ("delivered", Some(State::Delivered)),
    ("read", Some(State::Read)),
    ("received", None),
    ("teleported", None),
    ("failed", Some(State::Failed { code: None, text: None })),
];

fn status() -> impl Strategy<Value = Case<Option<StatusUpdate>>> {
    let events = vec![None, Some(("READ", State::Read)), Some(("DELIVERED", State::Delivered))];
    let reason =
        (any::<Option<u32>>(), option::of(words()), subsequence(vec!["ChannelStatusMessage", "ErrorMessage"], 1));
    (name(), select(WORDS.to_vec()), select(events), reason).prop_map(|(id, (word, stated), event, reason)| {
        let (code, text, at) = reason;
        let is_failure = word == "failed";
        let text = text.filter(|text| is_failure && text.chars().any(|c| !c.is_control()));
        let code = code.filter(|_| is_failure);
        let form = pairs([
            ("MessageSid", Some(id.clone())),
            ("MessageStatus", Some(word.to_owned())),
            ("EventType", event.as_ref().map(|(event, _)| (*event).to_owned())),
            // 0 is no error.
            ("ErrorCode", is_failure.then(|| code.unwrap_or(0).to_string())),
            (at[0], text.clone()),
        ]);
        let stated = stated.map(|state| match state {
            State::Failed { .. } => {
                let kept = |text: String| text.chars().filter(|c| !c.is_control()).collect::<String>();
                State::Failed { code: code.filter(|code| *code != 0), text: text.map(|text| Pii::new(kept(text))) }
            }
            State::Accepted | State::Queued | State::Sent | State::Delivered | State::Read => state,
        });
        let furthest = match (stated, event.map(|(_, state)| state)) {
            (Some(stated), Some(event)) => Some(if event.rank() >= stated.rank() { event } else { stated }),
            (stated, event) => stated.or(event),
        };
        let meaning =
            furthest.map(|state| StatusUpdate { id: id.parse().unwrap(), provider: Provider::Twilio, state, at: NOW });
        let mut fields =
            vec![("MessageSid", Required, NOT_AN_ID), ("MessageStatus", Required, &[]), ("EventType", Optional, &[])];
        if is_failure {
            fields.push(("ErrorCode", Optional, &["x", "-1", "4294967296"]));
            fields.push(("ErrorMessage", Optional, &[]));
            fields.push(("ChannelStatusMessage", Optional, &[]));
        }
        Case { form, meaning, fields }
    })
}

/// Returns the pairs of a form; what is `None` is not written.
fn pairs<const N: usize>(fields: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
