//! What one call remembers of the weather.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::time::Duration;

use units::TurnId;

use crate::{Decision, FailureKind, Stage};

/// What one call remembers: which time-outs its caller has suffered, and in which voice it speaks.
#[derive(Default, Clone, Debug)]
pub struct CallWeather {
    voice: Option<String>,
    /// Voices that failed on this call, or that another took over from.
    lost_voices: BTreeSet<String>,
    /// The last turn in which the caller suffered a time-out.
    waited_in: Option<TurnId>,
    /// The last time-out of each engine, by stage.
    waits: BTreeMap<(Stage, String), Wait>,
}

/// A time-out that the caller suffered.
#[derive(Clone, Copy, Debug)]
struct Wait {
    turn: TurnId,
    at: Duration,
}

impl CallWeather {
    /// Takes note that the call has spoken with `engine`: that is its voice from now on.
    pub fn has_spoken(&mut self, engine: &str) {
        if self.voice.as_deref() == Some(engine) {
            return;
        }
        self.lost_voices.remove(engine);
        if let Some(before) = self.voice.replace(engine.to_owned()) {
            self.lost_voices.insert(before);
        }
    }

    /// Takes note that `engine` could not speak: it never speaks on this call again, unless nothing else is left.
    pub fn voice_failed(&mut self, engine: &str) {
        if self.voice.as_deref() == Some(engine) {
            self.voice = None;
        }
        self.lost_voices.insert(engine.to_owned());
    }

    /// Takes note of how a request went, at the moment of [`crate::RaceOutput::Settled`], and before that, with
    /// [`crate::Race::so_far`], whenever another stage of the same turn is planned while the race still runs. Noting the
    /// same twice is the same as noting it once.
    pub fn note(&mut self, now: Duration, turn: TurnId, stage: Stage, decision: &Decision) {
        for failed in decision.failed.iter().filter(|failed| failed.kind == FailureKind::TimedOut) {
            self.waited_in = self.waited_in.max(Some(turn));
            let wait = self.waits.entry((stage, failed.engine.clone())).or_insert(Wait { turn, at: now });
            if wait.turn != turn {
                *wait = Wait { turn, at: now };
            }
        }
        if stage == Stage::Synthesize {
            self.note_voices(decision);
        }
    }

    /// Returns the voice of the call: the engine it has spoken with, as long as that one has not failed.
    pub fn voice(&self) -> Option<&str> {
        self.voice.as_deref()
    }

    /// Returns whether `engine` has lost its right to speak.
    pub(crate) fn has_lost_voice(&self, engine: &str) -> bool {
        self.lost_voices.contains(engine)
    }

    /// Returns whether the caller has suffered a time-out in this turn.
    pub(crate) fn waited_in(&self, turn: TurnId) -> bool {
        self.waited_in == Some(turn)
    }

    /// Returns when the caller last suffered a time-out of this engine.
    pub(crate) fn waited_for(&self, stage: Stage, engine: &str) -> Option<Duration> {
        self.waits.get(&(stage, engine.to_owned())).map(|wait| wait.at)
    }

    fn note_voices(&mut self, decision: &Decision) {
        let served = decision.served.as_deref();
        for failed in decision.failed.iter().filter(|failed| served != Some(failed.engine.as_str())) {
            self.voice_failed(&failed.engine);
        }
    }
}
