//! How the box is: pages for people, probes and scrapers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use serde::Serialize;

use crate::app::Parts;
use crate::health::Readiness;

/// What `/version` answers.
#[derive(Debug, Serialize)]
pub(super) struct Version {
    app: &'static str,
    #[serde(rename = "version")]
    release: &'static str,
    commit: &'static str,
    build_time: &'static str,
    deploy_id: String,
    /// Seconds since 1970 as the box believes.
    ts: u64,
}

pub(super) async fn index(State(parts): State<Arc<Parts>>) -> Html<String> {
    let readiness = parts.health.readiness();
    Html(format!(
        "<!doctype html><html lang=\"he\" dir=\"rtl\"><meta charset=\"utf-8\"><title>Kolbox</title>\
         <h1>קולבוקס</h1><p>המענה הטלפוני פועל. <span dir=\"ltr\" lang=\"en\">Kolbox answers the phone: {}.</span></p>\
         <p dir=\"ltr\"><a href=\"/readyz\">/readyz</a> <a href=\"/version\">/version</a></p></html>\n",
        readiness.status
    ))
}

pub(super) async fn health() -> &'static str {
    "ok"
}

pub(super) async fn readyz(State(parts): State<Arc<Parts>>) -> Json<Readiness> {
    Json(parts.health.readiness())
}

pub(super) async fn version(State(parts): State<Arc<Parts>>) -> Json<Version> {
    Json(Version {
        app: "kolbox",
        release: env!("CARGO_PKG_VERSION"),
        commit: env!("KOLBOX_COMMIT"),
        build_time: env!("KOLBOX_BUILD_TIME"),
        deploy_id: parts.deploy_id.clone(),
        ts: parts.clock.wall_ms() / 1_000,
    })
}

pub(super) async fn metrics(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, TEXT)], parts.metrics.render())
}
