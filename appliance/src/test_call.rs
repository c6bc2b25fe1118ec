//! A call that the box places at itself when the gateway asks for one: webhook, media stream and greeting, as for a caller.
//!
//! The carrier has no part in it. The caller says nothing and hangs up after the greeting, and leaves no message when
//! asked for one. What remains of it is a call like any other, from [`NUMBER`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use protocol::CommandRequest;
use serde::Deserialize;
use testcall::{CallReport, CallScript, Carrier, CarrierConfig, Happened, Step, ToneVoice};
use tokio::time::{Instant, MissedTickBehavior, interval};
use units::Pii;

use crate::app::Parts;

/// The caller's number, which belongs to nobody.
pub const NUMBER: &str = "+972500000001";
/// How long the agent has to be quiet until its greeting is taken for finished.
const QUIET: Duration = Duration::from_secs(1);
/// Longest wait for the greeting to end.
const GREETING: Duration = Duration::from_secs(30);
/// After so much of the call the caller hangs up, whatever goes on.
const LONGEST: Duration = Duration::from_mins(1);
/// Longest wait for the calls that go on.
const BUSY: Duration = Duration::from_mins(10);
/// Time between two looks whether the line is free.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which way the call takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Straight to where the box listens.
    #[default]
    Loopback,
    /// To its public URL, through whatever stands in front of it.
    Public,
}

/// What the command's arguments say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Arguments {
    via: Via,
}

/// Reads the arguments of a command.
///
/// # Errors
///
/// With what was expected.
pub fn via(request: &CommandRequest) -> Result<Via, String> {
    let arguments = Arguments::deserialize(request.args.reveal());
    arguments
        .map(|arguments| arguments.via)
        .map_err(|_personal| "expected no arguments, {\"via\": \"loopback\"} or {\"via\": \"public\"}".to_owned())
}

/// Places the call when no other goes on, and returns what came of it, for people. `patience` is how long the command may
/// wait for that.
///
/// # Errors
///
/// With what went wrong, for people.
///
/// # Cancellation safety
///
/// Dropped half way, the box sees a caller who is gone.
pub async fn place(parts: &Parts, via: Via, patience: Duration) -> Result<String, String> {
    if !wait_for_free_line(parts, patience.min(BUSY)).await {
        return Err("calls went on all the time; no test call was placed".to_owned());
    }
    if !parts.can_converse() {
        return Err("the box only takes messages now; ask it for doctor to see why".to_owned());
    }
    let carrier = Carrier::start(carrier(parts, via)?, Arc::new(ToneVoice)).await.map_err(|error| chain(&error))?;
    let placed = carrier.place(&script()).await;
    if let Err(error) = carrier.stop().await {
        tracing::debug!(error = &error as &dyn std::error::Error, "the end of a test call");
    }
    judge(&placed.map_err(|error| chain(&error))?)
}

/// Waits until no call is on the line; `false` when that takes too long, or the program stops.
async fn wait_for_free_line(parts: &Parts, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = parts.shutdown.cancelled() => return false,
            _ = looks.tick() => {}
        }
        if parts.switchboard.is_idle() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
    }
}

fn carrier(parts: &Parts, via: Via) -> Result<CarrierConfig, String> {
    let settings = &parts.config.carrier;
    let key = settings.auth_tokens.first().ok_or("there is no key to sign with")?;
    let mut carrier = CarrierConfig::for_box(parts.config.http.public_url.clone(), key.expose());
    if let Some(account) = &settings.account_sid {
        carrier.account_sid = account.parse().map_err(|_not_an_account| "carrier.account_sid is none".to_owned())?;
    }
    carrier.connect_to = match via {
        Via::Loopback => Some(reachable(parts.address)),
        Via::Public => None,
    };
    Ok(carrier)
}

/// Returns the address under which a program on this machine reaches what listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        });
    }
    address
}

fn script() -> CallScript {
    CallScript {
        from: Pii::new(NUMBER.to_owned()),
        hang_up_after: Some(LONGEST),
        ..CallScript::of([Step::WaitForAgentToFinish { quiet: QUIET, limit: GREETING }])
            .with_voicemail([Step::Hangup {}])
    }
}

/// Says what came of the call.
fn judge(report: &CallReport) -> Result<String, String> {
    let call = &report.call_sid;
    let warnings: Vec<String> =
        report.warnings.iter().map(|warning| format!("{} {}", warning.code, warning.text)).collect();
    let is_answered = report.count(|what| *what == Happened::StreamOpened) == 1;
    match report.agent_speech.first() {
        Some(first) if is_answered && warnings.is_empty() => {
            let heard = first.from.since_answer().as_millis();
            let spoken: Duration = report.agent_speech.iter().map(|speech| speech.until.since(speech.from)).sum();
            Ok(format!("call {call}: the greeting was heard after {heard} ms and lasted {} ms", spoken.as_millis()))
        }
        _ if !is_answered => Err(format!("call {call}: the media stream did not open; {}", said(&warnings))),
        Some(_) => Err(format!("call {call}: the agent was heard, but {}", said(&warnings))),
        None => Err(format!("call {call}: nobody was heard; {}", said(&warnings))),
    }
}

fn said(warnings: &[String]) -> String {
    if warnings.is_empty() { "the carrier's side saw nothing wrong".to_owned() } else { warnings.join(", ") }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use protocol::CommandRequest;
    use serde_json::{Value, json};
    use testcall::{CallReport, Warning};

    use super::{Via, judge, reachable, via};

    #[test]
    fn the_way_is_loopback_unless_the_public_one_is_asked_for() {
        assert_eq!(via(&request(json!({}))), Ok(Via::Loopback));
        assert_eq!(via(&request(json!({ "via": "public" }))), Ok(Via::Public));
        for wrong in [json!({ "via": "pigeon" }), json!({ "to": "+972541234567" })] {
            let refused = via(&request(wrong)).unwrap_err();
            assert!(refused.contains("loopback") && !refused.contains("+972"), "{refused}");
        }
    }

    #[test]
    fn what_listens_on_every_address_is_reached_on_loopback() {
        for (listens, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reachable(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn a_call_that_nobody_answers_is_told_with_the_carriers_warnings() {
        let warning = Warning { code: 11_200, text: "the box did not answer".to_owned() };
        let report = CallReport { call_sid: "CA1".to_owned(), warnings: vec![warning], ..CallReport::default() };
        let failed = judge(&report).unwrap_err();
        assert!(failed.contains("CA1") && failed.contains("11200 the box did not answer"), "{failed}");
    }

    fn request(args: Value) -> CommandRequest {
        CommandRequest::new("c1".parse().unwrap(), CommandRequest::PLACE_TEST_CALL, args, 0, 60_000)
    }
}
