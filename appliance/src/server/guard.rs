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

/// Answers 429 to an address that asks too often. Health probes pass, so that an overload can be looked at.
pub(super) async fn limit_rate(State(parts): State<Arc<Parts>>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let is_probe = matches!(request.uri().path(), "/health" | "/healthz");
    match address {
        Some(address) if !is_probe && !parts.rate_limit.admit(address) => {
            parts.metrics.rate_limited.inc();
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], "too many requests\n").into_response()
        }
        _ => next.run(request).await,
    }
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
