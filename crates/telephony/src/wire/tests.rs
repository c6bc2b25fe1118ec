use super::*;
use crate::public_url::PublicUrl;
use crate::secret::AuthKey;
use crate::signature::{Signer, Verifier};
use crate::webhook::{Method, WebhookRequest};

mod properties;

/// An incoming call as the carrier sends it, with the empty values and the duplicates it is known for.
const INCOMING: &str = "AccountSid=AC0f0e0d0c0b0a09080706050403020100&ApiVersion=2010-04-01\
    &CallSid=CA00112233445566778899aabbccddeeff&CallStatus=ringing&CallToken=%7B%22parentCallInfoToken%22%3A%22x%22%7D\
    &Called=%2B97239999999&CalledCity=&CalledCountry=IL&CalledState=&CalledZip=&Caller=%2B972541234567&CallerCity=\
    &CallerCountry=IL&CallerState=&CallerZip=&Direction=inbound&From=%2B972541234567&FromCity=&FromCountry=IL\
    &FromState=&FromZip=&To=%2B97239999999&ToCity=&ToCountry=IL&ToState=&ToZip=";

/// The end of a call.
const COMPLETED: &str = "Called=%2B97239999999&ToState=&CallerCountry=IL&Direction=inbound\
    &Timestamp=Sat%2C+21+Nov+2026+08%3A00%3A00+%2B0000&CallbackSource=call-progress-events&SequenceNumber=2\
    &To=%2B97239999999&CallSid=CA00112233445566778899aabbccddeeff&ApiVersion=2010-04-01&CallStatus=completed\
    &Duration=1&From=%2B972541234567&CallDuration=49&AccountSid=AC0f0e0d0c0b0a09080706050403020100";

#[test]
fn an_incoming_call_is_read() {
    let call = IncomingCall::read(&webhook(INCOMING)).unwrap();
    assert_eq!(call.call_id.as_str(), "CA00112233445566778899aabbccddeeff");
    assert_eq!(call.account.as_str(), "AC0f0e0d0c0b0a09080706050403020100");
    assert_eq!(call.from.reveal().phone_number(), Some("+972541234567"));
    assert_eq!(call.to.reveal(), &Address::Phone("+97239999999".to_owned()));
    assert_eq!((call.direction, call.status), (Direction::Inbound, CallStatus::Ringing));
    assert_eq!((call.caller_name, call.forwarded_from, call.primary_error), (None, None, None));
}

#[test]
fn a_caller_without_a_number_is_still_a_call() {
    let call = IncomingCall::read(&webhook("CallSid=CA1&AccountSid=AC1&ErrorCode=11200&CallStatus=new-word")).unwrap();
    assert_eq!(call.from.reveal(), &Address::Withheld);
    assert_eq!((call.status, call.primary_error), (CallStatus::Other, Some(11_200)));
}

#[test]
fn the_end_of_a_call_has_its_length_in_seconds() {
    let update = CallStatusUpdate::read(&webhook(COMPLETED)).unwrap();
    assert!(update.status.is_final());
    assert_eq!((update.sequence, update.duration), (Some(2), Some(Duration::from_secs(49))));
}

#[test]
fn a_voicemail_tells_what_ended_it() {
    let recorded = "CallSid=CA1&AccountSid=AC1&From=anonymous&RecordingSid=RE1&RecordingDuration=12\
        &RecordingUrl=https%3A%2F%2Fapi.twilio.com%2F2010-04-01%2FAccounts%2FAC1%2FRecordings%2FRE1";
    for (digits, expected) in [
        ("&Digits=hangup", RecordEnd::HungUp),
        ("&Digits=%23", RecordEnd::Key(Digit::new('#').unwrap())),
        ("&Digits=", RecordEnd::Timeout),
        ("", RecordEnd::Timeout),
    ] {
        let result = RecordingResult::read(&webhook(&format!("{recorded}{digits}"))).unwrap();
        assert_eq!(result.ended_by, expected);
        let recording = result.recording.unwrap();
        assert_eq!((recording.id.as_str(), recording.duration), ("RE1", Some(Duration::from_secs(12))));
    }
    let odd = RecordingResult::read(&webhook(&format!("{recorded}&Digits=banana")));
    assert!(matches!(odd, Err(FieldError::Unexpected { field: "Digits", .. })), "{odd:?}");
}

#[test]
fn recordings_streams_transfers_and_keys_are_read() {
    let body = "CallSid=CA1&AccountSid=AC1&RecordingSid=RE1&RecordingStatus=absent&RecordingDuration=-1\
        &RecordingChannels=1&ErrorCode=0";
    let status = RecordingStatus::read(&webhook(body)).unwrap();
    assert_eq!((status.state, status.channels, status.error), (RecordingState::Absent, Some(1), None));
    assert_eq!(status.recording.duration, None);

    let body = "CallSid=CA1&StreamSid=MZ1&StreamEvent=stream-error&StreamError=31920%0Ahandshake";
    let status = StreamStatus::read(&webhook(body)).unwrap();
    assert_eq!(status.event, StreamEvent::Failed { reason: "31920handshake".to_owned() });
    assert_eq!(status.stream_id.unwrap().as_str(), "MZ1");

    let ended = StreamEnded::read(&webhook("CallSid=CA1&CallStatus=in-progress")).unwrap();
    assert_eq!((ended.status, ended.stream_id, ended.error), (CallStatus::InProgress, None, None));

    let dial = DialResult::read(&webhook("CallSid=CA1&DialCallStatus=no-answer")).unwrap();
    assert!(!dial.was_answered());
    let body = "CallSid=CA1&DialCallStatus=completed&DialCallSid=CA2&DialCallDuration=61";
    let dial = DialResult::read(&webhook(body)).unwrap();
    assert!(dial.was_answered());
    assert_eq!(dial.bridged, None);
    for (word, bridged) in [("true", Some(true)), ("false", Some(false)), ("perhaps", None)] {
        let body = format!("CallSid=CA1&DialCallStatus=completed&DialBridged={word}");
        assert_eq!(DialResult::read(&webhook(&body)).unwrap().bridged, bridged);
    }
    assert_eq!((dial.dialled_call_id.unwrap().as_str(), dial.duration), ("CA2", Some(Duration::from_secs(61))));

    let gathered = GatherResult::read(&webhook("CallSid=CA1&Digits=12%23")).unwrap();
    let labels: String = gathered.digits.reveal().iter().map(|digit| digit.label()).collect();
    assert_eq!(labels, "12#");
}

#[test]
fn a_request_that_lacks_or_doubles_what_it_needs_is_refused_by_name() {
    let cases = [
        ("AccountSid=AC1", FieldError::Missing { field: "CallSid" }),
        ("CallSid=&AccountSid=AC1", FieldError::Missing { field: "CallSid" }),
        ("CallSid=CA1&CallSid=CA2&AccountSid=AC1", FieldError::Ambiguous { field: "CallSid" }),
        ("CallSid=../etc&AccountSid=AC1", FieldError::Unexpected { field: "CallSid", expected: EXPECTED_ID }),
        (
            "CallSid=CA1&AccountSid=AC1&ErrorCode=x",
            FieldError::Unexpected { field: "ErrorCode", expected: "a decimal number in range" },
        ),
    ];
    for (body, error) in cases {
        assert_eq!(IncomingCall::read(&webhook(body)), Err(error));
    }
    assert!(IncomingCall::read(&webhook("CallSid=CA1&CallSid=CA1&AccountSid=AC1")).is_ok());
}

#[test]
fn addresses_of_every_kind_are_told_apart() {
    let cases = [
        ("+972541234567", Address::Phone("+972541234567".to_owned())),
        ("whatsapp:+972541234567", Address::WhatsApp("+972541234567".to_owned())),
        ("client:dana", Address::Client("dana".to_owned())),
        ("sip:200@pbx.example", Address::Sip("200@pbx.example".to_owned())),
        ("*100", Address::Other("*100".to_owned())),
        ("+0123", Address::Other("+0123".to_owned())),
        ("+1234567890123456", Address::Other("+1234567890123456".to_owned())),
    ];
    for (text, address) in cases {
        assert_eq!(Address::of(text), address, "{text}");
    }
    for text in ["", "Anonymous", "+266696687", "266696687", "unknown", "RESTRICTED", "sip:anonymous@anonymous.invalid"]
    {
        assert_eq!(Address::of(text), Address::Withheld, "{text}");
    }
}

#[test]
fn withheld_numbers_are_their_words_on_the_keys() {
    for word in ["ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE", "PRIVATE"] {
        let keys: String = word
            .chars()
            .map(|letter| match letter {
                'A'..='C' => '2',
                'D'..='F' => '3',
                'G'..='I' => '4',
                'J'..='L' => '5',
                'M'..='O' => '6',
                'P'..='S' => '7',
                'T'..='V' => '8',
                _ => '9',
            })
            .collect();
        assert_eq!(Address::of(&format!("+{keys}")), Address::Withheld, "{word} is {keys}");
    }
}

#[test]
fn nothing_read_shows_who_called() {
    let shown = format!("{:?} {:?}", IncomingCall::read(&webhook(INCOMING)), Address::of("+972541234567"));
    assert!(!shown.contains("541234567"), "{shown}");
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
