//! The campaign of leads: a real box is killed at random moments while an office tells it of people and changes them,
//! and the office's CRM, which fails in every way a receiver can, is asked afterwards what it has.

mod check;
mod office;
mod receiver;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use appliance::api::Scope;
use appliance::api::token::TokenFile;
use fakes::crm::{Crm, Reaction};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rig::{Kolbox, beside_current_program};
use store::{Batch, Deliveries, Query, Store, StoreConfig};
use tokio::time::timeout;

use self::check::check;
use self::office::Office;
use self::report::Report;
use crate::cli::{CrmBroken, CrmOptions};
use crate::progress::Progress;

/// What signs deliveries.
const SECRET: &str = "a secret of the campaign alone";
/// How long the box lives at most before it is killed, from when it answers.
const LONGEST_LIFE_MS: u64 = 500;
/// One life in so many ends while the box starts: two in a row, and it takes its database for unreadable and salvages it.
const EARLY_DEATHS: u32 = 4;
/// Changes of each lead that are waited for after the last kill.
const CHANGES_EACH: usize = 3;

/// Runs the campaign and prints its figures.
pub(crate) fn run(options: &CrmOptions) -> anyhow::Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let mut folder = tempfile::Builder::new().prefix("kolbox-crm-").tempdir()?;
    folder.disable_cleanup(true);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(campaign(options, seed, folder.path()));
    let is_good = done.as_ref().is_ok_and(|report| report.is_good);
    let kept = if is_good && !options.keep {
        folder.disable_cleanup(false);
        // What cannot be removed lies in the system's temporary folder.
        drop(folder.close());
        None
    } else {
        Some(folder.keep())
    };
    let mut report = done.with_context(|| format!("the campaign with --seed {seed} broke off; see {kept:?}"))?;
    report.folder = kept.map(|folder| folder.display().to_string());
    print(&report, options)?;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn print(report: &Report, options: &CrmOptions) -> anyhow::Result<()> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

async fn campaign(options: &CrmOptions, seed: u64, folder: &Path) -> anyhow::Result<Report> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut progress = Progress::new(options.kills);
    progress.say(&format!("seed {seed}; starting in {}", folder.display()));
    let crm = Crm::start(SECRET).await?;
    crm.decide(receiver::moody(random.random()));
    let program = options.kolbox.clone().map_or_else(|| beside_current_program("kolbox"), Ok)?;
    let state = folder.join("store");
    let scopes = [Scope::LeadsRead, Scope::LeadsWrite, Scope::SettingsRead];
    let (_, token) = TokenFile::new(&state).add("campaign", scopes, 0)?;
    let mut kolbox = Kolbox::start_in(folder, &program, &configuration(folder, &crm)?)?;
    kolbox.wait_until_ready()?;
    let mut office = Office::open(&kolbox.url(), &token, options.leads.get(), random.random())?;
    let began = Instant::now();
    for number in 1..=options.kills {
        live(&mut kolbox, &mut random).await?;
        kolbox.kill()?;
        if options.broken == Some(CrmBroken::AckEarly) {
            forget_deliveries(&state)?;
        }
        kolbox.start_again()?;
        progress.show(number, office.acknowledged());
    }
    kolbox.wait_until_ready()?;
    progress.say("no more kills");
    office.wait_for_changes(CHANGES_EACH, options.settle).await?;
    office.close().await?;
    let took = began.elapsed();
    crm.decide(|_| Reaction::Take);
    let settled = office.settle(options.settle).await?;
    kolbox.check_running()?;
    let leads = office.leads().await?;
    let findings = check(&office.acks(), &crm.arrivals(), &leads);
    Ok(Report::new(seed, options, took, settled, findings))
}

/// Lets the box live for a while.
async fn live(kolbox: &mut Kolbox, random: &mut StdRng) -> anyhow::Result<()> {
    let life = Duration::from_millis(random.random_range(0..LONGEST_LIFE_MS));
    if random.random_range(0..EARLY_DEATHS) > 0 {
        kolbox.wait_until_ready()?;
        pause(life).await;
    } else {
        pause(life / 5).await;
    }
    Ok(kolbox.check_running()?)
}

async fn pause(lasting: Duration) {
    // Nothing is waited for; the time just goes by.
    drop(timeout(lasting, std::future::pending::<()>()).await);
}

fn configuration(folder: &Path, crm: &Crm) -> anyhow::Result<String> {
    let write = |name: &str, text: &str| -> anyhow::Result<PathBuf> {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    };
    let (key, secret) = (write("carrier-key", "a key of the campaign")?, write("crm-secret", SECRET)?);
    ensure!(key.is_absolute(), "the campaign's folder has no absolute path");
    let nothing = folder.join("nothing");
    Ok(format!(
        "[carrier]\nauth_token_files = ['{key}']\n\
         [store]\npath = '{store}'\n\
         [recognizer]\nmodel = '{nothing}'\n\
         [synthesizer]\nprogram = '{nothing}'\nnakdimon = '{nothing}'\n\
         [crm]\nurl = '{url}'\nsecret_file = '{secret}'\ntimeout = '1s'\n\
         [limits]\nrequests_per_second = 100000\n",
        key = key.display(),
        store = folder.join("store").display(),
        nothing = nothing.display(),
        url = crm.url(),
        secret = secret.display(),
    ))
}

/// Takes what waits for delivered, as a box would that forgets before the receiver has answered.
fn forget_deliveries(state: &Path) -> anyhow::Result<()> {
    let store = Store::open(&StoreConfig::new(state)).context("cannot open the box's store")?;
    let mut batch = Batch::new();
    for (key, _) in store.query(&Query::<Deliveries>::all().limit(usize::MAX))? {
        batch.delete::<Deliveries>(&key)?;
    }
    Ok(store.commit(batch)?)
}
