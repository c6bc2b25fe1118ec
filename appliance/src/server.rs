//! The HTTP side: routes and what guards them. Handlers parse, verify, hand over and answer.

mod admin;
mod guard;
pub mod media_stream;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::middleware;
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;

use crate::app::Parts;

pub use self::guard::RateLimit;

/// Builds every route of the box.
pub fn router(parts: &Arc<Parts>) -> Router {
    let webhooks = Router::new()
        .route("/webhook/incoming_call", get(webhook::incoming_call).post(webhook::incoming_call))
        .route("/webhook/handle_recording", get(webhook::handle_recording).post(webhook::handle_recording))
        .route("/webhook/call_status", get(webhook::call_status).post(webhook::call_status))
        .route("/webhook/stream_ended", get(webhook::stream_ended).post(webhook::stream_ended))
        .route("/webhook/transfer_ended", post(webhook::transfer_ended))
        .route("/webhook/stream_status", get(webhook::stream_status).post(webhook::stream_status));
    let streams = Router::new()
        .route("/ws/twilio-media", get(media_stream::without_token))
        .route("/ws/twilio-media/", get(media_stream::without_token))
        .route("/ws/twilio-media/{token}", get(media_stream::with_token));
    let admin = Router::new()
        .route("/", get(admin::index))
        .route("/health", get(admin::health))
        .route("/healthz", get(admin::health))
        .route("/readyz", get(admin::readyz))
        .route("/version", get(admin::version))
        .layer(cors(&parts.config.http.allowed_origins));
    let greetings = ServeDir::new(parts.greetings_folder()).append_index_html_on_directories(false);
    Router::new()
        .merge(webhooks)
        .merge(streams)
        .merge(admin)
        .route("/metrics", get(admin::metrics))
        .nest_service("/static/tts", greetings)
        .layer(middleware::from_fn_with_state(Arc::clone(parts), guard::limit_rate))
        .with_state(Arc::clone(parts))
}

/// Lets pages of the named origins read what tells how the box is, and nothing else.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::ACCEPT])
        .allow_origin(AllowOrigin::list(origins))
}

#[cfg(test)]
mod tests;
