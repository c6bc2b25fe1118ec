//! How long an incoming call waits for its answer.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use telephony::signature::SIGNATURE_HEADER;
use telephony::{AuthKey, Params, Signer};

use super::{Row, percentile_ms};
use crate::commands::boxed::RunningBox;

/// Incoming calls asked about, one after the other; each is stored with a real fsync before it is answered.
const REQUESTS: usize = 2_000;

/// Asks about incoming calls and tells the carrier's wait.
pub(super) async fn measure(running: &RunningBox) -> anyhow::Result<Vec<Row>> {
    let config = &running.config;
    let url = config.http.public_url.webhook("/webhook/incoming_call");
    let key = config.carrier.auth_tokens.first().context("no key")?;
    let signer = Signer::new(AuthKey::new(key.expose())?);
    let mut waits = Vec::with_capacity(REQUESTS);
    for number in 0..REQUESTS {
        let call = format!("CAbench{number}");
        let form = Params::new()
            .with("CallSid", call.clone())
            .with("AccountSid", config.carrier.account_sid.clone().unwrap_or_default())
            .with("From", "+972500000001")
            .with("To", "+972700000000")
            .with("Direction", "inbound")
            .with("CallStatus", "ringing");
        let began = Instant::now();
        post(running, &signer, &url, &form).await?;
        waits.push(began.elapsed());
        // The call is over before its stream comes, so that it takes no place from the next.
        let status = config.http.public_url.webhook("/webhook/call_status");
        let over = Params::new().with("CallSid", call).with("CallStatus", "completed").with("SequenceNumber", "3");
        post(running, &signer, &status, &over).await?;
    }
    Ok(vec![
        Row::new("incoming-call webhook, p50", percentile_ms(&mut waits, 0.5), "ms"),
        Row::new("incoming-call webhook, p99", percentile_ms(&mut waits, 0.99), "ms").at_most(5.0),
    ])
}

async fn post(running: &RunningBox, signer: &Signer, url: &str, form: &Params) -> anyhow::Result<()> {
    let request = running.client.post(url).header(SIGNATURE_HEADER, signer.sign(url, form));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encode());
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "the box answered {status}: {text}");
    Ok(())
}
