//! The office's own program: it sends templates through the box's API, each with a name of its request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::provider::template;
use crate::box_api::BoxApi;
use crate::victim::pause;

/// Longest time between two templates.
const BETWEEN_MS: u64 = 400;
/// One request in so many is made again after it was answered.
const AGAIN: u32 = 4;

/// The office.
pub(super) struct Office {
    sent: Arc<Mutex<Vec<(String, String)>>>,
}

impl Office {
    /// Begins: sends so many templates to people of these, each as soon as it is allowed.
    pub(super) fn begin(
        api: &BoxApi,
        people: Vec<String>,
        templates: usize,
        allowed: &Arc<Semaphore>,
        random: &mut StdRng,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> Self {
        let sent = Arc::default();
        let random = StdRng::seed_from_u64(random.random());
        tasks.spawn(send(api.clone(), people, templates, Arc::clone(allowed), random, Arc::clone(&sent)));
        Self { sent }
    }

    /// Returns what the box has acknowledged: to whom, and which template.
    pub(super) fn sent(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn send(
    api: BoxApi,
    people: Vec<String>,
    templates: usize,
    allowed: Arc<Semaphore>,
    mut random: StdRng,
    sent: Arc<Mutex<Vec<(String, String)>>>,
) -> anyhow::Result<()> {
    for number in 0..templates {
        allowed.acquire().await?.forget();
        pause(Duration::from_millis(random.random_range(0..BETWEEN_MS))).await;
        let to = people.get(random.random_range(0..people.len())).context("nobody stays")?;
        let name = template(number);
        let body = json!({ "to": to, "template": { "name": name } });
        let id = ask(&api, &name, &body).await?;
        sent.lock().unwrap_or_else(PoisonError::into_inner).push((to.clone(), name.clone()));
        if random.random_range(0..AGAIN) == 0 {
            let again = ask(&api, &name, &body).await?;
            ensure!(again == id, "the same request made another message");
        }
    }
    Ok(())
}

/// Asks for a template to be sent until the box answers; returns the message's name.
async fn ask(api: &BoxApi, key: &str, body: &Value) -> anyhow::Result<String> {
    let (status, _, answer) =
        api.ask(Method::POST, "/api/whatsapp/messages", &[("idempotency-key", key)], body).await?;
    ensure!(status.is_success(), "a template was answered {status}: {answer}");
    Ok(answer.get("id").and_then(Value::as_str).context("a message without id")?.to_owned())
}
