//! How many requests one address may make.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::api::Problem;
use crate::app::Parts;

/// Addresses remembered before old ones are forgotten.
const MAX_ADDRESSES: usize = 10_000;

/// Requests per second and address, with bursts of twice as many.
#[derive(Debug)]
pub struct RateLimit {
    limiter: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
}

impl RateLimit {
    /// Makes a limit of `per_second` requests on average.
    pub fn new(per_second: NonZeroU32) -> Self {
        let quota =
            Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Self { limiter: RateLimiter::hashmap(quota) }
    }

    /// Counts a request of `address` and returns whether it may pass.
    pub fn admit(&self, address: IpAddr) -> bool {
        if self.limiter.len() > MAX_ADDRESSES {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&address).is_ok()
    }
}

/// Paths of the carrier. Behind a tunnel it shares its address with every stranger, so what it signed is never limited:
/// there only refusals are charged.
const OF_THE_CARRIER: [&str; 4] = ["/webhook/", "/ws/", "/static/tts/", "/static/announcement/"];

/// Answers 429 to an address that asks too often. Health probes pass, so that an overload can be looked at.
pub(super) async fn limit_rate(State(parts): State<Arc<Parts>>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let Some(address) = address else { return next.run(request).await };
    let path = request.uri().path();
    if matches!(path, "/health" | "/healthz" | "/readyz") {
        return next.run(request).await;
    }
    if OF_THE_CARRIER.iter().any(|start| path.starts_with(start)) {
        let response = next.run(request).await;
        let is_over = response.status().is_client_error() && !parts.rate_limit.admit(address);
        return if is_over { too_many(&parts) } else { response };
    }
    if parts.rate_limit.admit(address) {
        return next.run(request).await;
    }
    if path.starts_with("/api/") {
        parts.metrics.rate_limited.inc();
        return Problem::too_many().into_response();
    }
    too_many(&parts)
}

fn too_many(parts: &Parts) -> Response {
    parts.metrics.rate_limited.inc();
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], "too many requests\n").into_response()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::num::NonZeroU32;

    use super::RateLimit;

    #[test]
    fn one_address_is_limited_and_another_is_not() {
        let limit = RateLimit::new(NonZeroU32::new(3).unwrap());
        let [first, second] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        let passed = (0..50).filter(|_| limit.admit(first)).count();
        assert!((6..=8).contains(&passed), "{passed} of 50 passed");
        assert!(limit.admit(second));
    }
}
