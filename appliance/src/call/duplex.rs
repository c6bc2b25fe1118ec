//! Both sides of a call on one clock, for its recording: the caller's track, and beside it what the caller heard.
//!
//! The carrier plays what it is sent one after the other and without a pause, and drops the rest at a clear; so does
//! this. Time goes on with the caller's track, so that a box that was late is not heard as late.

use std::collections::VecDeque;

use media::g711::Law;

/// Audio of the agent that may wait to be heard, in samples: five minutes. The carrier holds no more than ten.
const MAX_WAITING: usize = 5 * 60 * 8_000;

/// The two sides.
#[derive(Debug, Default)]
pub(super) struct Duplex {
    /// What was sent and not heard yet, µ-law.
    waiting: VecDeque<u8>,
    both: Vec<i16>,
}

impl Duplex {
    /// The agent's audio was handed to the carrier.
    pub(super) fn say(&mut self, mulaw: &[u8]) {
        let room = MAX_WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(mulaw.iter().take(room));
    }

    /// The carrier was told to drop what was not heard yet.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The caller's track went on by `samples`; returns both sides of that time, caller and agent in turn.
    pub(super) fn hear(&mut self, samples: &[i16]) -> &[i16] {
        self.both.clear();
        for caller in samples {
            let agent = self.waiting.pop_front().map_or(0, |byte| Law::Mu.decode(byte));
            self.both.extend([*caller, agent]);
        }
        &self.both
    }
}

#[cfg(test)]
mod tests {
    use media::g711::Law;

    use super::Duplex;

    #[test]
    fn what_was_sent_is_heard_as_the_callers_time_goes_on_and_a_clear_ends_it() {
        let mut duplex = Duplex::default();
        assert_eq!(duplex.hear(&[1, 2]), [1, 0, 2, 0]);
        let loud = Law::Mu.encode(8_000);
        let heard = Law::Mu.decode(loud);
        duplex.say(&[loud; 3]);
        assert_eq!(duplex.hear(&[3, 4]), [3, heard, 4, heard]);
        duplex.say(&[loud; 5]);
        assert_eq!(duplex.hear(&[5]), [5, heard]);
        duplex.clear();
        assert_eq!(duplex.hear(&[6]), [6, 0]);
        assert!(duplex.hear(&[]).is_empty());
    }
}
