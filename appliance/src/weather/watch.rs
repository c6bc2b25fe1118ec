//! Looks whether the providers are there: first by what real requests came to, then by checks that cost nothing, and at
//! most once a minute by a cheap request with the office's key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};
use weather::FailureKind;
use weather::connectivity::{Check, Input};

use super::engines::Provider;
use crate::app::Parts;

/// Longest wait for an answer of a check.
const PATIENCE: Duration = Duration::from_secs(5);
/// An address that is nobody's (RFC 5737): only the route to it is looked up, nothing is sent.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 443);

/// Watches every provider until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, a check goes unnoticed.
pub async fn watch(parts: Arc<Parts>) {
    let names: Vec<&'static str> = parts.station.engines.providers.keys().copied().collect();
    join_all(names.into_iter().map(|name| watch_one(&parts, name))).await;
}

async fn watch_one(parts: &Parts, name: &'static str) {
    let station = &parts.station;
    let Some(provider) = station.engines.providers.get(name) else { return };
    loop {
        let now = station.clock.now();
        let (due, wake) = {
            let mut links = station.links();
            let Some(link) = links.get_mut(name) else { return };
            (link.poll(now), link.poll_timeout())
        };
        let Some(check) = due else {
            let wait = wake.saturating_sub(now).clamp(Duration::from_millis(50), Duration::from_mins(1));
            tokio::select! {
                () = parts.shutdown.cancelled() => return,
                () = station.news.notified() => {}
                () = sleep(wait) => {}
            }
            continue;
        };
        let found = tokio::select! {
            () = parts.shutdown.cancelled() => return,
            found = look(provider, check, station.is_free_only) => found,
        };
        let now = station.clock.now();
        if let (Some(link), Some(found)) = (station.links().get_mut(name), found) {
            link.handle(now, found);
        }
        station.take_note(parts);
    }
}

/// Makes a check. `None` when it is not to be made: without a budget nothing is asked of a provider.
async fn look(provider: &Provider, check: Check, is_free_only: bool) -> Option<Input> {
    match check {
        Check::Route => Some(Input::Route(route(&provider.host).await)),
        Check::Dns => {
            let found = timeout(PATIENCE, lookup_host((provider.host.as_str(), provider.port))).await;
            let is_found = found.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()));
            Some(Input::Dns(is_found.then_some(()).ok_or(())))
        }
        Check::Probe if provider.metered && is_free_only => Some(Input::Probe(Err(FailureKind::Forbidden))),
        Check::Probe => Some(Input::Probe(match timeout(PATIENCE, provider.probe.send()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.failure().kind),
            Err(_elapsed) => Err(FailureKind::TimedOut),
        })),
    }
}

/// Looks whether the system knows a way to `host`, or out of the office if that is a name. Nothing is sent.
async fn route(host: &str) -> Result<(), ()> {
    let target = match host.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 443),
        Err(_) if host == "localhost" => return Ok(()),
        Err(_) => ANYWHERE,
    };
    let from = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(from).await.map_err(drop)?;
    socket.connect(target).await.map_err(drop)
}
