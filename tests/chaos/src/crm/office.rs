//! The office: programs that tell the box of people and change them, and remember what it acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use reqwest::header::ETAG;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::box_api::BoxApi;
use crate::victim::pause;

/// Programs at once.
const PROGRAMS: usize = 6;
/// Time between two looks at what waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A change that the box acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// The person's number in the campaign.
    pub(super) person: usize,
    /// The lead.
    pub(super) lead: String,
    /// The number of the change.
    pub(super) version: u64,
}

/// The office at work.
pub(super) struct Office {
    box_api: BoxApi,
    people: usize,
    acks: Arc<Mutex<Vec<Ack>>>,
    is_closed: Arc<AtomicBool>,
    programs: JoinSet<anyhow::Result<()>>,
}

impl Office {
    /// Opens: from now on people are told of and changed, each by one program.
    pub(super) fn open(box_api: BoxApi, people: usize, seed: u64) -> Self {
        let (acks, is_closed) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut programs = JoinSet::new();
        for number in 0..PROGRAMS {
            let program = Program {
                number,
                people: (number..people).step_by(PROGRAMS).collect(),
                box_api: box_api.clone(),
                acks: Arc::clone(&acks),
                is_closed: Arc::clone(&is_closed),
                random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
            };
            programs.spawn(program.run());
        }
        Self { box_api, people, acks, is_closed, programs }
    }

    /// Returns how much the box has acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns what the box has acknowledged.
    pub(super) fn acks(&self) -> Vec<Ack> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until each person has so many acknowledged changes.
    pub(super) async fn wait_for_changes(&mut self, each: usize, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            if let Some(ended) = self.programs.try_join_next() {
                ended?.context("a program of the office failed")?;
            }
            let mut counts = vec![0_usize; self.people];
            for ack in self.acks() {
                if let Some(count) = counts.get_mut(ack.person) {
                    *count += 1;
                }
            }
            if counts.iter().all(|count| *count >= each) {
                return Ok(());
            }
            ensure!(began.elapsed() < patience, "not every lead was changed {each} times in {patience:?}");
            pause(LOOK_EVERY).await;
        }
    }

    /// Closes: every program ends what it has begun.
    pub(super) async fn close(&mut self) -> anyhow::Result<()> {
        self.is_closed.store(true, Ordering::Relaxed);
        while let Some(ended) = self.programs.join_next().await {
            ended?.context("a program of the office failed")?;
        }
        Ok(())
    }

    /// Has everything delivered that waits. Returns how long that took; `None` when something is left.
    pub(super) async fn settle(&self, patience: Duration) -> anyhow::Result<Option<Duration>> {
        let began = Instant::now();
        while began.elapsed() < patience {
            let (_, _, list) = self.box_api.ask(Method::GET, "/api/deliveries?limit=200", &[], &Value::Null).await?;
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            if items.is_empty() {
                return Ok(Some(began.elapsed()));
            }
            for item in items.iter().filter(|item| item.get("attempts").and_then(Value::as_u64) > Some(0)) {
                let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
                self.box_api.ask(Method::POST, &format!("/api/deliveries/{id}/retry"), &[], &Value::Null).await?;
            }
            pause(LOOK_EVERY).await;
        }
        Ok(None)
    }

    /// Returns all leads as the box has them.
    pub(super) async fn leads(&self) -> anyhow::Result<Vec<Value>> {
        self.box_api.list("/api/leads").await
    }
}

struct Program {
    number: usize,
    people: Vec<usize>,
    box_api: BoxApi,
    acks: Arc<Mutex<Vec<Ack>>>,
    is_closed: Arc<AtomicBool>,
    random: StdRng,
}

impl Program {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut turn = 0_usize;
        while !self.is_closed.load(Ordering::Relaxed) && !self.people.is_empty() {
            // Everybody in turn, and somebody by chance: some leads change often.
            let index = if self.random.random() { turn } else { self.random.random_range(0..self.people.len()) };
            let person = self.people.get(index % self.people.len()).copied().context("a person")?;
            turn = turn.wrapping_add(1);
            if self.random.random_range(0..3) > 0 {
                self.tell(person, turn).await?;
            } else {
                self.change(person, turn).await?;
            }
        }
        Ok(())
    }

    /// Tells of a person, with a key, until the box has acknowledged it.
    async fn tell(&mut self, person: usize, turn: usize) -> anyhow::Result<()> {
        let key = format!("{}-{turn}", self.number);
        let body = json!({ "phone": phone(person), "name": format!("name {turn}"), "fields": { "turn": turn.to_string() },
                           "source": "web" });
        let (status, _, lead) =
            self.box_api.ask(Method::POST, "/api/leads", &[("idempotency-key", &key)], &body).await?;
        ensure!(status.is_success(), "telling of somebody was answered {status}: {lead}");
        self.note(person, &lead)
    }

    /// Changes a person's lead once. What the box does not answer may have happened.
    async fn change(&mut self, person: usize, turn: usize) -> anyhow::Result<()> {
        let path = format!("/api/leads?q={}", phone(person));
        let (_, _, found) = self.box_api.ask(Method::GET, &path, &[], &Value::Null).await?;
        let Some(id) = found.pointer("/items/0/id").and_then(Value::as_str) else { return Ok(()) };
        let path = format!("/api/leads/{id}");
        let (_, headers, _) = self.box_api.ask(Method::GET, &path, &[], &Value::Null).await?;
        let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).context("a lead without ETag")?;
        let body = json!({ "note": format!("note {turn}"), "state": "contacted" });
        match self.box_api.try_once(Method::PATCH, &path, &[("if-match", etag)], &body).await {
            Some((status, _, lead)) if status.is_success() => self.note(person, &lead),
            Some((status, _, lead)) => bail!("a change was answered {status}: {lead}"),
            None => Ok(()),
        }
    }

    fn note(&self, person: usize, lead: &Value) -> anyhow::Result<()> {
        let id = lead.get("id").and_then(Value::as_str).context("a lead without id")?;
        let version = lead.get("version").and_then(Value::as_u64).context("a lead without version")?;
        let ack = Ack { person, lead: id.to_owned(), version };
        self.acks.lock().unwrap_or_else(PoisonError::into_inner).push(ack);
        Ok(())
    }
}

fn phone(person: usize) -> String {
    format!("05{:08}", 40_000_000 + person)
}
