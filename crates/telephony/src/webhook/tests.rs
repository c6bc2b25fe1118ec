use proptest::prelude::*;

use super::*;
use crate::secret::AuthKey;
use crate::signature::Signer;

const PATH: &str = "/webhook/incoming_call";

#[test]
fn a_signed_post_becomes_a_webhook_with_its_parameters() {
    let body = "CallSid=CA1&From=%2B972541234567&FromCity=&CallerName=%D7%93%D7%A0%D7%94+%D7%9B%D7%94%D7%9F";
    let webhook = verify(&post(PATH, body, &sign(PATH, body))).unwrap();
    assert_eq!(webhook.path(), PATH);
    assert_eq!(webhook.params().first("From"), Some("+972541234567"));
    assert_eq!(webhook.params().first("FromCity"), Some(""));
    assert_eq!(webhook.params().first("CallerName"), Some("דנה כהן"));
    assert_eq!(webhook.json(), None);
}

#[test]
fn a_signed_get_has_its_parameters_in_the_query() {
    let path = "/webhook/incoming_call?CallSid=CA1&From=%2B97254";
    let signature = Signer::new(key()).sign(&base().webhook(path), &Params::new());
    let request = WebhookRequest { method: Method::Get, ..post(path, "", &signature) };
    let webhook = verify(&request).unwrap();
    assert_eq!(webhook.path(), PATH);
    assert_eq!(webhook.params().first("From"), Some("+97254"));
}

#[test]
fn what_stands_behind_a_fragment_is_not_signed_and_not_read() {
    let signature = Signer::new(key()).sign(&base().webhook(PATH), &Params::new());
    for fragment in ["#?CallSid=CA9", "#x?CallSid=CA9&From=%2B97254", "?#&CallSid=CA9"] {
        let path = format!("{PATH}{fragment}");
        let request = WebhookRequest { method: Method::Get, ..post(&path, "", &signature) };
        let webhook = verify(&request).ok();
        assert!(webhook.is_none_or(|webhook| webhook.path() == PATH && webhook.params().is_empty()), "{fragment}");
    }
}

#[test]
fn a_post_does_not_take_parameters_from_its_query() {
    let path = "/webhook/incoming_call?CallSid=CA9";
    let signature = sign(path, "CallSid=CA1");
    let webhook = verify(&post(path, "CallSid=CA1", &signature)).unwrap();
    assert_eq!(webhook.params().len(), 1);
    assert_eq!(webhook.params().first("CallSid"), Some("CA1"));
}

#[test]
fn a_signed_json_body_is_handed_on_as_it_came() {
    let body = r#"{"CallSid":"CA1"}"#;
    let (url, signature) = Signer::new(key()).sign_json(&base().webhook(PATH), body.as_bytes());
    let path = url.strip_prefix("https://box.example.org/kol").unwrap();
    let request = WebhookRequest { content_type: Some("application/json"), ..post(path, body, &signature) };
    let webhook = verify(&request).unwrap();
    assert_eq!(webhook.json(), Some(body.as_bytes()));
    assert!(webhook.params().is_empty());
}

#[test]
fn each_refusal_has_its_status() {
    let (body, signed) = ("CallSid=CA1", sign(PATH, "CallSid=CA1"));
    let big = format!("a={}", "b".repeat(70_000));
    let many = "a=1&".repeat(300);
    let good = post(PATH, body, &signed);
    let cases = [
        (WebhookRequest { signature: None, ..good }, 403),
        (WebhookRequest { signature: Some("nonsense"), ..good }, 403),
        (WebhookRequest { body: b"CallSid=CA2", ..good }, 403),
        (WebhookRequest { body: b"CallSid=CA1&CallSid=CA2", ..good }, 403),
        (WebhookRequest { path_and_query: "/webhook/other", ..good }, 403),
        (WebhookRequest { method: Method::Get, ..good }, 403),
        (WebhookRequest { content_type: Some("application/json"), ..good }, 403),
        (WebhookRequest { content_type: Some("multipart/form-data; boundary=x"), ..good }, 415),
        (WebhookRequest { body: big.as_bytes(), ..good }, 413),
        (WebhookRequest { body: many.as_bytes(), ..good }, 400),
        (WebhookRequest { body: b"a=%zz", ..good }, 400),
        (WebhookRequest { body: b"a=\xff", ..good }, 400),
    ];
    for (request, status) in cases {
        assert_eq!(verify(&request).map_err(|error| error.http_status()).err(), Some(status));
    }
    assert!(verify(&good).is_ok());
}

#[test]
fn an_unsigned_body_is_not_even_read() {
    let request = WebhookRequest { signature: None, body: b"a=%zz", ..post(PATH, "", "") };
    assert_eq!(verify(&request).err(), Some(WebhookError::Signature(SignatureError::Missing)));
}

#[test]
fn a_retry_is_known_by_its_number_or_by_its_token() {
    let status = "/webhook/call_status";
    let numbered = key_of(status, "CallSid=CA1&SequenceNumber=3", Some("t1"));
    assert_eq!(numbered, key_of(status, "SequenceNumber=3&CallSid=CA1", Some("t2")));
    assert_ne!(numbered, key_of(status, "CallSid=CA1&SequenceNumber=4", Some("t1")));
    assert_ne!(numbered, key_of(status, "CallSid=CA2&SequenceNumber=3", Some("t1")));
    assert_ne!(numbered, key_of(PATH, "CallSid=CA1&SequenceNumber=3", Some("t1")));
    let token = key_of(PATH, "CallSid=CA1", Some("t1"));
    assert_eq!(token, key_of(PATH, "CallSid=CA1", Some("t1")));
    assert_ne!(token, key_of(PATH, "CallSid=CA1", Some("t2")));
    for useless in [None, Some(""), Some(&*"x".repeat(300))] {
        assert_eq!(key_of(PATH, "CallSid=CA1", useless), None);
    }
}

#[test]
fn values_do_not_show() {
    let body = "From=%2B972541234567";
    let webhook = verify(&post(PATH, body, &sign(PATH, body))).unwrap();
    let shown = format!("{webhook:?}");
    assert!(shown.contains("From") && !shown.contains("97254"), "{shown}");
}

proptest! {
    #[test]
    fn any_signed_form_comes_through_unchanged(
        pairs in proptest::collection::vec(("\\PC{0,8}", "\\PC{0,20}"), 0..12),
    ) {
        let params: Params = pairs.into_iter().collect();
        let body = params.encode();
        let webhook = verify(&post(PATH, &body, &sign(PATH, &body))).unwrap();
        prop_assert_eq!(webhook.params(), &params);
    }

    #[test]
    fn any_signed_query_comes_through_unchanged(
        pairs in proptest::collection::vec(("[a-zא-ת&=+%#? ]{0,8}", "[a-zא-ת&=+%#? ]{0,20}"), 0..12),
    ) {
        let params: Params = pairs.into_iter().collect();
        let path = format!("{PATH}?{}", params.encode());
        let signature = Signer::new(key()).sign(&base().webhook(&path), &Params::new());
        let request = WebhookRequest { method: Method::Get, ..post(&path, "ignored=1", &signature) };
        let webhook = verify(&request).unwrap();
        prop_assert_eq!((webhook.path(), webhook.params()), (PATH, &params));
        let longer = format!("{path}&x=1");
        let refused = verify(&WebhookRequest { path_and_query: &longer, ..request });
        prop_assert_eq!(refused.err(), Some(SignatureError::Wrong.into()));
    }

    #[test]
    fn any_json_comes_through_unchanged_and_no_other(
        body in proptest::collection::vec(any::<u8>(), 0..60), other in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let (url, signature) = Signer::new(key()).sign_json(&base().webhook(PATH), &body);
        let path_and_query = url.strip_prefix("https://box.example.org/kol").unwrap();
        let content_type = Some("application/JSON; charset=utf-8");
        let request = WebhookRequest { content_type, body: &body, ..post(path_and_query, "", &signature) };
        let webhook = verify(&request).unwrap();
        prop_assert_eq!(webhook.json(), Some(body.as_slice()));
        let verdict = verify(&WebhookRequest { body: &other, ..request });
        prop_assert_eq!(verdict.is_ok(), other == body);
    }

    #[test]
    fn any_request_is_a_webhook_or_refused_with_a_status(
        is_get in any::<bool>(), path in "[/?#&=%a-z]{0,20}|\\PC{0,20}", content_type in proptest::option::of("\\PC{0,20}|[a-z/;=-]{0,40}"),
        signature in proptest::option::of("\\PC{0,30}|[A-Za-z0-9+/]{27}="), token in proptest::option::of("\\PC{0,300}"),
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let request = WebhookRequest {
            method: if is_get { Method::Get } else { Method::Post },
            path_and_query: &path,
            content_type: content_type.as_deref(),
            signature: signature.as_deref(),
            idempotency_token: token.as_deref(),
            body: &body,
        };
        let status = verify(&request).map_err(|error| error.http_status()).err();
        prop_assert!(matches!(status, Some(400 | 403 | 415)), "{:?}", status);
    }

    #[test]
    fn a_retry_is_known_whatever_stands_beside_its_number(
        call in "[A-Za-z0-9]{1,34}", sequence in any::<u64>(), unknown in "X\\PC{0,8}", value in "\\PC{0,20}",
        token in proptest::option::of("[a-z]{0,9}"),
    ) {
        let params = Params::new().with("CallSid", call.as_str()).with("SequenceNumber", sequence.to_string());
        let first = key_of(PATH, &params.encode(), token.as_deref());
        let again = Params::new().with(unknown, value).with("SequenceNumber", sequence.to_string()).with("CallSid", call);
        prop_assert!(first.is_some());
        prop_assert_eq!(first, key_of(PATH, &again.encode(), None));
    }

    #[test]
    fn errors_of_the_form_reader_point_into_the_form(text in "[a=&%+0-9\\PC]{0,40}") {
        match Params::parse(text.as_bytes()) {
            Err(FormError::PercentEncoding { at }) => prop_assert_eq!(text.as_bytes().get(at), Some(&b'%')),
            Err(FormError::NotUtf8 { near, .. }) => prop_assert!(near <= text.len()),
            Ok(_) | Err(_) => {}
        }
    }
}

fn verify(request: &WebhookRequest<'_>) -> Result<VerifiedWebhook, WebhookError> {
    Verifier::new(key()).verify_webhook(&base(), request)
}

fn post<'a>(path_and_query: &'a str, body: &'a str, signature: &'a str) -> WebhookRequest<'a> {
    WebhookRequest {
        method: Method::Post,
        path_and_query,
        content_type: Some("application/x-www-form-urlencoded; charset=UTF-8"),
        signature: Some(signature),
        idempotency_token: None,
        body: body.as_bytes(),
    }
}

fn sign(path_and_query: &str, body: &str) -> String {
    Signer::new(key()).sign(&base().webhook(path_and_query), &Params::parse(body.as_bytes()).unwrap())
}

fn key_of(path: &str, body: &str, idempotency_token: Option<&str>) -> Option<DedupKey> {
    let signature = sign(path, body);
    verify(&WebhookRequest { idempotency_token, ..post(path, body, &signature) }).unwrap().dedup_key()
}

fn base() -> PublicUrl {
    "https://box.example.org/kol/".parse().unwrap()
}

fn key() -> AuthKey {
    "0123456789abcdef".parse().unwrap()
}
