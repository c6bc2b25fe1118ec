//! Plays a log into the conversation core again, and compares what is decided, exactly.
//!
//! Two things are the same in every replay: what is decided and its time. When the shell woke up is not in the log, since
//! it makes no difference; [`WakeUps`] lets a replay prove that.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use conversation::{Call, Input, Output};
use units::CallTime;

use crate::reader::{ReadError, Reader};
use crate::record::{Frame, Opened, Record, input_of};

/// The longest delay of a wake-up at random: 2 s, longer than most timers.
const MAX_DELAY_MS: u64 = 2_000;

/// When the core is woken up for its timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WakeUps {
    /// At each deadline.
    #[default]
    OnTime,
    /// Only by what happens.
    Never,
    /// At random: late by up to two seconds, or not at all. The same seed wakes up at the same times.
    Random {
        /// The seed.
        seed: u64,
    },
}

/// What a replay found, when everything was as in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the log says of itself.
    pub opened: Opened,
    /// Records read.
    pub records: usize,
    /// Inputs played.
    pub inputs: usize,
    /// Decisions compared.
    pub decisions: usize,
    /// Bytes of the caller's audio, which is not played.
    pub audio_bytes: usize,
    /// The time of the last record.
    pub ended_at: CallTime,
    /// Whether the conversation came to its end.
    pub ended: bool,
    /// Where the log is torn off, if it is.
    pub torn: Option<usize>,
    /// Records of kinds this version does not know.
    pub unknown: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, decisions, ended_at, .. } = self;
        write!(f, "{decisions} decisions are the same, {inputs} inputs, {ended_at} s")?;
        if !self.ended {
            write!(f, ", not ended")?;
        }
        if let Some(torn) = self.torn {
            write!(f, ", torn at byte {torn}")?;
        }
        Ok(())
    }
}

/// Plays a log, and returns what it found or where it went another way.
pub fn replay(log: &[u8], wake_ups: WakeUps) -> Result<Report, ReplayError> {
    let mut reader = Reader::new(log);
    let Some(Record::Opened(opened)) = reader.next().transpose()? else {
        return Err(ReadError::NotALog.into());
    };
    let mut player = Player::new(&opened, wake_ups);
    let (mut records, mut audio_bytes, mut ended_at) = (1_usize, 0_usize, CallTime::ZERO);
    for record in &mut reader {
        match record? {
            // Records of a course do not belong to a conversation, and change nothing in it.
            Record::Opened(_) | Record::Began(_) | Record::Told { .. } | Record::Went { .. } => {}
            Record::Frame { at, frame: Frame::Audio(audio) } => {
                audio_bytes = audio_bytes.saturating_add(audio.len());
                ended_at = ended_at.max(at);
            }
            Record::Frame { at, frame: Frame::Message(message) } => {
                ended_at = ended_at.max(at);
                if let Some(input) = input_of(&message) {
                    player.play(at, input)?;
                }
            }
            Record::Perceived { at, input } => {
                ended_at = ended_at.max(at);
                player.play(at, input)?;
            }
            Record::Decided { at, output } => {
                ended_at = ended_at.max(at);
                player.expect(at, output)?;
            }
            Record::Chosen { at, .. } => ended_at = ended_at.max(at),
        }
        records = records.saturating_add(1);
    }
    player.finish()?;
    Ok(Report {
        opened: *opened,
        records,
        inputs: player.inputs,
        decisions: player.compared,
        audio_bytes,
        ended_at,
        ended: player.call.is_ended(),
        torn: reader.torn(),
        unknown: reader.unknown(),
    })
}

struct Player {
    call: Call,
    wake_ups: WakeUps,
    random: Numbers,
    /// Decisions of the log that the replay has not come to.
    expected: VecDeque<(CallTime, Output)>,
    /// Decisions of the replay that the log has not come to.
    decided: VecDeque<(CallTime, Output)>,
    last_expected: CallTime,
    inputs: usize,
    compared: usize,
}

impl Player {
    fn new(opened: &Opened, wake_ups: WakeUps) -> Self {
        let seed = match wake_ups {
            WakeUps::OnTime | WakeUps::Never => 0,
            WakeUps::Random { seed } => seed,
        };
        Self {
            call: Call::new(opened.config.clone()),
            wake_ups,
            random: Numbers { seed, count: 0 },
            expected: VecDeque::new(),
            decided: VecDeque::new(),
            last_expected: CallTime::ZERO,
            inputs: 0,
            compared: 0,
        }
    }

    fn play(&mut self, at: CallTime, input: Input) -> Result<(), ReplayError> {
        self.wake_until(at)?;
        self.call.handle_input(at, input);
        self.inputs = self.inputs.saturating_add(1);
        self.drain()
    }

    fn expect(&mut self, at: CallTime, output: Output) -> Result<(), ReplayError> {
        self.last_expected = self.last_expected.max(at);
        self.expected.push_back((at, output));
        self.compare()
    }

    /// Decides what was decided behind the last input, and sees to it that nothing of the log is left.
    ///
    /// More than the log has may be decided: its writer may have stopped between a decision and its record.
    fn finish(&mut self) -> Result<(), ReplayError> {
        self.call.handle_timeout(self.last_expected);
        self.drain()?;
        match self.expected.pop_front() {
            Some(expected) => Err(self.diverged(Some(expected), None)),
            None => Ok(()),
        }
    }

    fn wake_until(&mut self, until: CallTime) -> Result<(), ReplayError> {
        while let Some((deadline, _)) = self.call.poll_timeout() {
            let Some(woken) = self.delay().map(|delay| deadline.saturating_add(delay)).filter(|woken| *woken <= until)
            else {
                break;
            };
            self.call.handle_timeout(woken);
            self.drain()?;
        }
        Ok(())
    }

    fn delay(&mut self) -> Option<Duration> {
        match self.wake_ups {
            WakeUps::OnTime => Some(Duration::ZERO),
            WakeUps::Never => None,
            WakeUps::Random { .. } => {
                let number = self.random.next();
                (!number.is_multiple_of(4)).then(|| Duration::from_millis(u64::from(number >> 8) % MAX_DELAY_MS))
            }
        }
    }

    fn drain(&mut self) -> Result<(), ReplayError> {
        while let Some(decision) = self.call.poll_decision() {
            self.decided.push_back(decision);
        }
        self.compare()
    }

    /// Compares as far as both sides have come. Where they stand in the log does not matter, only their order: a late
    /// wake-up moves a decision behind the next input, not in time.
    fn compare(&mut self) -> Result<(), ReplayError> {
        while let (Some(expected), Some(actual)) = (self.expected.front(), self.decided.front()) {
            if expected != actual {
                let (expected, actual) = (self.expected.pop_front(), self.decided.pop_front());
                return Err(self.diverged(expected, actual));
            }
            self.expected.pop_front();
            self.decided.pop_front();
            self.compared = self.compared.saturating_add(1);
        }
        Ok(())
    }

    fn diverged(&self, expected: Option<(CallTime, Output)>, actual: Option<(CallTime, Output)>) -> ReplayError {
        ReplayError::Diverged(Box::new(Divergence { decision: self.compared, expected, actual }))
    }
}

/// Numbers that look random and are the same on every machine: the check sums of the seed and a count.
struct Numbers {
    seed: u64,
    count: u64,
}

impl Numbers {
    fn next(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.count.to_le_bytes());
        hasher.finalize()
    }
}

/// Why a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Something else was decided.
    #[error(transparent)]
    Diverged(Box<Divergence>),
}

/// The first decision that is not as in the log. Shows no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Which decision, counted from 0.
    pub decision: usize,
    /// The log's, or nothing where the replay decided more.
    pub expected: Option<(CallTime, Output)>,
    /// The replay's, or nothing where it decided less.
    pub actual: Option<(CallTime, Output)>,
}

impl std::error::Error for Divergence {}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |side: &Option<(CallTime, Output)>| match side {
            Some((at, output)) => format!("{at} {output}"),
            None => "nothing".to_owned(),
        };
        let (expected, actual) = (show(&self.expected), show(&self.actual));
        if expected == actual {
            return write!(f, "decision {}: {expected}: other words than in the log", self.decision);
        }
        write!(f, "decision {}: the log has \"{expected}\", the replay \"{actual}\"", self.decision)
    }
}
