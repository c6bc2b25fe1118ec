//! The caller: from steps and what is heard of the agent to one frame of audio every 20 ms.
//!
//! Pure. Audio of what the caller says is rendered before the call, so that no synthesizer's time is measured.

use std::collections::VecDeque;
use std::time::Duration;

use telephony::Digit;

use crate::line::loud_range;
use crate::playout::{FRAME, FRAME_SAMPLES, MULAW_SILENCE};

/// Frames from one key to the next: 200 ms.
const FRAMES_PER_KEY: u32 = 10;

/// A step whose audio has been rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyStep {
    /// Says this (µ-law).
    Audio(Vec<u8>),
    /// Waits until the agent has spoken and then is quiet this long.
    WaitForAgentToFinish {
        /// How long quiet.
        quiet: Duration,
        /// How long to wait at most.
        limit: Duration,
    },
    /// Waits until the agent has been heard this long.
    WaitUntilAgentSpeaks {
        /// How much speech.
        lasting: Duration,
        /// How long to wait at most.
        limit: Duration,
    },
    /// Is silent.
    Silence(Duration),
    /// Presses keys.
    Keys(Vec<Digit>),
    /// Hangs up.
    Hangup,
    /// Waits for the other side to end, then hangs up.
    WaitEnd(Duration),
}

impl ReadyStep {
    fn waits_for_other_side(&self) -> bool {
        matches!(self, Self::WaitForAgentToFinish { .. } | Self::WaitUntilAgentSpeaks { .. } | Self::WaitEnd(_))
    }
}

/// What the caller does in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerFrame {
    /// µ-law, filled up with silence.
    pub frame: [u8; FRAME_SAMPLES],
    /// A key that is pressed.
    pub key: Option<Digit>,
    /// The caller hangs up; `frame` is not sent any more.
    pub hangs_up: bool,
    /// What is worth writing down, in order.
    pub notes: Vec<CallerNote>,
}

/// What is worth writing down about the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerNote {
    /// A step began: its number, from 0.
    StepStarted(usize),
    /// A step waited as long as it may.
    StepTimedOut(usize),
    /// Speech begins at this sample of the frame.
    SpeechStarted(usize),
    /// Speech ended before this sample of the frame.
    SpeechEnded(usize),
}

/// What the caller does once the steps have run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDone {
    /// Hangs up: the end of a conversation.
    HangUp,
    /// Is silent: the end of a message to voicemail.
    StaySilent,
}

/// The caller of one call.
#[derive(Debug)]
pub struct Caller {
    steps: VecDeque<ReadyStep>,
    when_done: WhenDone,
    index: usize,
    begun: bool,
    frames_in_step: u32,
    samples_in_step: usize,
    loud_in_step: Option<std::ops::Range<usize>>,
    agent_spoke: bool,
    agent_loud_frames: u32,
    agent_quiet_frames: u32,
}

impl Caller {
    /// Makes a caller who does these steps.
    pub fn new(steps: impl IntoIterator<Item = ReadyStep>, when_done: WhenDone) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            when_done,
            index: 0,
            begun: false,
            frames_in_step: 0,
            samples_in_step: 0,
            loud_in_step: None,
            agent_spoke: false,
            agent_loud_frames: 0,
            agent_quiet_frames: u32::MAX,
        }
    }

    /// Returns the next 20 ms of the caller, who has heard the agent in the last 20 ms, or not.
    pub fn tick(&mut self, agent_heard: bool) -> CallerFrame {
        self.hear(agent_heard);
        let mut out =
            CallerFrame { frame: [MULAW_SILENCE; FRAME_SAMPLES], key: None, hangs_up: false, notes: Vec::new() };
        // A step that is done hands over to the next within the same frame; the number of steps bounds the loop.
        while self.steps.front().is_some() {
            if !self.begun {
                self.begin(&mut out);
            }
            if self.go_on(&mut out) {
                break;
            }
            self.steps.pop_front();
            self.index += 1;
            self.begun = false;
        }
        if self.steps.is_empty() && self.when_done == WhenDone::HangUp {
            out.hangs_up = true;
        }
        out
    }

    /// Returns whether the caller waits for the other side to do something.
    pub fn waits_for_other_side(&self) -> bool {
        match self.steps.front() {
            Some(step) => step.waits_for_other_side(),
            None => true,
        }
    }

    /// Returns whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.steps.is_empty()
    }

    fn hear(&mut self, agent_heard: bool) {
        if agent_heard {
            self.agent_spoke = true;
            self.agent_loud_frames = self.agent_loud_frames.saturating_add(1);
            self.agent_quiet_frames = 0;
        } else {
            self.agent_quiet_frames = self.agent_quiet_frames.saturating_add(1);
        }
    }

    fn begin(&mut self, out: &mut CallerFrame) {
        self.begun = true;
        self.frames_in_step = 0;
        self.samples_in_step = 0;
        // A pause between words of the agent is shorter than this: it is still speaking.
        self.agent_spoke = self.agent_quiet_frames < frames(Duration::from_millis(400));
        self.agent_loud_frames = 0;
        self.loud_in_step = match self.steps.front() {
            Some(ReadyStep::Audio(bytes)) => loud_range(bytes),
            _ => None,
        };
        out.notes.push(CallerNote::StepStarted(self.index));
    }

    /// Does the step at the front for one frame. Returns whether it took the frame; if not, it is done.
    fn go_on(&mut self, out: &mut CallerFrame) -> bool {
        let frame_number = self.frames_in_step;
        self.frames_in_step = self.frames_in_step.saturating_add(1);
        let waited = FRAME.saturating_mul(frame_number);
        let Some(step) = self.steps.front() else { return false };
        match step {
            ReadyStep::Audio(bytes) => {
                let from = self.samples_in_step;
                let Some(left) = bytes.get(from..).filter(|left| !left.is_empty()) else { return false };
                for (slot, byte) in out.frame.iter_mut().zip(left) {
                    *slot = *byte;
                }
                self.samples_in_step += left.len().min(FRAME_SAMPLES);
                if let Some(loud) = &self.loud_in_step {
                    let here = from..from + FRAME_SAMPLES;
                    if here.contains(&loud.start) {
                        out.notes.push(CallerNote::SpeechStarted(loud.start - from));
                    }
                    if here.start < loud.end && loud.end <= here.end {
                        out.notes.push(CallerNote::SpeechEnded(loud.end - from));
                    }
                }
                true
            }
            ReadyStep::WaitForAgentToFinish { quiet, limit } => {
                let finished = self.agent_spoke && self.agent_quiet_frames >= frames(*quiet);
                !finished && self.within(waited, *limit, out)
            }
            ReadyStep::WaitUntilAgentSpeaks { lasting, limit } => {
                let spoke = self.agent_loud_frames >= frames(*lasting).max(1);
                !spoke && self.within(waited, *limit, out)
            }
            ReadyStep::Silence(lasting) => waited < *lasting,
            ReadyStep::Keys(keys) => {
                let nth = usize::try_from(frame_number / FRAMES_PER_KEY).unwrap_or(usize::MAX);
                let Some(key) = keys.get(nth) else { return false };
                if frame_number.is_multiple_of(FRAMES_PER_KEY) {
                    out.key = Some(*key);
                }
                true
            }
            ReadyStep::Hangup => {
                out.hangs_up = true;
                true
            }
            ReadyStep::WaitEnd(limit) => {
                let limit = *limit;
                if !self.within(waited, limit, out) {
                    out.hangs_up = true;
                }
                true
            }
        }
    }

    fn within(&self, waited: Duration, limit: Duration, out: &mut CallerFrame) -> bool {
        if waited < limit {
            return true;
        }
        out.notes.push(CallerNote::StepTimedOut(self.index));
        false
    }
}

/// Returns how many whole frames fit into `duration`.
fn frames(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / FRAME.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
