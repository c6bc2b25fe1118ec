//! Tells the box what became of its messages: each thing late or early, in any order, some twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::check::Post;
use super::provider::Provider;
use crate::box_api::BoxApi;
use crate::victim::pause;

/// Messages told of at once.
const AT_ONCE: usize = 16;
/// Time between two looks for what was handed over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest time between two statuses of a message.
const BETWEEN_MS: u64 = 400;

/// What became of a message, the furthest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// It went out.
    Sent,
    /// It did not arrive; what arrived has not failed, whatever is said later.
    Failed,
    /// It arrived.
    Delivered,
    /// It was read.
    Read,
}

impl Status {
    const ALL: [Self; 4] = [Self::Sent, Self::Failed, Self::Delivered, Self::Read];

    /// Returns the word that both providers and the box's API have for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The furthest that the box has acknowledged of each message, by the provider's name for it.
    pub(super) furthest: BTreeMap<String, Status>,
    /// How often something was told.
    pub(super) count: u64,
}

/// The herald at work.
pub(super) struct Herald {
    telling: JoinHandle<anyhow::Result<Told>>,
    closing: CancellationToken,
}

impl Herald {
    /// Begins: from now on the box is told of everything that it hands over.
    pub(super) fn begin(api: &BoxApi, provider: &Arc<Provider>, seed: u64) -> Self {
        let closing = CancellationToken::new();
        let telling = tokio::spawn(run(api.clone(), Arc::clone(provider), closing.clone(), seed));
        Self { telling, closing }
    }

    /// Tells the rest. Nothing more may be handed over.
    pub(super) async fn end(self) -> anyhow::Result<Told> {
        self.closing.cancel();
        self.telling.await?
    }
}

async fn run(api: BoxApi, provider: Arc<Provider>, closing: CancellationToken, seed: u64) -> anyhow::Result<Told> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut told, mut known, mut tasks) = (Told::default(), 0, JoinSet::new());
    loop {
        let is_closing = closing.is_cancelled();
        let mut posts = provider.posts().into_iter().skip(known).peekable();
        while tasks.len() < AT_ONCE
            && let Some((contact, post)) = posts.next()
        {
            known += 1;
            let random = StdRng::seed_from_u64(random.random());
            tasks.spawn(tell(api.clone(), Arc::clone(&provider), contact, post, random));
        }
        while let Some(ended) = tasks.try_join_next() {
            let (name, furthest, count) = ended?.context("a status could not be told")?;
            told.furthest.insert(name, furthest);
            told.count += count;
        }
        if is_closing && tasks.is_empty() && posts.peek().is_none() {
            return Ok(told);
        }
        pause(LOOK_EVERY).await;
    }
}

/// Tells some of what may become of a message; returns its name, the furthest, and how much that was.
async fn tell(
    api: BoxApi,
    provider: Arc<Provider>,
    contact: String,
    post: Post,
    mut random: StdRng,
) -> anyhow::Result<(String, Status, u64)> {
    let mut statuses = [Status::ALL, Status::ALL].concat();
    statuses.shuffle(&mut random);
    statuses.truncate(random.random_range(1..=5));
    for status in &statuses {
        if random.random() {
            pause(Duration::from_millis(random.random_range(0..BETWEEN_MS))).await;
        }
        provider.status(&api, &contact, &post.name, *status)?.deliver(&api).await?;
    }
    let furthest = statuses.iter().max().copied().context("nothing was told")?;
    Ok((post.name, furthest, statuses.len() as u64))
}
