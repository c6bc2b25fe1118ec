use proptest::prelude::*;
use units::Pii;

use super::*;

#[test]
fn the_answer_to_an_incoming_call_is_written_as_the_carrier_wants_it() {
    let written = incoming_call_answer().write().unwrap();
    let expected = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#,
        "<Play>https://box.example.org/static/tts/greeting_he.wav</Play>",
        r#"<Connect action="/webhook/stream_ended"><Stream url="wss://box.example.org/ws/twilio-media" "#,
        r#"statusCallback="https://box.example.org/webhook/stream_status">"#,
        r#"<Parameter name="token" value="a&amp;b"/></Stream></Connect>"#,
        r#"<Say language="he-IL">שלום &lt;&amp;&gt;</Say>"#,
        r#"<Record action="/webhook/handle_recording" maxLength="120" trim="do-not-trim"/><Hangup/></Response>"#,
    );
    assert_eq!(written, expected);
    assert_eq!(read(&written), Ok(incoming_call_answer()));
}

#[test]
fn an_empty_document_is_valid() {
    let written = Response::new().write().unwrap();
    assert_eq!(read(&written), Ok(Response::new()));
    assert_eq!(read("<Response/>"), Ok(Response::new()));
}

#[test]
fn a_document_written_by_hand_is_read() {
    let document = "\n<!-- by hand --><Response>\n  <Dial timeout=\"20\">\n +972541234567 </Dial>\n  \
        <Say><![CDATA[a < b]]> &#x26; c</Say><Gather numDigits='1'><Play>\n/menu.wav\n</Play></Gather>\n</Response>\n";
    let number = Number { number: Pii::new("+972541234567".to_owned()), ..Number::default() };
    let expected = Response::new()
        .then(Dial { timeout_s: Some(20), numbers: vec![number], ..Dial::default() })
        .then(Say { text: "a < b & c".to_owned(), ..Say::default() })
        .then(Gather { num_digits: Some(1), prompts: vec![Play::url("/menu.wav").into()], ..Gather::default() });
    assert_eq!(read(document), Ok(expected));
}

#[test]
fn what_the_carrier_would_ignore_is_refused_by_name() {
    let cases = [
        ("<Response><Recrod/></Response>", "unknown element <Recrod> in <Response> at byte 10"),
        ("<Response><Record maxlength=\"5\"/></Response>", "unknown attribute \"maxlength\" of <Record> at byte 10"),
        ("<Response><say>x</say></Response>", "unknown element <say> in <Response> at byte 10"),
        (
            "<Response><Record timeout=\"soon\"/></Response>",
            "attribute \"timeout\" of <Record> at byte 10 is not as expected: a whole number",
        ),
        (
            "<Response><Record playBeep=\"yes\"/></Response>",
            "attribute \"playBeep\" of <Record> at byte 10 is not as expected: 'true' or 'false'",
        ),
        ("<Response>hello</Response>", "text in <Response> at byte 0, expected elements only"),
        ("<Response><Hangup>now</Hangup></Response>", "text in <Hangup> at byte 10, expected elements only"),
        ("<Response><Connect/></Response>", "<Connect> at byte 10 has no <Stream>"),
        ("<Response><Connect><Stream/></Connect></Response>", "<Stream> at byte 19 has no url"),
        ("<Response><Play/></Response>", "<Play> at byte 10 has no URL"),
        ("<Response><Say>a<break/></Say></Response>", "unknown element <break> in <Say> at byte 16"),
        ("<Response><Gather><Hangup/></Gather></Response>", "unknown element <Hangup> in <Gather> at byte 18"),
        ("<Reply/>", "expected one <Response> and nothing else"),
        ("", "expected one <Response> and nothing else"),
        ("<Response/><Response/>", "expected one <Response> and nothing else"),
        ("<Response/>x", "expected one <Response> and nothing else"),
        ("<Response>", "expected one <Response> and nothing else"),
    ];
    for (document, message) in cases {
        assert_eq!(read(document).unwrap_err().to_string(), message, "{document}");
    }
}

#[test]
fn what_is_not_plain_xml_is_refused() {
    for document in [
        "<Response></Respons>",
        "<Response a=\"1\" a=\"2\"/>",
        "<!DOCTYPE r [<!ENTITY e \"x\">]><Response/>",
        "<Response><?php ?></Response>",
        "<Response><Say>&e;</Say></Response>",
        "<Response><Say>&#0;</Say></Response>",
        "<Response><Say>&#7;</Say></Response>",
        "<Response><Say voice=\"&#7;\">x</Say></Response>",
        "<Response",
    ] {
        assert!(matches!(read(document), Err(ReadError::Xml { .. } | ReadError::Root)), "{document}");
    }
    let deep = format!("{}{}", "<Response>".repeat(9), "</Response>".repeat(9));
    assert!(matches!(read(&deep), Err(ReadError::TooComplex { .. })));
    let many = format!("<Response>{}</Response>", "<Hangup/>".repeat(2_000));
    assert!(matches!(read(&many), Err(ReadError::TooComplex { .. })));
    assert!(matches!(read(&" ".repeat(70_000)), Err(ReadError::TooLarge { bytes: 70_000 })));
}

#[test]
fn what_the_carrier_does_not_take_is_not_written() {
    let long = Say { text: "x".repeat(MAX_DOCUMENT_BYTES), ..Say::default() };
    assert!(matches!(Response::new().then(long).write(), Err(WriteError::TooLarge { .. })));
    for (value_chars, is_taken) in [(494, true), (495, false)] {
        let stream = Stream { parameters: vec![("token".to_owned(), "א".repeat(value_chars))], ..Stream::default() };
        let written = Response::new().then(Connect { stream, ..Connect::default() }).write();
        assert_eq!(written.is_ok(), is_taken, "{value_chars}");
    }
    let gather = Gather { prompts: vec![Verb::Hangup], ..Gather::default() };
    assert!(matches!(Response::new().then(gather).write(), Err(WriteError::NotAPrompt)));
}

#[test]
fn tokens_and_numbers_do_not_show() {
    let number = Number { number: Pii::new("+972541234567".to_owned()), ..Number::default() };
    let document = incoming_call_answer().then(Dial { numbers: vec![number], ..Dial::default() });
    let shown = format!("{document:?}");
    assert!(!shown.contains("54123") && !shown.contains("a&b"), "{shown}");
}

proptest! {
    #[test]
    fn every_text_comes_back_as_it_was_written(verbs in proptest::collection::vec(verb(), 0..6)) {
        let document = Response { verbs };
        let written = document.write().unwrap();
        prop_assert_eq!(read(&written), Ok(document), "{}", written);
    }

    #[test]
    fn no_text_breaks_out_of_its_element(text in any_text()) {
        let say = Say { text: text.clone(), voice: Some(text.clone()), ..Say::default() };
        let document = Response::new().then(say).then(Verb::Hangup);
        let written = document.write().unwrap();
        prop_assert!(written.chars().all(is_legal_char));
        let verbs = read(&written).unwrap().verbs;
        let kept: String = text.chars().filter(|c| is_legal_char(*c)).collect();
        let say = Say { text: kept.clone(), voice: Some(kept), ..Say::default() };
        prop_assert_eq!(verbs, vec![say.into(), Verb::Hangup]);
    }

    #[test]
    fn no_document_makes_the_reader_panic(text in any_text(), tail in "(<[A-Za-z/!?]{0,9}|[a-z]+=\"|&#?[x0-9a-z]{0,4};?|>|\\PC){0,30}") {
        let half = format!("<Response>{tail}");
        for document in [text.as_str(), tail.as_str(), &half] {
            if let Ok(read_once) = read(document) {
                prop_assert_eq!(read(&read_once.write().unwrap()), Ok(read_once));
            }
        }
    }
}

fn incoming_call_answer() -> Response {
    let stream = Stream {
        url: "wss://box.example.org/ws/twilio-media".to_owned(),
        status_callback: Some("https://box.example.org/webhook/stream_status".to_owned()),
        parameters: vec![("token".to_owned(), "a&b".to_owned())],
        ..Stream::default()
    };
    Response::new()
        .then(Play::url("https://box.example.org/static/tts/greeting_he.wav"))
        .then(Connect { action: Some("/webhook/stream_ended".to_owned()), method: None, stream })
        .then(Say { text: "שלום <&>".to_owned(), language: Some("he-IL".to_owned()), ..Say::default() })
        .then(Record {
            action: Some("/webhook/handle_recording".to_owned()),
            max_length_s: Some(120),
            trim: Some(Trim::DoNotTrim),
            ..Record::default()
        })
        .then(Verb::Hangup)
}

/// Any characters at all, those that XML cannot carry included.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()),
        "[\\x00-\\x1f <>&'\"\\]a]{0,40}",
    ]
}

/// Characters that XML can carry.
fn legal_text() -> impl Strategy<Value = String> {
    any_text().prop_map(|text| text.chars().filter(|c| is_legal_char(*c)).collect())
}

/// A URL as far as markup is concerned: something without white space around it.
fn url() -> impl Strategy<Value = String> {
    legal_text().prop_map(|text| format!("/{}/", text.trim()))
}

fn method() -> impl Strategy<Value = Option<HttpMethod>> {
    proptest::option::of(proptest::sample::select(HttpMethod::ALL))
}

fn verb() -> impl Strategy<Value = Verb> {
    let text = || proptest::option::of(legal_text());
    let number = || proptest::option::of(any::<u32>());
    let flag = || proptest::option::of(any::<bool>());
    let say = (legal_text(), text(), text(), number())
        .prop_map(|(text, language, voice, repeat)| Verb::from(Say { text, language, voice, repeat }));
    let play = (url(), number(), text()).prop_map(|(url, repeat, digits)| Play { url, repeat, digits }.into());
    let connect = (text(), method(), legal_text(), proptest::collection::vec((legal_text(), legal_text()), 0..3))
        .prop_map(|(action, method, url, parameters)| {
            let track = Some(Track::Inbound);
            Connect { action, method, stream: Stream { url, track, parameters, ..Stream::default() } }.into()
        });
    let record = (text(), number(), text(), flag(), flag(), method()).prop_map(
        |(action, timeout_s, finish_on_key, play_beep, transcribe, method)| {
            let trim = Some(Trim::TrimSilence);
            let max_length_s = timeout_s;
            Record {
                action,
                method,
                timeout_s,
                finish_on_key,
                max_length_s,
                play_beep,
                trim,
                transcribe,
                ..Record::default()
            }
            .into()
        },
    );
    let dial = (text(), text(), flag(), proptest::collection::vec((url(), text()), 0..3)).prop_map(
        |(action, caller_id, answer_on_bridge, numbers)| {
            let number = |(number, send_digits)| Number { number: Pii::new(number), send_digits, ..Number::default() };
            let (caller_id, numbers) = (caller_id.map(Pii::new), numbers.into_iter().map(number).collect());
            Dial { action, caller_id, answer_on_bridge, numbers, ..Dial::default() }.into()
        },
    );
    let gather = (text(), flag(), legal_text()).prop_map(|(finish_on_key, action_on_empty_result, text)| {
        let prompts = vec![Say { text, ..Say::default() }.into(), Pause { length_s: Some(2) }.into()];
        Gather { input: Some(GatherInput::Both), finish_on_key, action_on_empty_result, prompts, ..Gather::default() }
            .into()
    });
    let redirect = (url(), method()).prop_map(|(url, method)| Redirect { url, method }.into());
    let reject =
        proptest::option::of(proptest::sample::select(RejectReason::ALL)).prop_map(|reason| Reject { reason }.into());
    prop_oneof![say, play, connect, record, dial, gather, redirect, reject, Just(Verb::Hangup)]
}
