//! What of the gateway is well: the parts of `/readyz`.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

/// A part of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The database.
    Database,
    /// The connection that tells devices what is wished of them.
    Control,
    /// The connection on which a worker, by its place, tells watermarks.
    Watermarks(usize),
    /// A worker, by its place: its connection to the broker and what it stores.
    Worker(usize),
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It works.
    Ok,
    /// It does not, for this reason.
    Degraded(String),
}

/// How every part is. Shared; a part not yet heard of is not ready.
#[derive(Debug, Default)]
pub struct Health {
    parts: RwLock<BTreeMap<Part, PartState>>,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// `ready` when every part is, `degraded` otherwise.
    pub status: &'static str,
    /// Each part: `ok`, or what is wrong with it.
    pub parts: BTreeMap<String, String>,
}

impl Health {
    /// Makes the health of a gateway whose `parts` are still starting.
    pub fn starting(parts: impl IntoIterator<Item = Part>) -> Self {
        let starting = |part| (part, PartState::Degraded("starting".to_owned()));
        Self { parts: RwLock::new(parts.into_iter().map(starting).collect()) }
    }

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
            PartState::Degraded(why) => tracing::warn!(?part, why, "part is degraded"),
        }
    }

    /// Returns how every part is.
    pub fn readiness(&self) -> Readiness {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let is_ready = parts.values().all(|state| *state == PartState::Ok);
        let named = parts.iter().map(|(part, state)| {
            let name = match part {
                Part::Database => "database".to_owned(),
                Part::Control => "control".to_owned(),
                Part::Watermarks(place) => format!("watermarks_{place}"),
                Part::Worker(place) => format!("worker_{place}"),
            };
            let state = match state {
                PartState::Ok => "ok".to_owned(),
                PartState::Degraded(why) => why.clone(),
            };
            (name, state)
        });
        Readiness { status: if is_ready { "ready" } else { "degraded" }, parts: named.collect() }
    }

    /// Returns whether every part is well.
    pub fn is_ready(&self) -> bool {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).values().all(|state| *state == PartState::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Part, PartState};

    #[test]
    fn it_is_ready_when_every_part_is() {
        let health = Health::starting([Part::Database, Part::Worker(0)]);
        health.set(Part::Database, PartState::Ok);
        assert_eq!(health.readiness().status, "degraded");
        health.set(Part::Worker(0), PartState::Ok);
        assert!(health.is_ready());
        assert_eq!(health.readiness().parts["worker_0"], "ok");
    }
}
