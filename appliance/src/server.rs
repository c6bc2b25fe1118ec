//! The HTTP side: routes and what guards them. Handlers parse, verify, hand over and answer.

mod activity;
mod admin;
pub mod connections;
mod guard;
pub mod media_stream;
mod text_message;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;
use units::Language;

use crate::api;
use crate::app::Parts;
use crate::documents::Clip;

pub use self::guard::RateLimit;

/// Where the recordings lie that the carrier plays.
const CLIPS: &str = "/static/tts";

/// Builds every route of the box.
pub fn router(parts: &Arc<Parts>) -> Router {
    // Every method, so that each webhook says itself what it does not take: HEAD would else be taken for GET.
    let webhooks = Router::new()
        .route("/webhook/incoming_call", any(webhook::incoming_call))
        .route("/webhook/handle_recording", any(webhook::handle_recording))
        .route("/webhook/recording_status", any(webhook::recording_status))
        .route("/webhook/call_status", any(webhook::call_status))
        .route("/webhook/stream_ended", any(webhook::stream_ended))
        .route("/webhook/transfer_ended", post(webhook::transfer_ended))
        .route("/webhook/person/{call}", any(webhook::person))
        .route("/webhook/person_key/{call}", any(webhook::person_key))
        .route("/webhook/consent", any(webhook::consent))
        .route("/webhook/call_back/{id}", any(webhook::call_back))
        .route("/webhook/call_back_status/{id}", any(webhook::call_back_status))
        .route("/webhook/stream_status", any(webhook::stream_status))
        .route("/webhook/whatsapp/incoming", any(text_message::incoming))
        .route("/webhook/whatsapp/status", any(text_message::status));
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
    let folder = ServeDir::new(parts.greetings_folder()).append_index_html_on_directories(false);
    let clips = Router::new().nest_service(CLIPS, folder).route_layer(middleware::from_fn(only_clips));
    Router::new()
        .merge(webhooks)
        .merge(streams)
        .merge(admin)
        .merge(clips)
        .merge(api::router(parts))
        .route("/static/announcement/{name}", get(webhook::announcement))
        .route("/metrics", get(admin::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(parts), guard::limit_rate))
        .with_state(Arc::clone(parts))
}

/// Answers 404 to anything but a clip by its name: the folder also holds what the box notes for itself.
async fn only_clips(request: Request, next: Next) -> Response {
    let name = request.uri().path().strip_prefix(CLIPS).and_then(|rest| rest.strip_prefix('/'));
    if name.is_some_and(is_clip) { next.run(request).await } else { StatusCode::NOT_FOUND.into_response() }
}

fn is_clip(name: &str) -> bool {
    Clip::ALL.into_iter().any(|clip| {
        Language::ALL
            .into_iter()
            .any(|language| ["wav", "mp3"].into_iter().any(|extension| clip.file_name(language, extension) == name))
    })
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
