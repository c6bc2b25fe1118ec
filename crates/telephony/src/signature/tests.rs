use proptest::prelude::*;

use super::*;

const URL: &str = "https://box.example.org/webhook/incoming_call";

#[test]
fn a_signature_made_by_hand_is_accepted() {
    // printf 'https://box.example.org/hFrom+972541234567ToB' | openssl dgst -sha1 -hmac 'dev-token' -binary | base64
    let params = Params::new().with("To", "B").with("From", "+972541234567");
    assert_eq!(signer("dev-token").sign("https://box.example.org/h", &params), HAND_MADE);
    assert_eq!(verifier("dev-token").verify("https://box.example.org/h", &params, Some(HAND_MADE)), Ok(()));
}

#[test]
fn either_key_is_accepted_and_no_third() {
    let params = Params::new().with("CallSid", "CA1");
    let verifier = verifier("new").with_secondary(key("old"));
    for token in ["new", "old"] {
        assert_eq!(verifier.verify(URL, &params, Some(&signer(token).sign(URL, &params))), Ok(()), "{token}");
    }
    let other = signer("other").sign(URL, &params);
    assert_eq!(verifier.verify(URL, &params, Some(&other)), Err(SignatureError::Wrong));
}

#[test]
fn what_is_no_signature_is_refused_as_such() {
    let verifier = verifier("token");
    assert_eq!(verifier.verify(URL, &Params::new(), None), Err(SignatureError::Missing));
    let long = "A".repeat(10_000);
    for text in ["", "=", "not base64!", "QUJD", "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD", &long] {
        assert_eq!(verifier.verify(URL, &Params::new(), Some(text)), Err(SignatureError::Malformed), "{text:.40}");
    }
}

#[test]
fn each_way_to_write_the_port_is_accepted() {
    let params = Params::new().with("a", "b");
    let cases = [
        ("https://h.example/p", "https://h.example:443/p"),
        ("https://h.example:8443/p", "https://h.example/p"),
        ("http://h.example/p", "http://h.example:80/p"),
        ("wss://h.example/p", "wss://h.example:443/p"),
        ("wss://h.example/p", "wss://h.example:80/p"),
        ("https://u:p@h.example:8443/p", "https://u:p@h.example/p"),
        ("https://[::1]:8443/p", "https://[::1]/p"),
        ("https://[::1]/p", "https://[::1]:443/p"),
        ("https://h.example/p#rc=2", "https://h.example/p"),
    ];
    for (configured, signed) in cases {
        let signature = signer("k").sign(signed, &params);
        assert_eq!(verifier("k").verify(configured, &params, Some(&signature)), Ok(()), "{configured} for {signed}");
    }
    for (configured, signed) in [
        ("https://h.example/p", "https://h.example/p/"),
        ("https://h.example/p", "http://h.example/p"),
        ("https://h.example/p", "https://evil.example/p"),
        ("https://h.example/p", "https://h.example:444/p"),
        ("wss://h.example/p", "https://h.example/p"),
        ("https://h.example/p", "https://h.example/p?a=b"),
    ] {
        let signature = signer("k").sign(signed, &params);
        let verdict = verifier("k").verify(configured, &params, Some(&signature));
        assert_eq!(verdict, Err(SignatureError::Wrong), "{configured} for {signed}");
    }
}

#[test]
fn a_query_written_by_older_clients_is_accepted() {
    let given = "https://h.example/p?name=D'Angelo & \"co\"&b=\u{5d0}&name=2";
    let spelled = [
        "https://h.example/p?name=D%27Angelo%20&%20%22co%22&b=%D7%90&name=2",
        "https://h.example/p?name=D'Angelo%20&name=2&%20%22co%22=&b=%D7%90",
    ];
    for spelled in spelled {
        let signature = signer("k").sign(spelled, &Params::new());
        assert_eq!(verifier("k").verify(given, &Params::new(), Some(&signature)), Ok(()), "{spelled}");
    }
}

#[test]
fn parameters_are_sorted_by_name_and_each_value_counts_once() {
    let params = Params::new().with("Reason", "x").with("ReasonX", "").with("B", "2").with("B", "1").with("B", "2");
    assert_eq!(signed_params(&params), "B1B2ReasonxReasonX");
}

#[test]
fn a_json_body_is_bound_by_its_hash() {
    let body = br#"{"a": 1}"#;
    for url in ["https://h.example/p", "https://h.example/p?x=1"] {
        let (url, signature) = signer("k").sign_json(url, body);
        let verifier = verifier("k");
        assert_eq!(verifier.verify_json(&url, body, Some(&signature)), Ok(()));
        assert_eq!(verifier.verify_json(&url, b"{}", Some(&signature)), Err(SignatureError::BodyHash));
        assert_eq!(verifier.verify_json(&url, body, None), Err(SignatureError::Missing));
    }
    let unhashed = signer("k").sign(URL, &Params::new());
    assert_eq!(verifier("k").verify_json(URL, b"{}", Some(&unhashed)), Err(SignatureError::NoBodyHash));
}

#[test]
fn a_stream_is_signed_by_its_url_alone() {
    let url = "wss://box.example.org/ws/twilio-media/abc";
    let signature = signer("k").sign_stream(url);
    assert_eq!(verifier("k").verify_stream(url, Some(&signature)), Ok(()));
    let other = "wss://box.example.org/ws/twilio-media/abd";
    assert_eq!(verifier("k").verify_stream(other, Some(&signature)), Err(SignatureError::Wrong));
}

#[test]
fn an_empty_key_is_refused_and_no_key_shows() {
    assert!("  \n".parse::<AuthKey>().is_err());
    assert_eq!(key("secret-token\n").bytes(), b"secret-token");
    let shown = format!("{:?} {:?}", verifier("secret-token"), signer("secret-token"));
    assert!(!shown.contains("token"), "{shown}");
}

#[test]
fn the_published_vectors_are_judged_as_published() {
    let Some(text) = published_vectors() else { return };
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let verifier = verifier(file["auth_token"].as_str().unwrap());
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 19, "only {} vectors", vectors.len());
    for vector in vectors {
        let (url, signature) = (vector["url"].as_str().unwrap(), vector["signature"].as_str());
        let mut params = Params::new();
        for (name, value) in vector["params"].as_object().unwrap() {
            match value.as_array() {
                Some(values) => values.iter().for_each(|value| params.push(name, value.as_str().unwrap())),
                None => params.push(name, value.as_str().unwrap()),
            }
        }
        let verdict = match vector["raw_body"].as_str() {
            Some(body) => verifier.verify_json(url, body.as_bytes(), signature),
            None => verifier.verify(url, &params, signature),
        };
        assert_eq!(verdict.is_ok(), vector["accept"].as_bool().unwrap(), "{vector}");
    }
}

proptest! {
    #[test]
    fn changing_anything_breaks_the_signature(
        name in "[A-Za-z]{1,8}", value in "\\PC{0,12}", other in "\\PC{0,12}", path in "[a-z/]{0,12}",
    ) {
        let url = format!("https://h.example/{path}");
        let params = Params::new().with(name.as_str(), value.as_str()).with("CallSid", "CA1");
        let signature = signer("k").sign(&url, &params);
        prop_assert_eq!(verifier("k").verify(&url, &params, Some(&signature)), Ok(()));
        let changed = Params::new().with(name, other.as_str()).with("CallSid", "CA1");
        let verdict = verifier("k").verify(&url, &changed, Some(&signature));
        prop_assert_eq!(verdict.is_ok(), other == value);
        let verdict = verifier("k").verify(&format!("{url}x"), &params, Some(&signature));
        prop_assert_eq!(verdict, Err(SignatureError::Wrong));
    }

    #[test]
    fn no_url_makes_the_verifier_panic(url in "\\PC{0,60}", scheme in "(https|wss|http|):?/{0,2}", signature in "[A-Za-z0-9+/]{27}=") {
        for url in [url.clone(), format!("{scheme}{url}")] {
            prop_assert!(verifier("k").verify(&url, &Params::new(), Some(&signature)).is_err());
            prop_assert!(verifier("k").verify_json(&url, b"", Some(&signature)).is_err());
        }
    }
}

/// Made with openssl, see above.
const HAND_MADE: &str = "esyR/MCM7OHrSDJjdCqXKBuyods=";

fn key(text: &str) -> AuthKey {
    text.parse().unwrap()
}

fn signer(token: &str) -> Signer {
    Signer::new(key(token))
}

fn verifier(token: &str) -> Verifier {
    Verifier::new(key(token))
}

/// The vectors of the carrier's own libraries, if they are there.
#[expect(clippy::disallowed_methods, reason = "tests find their data by it")]
fn published_vectors() -> Option<String> {
    let default = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("KOLBOX_SHARED").map_or(default, Into::into);
    let path = shared.join("data/twilio-signatures.json");
    let text = std::fs::read_to_string(path);
    if text.is_err() {
        println!("skipped: no data/twilio-signatures.json in the shared folder");
    }
    text.ok()
}
