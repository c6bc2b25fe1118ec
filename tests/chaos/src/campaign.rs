//! A campaign from its first round to its figures.

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::check::{EVENTS, Findings, LOSSES, check, read};
use crate::cli::CampaignOptions;
use crate::fleet::Fleet;
use crate::plan::{Action, Plan, Round};
use crate::progress::Progress;
use crate::promise::{Promise, Said};
use crate::report::{Counts, Report};
use crate::seat::Heard;
use crate::stage;

/// Lines of devices that wait to be taken; then their pipes fill, and they wait.
const HEARD: usize = 4_096;

/// Runs a campaign and prints its figures.
pub(crate) fn run(options: &CampaignOptions) -> anyhow::Result<ExitCode> {
    stage::run("kolbox-chaos-", &options.common, |seed, folder| Campaign::run(options, seed, folder))
}

/// A campaign under way.
struct Campaign {
    fleet: Fleet,
    heard: Receiver<Heard>,
    promised: Vec<(usize, Promise)>,
    /// What each device said last of how many events wait, since it was told to be quiet.
    waiting: Vec<Option<u64>>,
    counts: Counts,
}

impl Campaign {
    fn run(options: &CampaignOptions, seed: u64, folder: &Path) -> anyhow::Result<Report> {
        let (sender, heard) = sync_channel(HEARD);
        let mut progress = Progress::new(options.rounds, "rounds", "promised");
        progress.say(&format!("seed {seed}; starting in {}", folder.display()));
        let fleet = Fleet::start(folder, options, seed, &sender)?;
        let waiting = vec![None; fleet.devices.len()];
        let mut campaign = Self { fleet, heard, promised: Vec::new(), waiting, counts: Counts::default() };
        let gateways = usize::from(options.gateways.get());
        let mut plan = Plan::new(seed, campaign.fleet.devices.len(), gateways, &options.only);
        let began = Instant::now();
        for number in 1..=options.rounds {
            campaign.round(&plan.next_round())?;
            progress.show(number, campaign.promised.len());
        }
        campaign.counts.took = began.elapsed();
        progress.say("healing");
        for fault in plan.end() {
            campaign.fleet.act(Action::End(fault))?;
        }
        campaign.settle(options.settle)?;
        campaign.report(options, seed)
    }

    fn round(&mut self, round: &Round) -> anyhow::Result<()> {
        let began = Instant::now();
        for (after, action) in &round.steps {
            self.listen_until(began + *after)?;
            if let Action::Begin(fault) = action {
                *self.counts.faults.entry(fault.kind()).or_default() += 1;
            }
            self.fleet.act(*action).with_context(|| format!("cannot do {action:?}"))?;
        }
        self.counts.gateways_ended += self.fleet.tend()?;
        self.listen_until(began + round.length)
    }

    /// Takes what devices say until then.
    fn listen_until(&mut self, until: Instant) -> anyhow::Result<()> {
        loop {
            match self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(heard) => self.note(heard)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                // Each device's place holds a sender.
                Err(RecvTimeoutError::Disconnected) => bail!("nobody reads what devices say"),
            }
        }
    }

    fn note(&mut self, heard: Heard) -> anyhow::Result<()> {
        let device = self.fleet.devices.get(heard.device).context("a device that is none")?;
        match heard.said {
            Some(Said::Promised(promise)) => self.promised.push((heard.device, promise)),
            Some(Said::Waiting(count)) => {
                if let Some(waiting) = self.waiting.get_mut(heard.device) {
                    *waiting = Some(count);
                }
            }
            Some(Said::Damaged) => self.counts.stores_damaged += 1,
            Some(Said::Failed) => bail!("{} failed; see its device.log", device.name),
            None if device.is_running(heard.process) => {
                bail!("{} ended by itself; see its device.log", device.name)
            }
            None => {}
        }
        Ok(())
    }

    /// Lets the outboxes become empty, everything being healed.
    fn settle(&mut self, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        for device in &mut self.fleet.devices {
            device.quiet()?;
        }
        while began.elapsed() < patience {
            self.counts.gateways_ended += self.fleet.tend()?;
            self.listen_until(Instant::now() + Duration::from_millis(20))?;
            if self.waiting.iter().all(|waiting| *waiting == Some(0)) {
                self.counts.settled = Some(began.elapsed());
                return Ok(());
            }
        }
        self.counts.waiting = self.waiting.iter().flatten().sum();
        Ok(())
    }

    fn report(mut self, options: &CampaignOptions, seed: u64) -> anyhow::Result<Report> {
        self.last_words()?;
        let names: Vec<String> = self.fleet.devices.iter().map(|device| device.name.clone()).collect();
        let promised: Vec<(String, Promise)> = self
            .promised
            .iter()
            .filter_map(|(device, promise)| Some((names.get(*device)?.clone(), *promise)))
            .collect();
        let (rows, losses) = (read(&self.fleet.query(EVENTS)?)?, read(&self.fleet.query(LOSSES)?)?);
        let findings: Findings = check(&promised, &rows, &losses);
        let number = |sql: &str| -> anyhow::Result<u64> { Ok(self.fleet.query(sql)?.trim().parse()?) };
        Ok(Report {
            duplicates_refused: number("SELECT COALESCE(sum(duplicates), 0)::bigint FROM streams")?,
            quarantined: number("SELECT count(*) FROM quarantine")?,
            ..Report::new(seed, options.rounds, &self.counts, findings)
        })
    }

    /// Ends the devices and takes what they have said.
    fn last_words(&mut self) -> anyhow::Result<()> {
        let mut readers = Vec::new();
        for device in &mut self.fleet.devices {
            device.kill()?;
            readers.extend(device.readers());
        }
        while readers.iter().any(|reader| !reader.is_finished()) {
            self.listen_until(Instant::now() + Duration::from_millis(5))?;
        }
        self.listen_until(Instant::now())
    }
}
