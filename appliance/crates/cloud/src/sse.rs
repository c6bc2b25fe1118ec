//! Event streams, read within bounds.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Of an event only its data is kept: the providers
//! say in there what it is.

use std::collections::VecDeque;

use reqwest::Response;

use crate::error::CloudError;

/// Longest line, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1_024;
/// Most data of one event, in bytes.
const MAX_EVENT_BYTES: usize = 256 * 1_024;
/// What a stream may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Puts events together from pieces of bytes, wherever those are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_return: bool,
    /// The first line is behind us.
    has_begun: bool,
}

impl Parser {
    /// Takes bytes; returns the data of each event that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, CloudError> {
        let mut events = Vec::new();
        for byte in bytes {
            let ends_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if ends_return => {}
                b'\r' | b'\n' => events.extend(self.end_line()?),
                _ if self.line.len() >= MAX_LINE_BYTES => {
                    return Err(CloudError::TooLong { limit: MAX_LINE_BYTES });
                }
                _ => self.line.push(*byte),
            }
        }
        Ok(events)
    }

    /// Returns an event if this line ends one.
    fn end_line(&mut self) -> Result<Option<String>, CloudError> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.has_begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.is_empty() {
            let data = self.data.take().filter(|data| !data.is_empty());
            return Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()));
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name != b"data" {
            return Ok(None);
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let so_far = self.data.as_ref().map_or(0, Vec::len);
        if so_far.saturating_add(value.len()) >= MAX_EVENT_BYTES {
            return Err(CloudError::TooLong { limit: MAX_EVENT_BYTES });
        }
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            none => *none = Some(value.to_owned()),
        }
        Ok(None)
    }
}

/// The events of an answer.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    parser: Parser,
    ready: VecDeque<String>,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, parser: Parser::default(), ready: VecDeque::new() }
    }

    /// Returns the data of the next event, or `None` at the end of the stream; an event that is not complete there is
    /// none.
    ///
    /// # Cancellation safety
    ///
    /// No event is lost when it is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, CloudError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.response.chunk().await.map_err(CloudError::of_body)? {
                Some(bytes) => self.ready.extend(self.parser.push(&bytes)?),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        pieces.iter().flat_map(|piece| parser.push(piece).unwrap()).collect()
    }

    #[test]
    fn events_are_read_with_all_their_line_ends() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "\u{feff}: comment|data: שלום|data:  two|data|id: 7|event: x||data:{}|retry: 3|||data: lost|";
            let text = text.replace('|', end);
            assert_eq!(parse(&[text.as_bytes()]), ["שלום\n two\n", "{}"], "{end:?}");
        }
    }

    #[test]
    fn lines_and_events_have_a_longest() {
        let mut parser = Parser::default();
        let long = vec![b'x'; MAX_LINE_BYTES];
        parser.push(&long).unwrap();
        assert!(matches!(parser.push(b"x"), Err(CloudError::TooLong { limit: MAX_LINE_BYTES })));
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &long[..60_000], b"\n"].concat();
        let result: Result<Vec<_>, _> = (0..5).map(|_| parser.push(&line)).collect();
        assert!(matches!(result, Err(CloudError::TooLong { limit: MAX_EVENT_BYTES })));
    }

    proptest! {
        #[test]
        fn cutting_the_bytes_anywhere_changes_nothing(
            text in "(data: ?[א-ת{}x]{0,9}|:c|\r|\n|\r\n|event: y|\u{feff}|data){0,40}",
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&pieces), parse(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            parse(&[&bytes]);
        }
    }
}
