//! `/api/status`: how the box is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse as _;
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::Answer;
use super::{Operation, Scope};
use crate::app::Parts;
use crate::health::PartState;

/// How the box is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Status")]
struct StatusView {
    /// The release.
    release: &'static str,
    /// What it was built of.
    commit: &'static str,
    /// The time as the box believes, in milliseconds since 1970.
    at_wall_ms: u64,
    /// `ready` or `degraded`; calls are answered in both.
    status: &'static str,
    /// Each part by its name.
    parts: BTreeMap<String, PartView>,
    /// Calls on the line now.
    calls: usize,
}

/// How a part is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Part")]
struct PartView {
    /// `ok`, `disabled` or `degraded`.
    state: &'static str,
    /// Why, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/status", "status", "Tells how the box is.", Scope::SettingsRead, status)
            .answers::<StatusView>(200, "How it is now."),
    ]
}

async fn status(State(parts): State<Arc<Parts>>) -> Answer {
    let readiness = parts.health.readiness();
    let view = StatusView {
        release: env!("CARGO_PKG_VERSION"),
        commit: env!("KOLBOX_COMMIT"),
        at_wall_ms: parts.clock.wall_ms(),
        status: readiness.status,
        parts: readiness.parts.into_iter().map(|(part, state)| (part.word(), state.into())).collect(),
        calls: parts.switchboard.on_line(),
    };
    Ok(axum::Json(view).into_response())
}

impl From<PartState> for PartView {
    fn from(state: PartState) -> Self {
        match state {
            PartState::Ok => Self { state: "ok", why: None },
            PartState::Disabled { why } => Self { state: "disabled", why: Some(why) },
            PartState::Degraded { why } => Self { state: "degraded", why: Some(why) },
        }
    }
}
