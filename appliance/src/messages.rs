//! Text messages over `WhatsApp` and SMS: taken in, answered, sent, and what became of them.
//!
//! What is decided is decided by the pure crate `messaging` and by `dialogue`; what is to be done stands in the store, so
//! that nothing acknowledged is lost and nothing is done twice:
//!
//! 1. A webhook is answered when its messages are committed together with the work they make (`receive`).
//! 2. The worker (`work`) does that work, one thing of a conversation at a time: it fetches files, hears voice notes and
//!    writes the answer (`answer`), whose commit takes the work away and queues the answer.
//! 3. It sends what is queued (`send`). That it begins to is committed before, so that after a power cut a message that may
//!    have been sent is known as such, and not sent again.
//!
//! **Invariant:** rows of the four tables of messages are changed under one lock, on a `desk::Desk`, and nowhere else.
//! **Invariant:** a message is handed to a provider at most once, except where the provider has said that it did not take it.

mod answer;
pub mod api;
mod desk;
mod dialogue;
mod files;
mod lanes;
mod lead;
mod notice;
mod provider;
mod receive;
mod reply;
mod send;
mod trim;
mod voice_note;
mod words;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carrier::Client;
use messaging::conversation;
use messaging::meta::{Secret as MetaSecret, Verifier};
use store::{CommitError, ConversationId, EncodeError, ReadError};
use telephony::wire::Address;
use tokio::sync::{Notify, Semaphore};

use self::files::Files;
use self::lanes::Lanes;
use self::provider::{AnyProvider, Meta, Twilio};
use crate::config::{Config, Credential};
use crate::health::{Health, Part, PartState};

pub use self::notice::Notice;
pub(crate) use self::notice::replace_notice;
pub(crate) use self::receive::receive;
pub(crate) use self::trim::REQUESTS_FOR;
pub use self::trim::{KeptFiles, trim};
pub use self::work::run;

/// Everything that messages share. Lives as long as the program.
pub struct Messages {
    /// Who carries `WhatsApp`, if anybody.
    whatsapp: Option<AnyProvider>,
    /// Who carries SMS, if anybody.
    sms: Option<AnyProvider>,
    /// What checks Meta's webhooks, where Meta is the provider.
    meta: Option<MetaWebhook>,
    rules: conversation::Config,
    files: Files,
    /// Held by whoever changes rows.
    lock: Arc<tokio::sync::Mutex<()>>,
    queues: Mutex<Queues>,
    /// Told when there may be work.
    news: Notify,
    /// Room for large bodies of webhooks that nobody has checked yet.
    pub(crate) large_bodies: Semaphore,
}

/// Large bodies of webhooks read at once, of 3 MB each.
const LARGE_BODIES: usize = 4;

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// What Meta's webhooks are checked with.
pub(crate) struct MetaWebhook {
    /// Checks signatures.
    pub(crate) verifier: Verifier,
    /// The word that Meta shows; `None` when none was given.
    pub(crate) verify_token: Option<MetaSecret>,
}

/// What waits, as the store has it, and the conversations by when something was last said.
#[derive(Debug, Default)]
struct Queues {
    send: Lanes,
    answer: Lanes,
    /// When the owner is to be told of something, since the program started.
    notices_at: Option<Duration>,
    last: BTreeMap<ConversationId, u64>,
    by_last: BTreeSet<(u64, ConversationId)>,
}

impl Queues {
    fn note(&mut self, conversation: ConversationId, last_ms: u64) {
        if let Some(before) = self.last.insert(conversation, last_ms) {
            self.by_last.remove(&(before, conversation));
        }
        self.by_last.insert((last_ms, conversation));
    }

    fn forget(&mut self, conversation: &ConversationId) {
        if let Some(before) = self.last.remove(conversation) {
            self.by_last.remove(&(before, *conversation));
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// There is no store.
    #[error("there is no store")]
    NoStore,
    /// Rows cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Too much waits already.
    #[error("too many messages wait")]
    Overloaded,
    /// The program stops, or the work ended in a bug.
    #[error("the work was not done")]
    Stopped,
}

impl From<EncodeError> for MessagesError {
    fn from(error: EncodeError) -> Self {
        Self::Commit(error.into())
    }
}

impl Messages {
    /// Makes the providers of the configuration, Twilio's over `client`, and notes in `health` how that went.
    pub fn new(config: &Config, client: Option<&Client>, health: &Health) -> anyhow::Result<Self> {
        let twilio = client.map(|client| -> AnyProvider { Arc::new(Twilio::new(config, client.clone())) });
        let (meta, webhook, state) = match config.messages.provider(&config.carrier) {
            None => (None, None, PartState::disabled("neither messages.provider nor carrier.account_sid is set")),
            Some(messaging::Provider::Twilio) if twilio.is_none() => (
                None,
                None,
                PartState::disabled("carrier.account_sid is not set, which messages.provider 'twilio' needs"),
            ),
            Some(messaging::Provider::Twilio) => (None, None, PartState::Ok),
            Some(messaging::Provider::Meta) => meta_of(config)?,
        };
        health.set(Part::Messages, state);
        let is_meta = config.messages.provider(&config.carrier) == Some(messaging::Provider::Meta);
        Ok(Self {
            whatsapp: if is_meta { meta } else { twilio.clone() },
            sms: twilio,
            meta: webhook,
            rules: conversation::Config::default(),
            files: Files::new(config.store.path.join("media")),
            lock: Arc::default(),
            queues: Mutex::default(),
            news: Notify::new(),
            large_bodies: Semaphore::new(LARGE_BODIES),
        })
    }

    /// Returns what Meta's webhooks are checked with, where Meta is the provider.
    pub(crate) fn meta(&self) -> Option<&MetaWebhook> {
        self.meta.as_ref()
    }

    /// Returns how many messages wait: to be sent, and to be answered.
    pub fn waiting(&self) -> (usize, usize) {
        let queues = self.queues();
        (queues.send.len(), queues.answer.len())
    }

    /// Returns who carries messages to an address.
    fn carrier_of(&self, address: &Address) -> Option<&AnyProvider> {
        match address {
            Address::WhatsApp(_) => self.whatsapp.as_ref(),
            Address::Phone(_) => self.sms.as_ref(),
            Address::Client(_) | Address::Sip(_) | Address::Withheld | Address::Other(_) => None,
        }
    }

    /// Returns who may know of a file.
    fn carrier_named(&self, provider: messaging::Provider) -> Option<&AnyProvider> {
        [&self.whatsapp, &self.sms].into_iter().flatten().find(|carrier| carrier.name() == provider)
    }

    /// Wakes the worker, because the store holds something that the owner is to be told.
    pub fn wake(&self) {
        self.queues().notices_at = Some(Duration::ZERO);
        self.news.notify_one();
    }

    /// Returns the conversations in which something was said last before `before`, the latest first.
    fn latest(&self, before: Option<(u64, ConversationId)>, limit: usize) -> Vec<(u64, ConversationId)> {
        let queues = self.queues();
        let end = before.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        queues.by_last.range((std::ops::Bound::Unbounded, end)).rev().take(limit).copied().collect()
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // The queues are whole between calls, and nothing that can panic runs under the lock.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is made of Meta's part of the configuration.
type OfMeta = (Option<AnyProvider>, Option<MetaWebhook>, PartState);

/// Makes Meta's client; without its credentials messages are taken as far as they can be.
fn meta_of(config: &Config) -> anyhow::Result<OfMeta> {
    let meta = &config.messages.meta;
    let webhook = match &meta.app_secret {
        Credential::Given(secret) => Some(MetaWebhook {
            verifier: Verifier::new(MetaSecret::new(secret.expose())?),
            verify_token: match &meta.verify_token {
                Credential::Given(token) => Some(MetaSecret::new(token.expose())?),
                Credential::Missing | Credential::Unreadable(_) => None,
            },
        }),
        Credential::Missing | Credential::Unreadable(_) => None,
    };
    let client: Option<AnyProvider> = match (&meta.access_token, &meta.phone_number_id) {
        (Credential::Given(token), Some(number)) => Some(Arc::new(Meta::new(meta, number, token)?)),
        _ => None,
    };
    let credentials = [
        ("meta_access_token", &meta.access_token),
        ("meta_app_secret", &meta.app_secret),
        ("meta_verify_token", &meta.verify_token),
    ];
    let missing = credentials.into_iter().find_map(|(name, credential)| match credential {
        Credential::Given(_) => None,
        Credential::Missing => Some(format!("the credential {name} is missing")),
        Credential::Unreadable(why) => Some(format!("the credential {name}: {why}")),
    });
    let state = missing.map_or(PartState::Ok, PartState::degraded);
    Ok((client, webhook, state))
}
