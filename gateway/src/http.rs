//! The API for operators and programs: routes, who may use them, and their description.
//!
//! Every route stands once, in [`routes::all`], with its scope and its description; the router and the `OpenAPI` document
//! are both made of that table. A handler takes [`auth::Allowed`], so that a request without the scope cannot reach it.

pub mod auth;
pub mod changes;
mod commands;
mod desired;
pub mod devices;
mod events;
mod groups;
pub mod guard;
mod health;
mod openapi;
mod page;
mod problem;
mod routes;
pub mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::MethodRouter;
use tokio::sync::Notify;

use crate::config::Limits;
use crate::db::Database;
use crate::health::Health;
use crate::metrics::Metrics;

pub use self::problem::Problem;

/// What requests share.
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub database: Database,
    /// How every part is.
    pub health: Arc<Health>,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Told when there is something to tell devices.
    pub wake: Arc<Notify>,
    /// Takes in those who follow live.
    pub hub: changes::Door,
    /// How often one address or token may ask.
    pub limits: guard::RateLimits,
}

impl Shared {
    /// Makes what requests share.
    pub fn new(
        database: Database,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        wake: Arc<Notify>,
        hub: changes::Door,
        limits: &Limits,
    ) -> Self {
        let limits = guard::RateLimits::new(limits.requests_per_second);
        Self { database, health, metrics, wake, hub, limits }
    }
}

/// The state of every handler.
pub type App = Arc<Shared>;

/// Makes the router of the API.
pub fn router(shared: Shared, limits: &Limits) -> Router {
    let shared = Arc::new(shared);
    let mut paths: std::collections::BTreeMap<&'static str, MethodRouter<App>> = std::collections::BTreeMap::new();
    for route in routes::all() {
        let path = paths.entry(route.path).or_default();
        *path = std::mem::take(path).merge(route.handler);
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, handler)| router.route(path, handler));
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::limit_rate))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::count))
        .with_state(shared)
}
