use appliance::config::Secret;
use e2e::{Answer, BoxOptions, KEY, Socket, TestBox, incoming_params};
use http::Method;
use reqwest::header::CONTENT_TYPE;
use telephony::signature::SIGNATURE_HEADER;
use telephony::webhook::IDEMPOTENCY_HEADER;
use telephony::{AuthKey, Params, Signer};
use testcall::new_call_id;
use units::CallId;

const INCOMING: &str = "/webhook/incoming_call";
const STREAM_STATUS: &str = "/webhook/stream_status";
const ROUTES: [&str; 5] = ["incoming_call", "handle_recording", "call_status", "stream_ended", "transfer_ended"];

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_webhook_is_refused_counted_and_changes_nothing() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    for route in ROUTES {
        let path = format!("/webhook/{route}");
        let answer = target.send(target.form(&path, incoming_params(&call).encode())).await.unwrap();
        assert_eq!(answer.status, 403, "{route}");
        let count = format!("kolbox_webhooks_total{{route=\"{route}\",outcome=\"unsigned\"}}");
        assert_eq!(target.figure(&count).await.unwrap(), 1.0, "{route}");
    }
    assert_eq!(target.record(&call).unwrap(), None);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_is_refused_whether_by_key_by_address_by_content_or_by_form() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let params = incoming_params(&new_call_id());
    let by_key = target.webhook(INCOMING, &params, "another key").unwrap();
    let elsewhere =
        Signer::new(AuthKey::new(KEY).unwrap()).sign("https://other.example/webhook/incoming_call", &params);
    let by_address = target.form(INCOMING, params.encode()).header(SIGNATURE_HEADER, elsewhere);
    let by_content = {
        let right = target.webhook(INCOMING, &params, KEY).unwrap();
        right.body(params.clone().with("SpeechResult", "more").encode())
    };
    let by_form = target.form(INCOMING, params.encode()).header(SIGNATURE_HEADER, "not base64 at all");
    for (how, request) in [("key", by_key), ("address", by_address), ("content", by_content), ("form", by_form)] {
        assert_eq!(target.send(request).await.unwrap().status, 403, "{how}");
    }
    let count = r#"kolbox_webhooks_total{route="incoming_call",outcome="bad_signature"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 4.0);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_are_active_at_once_and_a_third_is_not() {
    let options = BoxOptions::default();
    let options = options.configured(|config| config.carrier.auth_tokens.push(Secret::new("the next key")));
    let target = TestBox::start(options).await.unwrap();
    for (key, status) in [(KEY, 200), ("the next key", 200), ("the key of before", 403)] {
        let request = target.webhook(INCOMING, &incoming_params(&new_call_id()), key).unwrap();
        assert_eq!(target.send(request).await.unwrap().status, status, "{key}");
    }
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_for_another_account_is_refused() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let text = incoming_params(&call).encode().replace(e2e::ACCOUNT, "ACffffffffffffffffffffffffffffffff");
    let answer = target.post(INCOMING, &Params::parse(text.as_bytes()).unwrap()).await.unwrap();
    assert_eq!(answer.status, 403);
    let count = r#"kolbox_webhooks_total{route="incoming_call",outcome="bad_account"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 1.0);
    assert_eq!(target.record(&call).unwrap(), None);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_answered_as_before_and_does_nothing_twice() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = target.webhook(INCOMING, &incoming_params(&call), KEY).unwrap();
        answers.push(target.send(request.header(IDEMPOTENCY_HEADER, "one-token")).await.unwrap());
    }
    assert_eq!((answers[0].status, answers[1].status), (200, 200));
    assert!(answers[0].token().is_some());
    assert_eq!(answers[0].text(), answers[1].text(), "the same token for the stream");
    let count = r#"kolbox_webhooks_total{route="incoming_call",outcome="duplicate"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 1.0);
    assert_eq!(target.store().unwrap().recent_calls(None, 10).unwrap().len(), 1);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_sequence_number_does_nothing_twice() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let status = |word: &str, number: &str| {
        Params::new()
            .with("CallSid", call.as_str())
            .with("AccountSid", e2e::ACCOUNT)
            .with("CallStatus", word)
            .with("SequenceNumber", number)
    };
    assert_eq!(target.post("/webhook/call_status", &status("ringing", "0")).await.unwrap().status, 200);
    let token = target.ring(&call).await.unwrap().token().unwrap();
    // Signed and final, but with a number that was there already: the call is still waited for.
    assert_eq!(target.post("/webhook/call_status", &status("completed", "0")).await.unwrap().status, 200);
    let mut socket = Socket::plain(&target).await.unwrap();
    socket.start(&call, Some(&token)).await.unwrap();
    socket.spoken_to().await.unwrap();
    let count = r#"kolbox_webhooks_total{route="call_status",outcome="duplicate"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 1.0);
    drop(socket);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_or_not_a_form_is_refused_before_anything_is_done() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let large = "a".repeat(65 * 1_024);
    let good = incoming_params(&call).encode();
    for (what, body, content_type, status) in [
        ("too large", large.clone(), "application/x-www-form-urlencoded", 413),
        ("far too large", large.repeat(100), "application/x-www-form-urlencoded", 413),
        ("not UTF-8", format!("{good}&Text=%ff%fe"), "application/x-www-form-urlencoded", 400),
        ("not a form", good.clone(), "text/plain", 415),
    ] {
        let request = target.request(Method::POST, INCOMING).header(CONTENT_TYPE, content_type);
        let answer = target.send(request.header(SIGNATURE_HEADER, "AAAA").body(body)).await;
        // A server may close while so much is still being sent; that is a refusal too.
        if let Ok(answer) = answer {
            assert_eq!(answer.status, status, "{what}");
        } else {
            assert_eq!(what, "far too large");
        }
    }
    assert_eq!(target.record(&call).unwrap(), None);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_with_two_different_values_is_refused_and_with_twice_the_same_is_not() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let (call, other) = (new_call_id(), new_call_id());
    let twice = incoming_params(&call).with("CallSid", other.as_str());
    assert_eq!(target.post(INCOMING, &twice).await.unwrap().status, 400);
    assert_eq!((target.record(&call).unwrap(), target.record(&other).unwrap()), (None, None));
    let same = incoming_params(&call).with("CallSid", call.as_str());
    let answer = target.post(INCOMING, &same).await.unwrap();
    assert!(answer.token().is_some(), "{}", answer.text());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_by_get_is_answered_like_one_by_post() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let path = format!("{INCOMING}?{}", incoming_params(&new_call_id()).encode());
    let signer = Signer::new(AuthKey::new(KEY).unwrap());
    let signature = signer.sign(&target.parts.config.http.public_url.webhook(&path), &Params::new());
    let answer = target.send(target.request(Method::GET, &path).header(SIGNATURE_HEADER, signature.clone())).await;
    assert!(answer.unwrap().token().is_some());
    let changed = path.replace("To=", "To=%2B1");
    let refused = target.send(target.request(Method::GET, &changed).header(SIGNATURE_HEADER, signature)).await;
    assert_eq!(refused.unwrap().status, 403);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_by_head_or_another_method_changes_nothing_although_it_is_signed() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    for method in [Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        for route in ROUTES {
            let call = new_call_id();
            let answer = target.send(signed_by(&target, &method, &format!("/webhook/{route}"), &call)).await.unwrap();
            assert_eq!(answer.status, 405, "{method} {route}");
            let allow = if route == "transfer_ended" { "POST" } else { "GET, POST" };
            assert_eq!(answer.header("allow"), allow, "{method} {route}");
            assert_eq!(target.record(&call).unwrap(), None, "{method} {route}");
        }
        let call = new_call_id();
        let token = target.ring(&call).await.unwrap().token().unwrap();
        check_no_content(&target.send(signed_by(&target, &method, STREAM_STATUS, &call)).await.unwrap());
        let mut socket = Socket::plain(&target).await.unwrap();
        socket.start(&call, Some(&token)).await.unwrap();
        socket.spoken_to().await.unwrap();
    }
    let count = r#"kolbox_webhooks_total{route="incoming_call",outcome="bad_method"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 5.0);
    assert!(target.messages().unwrap().is_empty());
    assert_eq!(target.store().unwrap().recent_calls(None, 100).unwrap().len(), 5, "the five that rang");
    target.stop().await.unwrap();
}

/// Begins a request that would ring, end a stream and leave a message, if it came by GET or POST.
fn signed_by(target: &TestBox, method: &Method, path: &str, call: &CallId) -> reqwest::RequestBuilder {
    let params = incoming_params(call)
        .with("RecordingSid", "RE01")
        .with("RecordingUrl", "http://127.0.0.1:1/RE01")
        .with("StreamSid", "MZ00")
        .with("StreamEvent", "stream-error")
        .with("StreamError", "a lie");
    let url = target.parts.config.http.public_url.webhook(path);
    let signature = Signer::new(AuthKey::new(KEY).unwrap()).sign(&url, &params);
    let form = target.request(method.clone(), path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    form.body(params.encode()).header(SIGNATURE_HEADER, signature)
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_status_is_always_204_and_an_unsigned_one_changes_nothing() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let call = new_call_id();
    let token = target.ring(&call).await.unwrap().token().unwrap();
    let failed = Params::new()
        .with("CallSid", call.as_str())
        .with("AccountSid", e2e::ACCOUNT)
        .with("StreamSid", "MZ00")
        .with("StreamEvent", "stream-error")
        .with("StreamError", "a lie");
    let unsigned = target.form(STREAM_STATUS, failed.encode());
    let wrong = target.webhook(STREAM_STATUS, &failed, "another key").unwrap();
    let json = target.request(Method::POST, STREAM_STATUS).header(CONTENT_TYPE, "application/json").body("{}");
    let garbage = target.request(Method::POST, STREAM_STATUS).body(vec![0xff; 3_000]);
    let signed_garbage = target.webhook(STREAM_STATUS, &Params::new().with("x", "y"), KEY).unwrap();
    let large = target.form(STREAM_STATUS, "a".repeat(70_000));
    let by_get = target.request(Method::GET, STREAM_STATUS);
    for request in [unsigned, wrong, json, garbage, signed_garbage, large, by_get] {
        check_no_content(&target.send(request).await.unwrap());
    }
    let mut socket = Socket::plain(&target).await.unwrap();
    socket.start(&call, Some(&token)).await.unwrap();
    socket.spoken_to().await.unwrap();
    drop(socket);

    // The same from the carrier itself is believed: the stream is not waited for any more.
    let call = new_call_id();
    let token = target.ring(&call).await.unwrap().token().unwrap();
    let failed = Params::parse(failed.encode().replace(failed.first("CallSid").unwrap(), call.as_str()).as_bytes());
    check_no_content(&target.post(STREAM_STATUS, &failed.unwrap()).await.unwrap());
    let mut socket = Socket::plain(&target).await.unwrap();
    socket.start(&call, Some(&token)).await.unwrap();
    assert_eq!(socket.closed().await.unwrap(), Some(1_008));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_to_wait_and_probes_still_pass() {
    let options = BoxOptions::default().configured(|config| {
        config.limits.requests_per_second = std::num::NonZeroU32::new(5).unwrap();
    });
    let target = TestBox::start(options).await.unwrap();
    let mut refused = 0;
    for _ in 0..60 {
        let answer = target.get("/version").await.unwrap();
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
        assert_eq!(target.get("/healthz").await.unwrap().status, 200);
    }
    assert!(refused > 0, "sixty requests at once passed a limit of five a second");
    assert_eq!(target.parts.metrics.rate_limited.get(), refused);
    target.stop().await.unwrap();
}

fn check_no_content(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("cache-control"), "no-store, no-cache, must-revalidate, max-age=0");
    assert_eq!(answer.header("pragma"), "no-cache");
}
