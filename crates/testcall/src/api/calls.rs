//! Calls: changed, placed.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use telephony::Params;

use super::request::{Account, Form};
use super::{Api, CallUpdate, Order, OutboundOrder, call_id, json, problem};
use crate::script::Callee;
use crate::sid::{new_id, new_sid};

/// The longest markup in a form, in characters (Twilio, error 32018).
const LONGEST_INLINE_MARKUP: usize = 4_000;

/// `POST …/Calls/{CA}.json`.
pub(super) async fn update(
    State(api): State<Api>,
    Account(account): Account,
    Path((_, file)): Path<(String, String)>,
    Form(form): Form,
) -> Response {
    let sid = file.strip_suffix(".json").unwrap_or(&file);
    let update = match update_of(&form) {
        Ok(update) => update,
        Err(refusal) => return *refusal,
    };
    let known = api.look(|tables| tables.calls.get(sid).map(|call| (call.updates.clone(), call.answered)));
    let Some((updates, answered)) = known else {
        return problem(StatusCode::NOT_FOUND, 20_404, "no such call");
    };
    let fits = match update {
        CallUpdate::Complete => true,
        CallUpdate::Cancel => !answered,
        CallUpdate::Markup(_) | CallUpdate::Fetch { .. } => answered,
    };
    let Some(updates) = updates.filter(|_| fits) else {
        return problem(StatusCode::BAD_REQUEST, 21_220, "the call is not in a state for this");
    };
    if updates.try_send(update).is_err() {
        return problem(StatusCode::TOO_MANY_REQUESTS, 20_429, "too many changes at once");
    }
    let status = if answered { "in-progress" } else { "ringing" };
    json(StatusCode::OK, &serde_json::json!({ "sid": sid, "account_sid": account, "status": status }))
}

fn update_of(form: &Params) -> Result<CallUpdate, Box<Response>> {
    let wrong = |code, text| Err(Box::new(problem(StatusCode::BAD_REQUEST, code, text)));
    match (form.first("Status"), form.first("Twiml"), form.first("Url")) {
        (Some("completed"), None, None) => Ok(CallUpdate::Complete),
        (Some("canceled"), None, None) => Ok(CallUpdate::Cancel),
        (None, None, Some(url)) if !is_web_address(url) => wrong(21_205, "Url is not a URL"),
        (None, None, Some(url)) => {
            Ok(CallUpdate::Fetch { url: url.to_owned(), by_get: form.first("Method") == Some("GET") })
        }
        (None, Some(markup), None) if markup.chars().count() > LONGEST_INLINE_MARKUP => {
            wrong(32_018, "Twiml is too long")
        }
        (None, Some(markup), None) => Ok(CallUpdate::Markup(markup.to_owned())),
        (None, Some(_), Some(_)) => wrong(20_001, "Url and Twiml exclude each other"),
        _ => wrong(20_001, "one of Status, Url and Twiml is needed"),
    }
}

/// `POST …/Calls.json`.
pub(super) async fn create(State(api): State<Api>, Account(account): Account, Form(form): Form) -> Response {
    if let Some((code, text)) = wrong_with(&form) {
        return problem(StatusCode::BAD_REQUEST, code, text);
    }
    let (to, from) = (form.first("To").unwrap_or_default(), form.first("From").unwrap_or_default());
    let callee = api.look(|tables| tables.callees.get(to).cloned()).unwrap_or(Callee::NoAnswer);
    let sid = call_id(&new_sid("CA")).unwrap_or_else(|| new_id("CA"));
    let answer = serde_json::json!({
        "sid": sid.as_str(), "account_sid": account, "status": "queued", "direction": "outbound-api", "to": to,
        "from": from,
    });
    let updates = api.know_call(sid.as_str());
    let order = OutboundOrder { sid: sid.clone(), form, callee, updates };
    if api.shared.orders.try_send(Order::Call(Box::new(order))).is_err() {
        return problem(StatusCode::TOO_MANY_REQUESTS, 20_429, "too many calls at once");
    }
    api.with(|tables| tables.placed.push(sid));
    json(StatusCode::CREATED, &answer)
}

/// Returns the carrier's code for what is wrong with a form that places a call.
fn wrong_with(form: &Params) -> Option<(u32, &'static str)> {
    let number = |name: &str, range: std::ops::RangeInclusive<u32>| {
        form.first(name).is_none_or(|text| text.parse().is_ok_and(|value| range.contains(&value)))
    };
    if form.first("To").is_none_or(str::is_empty) {
        return Some((21_201, "To is needed"));
    }
    if form.first("From").is_none_or(str::is_empty) {
        return Some((21_213, "From is needed"));
    }
    if form.first("To").is_some_and(|to| !is_callable(to)) {
        return Some((21_211, "To is not a number"));
    }
    if form.first("From").is_some_and(|from| !is_callable(from)) {
        return Some((21_212, "From is not a number"));
    }
    match (form.first("Url"), form.first("Twiml")) {
        (None, None) => return Some((21_205, "Url or Twiml is needed")),
        (Some(url), _) if !is_web_address(url) => return Some((21_205, "Url is not a URL")),
        (None, Some(markup)) if markup.chars().count() > LONGEST_INLINE_MARKUP => {
            return Some((32_018, "Twiml is too long"));
        }
        _ => {}
    }
    if form.first("StatusCallback").is_some_and(|url| !is_web_address(url)) {
        return Some((21_609, "StatusCallback is not a URL"));
    }
    let words = form.first("MachineDetection").is_none_or(|word| ["Enable", "DetectMessageEnd"].contains(&word));
    let numbers = number("Timeout", 1..=600)
        && number("MachineDetectionTimeout", 3..=59)
        && number("MachineDetectionSpeechThreshold", 1_000..=6_000)
        && number("MachineDetectionSpeechEndThreshold", 500..=5_000)
        && number("MachineDetectionSilenceTimeout", 2_000..=10_000);
    (!words || !numbers).then_some((20_001, "a parameter is out of its range"))
}

/// Returns whether a call can be placed there.
fn is_callable(address: &str) -> bool {
    let number = address.strip_prefix("whatsapp:").unwrap_or(address);
    let digits = number.strip_prefix('+').unwrap_or_default();
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number || address.starts_with("sip:") || address.starts_with("client:")
}

/// Returns whether this is a URL the carrier can ask.
pub(super) fn is_web_address(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty() && !host.contains('_')) && !url.contains(char::is_whitespace)
}
