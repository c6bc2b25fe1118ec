//! What the owner wants: engines, deadlines, limits.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{Micros, Stage};

/// The whole box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The stages. One that is missing has no engines.
    pub stages: BTreeMap<Stage, StagePolicy>,
    /// When an engine is left alone, and for how long.
    pub breaker: BreakerPolicy,
    /// What the metered engines may cost in a day. `None`: whatever they cost. Nothing: no metered engine is ever
    /// started, be it to serve, to hedge or in the shadow.
    pub budget: Option<Micros>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePolicy {
    /// The engines in the order of preference. Those of this device usually come last; an engine of the cloud behind one
    /// of this device is used only when nothing else is left.
    pub engines: Vec<EnginePolicy>,
    /// From the request to the first useful output of the cloud. There is one for the request: a retry and a second
    /// engine must fit into it.
    pub deadline: Duration,
    /// From the request to its end. Engines of this device have twice that, as a safety net.
    pub total: Duration,
    /// The longest gap between useful outputs after the first.
    pub stall: Duration,
    /// When the engine of this device is started beside the cloud; zero is at once, `None` only when the cloud has failed.
    pub hedge_after: Option<Duration>,
}

/// One engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnginePolicy {
    /// Its name, unique within the stage: `openai`, `google`, `local`.
    pub name: String,
    /// Whose connectivity counts: `openai`, `google`. `None` is this device.
    pub provider: Option<String>,
    /// Whether it costs money, so that the day's budget applies.
    pub metered: bool,
    /// How many requests may run at once; 0 disables it. An engine of this device over this limit is no longer started
    /// as insurance beside the cloud, but still when it is needed: its own queue is what refuses.
    pub max_in_flight: u32,
    /// How many requests a minute on average, a sixth of them at once; 0 disables it. For an engine of this device as
    /// above.
    pub per_minute: u32,
}

impl EnginePolicy {
    /// Returns whether it runs on this device.
    pub const fn is_local(&self) -> bool {
        self.provider.is_none()
    }

    /// Returns whether it must never be started.
    pub const fn is_disabled(&self) -> bool {
        self.max_in_flight == 0 || self.per_minute == 0
    }
}

/// When an engine is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// How many failures in a row open it. Zero counts as one. Default: 2, so that one unlucky request does no harm and
    /// at most two callers wait.
    pub open_after: u32,
    /// How long it stays open the first time; doubles each time in a row. Half of it is random. Default: 5 s.
    pub first_back_off: Duration,
    /// How long it stays open at most, unless the provider asks for more. Default: 5 minutes.
    pub max_back_off: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { open_after: 2, first_back_off: Duration::from_secs(5), max_back_off: Duration::from_mins(5) }
    }
}
