//! Every request that the client can make, against the table of the carrier's official description.

use carrier::answer::{Answer, Outcome, Reply, judge, sid};
use carrier::request::{Kind, Name, Request};
use carrier::{UpdateCall, place};
use messaging::twilio;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use telephony::Params;
use units::CallId;

use self::requests::{account, call, callback, create_call, instructions, message};
use self::table::{Operation, check, check_request, table};

mod requests;
mod table;

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
    fn every_message_is_as_described((message, sender) in message(), callback in callback()) {
        if let Ok(form) = twilio::write(&message, &sender, callback.as_deref()) {
            let request = Request::send_message(&account(), form);
            prop_assert_eq!(check_request(&request), Ok(()), "{:?}", message);
        }
    }
}

#[test]
fn the_strategies_make_requests_that_pass_and_ones_that_are_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts = [[0_u32; 2]; 3];
    for _ in 0..400 {
        let wanted = create_call().new_tree(&mut runner).unwrap().current();
        counts[0][usize::from(Request::create_call(&account(), &wanted).is_ok())] += 1;
        let wanted = UpdateCall::Redirect(instructions().new_tree(&mut runner).unwrap().current());
        counts[1][usize::from(Request::update_call(&account(), &call(), &wanted).is_ok())] += 1;
        let (wanted, sender) = message().new_tree(&mut runner).unwrap().current();
        counts[2][usize::from(twilio::write(&wanted, &sender, None).is_ok())] += 1;
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
}

#[test]
fn the_table_has_an_operation_for_each_kind_and_rules_only_what_it_knows() {
    let table = table();
    let kinds: Vec<String> = Kind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    assert!(table.operations.len() == kinds.len() && kinds.iter().all(|kind| table.operations.contains_key(kind)));
    for (name, is_field) in table.operations.values().flat_map(Operation::ruled) {
        assert!(is_field, "{name}");
    }
    assert_eq!(place::api_url(None, None), Some(table.server));
}

#[test]
fn what_answers_when_it_is_done_is_taken_for_done() {
    let table = table();
    for kind in Kind::ALL {
        let success = &table.operations[&format!("{kind:?}")].answer;
        let names = success.sid.iter().flat_map(|kinds| kinds.split('|'));
        let bodies =
            names.map(|name| format!(r#"{{"sid":"{name}0123456789abcdef0123456789abcdef","error_code":null}}"#));
        // What is fetched is a file, what is deleted answers nothing.
        let bodies = if success.sid.is_some() { bodies.collect() } else { vec![String::new()] };
        for body in bodies {
            let content_type = if success.sid.is_some() { "application/json" } else { "audio/x-wav" };
            let answer = Answer {
                status: success.status,
                content_type: Some(content_type),
                retry_after: None,
                body: body.as_bytes(),
            };
            assert_eq!(judge(kind, Reply::Answered(answer)), Outcome::Done, "{kind:?}");
            if kind == Kind::CreateCall {
                assert!(sid(body.as_bytes()).unwrap().parse::<CallId>().is_ok());
            }
            if kind == Kind::SendMessage {
                let accepted = twilio::read_answer(success.status, body.as_bytes());
                assert!(matches!(accepted, messaging::Answer::Accepted(_)), "{accepted:?}");
            }
        }
    }
}

const CALLS: &str = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Calls.json";

fn refused(kind: &str, method: &str, path: &str, form: &Params) -> String {
    check(kind, method, path, form).unwrap_err()
}

#[test]
fn wrong_calls_are_refused_by_the_table() {
    let to = || Params::new().with("To", "+972500000003").with("Url", "https://a.example");
    let good = || to().with("From", "+972700000000");
    let wrong = |form: &Params| refused("CreateCall", "POST", CALLS, form);
    assert_eq!(check("CreateCall", "POST", CALLS, &good()), Ok(()));
    assert_eq!(refused("CreateCall", "GET", CALLS, &good()), "method GET");
    assert!(refused("CreateCall", "POST", "/2010-04-01/Accounts/AC1/Calls.json", &good()).starts_with("path"));
    assert_eq!(wrong(&to()), "From is missing");
    assert!(wrong(&Params::new().with("To", "+1234567").with("From", "+1234567")).starts_with("one of"));
    assert_eq!(wrong(&to().with("From", "client:a")), "From is no telephone number, but To is");
    assert!(wrong(&to().with("From", "sip:a@b")).starts_with("From is no"));
    for (field, value) in [
        ("MachineDetectionTimeout", "60"),
        ("Timeout", "601"),
        ("Timeout", "soon"),
        ("StatusCallbackEvent", "answred"),
        ("RecordingStatusCallbackEvent", "completed,absent"),
        ("SendDigits", "1-2"),
        ("StatusCallback", "https://my_box.example/"),
        ("FallbackUrl", "https://a:b:c/"),
        ("Byoc", "BY1"),
    ] {
        let error = wrong(&good().with(field, value));
        assert!(error.starts_with(&format!("{field} is not Field")), "{error}");
    }
    assert_eq!(wrong(&good().with("To", "+972500000003")), "To comes 2 times");
    assert_eq!(wrong(&good().with("IfMachine", "Continue")), "IfMachine is not known");
    let right = good().with("SendDigits", "ww1#W*D").with("RecordingStatusCallbackEvent", "completed absent");
    let right = right.with("FallbackUrl", "https://user:pass@my_box.example/");
    assert_eq!(check("CreateCall", "POST", CALLS, &right), Ok(()));
    let update = CALLS.replace(".json", "/CA0123456789abcdef0123456789abcdef.json");
    let both = Params::new().with("Url", "https://a.example").with("Twiml", "<Response/>");
    assert!(refused("UpdateCall", "POST", &update, &both).contains("exclude"));
    let long = Params::new().with("Twiml", "x".repeat(4_001));
    assert!(refused("UpdateCall", "POST", &update, &long).starts_with("Twiml is not"));
}

#[test]
fn wrong_messages_and_fetches_are_refused_by_the_table() {
    let messages = CALLS.replace("Calls", "Messages");
    let good = || Params::new().with("To", "whatsapp:+972500000003").with("From", "+972700000000").with("Body", "x");
    assert_eq!(check("SendMessage", "POST", &messages, &good()), Ok(()));
    for (field, value, begins) in [
        ("ContentVariables", "{}", "ContentVariables needs ContentSid"),
        ("FallbackFrom", "+972700000001", "FallbackFrom needs MessagingServiceSid"),
        ("SendAt", "tomorrow", "SendAt is not"),
        ("SendAt", "2026-05-06 10:00:00", "SendAt is not"),
        ("MaxPrice", "cheap", "MaxPrice is not"),
        ("TrafficType", "paid", "TrafficType is not"),
        ("ContentSid", "HX1", "ContentSid is not"),
        ("MediaUrl", "/a", "MediaUrl is not"),
    ] {
        let error = refused("SendMessage", "POST", &messages, &good().with(field, value));
        assert!(error.starts_with(begins), "{error}");
    }
    let eleven = (0..11).fold(good(), |form, _| form.with("MediaUrl", "https://a.example/b"));
    assert_eq!(refused("SendMessage", "POST", &messages, &eleven), "MediaUrl comes 11 times");
    let recording =
        |end: &str| CALLS.replace("Calls.json", &format!("Recordings/RE0123456789abcdef0123456789abcdef{end}"));
    let fetch = |path: &str| check("FetchRecording", "GET", path, &Params::new());
    assert_eq!(fetch(&recording(".wav?IncludeSoftDeleted=true")), Ok(()));
    assert!(fetch(&recording(".wav?IncludeSoftDeleted=1")).unwrap_err().starts_with("IncludeSoftDeleted is not"));
    assert_eq!(fetch(&recording(".wav?RequestedChannels=2")).unwrap_err(), "RequestedChannels is not known");
    for end in ["", ".json", ".mp3", "0.wav"] {
        assert!(fetch(&recording(end)).unwrap_err().starts_with("path"), "{end}");
    }
}
