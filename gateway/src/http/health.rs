//! Probes and figures.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::{App, Problem};

/// The program is there.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every part is well; 503 where one is not.
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let readiness = app.health.readiness();
    let status = if app.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// Figures in Prometheus' text format.
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app
        .metrics
        .encode()
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
