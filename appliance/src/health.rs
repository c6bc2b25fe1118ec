//! What of the box is well: the parts of `/readyz`.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;
use weather::Stage;

use crate::config::EngineName;

/// A part of the box that can be unwell while the phone is still answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The carrier's REST interface: the watchdog and the fetching of recordings need it.
    CarrierRest,
    /// The office's CRM, which is told of changes of leads.
    Crm,
    /// Google hears.
    GoogleRecognizer,
    /// Google speaks.
    GoogleSynthesizer,
    /// The recordings that the carrier plays.
    Greetings,
    /// Text messages over `WhatsApp` and SMS.
    Messages,
    /// OpenAI hears.
    OpenaiRecognizer,
    /// OpenAI replies.
    OpenaiReply,
    /// OpenAI speaks.
    OpenaiSynthesizer,
    /// Hearing on the device.
    Recognizer,
    /// The files of messages and calls.
    Recordings,
    /// The database.
    Store,
    /// The link to the gateway.
    Sync,
    /// English speech on the device.
    SynthesizerEnglish,
    /// Hebrew speech on the device.
    SynthesizerHebrew,
}

impl Part {
    /// Returns the word for it, as in `/readyz`.
    pub fn word(self) -> String {
        let word = serde_json::to_value(self).ok();
        word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The engines of the cloud.
    pub const CLOUD: [Self; 5] = [
        Self::OpenaiRecognizer,
        Self::GoogleRecognizer,
        Self::OpenaiReply,
        Self::OpenaiSynthesizer,
        Self::GoogleSynthesizer,
    ];

    /// Returns the stage and the engine that a part of the cloud is; this device for any other part.
    pub(crate) const fn engine(self) -> (Stage, &'static str) {
        let (openai, google) = (EngineName::OpenAi.as_str(), EngineName::Google.as_str());
        match self {
            Self::GoogleRecognizer => (Stage::Recognize, google),
            Self::GoogleSynthesizer => (Stage::Synthesize, google),
            Self::OpenaiRecognizer => (Stage::Recognize, openai),
            Self::OpenaiReply => (Stage::Reply, openai),
            Self::OpenaiSynthesizer => (Stage::Synthesize, openai),
            Self::Recognizer => (Stage::Recognize, EngineName::Local.as_str()),
            Self::CarrierRest
            | Self::Crm
            | Self::Greetings
            | Self::Messages
            | Self::Recordings
            | Self::Store
            | Self::Sync
            | Self::SynthesizerEnglish
            | Self::SynthesizerHebrew => (Stage::Synthesize, EngineName::Local.as_str()),
        }
    }
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartState {
    /// It works.
    Ok,
    /// It is not configured, and the box does without.
    Disabled {
        /// What is missing.
        why: String,
    },
    /// It does not work as it should; the next smaller way of working is taken.
    Degraded {
        /// What is wrong, and what to do.
        why: String,
    },
}

/// How every part is. Shared; a part not yet heard of is missing.
#[derive(Debug, Default)]
pub struct Health {
    parts: RwLock<BTreeMap<Part, PartState>>,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// `ready` when every part is ok or disabled, `degraded` otherwise. Calls are answered in both.
    pub status: &'static str,
    /// Each part.
    pub parts: BTreeMap<Part, PartState>,
}

impl Health {
    /// Notes how `part` is now, and logs a change.
    pub fn set(&self, part: Part, state: PartState) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let before = parts.insert(part, state.clone());
        drop(parts);
        if before.as_ref() == Some(&state) {
            return;
        }
        match state {
            PartState::Ok => tracing::info!(?part, "part is well"),
            PartState::Disabled { why } => tracing::info!(?part, why, "part is disabled"),
            PartState::Degraded { why } => tracing::warn!(?part, why, "part is degraded"),
        }
    }

    /// Returns how every part is.
    pub fn readiness(&self) -> Readiness {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner).clone();
        let degraded = parts.values().any(|state| matches!(state, PartState::Degraded { .. }));
        Readiness { status: if degraded { "degraded" } else { "ready" }, parts }
    }

    /// Returns whether `part` can be used.
    pub fn is_ok(&self, part: Part) -> bool {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).get(&part) == Some(&PartState::Ok)
    }
}

impl PartState {
    /// Returns the state of a part that is not configured.
    pub fn disabled(why: impl Into<String>) -> Self {
        Self::Disabled { why: why.into() }
    }

    /// Returns the state of a part that failed.
    pub fn degraded(why: impl Into<String>) -> Self {
        Self::Degraded { why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Part, PartState};

    #[test]
    fn a_disabled_part_leaves_the_box_ready_and_a_degraded_one_is_told() {
        let health = Health::default();
        health.set(Part::CarrierRest, PartState::disabled("no account"));
        health.set(Part::Store, PartState::Ok);
        assert_eq!(health.readiness().status, "ready");
        health.set(Part::Recognizer, PartState::degraded("no model"));
        assert_eq!(health.readiness().status, "degraded");
        assert!(health.is_ok(Part::Store) && !health.is_ok(Part::Recognizer) && !health.is_ok(Part::Greetings));
        let json = serde_json::to_value(health.readiness()).unwrap();
        assert_eq!(json["parts"]["recognizer"]["why"], "no model");
    }
}
