//! Recordings: read about, fetched, deleted.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::request::Account;
use super::{Api, json, problem};

/// `GET …/Recordings/{RE}` with `.json` or `.wav`; the bare address is the sound.
pub(super) async fn fetch(
    State(api): State<Api>,
    Account(account): Account,
    Path((_, file)): Path<(String, String)>,
) -> Response {
    let (sid, kind) = file.split_once('.').unwrap_or((&file, "wav"));
    let found = api.with(|tables| {
        let stored = tables.recordings.get_mut(sid)?;
        let is_there = stored.late_by == 0;
        if kind == "wav" && !is_there {
            stored.late_by -= 1;
            return None;
        }
        stored.fetched += u32::from(kind == "wav");
        Some((stored.wav.clone(), if is_there { "completed" } else { "processing" }))
    });
    match (found, kind) {
        (Some((wav, _)), "wav") => ([(CONTENT_TYPE, "audio/x-wav")], wav).into_response(),
        (Some((_, status)), "json") => {
            json(StatusCode::OK, &serde_json::json!({ "sid": sid, "account_sid": account, "status": status }))
        }
        _ => problem(StatusCode::NOT_FOUND, 20_404, "no such recording"),
    }
}

/// `DELETE …/Recordings/{RE}.json`.
pub(super) async fn delete(
    State(api): State<Api>,
    _account: Account,
    Path((_, file)): Path<(String, String)>,
) -> Response {
    let sid = file.split_once('.').map_or(file.as_str(), |(sid, _)| sid);
    match api.with(|tables| tables.recordings.remove(sid)) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => problem(StatusCode::NOT_FOUND, 20_404, "no such recording"),
    }
}
