//! What the office of the demo has beside the box: a customer who writes, and a CRM that is told of everybody who called or
//! wrote.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fakes::crm::Crm;
use leads::{Lead, LeadView};
use store::{Leads, Query, Store};
use tokio::time::timeout;

use super::scenes::{Expectation, expect};
use crate::commands::boxed::RunningBox;
use crate::commands::output;
use crate::development::quoted;

/// Who writes.
const CUSTOMER: &str = "+972541112233";
/// The office's number.
const NUMBER: &str = "+972700000000";
/// The telephone of the person in the office.
const PERSON: &str = "+972541234567";
/// What the customer writes, each after the answer to what came before.
const WRITTEN: [&str; 5] = ["שלום", "קוראים לי רותי לוי", "כן", "אני רוצה לקבוע תור", "כן, נכון"];
/// Longest wait for an answer to a message.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// Longest wait for the CRM to be told of everything.
const CRM_PATIENCE: Duration = Duration::from_secs(30);

/// What the office has beside the box.
pub(super) struct Office {
    crm: Crm,
    tables: String,
}

/// Who wrote what.
#[derive(Debug, serde::Serialize)]
pub(super) struct Line {
    by: &'static str,
    text: String,
}

/// What the office got.
#[derive(Debug, serde::Serialize)]
pub(super) struct Told {
    conversation: Vec<Line>,
    leads: Vec<LeadView>,
    expectations: Vec<Expectation>,
}

impl Office {
    /// Starts the CRM; the secret it shares with the box is put into `folder`.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let secret = format!("{:032x}", rand::random::<u128>());
        let crm = Crm::start(&secret).await.context("no CRM on this machine")?;
        fs::create_dir_all(folder)?;
        let file = folder.join("crm_secret");
        let mut written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file)?;
        written.write_all(secret.as_bytes())?;
        let tables = format!(
            "[office]\ntransfer_number = \"{PERSON}\"\n\n[messages]\nwhatsapp_number = \"{NUMBER}\"\n\n\
             [crm]\nurl = {}\nsecret_file = {}\n",
            quoted(&crm.url()),
            quoted(&fs::canonicalize(&file)?.display().to_string()),
        );
        Ok(Self { crm, tables })
    }

    /// Returns what a box needs to know of it, as TOML tables.
    pub(super) fn tables(&self) -> &str {
        &self.tables
    }

    /// Has the customer write, one message after the other.
    pub(super) async fn write(&self, running: &RunningBox) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for text in WRITTEN {
            let answered = running.carrier.messages().len();
            let addresses = [CUSTOMER, NUMBER].map(|number| format!("whatsapp:{number}"));
            let status = running.carrier.write(&addresses[0], &addresses[1], text).await?;
            ensure!(status == 200, "the box answered {status} when told of a message");
            lines.push(Line { by: "customer", text: text.to_owned() });
            let Ok(answer) = timeout(ANSWER_PATIENCE, running.carrier.message(answered)).await else { break };
            let text = answer.form.reveal().first("Body").unwrap_or_default().to_owned();
            lines.push(Line { by: "box", text });
        }
        Ok(lines)
    }

    /// Waits until the CRM was told of everything.
    pub(super) async fn wait_until_told(&self, running: &mut RunningBox) -> anyhow::Result<()> {
        let is_told = |metrics: &str| metrics.lines().any(|line| line == "kolbox_crm_waiting 0");
        running.wait_until("/metrics", CRM_PATIENCE, is_told).await.map(drop)
    }

    /// Returns what came of it; the box has stopped and left `store`.
    pub(super) fn told(&self, conversation: Vec<Line>, store: &Store) -> anyhow::Result<Told> {
        let leads: Vec<Lead> = store.query(&Query::<Leads>::all())?.into_iter().map(|(_, lead)| lead).collect();
        let writer = leads.iter().find(|lead| lead.phone.as_ref().is_some_and(|phone| phone.reveal() == CUSTOMER));
        let name = writer.and_then(|lead| lead.name.as_ref()).map_or("", |name| name.value.reveal());
        let answered = conversation.iter().filter(|line| line.by == "box" && !line.text.is_empty()).count();
        let expectations = vec![
            expect("each message was answered", answered == WRITTEN.len()),
            expect("who wrote is a lead, by name and number", name.contains("רותי לוי")),
            expect(
                "who called is a lead",
                leads.iter().any(|lead| lead.sources.contains_key(&leads::SourceKind::Call)),
            ),
            expect("the CRM has each lead as it is now, in order and signed", self.has(&leads)),
        ];
        Ok(Told { conversation, leads: leads.iter().map(LeadView::of).collect(), expectations })
    }

    /// Returns whether the CRM was told of all leads, with rising numbers, by whom it shares a secret with.
    fn has(&self, leads: &[Lead]) -> bool {
        let mut known: BTreeMap<String, u64> = BTreeMap::new();
        let mut is_sound = true;
        for arrival in self.crm.arrivals() {
            let Some(delivery) = arrival.delivery else { return false };
            let before = known.insert(delivery.lead.id, delivery.sequence);
            is_sound &= arrival.proof.is_ok() && before.is_none_or(|before| before < delivery.sequence);
        }
        let now = leads.iter().map(|lead| (lead.id.to_string(), lead.version)).collect();
        is_sound && known == now
    }
}

impl Told {
    /// Returns whether all of it is as it should be.
    pub(super) fn is_met(&self) -> bool {
        self.expectations.iter().all(|expectation| expectation.met)
    }

    /// Prints who wrote what, and who the office knows now.
    pub(super) fn print(&self) {
        output::line("\n=== a customer writes over WhatsApp");
        for line in &self.conversation {
            output::line(format_args!("  {:<9} {}", format!("{}:", line.by), line.text));
        }
        output::line("\n=== leads, as the office's CRM was told of them");
        for lead in &self.leads {
            let text = |text: &Option<units::Pii<String>>| text.as_ref().map_or("-", |text| text.reveal()).to_owned();
            let (name, phone) = (text(&lead.name), text(&lead.phone));
            let sources: Vec<String> = lead.sources.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            output::line(format_args!("  {phone}  {name}: told by {}; version {}", sources.join(", "), lead.version));
        }
        for expectation in &self.expectations {
            expectation.print();
        }
    }
}
