//! The people who write: each one text after the other, sometimes wishing to be left alone for a while.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::check::Said;
use super::provider::Provider;
use super::reading;
use crate::box_api::BoxApi;
use crate::victim::pause;

/// Texts of one person: fewer than the box answers at once.
const TEXTS_EACH: usize = 10;
/// Longest time to think before a text.
const THINKING_MS: u64 = 400;
/// Everybody whose number has this remainder wishes to be left alone at some time.
const LEAVES: (usize, usize) = (4, 3);
/// Longest wait for the answers to everything written before, when somebody wants to be left alone.
const ANSWERS: Duration = Duration::from_secs(3);
/// Time between two looks for them.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is written, in turn: a greeting, a name, a reason.
const ENGLISH: [[&str; 3]; 6] = [
    ["hello", "Dana Levy", "I want to rent a flat"],
    ["hi there", "Noam Cohen", "the roof is leaking"],
    ["good morning", "Tamar Katz", "I would like a viewing on Sunday"],
    ["good evening", "Eli Shalev", "my invoice is wrong"],
    ["hey", "Ruth Peretz", "I lost the key of the gate"],
    ["hello again", "Gil Mizrahi", "the lift does not move"],
];
const HEBREW: [[&str; 3]; 6] = [
    ["שלום", "דנה לוי", "אני רוצה לשכור דירה"],
    ["היי", "נועם כהן", "יש נזילה בגג"],
    ["בוקר טוב", "תמר כץ", "אפשר לראות את הדירה ביום ראשון"],
    ["ערב טוב", "אלי שלו", "החשבונית שלי לא נכונה"],
    ["שלום לכם", "רות פרץ", "איבדתי את המפתח של השער"],
    ["שלום שוב", "גיל מזרחי", "המעלית לא זזה"],
];

/// Everybody.
pub(super) struct People {
    said: Arc<Mutex<Vec<Vec<Said>>>>,
    repeated: Arc<AtomicU64>,
}

impl People {
    /// Begins: together they write so many texts, each as soon as it is allowed.
    pub(super) fn begin(
        api: &BoxApi,
        provider: &Arc<Provider>,
        texts: usize,
        allowed: &Arc<Semaphore>,
        random: &mut StdRng,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> Self {
        let count = texts.div_ceil(TEXTS_EACH);
        let said = Arc::new(Mutex::new(vec![Vec::new(); count]));
        let (repeated, ids) = (Arc::default(), Arc::default());
        for number in 0..count {
            let person = Person {
                number,
                contact: contact(number),
                wish: Wish::drawn(number, random),
                api: api.clone(),
                provider: Arc::clone(provider),
                allowed: Arc::clone(allowed),
                said: Arc::clone(&said),
                repeated: Arc::clone(&repeated),
                ids: Arc::clone(&ids),
                random: StdRng::seed_from_u64(random.random()),
                is_gone: false,
            };
            tasks.spawn(person.write((texts - number).div_ceil(count)));
        }
        Self { said, repeated }
    }

    /// Returns those who never wish to be left alone.
    pub(super) fn who_stay(&self) -> Vec<String> {
        let all = 0..self.said().len();
        all.filter(|number| !leaves(*number)).map(contact).collect()
    }

    /// Returns how many texts the box has acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Vec::len).sum()
    }

    /// Returns what the box has acknowledged of each, in order.
    pub(super) fn said(&self) -> Vec<(String, Vec<Said>)> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        said.into_iter().enumerate().map(|(number, said)| (contact(number), said)).collect()
    }

    /// Returns how often a text was delivered that the box had taken already.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }
}

fn contact(number: usize) -> String {
    format!("whatsapp:+9725{:08}", 40_000_000 + number)
}

const fn leaves(number: usize) -> bool {
    number % LEAVES.0 == LEAVES.1
}

/// When somebody wishes to be left alone, and comes back: before which text.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    stop: Option<usize>,
    start: Option<usize>,
}

impl Wish {
    fn drawn(number: usize, random: &mut StdRng) -> Self {
        if !leaves(number) {
            return Self::default();
        }
        let stop = random.random_range(1..TEXTS_EACH - 3);
        let start = random.random_bool(0.5).then(|| random.random_range(stop + 1..TEXTS_EACH - 1));
        Self { stop: Some(stop), start }
    }
}

struct Person {
    number: usize,
    contact: String,
    wish: Wish,
    api: BoxApi,
    provider: Arc<Provider>,
    allowed: Arc<Semaphore>,
    said: Arc<Mutex<Vec<Vec<Said>>>>,
    repeated: Arc<AtomicU64>,
    /// Names of texts in the whole campaign.
    ids: Arc<AtomicUsize>,
    random: StdRng,
    /// Whether nothing is to be answered.
    is_gone: bool,
}

impl Person {
    async fn write(mut self, count: usize) -> anyhow::Result<()> {
        let is_hebrew = self.number.is_multiple_of(2);
        let [stop, start] = if is_hebrew { ["הסר", "הצטרף"] } else { ["stop", "start"] };
        let lines = if is_hebrew { HEBREW } else { ENGLISH };
        let mut written = Vec::new();
        for (turn, text) in lines.as_flattened().iter().take(count).enumerate() {
            self.allowed.acquire().await?.forget();
            pause(Duration::from_millis(self.random.random_range(0..THINKING_MS))).await;
            if self.wish.stop == Some(turn) && self.is_answered().await? {
                self.say(stop, true).await?;
                self.is_gone = true;
            }
            if self.wish.start == Some(turn) && self.is_gone {
                self.say(start, true).await?;
                self.is_gone = false;
            }
            let webhook = self.say(text, !self.is_gone).await?;
            written.push(webhook);
            let again = self.random.random_range(0..written.len().saturating_mul(4));
            if let Some(webhook) = written.get(again) {
                webhook.deliver(&self.api).await?;
                self.repeated.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Writes a text until the box has taken it; now and then it is delivered twice at once.
    async fn say(&mut self, text: &str, asks: bool) -> anyhow::Result<super::provider::Webhook> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let webhook = self.provider.text(&self.api, id, &self.contact, text)?;
        if self.random.random_range(0..8) == 0 {
            let (one, other) = tokio::join!(webhook.deliver(&self.api), webhook.deliver(&self.api));
            one.and(other)?;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        } else {
            webhook.deliver(&self.api).await?;
        }
        let said = Said { text: text.to_owned(), asks };
        if let Some(mine) = self.said.lock().unwrap_or_else(PoisonError::into_inner).get_mut(self.number) {
            mine.push(said);
        }
        Ok(webhook)
    }

    /// Waits for an answer to everything written before: what is still to be answered when somebody opts out is not.
    async fn is_answered(&self) -> anyhow::Result<bool> {
        let asked = {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.get(self.number).map_or(0, |mine| mine.iter().filter(|said| said.asks).count())
        };
        let began = Instant::now();
        while began.elapsed() < ANSWERS {
            if reading::answers(&self.api, &self.contact).await? >= asked {
                return Ok(true);
            }
            pause(LOOK_EVERY).await;
        }
        Ok(false)
    }
}
