//! The campaign of leads: a real box is killed at random moments while an office tells it of people and changes them,
//! and the office's CRM, which fails in every way a receiver can, is asked afterwards what it has.

mod check;
mod office;
mod receiver;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use appliance::api::Scope;
use fakes::crm::{Crm, Reaction};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Batch, Deliveries, Query, Store};

use self::check::{Findings, check};
use self::office::Office;
use crate::box_report::BoxReport;
use crate::cli::{CrmBroken, CrmOptions};
use crate::progress::Progress;
use crate::stage;
use crate::victim::{Victim, secret_file};

/// What signs deliveries.
const SECRET: &str = "a secret of the campaign alone";
/// Changes of each lead that are waited for after the last kill.
const CHANGES_EACH: usize = 3;

/// Runs the campaign and prints its figures.
pub(crate) fn run(options: &CrmOptions) -> anyhow::Result<ExitCode> {
    stage::run("kolbox-crm-", &options.common, |seed, folder| stage::block_on(campaign(options, seed, folder)))
}

async fn campaign(options: &CrmOptions, seed: u64, folder: &Path) -> anyhow::Result<BoxReport<Findings>> {
    let mut random = StdRng::seed_from_u64(seed);
    let (kills, patience) = (options.of_box.kills, options.of_box.settle);
    let mut progress = Progress::new(kills, "kills", "changes acknowledged");
    progress.say(&format!("seed {seed}; starting in {}", folder.display()));
    let crm = Crm::start(SECRET).await?;
    crm.decide(receiver::moody(random.random()));
    let scopes = [Scope::LeadsRead, Scope::LeadsWrite, Scope::SettingsRead];
    let mut victim = Victim::start(folder, options.of_box.kolbox.as_deref(), scopes, &configuration(folder, &crm)?)?;
    let mut office = Office::open(victim.api()?, options.leads.get(), random.random());
    let began = Instant::now();
    for number in 1..=kills {
        victim.live_and_die(&mut random).await?;
        if options.broken == Some(CrmBroken::AckEarly) {
            forget_deliveries(&victim.store().await?)?;
        }
        victim.start_again()?;
        progress.show(number, office.acknowledged());
    }
    victim.wait_until_ready()?;
    progress.say("no more kills");
    office.wait_for_changes(CHANGES_EACH, patience).await?;
    office.close().await?;
    let took = began.elapsed();
    crm.decide(|_| Reaction::Take);
    let settled = office.settle(patience).await?;
    victim.check_running()?;
    let leads = office.leads().await?;
    let findings = check(&office.acks(), &crm.arrivals(), &leads);
    Ok(BoxReport::new(seed, kills, took, settled, findings))
}

fn configuration(folder: &Path, crm: &Crm) -> anyhow::Result<String> {
    let key = secret_file(folder, "carrier-key", "a key of the campaign")?;
    let secret = secret_file(folder, "crm-secret", SECRET)?;
    Ok(format!(
        "[carrier]\nauth_token_files = ['{key}']\n\
         [crm]\nurl = '{url}'\nsecret_file = '{secret}'\ntimeout = '1s'\n",
        key = key.display(),
        url = crm.url(),
        secret = secret.display(),
    ))
}

/// Takes what waits for delivered, as a box would that forgets before the receiver has answered.
fn forget_deliveries(store: &Store) -> anyhow::Result<()> {
    let mut batch = Batch::new();
    for (key, _) in store.query(&Query::<Deliveries>::all().limit(usize::MAX))? {
        batch.delete::<Deliveries>(&key)?;
    }
    Ok(store.commit(batch)?)
}
