//! Forms and queries: what the carrier posts about calls, recordings, streams and messages.

use std::time::Duration;

use messaging::twilio::{read_inbound, read_status};
use messaging::{Content, Inbound, State, StatusUpdate, UnixTime};
use telephony::form::{FieldError, FormError, FormLimits};
use telephony::wire::{
    CallStatusUpdate, DialResult, GatherResult, IncomingCall, RecordingResult, RecordingStatus, StreamEnded,
    StreamEvent, StreamStatus,
};
use telephony::{
    AuthKey, Method, Params, PublicUrl, SignatureError, Signer, VerifiedWebhook, Verifier, WebhookError, WebhookRequest,
};

use crate::{MARK, assert_nothing_personal};

/// Path of the webhook.
const PATH: &str = "/webhook/any";

/// When the forms come in.
const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

/// Limits that small inputs reach too.
const TIGHT: FormLimits = FormLimits { max_bytes: 200, max_params: 6, max_name_bytes: 12, max_value_bytes: 40 };

/// Parameters whose values may be shown: the carrier's words and addresses, not a caller's.
const SHOWN: [&str; 2] = ["RecordingUrl", "StreamError"];

/// Parameters that are about persons.
const PERSONAL: [&str; 13] = [
    "Address",
    "Body",
    "ButtonPayload",
    "ButtonText",
    "CallerName",
    "ChannelStatusMessage",
    "Digits",
    "ErrorMessage",
    "ForwardedFrom",
    "From",
    "Label",
    "ProfileName",
    "To",
];

/// Reads bytes as a form and as a query, verified and not, and every value that may be in them.
pub fn webhook_form(bytes: &[u8]) {
    read_form(bytes, &TIGHT);
    let params = read_form(bytes, &FormLimits::default());
    post(bytes, params.as_ref());
    if let Ok(query) = std::str::from_utf8(bytes) {
        get(query);
    }
    json(bytes);
    if let Some(params) = params {
        read_values(&params);
    }
}

/// Parses a form and checks that the limits hold, and that an error points at what is wrong.
fn read_form(bytes: &[u8], limits: &FormLimits) -> Option<Params> {
    let params = match Params::parse_within(bytes, limits) {
        Ok(params) => params,
        Err(FormError::TooLarge { bytes: length, max }) => {
            assert!(length == bytes.len() && length > max, "{length} bytes are not above {max}");
            return None;
        }
        Err(FormError::PercentEncoding { at }) => {
            assert_eq!(bytes.get(at), Some(&b'%'), "no '%' at {at}");
            return None;
        }
        Err(FormError::NotUtf8 { near, .. }) => {
            assert!(near <= bytes.len(), "{near} is behind the end");
            return None;
        }
        Err(FormError::TooManyParams { .. } | FormError::NameTooLong { .. } | FormError::ValueTooLong { .. }) => {
            return None;
        }
    };
    assert!(bytes.len() <= limits.max_bytes && params.len() <= limits.max_params);
    for (name, value) in params.iter() {
        assert!(name.len() <= limits.max_name_bytes && value.len() <= limits.max_value_bytes);
    }
    // Escapes may make it longer than what came.
    let roomy = FormLimits { max_bytes: usize::MAX, ..*limits };
    assert_eq!(Params::parse_within(params.encode().as_bytes(), &roomy).as_ref(), Ok(&params));
    Some(params)
}

/// Posts the bytes: a signed form comes through as it is, any other is refused.
fn post(bytes: &[u8], params: Option<&Params>) {
    let signature = params.map(|params| Signer::new(key()).sign(&base().webhook(PATH), params));
    let request = WebhookRequest { body: bytes, signature: signature.as_deref(), ..request() };
    let verified = verify(&request);
    assert_eq!(verified.as_ref().ok().map(VerifiedWebhook::params), params);
    let unsigned = verify(&WebhookRequest { signature: None, ..request });
    assert_eq!(unsigned.err(), Some(SignatureError::Missing.into()));
    let other = Verifier::new("another key".parse::<AuthKey>().expect("it is not empty"));
    assert!(other.verify_webhook(&base(), &request).is_err(), "a stranger's signature is taken");
    if let Err(WebhookError::Form(error)) = verified {
        assert!(matches!(WebhookError::Form(error).http_status(), 400 | 413));
    }
}

/// Asks with the text as the query: what is handed on was signed, all of it.
fn get(query: &str) {
    let path_and_query = format!("{PATH}?{query}");
    let url = base().webhook(&path_and_query);
    let signature = Signer::new(key()).sign(&url, &Params::new());
    let request = WebhookRequest {
        method: Method::Get,
        path_and_query: &path_and_query,
        signature: Some(&signature),
        ..request()
    };
    // A fragment is not signed.
    let signed = query.split('#').next().unwrap_or_default();
    match verify(&request) {
        Ok(webhook) => {
            assert_eq!(webhook.path(), PATH);
            assert_eq!(Some(webhook.params()), Params::parse(signed.as_bytes()).ok().as_ref());
        }
        Err(error) => {
            assert!(!matches!(error, WebhookError::Signature(_)), "a signature of ours is refused: {error}");
            assert!(Params::parse(signed.as_bytes()).is_err(), "a readable query is refused: {error}");
        }
    }
}

/// Posts the bytes as JSON: they are handed on as they came, and only if their hash was signed.
fn json(bytes: &[u8]) {
    let (url, signature) = Signer::new(key()).sign_json(&base().webhook(PATH), bytes);
    let path_and_query = url.strip_prefix(base().as_str()).unwrap_or_default();
    let request = WebhookRequest {
        path_and_query,
        content_type: Some("application/json; charset=utf-8"),
        signature: Some(&signature),
        body: bytes,
        ..request()
    };
    assert_eq!(verify(&request).ok().as_ref().and_then(VerifiedWebhook::json), Some(bytes));
    let changed = [bytes, b" "].concat();
    let refused = verify(&WebhookRequest { body: &changed, ..request });
    assert_eq!(refused.err(), Some(SignatureError::BodyHash.into()));
}

/// Reads every value, in any order, and looks whether anything personal shows.
fn read_values(params: &Params) {
    let Some(webhook) = signed(params) else { return };
    let readings = Readings::of(&webhook);
    readings.check_limits();
    let has_mark = format!("{webhook:?} {readings:?}").contains(MARK);
    let mut pairs: Vec<(String, String)> =
        params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    pairs.reverse();
    let reversed = signed(&pairs.into_iter().collect()).map(|webhook| Readings::of(&webhook));
    assert_eq!(reversed, Some(readings), "the order of the parameters matters");

    if has_mark {
        return;
    }
    for is_marked in [|name: &str| !SHOWN.contains(&name), |name: &str| PERSONAL.contains(&name)] {
        let mark = |(name, value): (&str, &str)| {
            let mark = if is_marked(name) { MARK } else { "" };
            (name.to_owned(), format!("{value}{mark}"))
        };
        let marked: Params = params.iter().map(mark).collect();
        if let Some(webhook) = signed(&marked) {
            assert_nothing_personal(&format!("{webhook:?} {:?}", Readings::of(&webhook)));
        }
    }
}

/// What each reader makes of one form.
#[derive(Debug, PartialEq)]
struct Readings {
    incoming: Result<IncomingCall, FieldError>,
    call_status: Result<CallStatusUpdate, FieldError>,
    stream_status: Result<StreamStatus, FieldError>,
    stream_ended: Result<StreamEnded, FieldError>,
    recording: Result<RecordingResult, FieldError>,
    recording_status: Result<RecordingStatus, FieldError>,
    dial: Result<DialResult, FieldError>,
    gather: Result<GatherResult, FieldError>,
    message: Result<Inbound, FieldError>,
    message_status: Result<Option<StatusUpdate>, FieldError>,
}

impl Readings {
    fn of(webhook: &VerifiedWebhook) -> Self {
        Self {
            incoming: IncomingCall::read(webhook),
            call_status: CallStatusUpdate::read(webhook),
            stream_status: StreamStatus::read(webhook),
            stream_ended: StreamEnded::read(webhook),
            recording: RecordingResult::read(webhook),
            recording_status: RecordingStatus::read(webhook),
            dial: DialResult::read(webhook),
            gather: GatherResult::read(webhook),
            message: read_inbound(webhook, NOW),
            message_status: read_status(webhook, NOW),
        }
    }

    /// Checks that what is shown or kept has its documented length.
    fn check_limits(&self) {
        if let Ok(StreamStatus { event: StreamEvent::Failed { reason }, .. }) = &self.stream_status {
            assert!(is_explanation(reason), "{reason:?}");
        }
        if let Ok(StreamEnded { error: Some(error), .. }) = &self.stream_ended {
            assert!(is_explanation(error), "{error:?}");
        }
        if let Ok(update) = &self.call_status {
            assert!(update.duration.is_none_or(|duration| duration.subsec_nanos() == 0));
        }
        if let Ok(RecordingStatus { recording, error, .. }) = &self.recording_status {
            assert!(recording.duration != Some(Duration::MAX) && *error != Some(0));
        }
        match self.message.as_ref().map(|message| &message.content) {
            Ok(Content::Media { items, .. }) => assert!((1..=10).contains(&items.len())),
            Ok(Content::Unknown { kind }) => assert!(kind.len() <= 32 && kind.is_ascii()),
            Ok(Content::Location(place)) => {
                assert!(place.reveal().latitude_micros.abs() <= 90_000_000);
                assert!(place.reveal().longitude_micros.abs() <= 180_000_000);
            }
            _ => {}
        }
        if let Ok(Some(StatusUpdate { state: State::Failed { code, text }, .. })) = &self.message_status {
            assert!(*code != Some(0) && text.as_ref().is_none_or(|text| is_explanation(text.reveal())));
        }
    }
}

/// Returns whether a text was cut and cleaned as explanations of a carrier are.
fn is_explanation(text: &str) -> bool {
    text.chars().count() <= 300 && !text.chars().any(char::is_control)
}

/// Returns the parameters as a webhook that went through the only door, if they are not too many to be one.
fn signed(params: &Params) -> Option<VerifiedWebhook> {
    let body = params.encode();
    let signature = Signer::new(key()).sign(&base().webhook(PATH), params);
    match verify(&WebhookRequest { body: body.as_bytes(), signature: Some(&signature), ..request() }) {
        Ok(webhook) => Some(webhook),
        Err(WebhookError::Form(_)) => None,
        Err(error) => unreachable!("a form of ours is refused: {error}"),
    }
}

fn verify(request: &WebhookRequest<'_>) -> Result<VerifiedWebhook, WebhookError> {
    Verifier::new(key()).verify_webhook(&base(), request)
}

const fn request() -> WebhookRequest<'static> {
    WebhookRequest {
        method: Method::Post,
        path_and_query: PATH,
        content_type: None,
        signature: None,
        idempotency_token: None,
        body: b"",
    }
}

fn base() -> PublicUrl {
    "https://box.example.org/kol".parse().expect("it is a public URL")
}

fn key() -> AuthKey {
    "0123456789abcdef".parse().expect("it is not empty")
}
