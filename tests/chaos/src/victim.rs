//! A real box that is killed again and again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use appliance::api::Scope;
use appliance::api::token::TokenFile;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rig::{Kolbox, beside_current_program};
use store::{OpenError, Store, StoreConfig};
use tokio::time::timeout;

use crate::box_api::BoxApi;

/// How long the box lives at most before it is killed, from when it answers.
const LONGEST_LIFE_MS: u64 = 500;
/// One life in so many ends while the box starts: two in a row, and it takes its database for unreadable and salvages it.
const EARLY_DEATHS: u32 = 4;
/// How long something may hold the store of a box that was killed.
const LAST_CHILD: Duration = Duration::from_secs(5);
/// Time between two looks whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The box.
pub(crate) struct Victim {
    kolbox: Kolbox,
    state: PathBuf,
    token: String,
}

impl Victim {
    /// Starts one in `folder` and waits until it answers. `program` is the one beside this program by default; `more` is the
    /// configuration that the campaign needs; its programs may do what `scopes` say.
    pub(crate) fn start(
        folder: &Path,
        program: Option<&Path>,
        scopes: impl IntoIterator<Item = Scope>,
        more: &str,
    ) -> anyhow::Result<Self> {
        let program = program.map_or_else(|| beside_current_program("kolbox"), |program| Ok(program.to_owned()))?;
        let state = folder.join("store");
        let (_, token) = TokenFile::new(&state).add("campaign", scopes, 0)?;
        let nothing = folder.join("nothing");
        let config = format!(
            "[store]\npath = '{state}'\n\
             [recognizer]\nmodel = '{nothing}'\n\
             [synthesizer]\nprogram = '{nothing}'\nnakdimon = '{nothing}'\n\
             [limits]\nrequests_per_second = 100000\n\
             {more}",
            state = state.display(),
            nothing = nothing.display(),
        );
        let mut kolbox = Kolbox::start_in(folder, &program, &config)?;
        kolbox.wait_until_ready()?;
        Ok(Self { kolbox, state, token })
    }

    /// Lets the box live for a while, and kills it; sometimes while it still starts.
    pub(crate) async fn live_and_die(&mut self, random: &mut StdRng) -> anyhow::Result<()> {
        let life = Duration::from_millis(random.random_range(0..LONGEST_LIFE_MS));
        if random.random_range(0..EARLY_DEATHS) > 0 {
            self.kolbox.wait_until_ready()?;
            pause(life).await;
        } else {
            pause(life / 5).await;
        }
        self.kolbox.check_running()?;
        Ok(self.kolbox.kill()?)
    }

    /// Starts the box again; it does not answer yet.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<()> {
        Ok(self.kolbox.start_again()?)
    }

    /// Waits until the box answers.
    pub(crate) fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        Ok(self.kolbox.wait_until_ready()?)
    }

    /// Fails when the box has ended by itself.
    pub(crate) fn check_running(&mut self) -> anyhow::Result<()> {
        Ok(self.kolbox.check_running()?)
    }

    /// Opens the store of the box, which was killed, to break its promises.
    pub(crate) async fn store(&self) -> anyhow::Result<Store> {
        let deadline = Instant::now() + LAST_CHILD;
        loop {
            match Store::open(&StoreConfig::new(&self.state)) {
                // A program that the box was just starting holds what the box held until it has begun.
                Err(OpenError::InUse { .. }) if Instant::now() < deadline => pause(LOOK_EVERY).await,
                opened => return opened.context("cannot open the box's store"),
            }
        }
    }

    /// Returns its interface.
    pub(crate) fn api(&self) -> anyhow::Result<BoxApi> {
        BoxApi::new(&self.kolbox.url(), &self.token)
    }
}

/// Writes a file that holds a secret and returns where it is.
pub(crate) fn secret_file(folder: &Path, name: &str, secret: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join(name);
    ensure!(file.is_absolute(), "the campaign's folder has no absolute path");
    fs::write(&file, secret).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Lets time go by.
pub(crate) async fn pause(lasting: Duration) {
    // Nothing is waited for.
    drop(timeout(lasting, std::future::pending::<()>()).await);
}
