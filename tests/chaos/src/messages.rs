//! The campaign of messages: a real box is killed at random moments while people write to it and are answered, and while
//! its office sends templates. The provider fails as providers do, and tells late and in any order what became of each.

mod broken;
mod check;
mod herald;
mod office;
mod people;
mod provider;
mod reading;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use appliance::api::Scope;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::check::{Findings, check};
use self::herald::Herald;
use self::office::Office;
use self::people::People;
use self::provider::Provider;
use crate::box_api::BoxApi;
use crate::box_report::BoxReport;
use crate::cli::MessagesOptions;
use crate::progress::Progress;
use crate::stage;
use crate::victim::Victim;

/// One text of the office for so many of other people.
const TEXTS_PER_TEMPLATE: usize = 10;
/// The provider answers at most this late, so that many a kill comes between the two.
const LATEST_ANSWER_MS: u64 = 150;
/// In one life of so many something goes wrong at the provider.
const LIVES_PER_FAULT: u32 = 3;

/// Runs the campaign and prints its figures.
pub(crate) fn run(options: &MessagesOptions) -> anyhow::Result<ExitCode> {
    stage::run("kolbox-messages-", &options.common, |seed, folder| stage::block_on(campaign(options, seed, folder)))
}

async fn campaign(options: &MessagesOptions, seed: u64, folder: &Path) -> anyhow::Result<BoxReport<Findings>> {
    let mut random = StdRng::seed_from_u64(seed);
    let (kills, patience, texts) = (options.of_box.kills, options.of_box.settle, options.messages.get());
    let mut progress = Progress::new(kills, "kills", "texts acknowledged");
    progress.say(&format!("seed {seed}; starting in {}", folder.display()));
    let templates = texts.div_ceil(TEXTS_PER_TEMPLATE);
    let provider = Arc::new(Provider::start(options.provider, texts).await?);
    let config = provider.configuration(folder, templates)?;
    let scopes = [Scope::MessagesRead, Scope::MessagesWrite];
    let mut victim = Victim::start(folder, options.of_box.kolbox.as_deref(), scopes, &config)?;
    let writing = Writing::begin(&victim.api()?, &provider, texts, templates, &mut random);
    let began = Instant::now();
    for number in 1..=kills {
        writing.allow(number, kills);
        provider.answer_late_by(Duration::from_millis(random.random_range(0..LATEST_ANSWER_MS)));
        if random.random_range(0..LIVES_PER_FAULT) == 0 {
            provider.fail_next(&mut random);
        }
        victim.live_and_die(&mut random).await?;
        if let Some(broken) = options.broken {
            broken::break_promise(broken, &victim.store().await?)?;
        }
        victim.start_again()?;
        progress.show(number, writing.people.acknowledged());
    }
    victim.wait_until_ready()?;
    progress.say("no more kills");
    let took = began.elapsed();
    let findings = writing.end(&victim.api()?, &provider, patience).await;
    victim.check_running()?;
    let (settled, findings) = findings?;
    Ok(BoxReport::new(seed, kills, took, settled, findings))
}

/// Everybody who writes or tells something.
struct Writing {
    people: People,
    office: Office,
    herald: Herald,
    /// How much may be written by now.
    allowed: Arc<Semaphore>,
    steps: usize,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Writing {
    fn begin(api: &BoxApi, provider: &Arc<Provider>, texts: usize, templates: usize, random: &mut StdRng) -> Self {
        let mut tasks = JoinSet::new();
        let allowed = Arc::new(Semaphore::new(0));
        let people = People::begin(api, provider, texts, &allowed, random, &mut tasks);
        let patient = people.who_stay();
        let office = Office::begin(api, patient, templates, &allowed, random, &mut tasks);
        let herald = Herald::begin(api, provider, random.random());
        let steps = texts.saturating_add(templates);
        Self { people, office, herald, allowed, steps, tasks }
    }

    /// Lets as much be written as belongs into this life of so many.
    fn allow(&self, life: u32, lives: u32) {
        let share = |life: u32| self.steps * life as usize / lives.max(1) as usize;
        self.allowed.add_permits(share(life) - share(life.saturating_sub(1)));
    }

    /// Lets everything be written and done, and looks what came of it.
    async fn end(
        mut self,
        api: &BoxApi,
        provider: &Provider,
        patience: Duration,
    ) -> anyhow::Result<(Option<Duration>, Findings)> {
        provider.answer_late_by(Duration::ZERO);
        self.allowed.add_permits(self.steps);
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended?.context("somebody who writes failed")?;
            }
            anyhow::Ok(())
        };
        timeout(patience, all).await.context("not everything could be written")??;
        let (said, sent) = (self.people.said(), self.office.sent());
        let settled = reading::settle(api, &said, patience).await?;
        let told = timeout(patience, self.herald.end()).await.context("not every status could be told")??;
        let threads = reading::threads(api, said, sent, provider.posts()).await?;
        let mut findings = check(&threads, &told.furthest);
        (findings.repeated, findings.statuses) = (self.people.repeated(), told.count);
        Ok((settled, findings))
    }
}
