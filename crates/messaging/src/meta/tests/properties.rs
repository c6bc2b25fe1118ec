//! The reader against bodies made up: what the Cloud API may send is read as it was meant, whatever stands beside it;
//! a message or status with one fault is refused by the name of its field and loses no other; nothing personal shows.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Map;

use super::*;
use crate::message::{Contact, Inbound, Location, Media};
use crate::status::StatusUpdate;

/// The JSON of one message or status, and what it means.
#[derive(Clone, Debug)]
struct Case<T> {
    json: Value,
    meaning: T,
    /// What can be wrong with it.
    faults: Vec<Fault>,
}

/// A fault: where it is put, what is put there, and by what name it is refused. `Null` is the same as nothing.
#[derive(Clone, Debug)]
struct Fault {
    pointer: &'static str,
    value: Value,
    field: &'static str,
}

/// Stands for anything personal, to see whether it shows. It is in no name and no word of the provider's.
const MARK: &str = "זהסוד";

/// Whose messages they are.
const OFFICE: &str = "972771234567";

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_messages_and_statuses_are_read_as_they_are_meant(
        messages in vec(message(), 0..4), statuses in vec(status(), 0..4), unknown in unknown(), changes in 1_usize..3,
    ) {
        let body = body(&jsons(&messages), &jsons(&statuses), &unknown, changes);
        let batch = read(&verified(&body), Some(NUMBER)).unwrap();
        let times = |count: usize| count * changes;
        prop_assert_eq!((batch.inbound.len(), batch.statuses.len()), (times(messages.len()), times(known(&statuses))));
        prop_assert!(batch.broken.is_empty());
        for (read, case) in batch.inbound.iter().zip(messages.iter().cycle()) {
            prop_assert_eq!(read, &case.meaning, "{}", body);
        }
        let meant: Vec<_> = statuses.iter().filter_map(|case| case.meaning.as_ref()).collect();
        for (read, meant) in batch.statuses.iter().zip(meant.iter().cycle()) {
            prop_assert_eq!(&read, meant, "{}", body);
        }
    }

    #[test]
    fn changes_of_other_numbers_are_counted_and_lose_none_of_ours(
        changes in vec((vec(message(), 0..3), vec(status(), 0..3), option::of("[0-9]{1,15}")), 0..4), is_named in any::<bool>(),
    ) {
        let (mut values, mut ours, mut of_others) = (Vec::new(), Vec::new(), 0);
        for (messages, statuses, other) in &changes {
            prop_assume!(other.as_deref() != Some(NUMBER));
            let number = other.as_deref().or(is_named.then_some(NUMBER));
            let value = json!({"metadata": {"phone_number_id": number}, "messages": jsons(messages), "statuses": jsons(statuses)});
            match other {
                Some(_) => of_others += messages.len() + statuses.len(),
                None => ours.push(json!({"value": value})),
            }
            values.push(json!({"value": value}));
        }
        let [all, ours] = [values, ours].map(|changes| {
            let body = json!({"object": "whatsapp_business_account", "entry": [{"changes": changes}]});
            read(&verified(&body.to_string()), Some(NUMBER)).unwrap()
        });
        prop_assert_eq!(all, Batch { of_others, ..ours });
    }

    #[test]
    fn a_message_with_one_fault_is_refused_by_its_field_and_loses_no_other(
        good in vec(message(), 0..3), bad in message(), at in any::<Index>(), fault in any::<Index>(),
    ) {
        let fault = fault.get(&bad.faults).clone();
        let item = at.index(good.len() + 1);
        let mut messages = jsons(&good);
        messages.insert(item, faulty(bad.json, &fault));
        let batch = read(&verified(&body(&messages, &[], &Map::new(), 1)), Some(NUMBER)).unwrap();
        let meant: Vec<_> = good.into_iter().map(|case| case.meaning).collect();
        prop_assert_eq!(batch.inbound, meant);
        let broken: Vec<_> = batch.broken.iter().map(|broken| (broken.item, field_of(broken.error))).collect();
        prop_assert_eq!(broken, vec![(item, fault.field)], "{:?}", fault);
    }

    #[test]
    fn a_status_with_one_fault_is_refused_by_its_field_and_loses_no_other(
        good in vec(status(), 0..3), bad in status(), at in any::<Index>(), fault in any::<Index>(),
    ) {
        // What says nothing has no moment either.
        prop_assume!(bad.meaning.is_some());
        let fault = fault.get(&bad.faults).clone();
        let item = at.index(good.len() + 1);
        let mut statuses = jsons(&good);
        statuses.insert(item, faulty(bad.json, &fault));
        let batch = read(&verified(&body(&[], &statuses, &Map::new(), 1)), Some(NUMBER)).unwrap();
        let meant: Vec<_> = good.into_iter().filter_map(|case| case.meaning).collect();
        prop_assert_eq!(batch.statuses, meant);
        let broken: Vec<_> = batch.broken.iter().map(|broken| (broken.item, field_of(broken.error))).collect();
        prop_assert_eq!(broken, vec![(item, fault.field)], "{:?}", fault);
    }

    #[test]
    fn any_json_anywhere_is_read_or_refused_and_not_shown(
        message in message(), status in status(), values in vec((any::<Index>(), json_value()), 0..6), cut in any::<Index>(),
    ) {
        let mut tree: Value = serde_json::from_str(&body(&[message.json], &[status.json], &Map::new(), 1)).unwrap();
        for (place, value) in values {
            let pointers = pointers(&tree);
            let at: &String = place.get(pointers.as_slice());
            *tree.pointer_mut(at).unwrap() = value;
        }
        let body = tree.to_string();
        let batch = read(&verified(&body), Some(NUMBER));
        let broken: Vec<_> = batch.iter().flat_map(|batch| &batch.broken).map(|broken| broken.error.to_string()).collect();
        let shown = format!("{batch:?} {broken:?}");
        prop_assert!(!shown.contains(MARK), "{} of {}", shown, body);
        // A body torn off anywhere is no JSON.
        let at = (0..cut.index(body.len())).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
        let torn = read(&verified(&body[..at]), Some(NUMBER));
        prop_assert!(matches!(torn, Err(PayloadError::NotJson { .. } | PayloadError::OtherObject)), "{:?}", torn);
    }

    #[test]
    fn any_body_signed_with_either_secret_is_believed_and_no_other(
        body in vec(any::<u8>(), 0..80), other in vec(any::<u8>(), 0..80), key in "[ -~]{1,40}",
        header in option::of("sha256=[0-9a-f]{0,70}|\\PC{0,80}"), is_second in any::<bool>(),
    ) {
        prop_assume!(!key.trim().is_empty() && !["a", "b"].contains(&key.trim()));
        let verifier = Verifier::new(secret("a")).with_secondary(secret(&key));
        let signer = Signer::new(if is_second { secret(&key) } else { secret("a") });
        let signature = signer.sign(&body);
        prop_assert_eq!(verifier.verify(body.clone(), Some(&signature)).map(|body| body.bytes().to_vec()).ok(), Some(body.clone()));
        prop_assert_eq!(verifier.verify(other.clone(), Some(&signature)).is_ok(), other == body);
        let stranger = Signer::new(secret("b")).sign(&body);
        prop_assert_eq!(verifier.verify(body.clone(), Some(&stranger)).err(), Some(SignatureError::Wrong));
        prop_assert!(verifier.verify(body, header.as_deref()).is_err());
    }

    #[test]
    fn any_query_is_a_challenge_answered_as_it_came_or_refused(
        mode in select(vec!["subscribe", "unsubscribe", ""]), token in prop_oneof!["verify-me", "[ -~]{0,12}"],
        text in prop_oneof!["[A-Za-z0-9._-]{1,256}", "\\PC{0,12}", Just("1".repeat(257))], unknown in "\\PC{0,12}",
    ) {
        let query = Params::new().with("x", unknown).with("hub.challenge", text.as_str())
            .with("hub.verify_token", token.as_str()).with("hub.mode", mode);
        let query = Params::parse(query.encode().as_bytes()).unwrap();
        let is_clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let fits = is_clean && (1..=256).contains(&text.len());
        let answer = challenge(&query, &secret("verify-me"));
        let refused = answer.as_ref().err().map(|error| match error {
            ChallengeError::Field(error) => field_of(*error),
            ChallengeError::WrongToken => "token",
        });
        let expected = match (mode, token.as_str()) {
            ("subscribe", "") => Some("hub.verify_token"),
            ("subscribe", "verify-me") => (!fits).then_some("hub.challenge"),
            ("subscribe", _) => Some("token"),
            (_, _) => Some("hub.mode"),
        };
        prop_assert_eq!(refused, expected);
        prop_assert!(answer.is_err() || answer == Ok(text));
    }

    #[test]
    fn any_answer_means_something(http_status in 100_u16..600, body in vec(any::<u8>(), 0..40), json in json_value()) {
        let told = json!({"messages": [{"id": json}], "error": {"code": json}}).to_string();
        for body in [body.as_slice(), told.as_bytes()] {
            let is_accepted = matches!(read_answer(http_status, body), Answer::Accepted(_));
            prop_assert!(!is_accepted || (200..300).contains(&http_status));
        }
    }
}

/// Writes a body with the same change so many times.
fn body(messages: &[Value], statuses: &[Value], unknown: &Map<String, Value>, changes: usize) -> String {
    let mut value = json!({
        "metadata": {"display_phone_number": "+972 77-123-4567"}, "messages": messages, "statuses": statuses,
        "contacts": [{"wa_id": "1"}, {"wa_id": SENDER, "profile": {"name": "דנה"}}],
    });
    value.as_object_mut().unwrap().extend(unknown.clone());
    let change = json!({"field": "messages", "value": value});
    let mut body = json!({"object": "whatsapp_business_account", "entry": [{"changes": vec![change; changes]}]});
    body.as_object_mut().unwrap().extend(unknown.clone());
    body.to_string()
}

/// The sender whose name the body knows.
const SENDER: &str = "972541234567";

fn jsons<T>(cases: &[Case<T>]) -> Vec<Value> {
    cases.iter().map(|case| case.json.clone()).collect()
}

/// Returns how many of the statuses say anything.
fn known(statuses: &[Case<Option<StatusUpdate>>]) -> usize {
    statuses.iter().filter(|case| case.meaning.is_some()).count()
}

/// Puts a fault into a message or status.
fn faulty(mut json: Value, fault: &Fault) -> Value {
    let (parent, key) = fault.pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), fault.value.clone());
    json
}

/// Returns every place in a tree, but not those that make a body one of another kind.
fn pointers(tree: &Value) -> Vec<String> {
    let mut found = vec!["/entry".to_owned()];
    let mut open = vec![("/entry".to_owned(), tree.get("entry").unwrap())];
    while let Some((at, value)) = open.pop() {
        let children: Vec<(String, &Value)> = match value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (format!("{at}/{index}"), item)).collect()
            }
            Value::Object(fields) => fields.iter().map(|(key, item)| (format!("{at}/{key}"), item)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        found.extend(children.iter().map(|(at, _)| at.clone()).filter(|at| !at.contains('~')));
        open.extend(children);
    }
    found
}

/// Any value, texts with the mark.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9/+ ]{0,6}".prop_map(|text| Value::from(format!("{text}{MARK}"))),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((select(vec!["id", "type", "text", "body", "code"]), inner), 0..3)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// Fields that nobody reads.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    vec(("y[a-z]{0,4}", json_value()), 0..3).prop_map(|fields| fields.into_iter().collect())
}

/// Something a person wrote.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[א-ת ]{1,20}", "\\PC{1,12}", "[\"\\\\\\n\\x01]{1,5}"]
}

fn fault(pointer: &'static str, value: Value, field: &'static str) -> Fault {
    Fault { pointer, value, field }
}

/// Returns the faults that any text has that has to be there.
fn text_faults(pointer: &'static str, field: &'static str) -> Vec<Fault> {
    [json!(null), json!(""), json!(7), json!(["x"]), json!({})].map(|value| fault(pointer, value, field)).to_vec()
}

/// What a message says.
fn content() -> impl Strategy<Value = Case<Content>> {
    prop_oneof![
        words().prop_map(|text| {
            let json = json!({"type": "text", "text": {"body": text, "preview": false}});
            let mut faults = text_faults("/text/body", "messages.text.body");
            faults.push(fault("/text", json!("x"), "messages.text.body"));
            Case { json, meaning: Content::Text(Pii::new(text)), faults }
        }),
        (file(), option::of(words())).prop_map(file_case),
        (words(), option::of(words()), select(vec!["button", "button_reply", "list_reply"])).prop_map(button_case),
        ((-90_000_000_i32..=90_000_000, -180_000_000_i32..=180_000_000), option::of(words()), any::<bool>())
            .prop_map(place_case),
        vec((option::of(words()), vec("[0-9 +-]{1,12}", 0..4)), 0..4).prop_map(contacts_case),
        (id(), option::of("[👍😀❤]")).prop_map(|(to, emoji)| {
            let json = json!({"type": "reaction", "reaction": {"message_id": to, "emoji": emoji}});
            let mut faults = text_faults("/reaction/message_id", "messages.reaction.message_id");
            faults.push(fault("/reaction/message_id", json!("א"), "messages.reaction.message_id"));
            let meaning = Content::Reaction { to: to.parse().unwrap(), emoji: emoji.map(Pii::new) };
            Case { json, meaning, faults }
        }),
        "[a-z]{1,3}[0-9_]{1,40}".prop_map(|kind| {
            let meaning = Content::Unknown { kind: kind.chars().take(32).collect() };
            Case { json: json!({"type": kind}), meaning, faults: text_faults("/type", "messages.type") }
        }),
    ]
}

/// A file: what it is called, its media type as it is written and as it is meant, its name.
fn file() -> impl Strategy<Value = (String, (&'static str, MediaKind), (&'static str, &'static str), Option<String>)> {
    let kinds = vec![
        ("image", MediaKind::Image),
        ("sticker", MediaKind::Sticker),
        ("video", MediaKind::Video),
        ("document", MediaKind::Document),
        ("audio", MediaKind::Audio),
    ];
    let types = vec![
        ("image/jpeg", "image/jpeg"),
        ("Audio/OGG; codecs=opus", "audio/ogg"),
        ("audio/mpeg", "audio/mpeg"),
        ("", "application/octet-stream"),
    ];
    ("[A-Za-z0-9_-]{1,128}", select(kinds), select(types), option::of(words()))
}

type File = (String, (&'static str, MediaKind), (&'static str, &'static str), Option<String>);

fn file_case(((media, (word, kind), (stated, meant), file_name), caption): (File, Option<String>)) -> Case<Content> {
    let part =
        json!({"id": media, "mime_type": stated, "filename": file_name, "caption": caption, "sha256": "00".repeat(32)});
    let item = Media {
        source: MediaSource::Meta { media },
        kind,
        content_type: meant.to_owned(),
        sha256: Some([0; 32]),
        file_name: file_name.map(Pii::new),
    };
    let meaning = if kind == MediaKind::Audio && meant == "audio/ogg" {
        Content::VoiceNote(item)
    } else {
        Content::Media { items: vec![item], caption: caption.map(Pii::new) }
    };
    let (pointer, id_pointer, type_pointer, field) = match word {
        "image" => ("/image", "/image/id", "/image/mime_type", "messages.image"),
        "sticker" => ("/sticker", "/sticker/id", "/sticker/mime_type", "messages.sticker"),
        "video" => ("/video", "/video/id", "/video/mime_type", "messages.video"),
        "document" => ("/document", "/document/id", "/document/mime_type", "messages.document"),
        _ => ("/audio", "/audio/id", "/audio/mime_type", "messages.audio"),
    };
    let mut faults = text_faults(id_pointer, field);
    faults.extend(["../x", "א", "a b"].map(|name| fault(id_pointer, json!(name), field)));
    faults.push(fault(id_pointer, json!("1".repeat(129)), field));
    faults.push(fault(pointer, json!({}), field));
    faults.extend(["x", "/", "a/ב"].map(|stated| fault(type_pointer, json!(stated), field)));
    Case { json: json!({"type": word, word: part}), meaning, faults }
}

fn button_case((text, payload, kind): (String, Option<String>, &'static str)) -> Case<Content> {
    let (json, label, field) = match kind {
        "button" => {
            let json = json!({"type": "button", "button": {"payload": payload, "text": text}});
            (json, "/button/text", "messages.button")
        }
        "button_reply" => {
            let part = json!({"type": kind, kind: {"id": payload, "title": text}});
            let label = "/interactive/button_reply/title";
            (json!({"type": "interactive", "interactive": part}), label, "messages.interactive.button_reply")
        }
        _ => {
            let part = json!({"type": kind, kind: {"id": payload, "title": text, "description": "x"}});
            let label = "/interactive/list_reply/title";
            (json!({"type": "interactive", "interactive": part}), label, "messages.interactive.list_reply")
        }
    };
    let mut faults = text_faults(label, field);
    if kind != "button" {
        faults.extend(text_faults("/interactive/type", "messages.interactive.type"));
    }
    let payload = payload.unwrap_or_else(|| text.clone());
    Case { json, meaning: Content::Button { payload: Pii::new(payload), text: Pii::new(text) }, faults }
}

fn place_case(((latitude, longitude), name, is_text): ((i32, i32), Option<String>, bool)) -> Case<Content> {
    let degrees = |micros: i32| {
        let degrees = f64::from(micros) / 1e6;
        if is_text { Value::from(degrees.to_string()) } else { Value::from(degrees) }
    };
    let part = json!({"latitude": degrees(latitude), "longitude": degrees(longitude), "name": name});
    let location = Location { latitude_micros: latitude, longitude_micros: longitude, name, address: None };
    let wrong = || [json!(null), json!("x"), json!(180.1), json!(-1e300), json!("NaN"), json!([]), json!("")];
    let mut faults = wrong().map(|value| fault("/location/latitude", value, "messages.location.latitude")).to_vec();
    faults.extend(wrong().map(|value| fault("/location/longitude", value, "messages.location.longitude")));
    faults.push(fault("/location/latitude", json!(90.1), "messages.location.latitude"));
    Case { json: json!({"type": "location", "location": part}), meaning: Content::Location(location.into()), faults }
}

fn contacts_case(people: Vec<(Option<String>, Vec<String>)>) -> Case<Content> {
    let entry = |(name, phones): &(Option<String>, Vec<String>)| {
        let phones: Vec<Value> = phones.iter().map(|phone| json!({"phone": phone, "type": "HOME"})).collect();
        json!({"name": {"formatted_name": name}, "phones": phones})
    };
    let json = json!({"type": "contacts", "contacts": people.iter().map(entry).collect::<Vec<_>>()});
    let contacts: Vec<Contact> = people.into_iter().map(|(name, phones)| Contact { name, phones }).collect();
    Case { json, meaning: Content::Contacts(contacts.into()), faults: text_faults("/type", "messages.type") }
}

fn id() -> impl Strategy<Value = String> {
    "wamid\\.[A-Za-z0-9=+/]{1,60}"
}

/// A moment in seconds, written as text or as a number.
fn moment() -> impl Strategy<Value = (Value, UnixTime)> {
    (any::<u64>(), any::<bool>()).prop_map(|(seconds, is_text)| {
        let written = if is_text { Value::from(seconds.to_string()) } else { Value::from(seconds) };
        (written, UnixTime::from_secs(seconds))
    })
}

fn moment_faults(field: &'static str) -> Vec<Fault> {
    [json!("x"), json!(-1), json!(1.5), json!([]), json!("-1"), json!("18446744073709551616"), json!(null)]
        .map(|value| fault("/timestamp", value, field))
        .to_vec()
}

fn message() -> impl Strategy<Value = Case<Inbound>> {
    let sender = prop_oneof![Just(SENDER.to_owned()), "[13-9][0-9]{8,13}"];
    (id(), sender, moment(), option::of(id()), content()).prop_map(|(id, from, at, replied, content)| {
        let mut json = content.json;
        let envelope =
            json!({"id": id, "from": from, "timestamp": at.0, "context": {"id": replied}, "yet_unknown": [1]});
        json.as_object_mut().unwrap().extend(envelope.as_object().unwrap().clone());
        let meaning = Inbound {
            id: id.parse().unwrap(),
            provider: Provider::Meta,
            from: Address::of(&format!("whatsapp:+{from}")).into(),
            to: Address::of(&format!("whatsapp:+{OFFICE}")).into(),
            profile_name: (from == SENDER).then(|| pii("דנה")),
            at: at.1,
            content: content.meaning,
            reply_to: replied.map(|id| id.parse().unwrap()),
        };
        let mut faults = content.faults;
        faults.extend(text_faults("/id", "messages.id"));
        faults.extend(["a b", "א", "\n"].map(|id| fault("/id", json!(id), "messages.id")));
        faults.extend(text_faults("/from", "messages.from"));
        faults.extend(
            ["x", "0541", "12", "1234567890123456", "972 54"].map(|from| fault("/from", json!(from), "messages.from")),
        );
        faults.extend(text_faults("/type", "messages.type"));
        faults.extend(moment_faults("messages.timestamp"));
        faults.extend(["", "א"].map(|id| fault("/context/id", json!(id), "messages.context.id")));
        Case { json, meaning, faults }
    })
}

fn status() -> impl Strategy<Value = Case<Option<StatusUpdate>>> {
    let failed = || State::Failed { code: None, text: None };
    let states = vec![
        ("accepted", Some(State::Accepted)),
        ("pending", Some(State::Queued)),
        ("sent", Some(State::Sent)),
        ("delivered", Some(State::Delivered)),
        ("read", Some(State::Read)),
        ("played", Some(State::Read)),
        ("failed", Some(failed())),
        ("deleted", None),
    ];
    let reason = (any::<Option<u32>>(), option::of("[א-תa-z ]{1,300}"), 0_usize..3);
    (id(), select(states), moment(), reason).prop_map(|(id, (word, state), at, (code, text, place))| {
        let error = match place {
            0 => json!({"code": code, "title": "t", "message": "m", "error_data": {"details": text}}),
            1 => json!({"code": code, "title": "t", "message": text}),
            _ => json!({"code": code, "title": text}),
        };
        // Where one text is missing, the next is taken.
        let kept = text.or(match place {
            0 => Some("m".to_owned()),
            1 => Some("t".to_owned()),
            _ => None,
        });
        let state = state.map(|state| match state {
            State::Failed { .. } => State::Failed { code, text: kept.map(Pii::new) },
            State::Accepted | State::Queued | State::Sent | State::Delivered | State::Read => state,
        });
        let json = json!({"id": id, "status": word, "timestamp": at.0, "recipient_id": SENDER, "errors": [error]});
        let meaning =
            state.map(|state| StatusUpdate { id: id.parse().unwrap(), provider: Provider::Meta, state, at: at.1 });
        let mut faults = text_faults("/id", "statuses.id");
        faults.extend(["a b", "א"].map(|id| fault("/id", json!(id), "statuses.id")));
        faults.extend(text_faults("/status", "statuses.status"));
        faults.extend(moment_faults("statuses.timestamp"));
        Case { json, meaning, faults }
    })
}
