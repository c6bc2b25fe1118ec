//! What a device says on its standard output, a line each.

use std::fmt;
use std::str::FromStr;

use protocol::{EventId, Stream};

/// An event that is on the device's disk, as its commit has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) stream: Stream,
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) id: EventId,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// `promised STREAM EPOCH SEQ ID`
    Promised(Promise),
    /// `waiting COUNT`: so many events are not covered by a watermark; told when nothing new comes any more.
    Waiting(u64),
    /// `damaged`: the store lost something, which no kill may do.
    Damaged,
    /// `failed`: the device cannot go on; its log says why.
    Failed,
}

/// A line that says nothing known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParseSaidError;

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promised(Promise { stream, epoch, seq, id }) => write!(f, "promised {stream} {epoch} {seq} {id}"),
            Self::Waiting(count) => write!(f, "waiting {count}"),
            Self::Damaged => f.write_str("damaged"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl FromStr for Said {
    type Err = ParseSaidError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or(ParseSaidError);
        let said = match next()? {
            "promised" => Self::Promised(Promise {
                stream: parsed(next()?)?,
                epoch: parsed(next()?)?,
                seq: parsed(next()?)?,
                id: parsed(next()?)?,
            }),
            "waiting" => Self::Waiting(parsed(next()?)?),
            "damaged" => Self::Damaged,
            "failed" => Self::Failed,
            _ => return Err(ParseSaidError),
        };
        if words.next().is_some() { Err(ParseSaidError) } else { Ok(said) }
    }
}

fn parsed<T: FromStr>(word: &str) -> Result<T, ParseSaidError> {
    word.parse().map_err(|_bad| ParseSaidError)
}

#[cfg(test)]
mod tests {
    use protocol::{EventId, Stream};

    use super::{ParseSaidError, Promise, Said};

    #[test]
    fn what_is_said_is_read_back() {
        let promise = Promise { stream: Stream::Messages, epoch: 1_700, seq: 9, id: EventId::from_bytes([7; 16]) };
        for said in [Said::Promised(promise), Said::Waiting(12), Said::Damaged, Said::Failed] {
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        assert_eq!(Said::Promised(promise).to_string().split(' ').count(), 5);
    }

    #[test]
    fn half_a_line_is_no_promise() {
        let line = "promised calls 5 1 07070707-0707-0707-0707-070707070707";
        assert!(line.parse::<Said>().is_ok());
        for end in 0..line.len() {
            assert_eq!(line[..end].parse::<Said>(), Err(ParseSaidError), "{}", &line[..end]);
        }
        assert_eq!(format!("{line} more").parse::<Said>(), Err(ParseSaidError));
    }
}
