//! Who serves a turn: this device or the cloud.
//!
//! Each stage of a turn (recognize, reply, synthesize) has an ordered list of engines. [`Weather`] knows, for the whole
//! box, how each has done: circuit breakers, places in flight, rates, money, connectivity. It makes a [`Plan`] for a
//! request. A [`Race`] carries the plan out for one request: who is started when, who serves, who is stopped, and how each
//! did, which goes back into the weather. [`CallWeather`] is what one call remembers: which time-outs its caller suffered,
//! and in which voice it speaks. [`connectivity`] watches one provider.
//!
//! It deliberately knows no engine, no wire, no clock and no thread: time, randomness and what happened come in as
//! arguments.
//!
//! ```text
//! let mut race = Race::new(now, weather.plan(now, day, stage, turn, &call, estimate));
//! while let Some(output) = race.poll_output() {}  // do each, to the last; reports go to weather.report
//! race.handle_input(now, input);                  // one thing happened; then drain again
//! race.poll_timeout();                            // when to wake up
//! race.handle_timeout(now);                       // fire what is due, then drain again
//! ```
//!
//! **Invariant:** while an engine of this device is there, nobody waits longer for the cloud than one deadline in a request,
//! and for no engine of the cloud again in the same turn, but for a third of its deadline for the voice of the call.
//! **Invariant:** an engine that has failed too often, or that this caller waited for in vain, must show in the shadow, at
//! nobody's cost, that it works before anybody waits for it again.
//! **Invariant:** each engine of a plan is reported exactly once, so that every place taken is given back.
//! **Invariant:** a race that is not cancelled ends in exactly one of a served answer and [`RaceOutput::Failed`], within twice the
//! stage's total time.
//! **Invariant:** due timers fire before an input is looked at, in the order of their deadlines and with the deadline as their
//! time. A late wake-up changes when the shell acts, never what is decided.
#![no_std]

extern crate alloc;

mod breaker;
mod call;
pub mod connectivity;
mod decision;
mod failure;
mod ledger;
mod money;
mod plan;
mod policy;
mod race;
mod rate;
mod stage;
mod weather;

#[cfg(test)]
mod tests;

pub use crate::breaker::{BreakerState, MAX_RETRY_AFTER};
pub use crate::call::CallWeather;
pub use crate::connectivity::{Connectivity, OfflineReason, Online};
pub use crate::decision::{Decision, FailedEngine, SkipReason, Skipped};
pub use crate::failure::{Failure, FailureKind, Outcome};
pub use crate::money::Micros;
pub use crate::plan::{Candidate, Plan, Role};
pub use crate::policy::{BreakerPolicy, EnginePolicy, Policy, StagePolicy};
pub use crate::race::{Race, RaceInput, RaceOutput};
pub use crate::stage::Stage;
pub use crate::weather::{EngineState, Weather};
