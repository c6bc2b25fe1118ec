//! How many requests one address, or one token, may make.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{App, Problem};
use crate::metrics::StatusLabel;

/// Addresses or tokens remembered before old ones are forgotten.
const MAX_REMEMBERED: usize = 10_000;
/// How much more than a token an address may ask: many tokens may stand behind one proxy.
const ADDRESS_FACTOR: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Requests per second, with bursts of twice as many.
#[derive(Debug)]
pub struct RateLimits {
    addresses: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    /// By a hash of the header, which is no secret any more.
    tokens: RateLimiter<u64, HashMapStateStore<u64>, DefaultClock>,
}

impl RateLimits {
    /// Makes limits of `per_second` requests of a token on average.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let quota = |per_second: NonZeroU32| {
            Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
        };
        Self {
            addresses: RateLimiter::hashmap(quota(per_second.saturating_mul(ADDRESS_FACTOR))),
            tokens: RateLimiter::hashmap(quota(per_second)),
        }
    }

    fn admit(&self, request: &Request) -> bool {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        if let Some(address) = address {
            if self.addresses.len() > MAX_REMEMBERED {
                self.addresses.retain_recent();
            }
            if self.addresses.check_key(&address).is_err() {
                return false;
            }
        }
        if self.tokens.len() > MAX_REMEMBERED {
            self.tokens.retain_recent();
        }
        let mut hasher = DefaultHasher::new();
        match request.headers().get(header::AUTHORIZATION) {
            Some(token) => token.as_bytes().hash(&mut hasher),
            None => address.hash(&mut hasher),
        }
        self.tokens.check_key(&hasher.finish()).is_ok()
    }
}

/// Answers 429 to who asks too often. Health probes pass, so that an overload can be looked at.
pub(super) async fn limit_rate(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
    if is_probe || app.limits.admit(&request) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests", "try again in a second").into_response()
}

/// Counts answers.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.metrics.requests.get_or_create(&StatusLabel { status: response.status().as_u16() }).inc();
    response
}
