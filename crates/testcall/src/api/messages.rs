//! Messages: sent, and their files fetched and deleted.

use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use telephony::Params;
use units::Pii;

use super::calls::is_web_address;
use super::request::{Account, Form};
use super::{Api, MessageOrder, Order, json, problem};
use crate::rest::{MessagePlan, SentMessage};
use crate::sid::new_sid;

/// Longest text, in characters (Twilio, error 21617).
const LONGEST_TEXT: usize = 1_600;

/// Most files in one message.
const MOST_FILES: usize = 10;

/// `POST …/Messages.json`.
pub(super) async fn send(State(api): State<Api>, Account(account): Account, Form(form): Form) -> Response {
    if let Some((code, text)) = wrong_with(&form) {
        return problem(StatusCode::BAD_REQUEST, code, text);
    }
    let sid = new_sid(if form.first("MediaUrl").is_some() { "MM" } else { "SM" });
    let is_free_text = form.first("ContentSid").is_none();
    let to = form.first("To").unwrap_or_default().to_owned();
    let answer = serde_json::json!({
        "sid": sid, "account_sid": account, "status": "queued", "direction": "outbound-api", "to": to,
        "from": form.first("From"), "num_segments": "1", "error_code": null,
    });
    let plan = api.with(|tables| {
        let is_closed = to.starts_with("whatsapp:") && tables.closed_windows.contains(&to);
        let message = SentMessage { sid: sid.clone(), form: Pii::new(form.clone()), told: Vec::new() };
        tables.messages.push(message);
        if is_closed && is_free_text {
            return MessagePlan::failing(63_016);
        }
        tables.plans.pop_front().unwrap_or_default()
    });
    let order = MessageOrder { sid, form, plan };
    if api.shared.orders.try_send(Order::Message(Box::new(order))).is_err() {
        return problem(StatusCode::TOO_MANY_REQUESTS, 20_429, "too many messages at once");
    }
    json(StatusCode::CREATED, &answer)
}

/// Returns the carrier's code for what is wrong with a form that sends a message.
fn wrong_with(form: &Params) -> Option<(u32, &'static str)> {
    let to = form.first("To").unwrap_or_default();
    if to.is_empty() {
        return Some((21_604, "To is needed"));
    }
    if !is_writable(to) {
        return Some((21_211, "To is not an address"));
    }
    match (form.first("From"), form.first("MessagingServiceSid")) {
        (None, None) => return Some((21_603, "From or MessagingServiceSid is needed")),
        (Some(from), _) if !is_writable(from) => return Some((21_212, "From is not an address")),
        (Some(from), _) if from.starts_with("whatsapp:") != to.starts_with("whatsapp:") => {
            return Some((21_910, "From and To are on different channels"));
        }
        (None, Some(service)) if !service.starts_with("MG") => return Some((21_701, "there is no such service")),
        _ => {}
    }
    let text = form.first("Body").unwrap_or_default();
    let files: Vec<&str> = form.iter().filter(|(name, _)| *name == "MediaUrl").map(|(_, url)| url).collect();
    if text.chars().count() > LONGEST_TEXT {
        return Some((21_617, "Body is too long"));
    }
    if files.len() > MOST_FILES || files.iter().any(|url| !is_web_address(url)) {
        return Some((21_620, "a MediaUrl is not a URL"));
    }
    match form.first("ContentSid") {
        None if text.is_empty() && files.is_empty() => return Some((21_619, "there is nothing to send")),
        Some(sid) if !sid.starts_with("HX") => return Some((21_655, "there is no such template")),
        _ => {}
    }
    let is_object = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object());
    if form.first("ContentVariables").is_some_and(|text| !is_object(text)) {
        return Some((21_656, "ContentVariables is not a JSON object"));
    }
    if form.first("StatusCallback").is_some_and(|url| !is_web_address(url)) {
        return Some((21_609, "StatusCallback is not a URL"));
    }
    None
}

/// Returns whether a message can be sent to or from there.
fn is_writable(address: &str) -> bool {
    let digits = address.strip_prefix("whatsapp:").unwrap_or(address).strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `GET …/Messages/{MM}/Media/{ME}`: leads to another host.
pub(super) async fn find_media(
    State(api): State<Api>,
    _account: Account,
    Path((_, _, media)): Path<(String, String, String)>,
) -> Response {
    if api.look(|tables| tables.media.contains_key(&media)) {
        let location = format!("{}/media/{media}", api.shared.media_url);
        return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response();
    }
    problem(StatusCode::NOT_FOUND, 20_404, "no such media")
}

/// `DELETE …/Messages/{MM}/Media/{ME}`.
pub(super) async fn delete_media(
    State(api): State<Api>,
    _account: Account,
    Path((_, _, media)): Path<(String, String, String)>,
) -> Response {
    let media = media.trim_end_matches(".json");
    match api.with(|tables| tables.media.remove(media)) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => problem(StatusCode::NOT_FOUND, 20_404, "no such media"),
    }
}

/// The other host: gives a file to anybody, but refuses who sends a credential, as a storage service does.
pub(super) async fn fetch_media(State(api): State<Api>, Path(media): Path<String>, headers: HeaderMap) -> Response {
    if headers.contains_key(AUTHORIZATION) {
        return (StatusCode::BAD_REQUEST, "only one way to sign in is allowed").into_response();
    }
    match api.look(|tables| tables.media.get(&media).cloned()) {
        Some(found) => ([(CONTENT_TYPE, found.content_type)], found.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
