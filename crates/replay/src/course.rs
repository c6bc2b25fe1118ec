//! Plays the log of a course again, and compares the ways, exactly.

use std::fmt;

use routing::{Course, Way};
use units::CallTime;

use crate::reader::{ReadError, Reader};
use crate::record::{Began, Record};

/// What a replay found, when every way was as in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the log says of itself.
    pub began: Began,
    /// Events played, and as many ways compared.
    pub events: usize,
    /// The time of the last record.
    pub ended_at: CallTime,
    /// Whether the call came to its end.
    pub is_over: bool,
    /// Where the log is torn off, if it is.
    pub torn: Option<usize>,
    /// Records of kinds this version does not know.
    pub unknown: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, ended_at, .. } = self;
        write!(f, "{events} ways are the same, {ended_at} s")?;
        if !self.is_over {
            write!(f, ", not ended")?;
        }
        if let Some(torn) = self.torn {
            write!(f, ", torn at byte {torn}")?;
        }
        Ok(())
    }
}

/// Returns whether the log is one of a course, by its first record.
pub fn is_course(log: &[u8]) -> bool {
    matches!(Reader::new(log).next(), Some(Ok(Record::Began(_))))
}

/// Plays a log, and returns what it found or where it went another way.
pub fn replay(log: &[u8]) -> Result<Report, CourseError> {
    let mut reader = Reader::new(log);
    let Some(Record::Began(began)) = reader.next().transpose()? else {
        return Err(ReadError::NotALog.into());
    };
    let mut course = Course::new(began.policy.clone());
    let (mut events, mut ended_at) = (0_usize, CallTime::ZERO);
    let mut decided = None;
    for record in &mut reader {
        match record? {
            Record::Told { at, event } => {
                ended_at = ended_at.max(at);
                decided = Some(course.handle(&event));
            }
            Record::Went { at, way } => {
                ended_at = ended_at.max(at);
                let actual = decided.take();
                if actual != Some(way) {
                    return Err(CourseError::Diverged { event: events, expected: way, actual });
                }
                events = events.saturating_add(1);
            }
            Record::Opened(_)
            | Record::Began(_)
            | Record::Frame { .. }
            | Record::Perceived { .. }
            | Record::Decided { .. }
            | Record::Chosen { .. } => {}
        }
    }
    Ok(Report {
        began: *began,
        events,
        ended_at,
        is_over: course.is_over(),
        torn: reader.torn(),
        unknown: reader.unknown(),
    })
}

/// Why a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It went another way.
    #[error("event {event}: the log went \"{expected}\", the replay {}", Shown(.actual))]
    Diverged {
        /// Which event, counted from 0.
        event: usize,
        /// The log's way.
        expected: Way,
        /// The replay's, or nothing where no event came before.
        actual: Option<Way>,
    },
}

struct Shown<'a>(&'a Option<Way>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(way) => write!(f, "\"{way}\""),
            None => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use routing::{Ending, Event, Policy, Way};
    use units::CallTime;

    use super::{CourseError, is_course, replay};
    use crate::{Began, Record, encode};

    fn log(ways: &[(Event, Way)]) -> Vec<u8> {
        let mut log = encode(Record::Began(Box::new(Began::new("test", Policy::default())))).unwrap();
        for (number, (event, way)) in ways.iter().enumerate() {
            let at = CallTime::from_micros(u64::try_from(number).unwrap());
            log.extend(encode(Record::Told { at, event: *event }).unwrap());
            log.extend(encode(Record::Went { at, way: *way }).unwrap());
        }
        log
    }

    #[test]
    fn a_course_is_played_again_and_another_way_is_found() {
        let ended = Event::StreamEnded { ending: Ending::HangUp };
        let good = log(&[(ended, Way::Complete), (Event::StreamAsked, Way::HangUp), (Event::Over, Way::Nothing)]);
        assert!(is_course(&good));
        let report = replay(&good).unwrap();
        assert_eq!((report.events, report.is_over, report.torn), (3, true, None));
        let other = log(&[(ended, Way::Complete), (Event::StreamAsked, Way::Thank)]);
        let error = replay(&other).unwrap_err();
        assert_eq!(error.to_string(), "event 1: the log went \"thank and end\", the replay \"end\"");
        assert!(matches!(error, CourseError::Diverged { event: 1, .. }));
    }

    #[test]
    fn a_torn_course_is_played_as_far_as_it_goes() {
        let whole = log(&[(Event::StreamAsked, Way::Voicemail { cause: routing::VoicemailCause::Unknown })]);
        let report = replay(&whole[..whole.len() - 3]).unwrap();
        assert!(report.torn.is_some());
        assert_eq!(report.events, 0);
        assert!(replay(b"nothing").is_err());
    }
}
