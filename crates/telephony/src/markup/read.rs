//! The strict reader: a document into the verbs the writer knows.
//!
//! It works in two steps: XML into a small tree of bounded depth and size, then the tree into verbs, where each
//! attribute and child is taken by name and whatever is left over is an error.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use units::Pii;

use super::write::{MAX_DOCUMENT_BYTES, is_legal_char};
use super::{
    Connect, Dial, Gather, GatherInput, HttpMethod, Number, Pause, Play, Record, Redirect, Reject, RejectReason,
    Response, Say, Stream, Track, Trim, Verb,
};

/// Deepest nesting: `Response`, `Connect`, `Stream`, `Parameter`.
const MAX_DEPTH: usize = 4;
/// Most elements in a document.
const MAX_ELEMENTS: usize = 1_024;

/// Why a document was not understood. Offsets are in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the carrier takes.
    #[error("markup of {bytes} bytes, expected at most {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// It is not well-formed XML, or has parts no markup has (a document type, processing instructions).
    #[error("not well-formed at byte {at}: {problem}")]
    Xml {
        /// Where.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// There are too many elements, or they are nested too deeply.
    #[error("too many or too deeply nested elements at byte {at}")]
    TooComplex {
        /// Where.
        at: usize,
    },
    /// The outermost element is not `<Response>`, or there is none, or more than one.
    #[error("expected one <Response> and nothing else")]
    Root,
    /// An element that does not exist, or not in this place.
    #[error("unknown element <{name}> in <{parent}> at byte {at}")]
    UnknownElement {
        /// The element it stands in.
        parent: String,
        /// Its name.
        name: String,
        /// Where it starts.
        at: usize,
    },
    /// An attribute that this element does not have.
    #[error("unknown attribute {name:?} of <{element}> at byte {at}")]
    UnknownAttribute {
        /// The element.
        element: String,
        /// The attribute's name.
        name: String,
        /// Where the element starts.
        at: usize,
    },
    /// An attribute with a value it cannot have.
    #[error("attribute {name:?} of <{element}> at byte {at} is not as expected: {expected}")]
    BadAttribute {
        /// The element.
        element: String,
        /// The attribute's name.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
        /// Where the element starts.
        at: usize,
    },
    /// Text where only elements may stand.
    #[error("text in <{element}> at byte {at}, expected elements only")]
    UnexpectedText {
        /// The element it stands in.
        element: String,
        /// Where that starts.
        at: usize,
    },
    /// Something an element cannot do without.
    #[error("<{element}> at byte {at} has no {missing}")]
    Missing {
        /// The element.
        element: String,
        /// What it needs.
        missing: &'static str,
        /// Where it starts.
        at: usize,
    },
}

/// Reads a document.
pub fn read(document: &str) -> Result<Response, ReadError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(ReadError::TooLarge { bytes: document.len() });
    }
    let mut root = parse_tree(document)?;
    if root.name != "Response" {
        return Err(ReadError::Root);
    }
    root.no_text()?;
    let verbs = root.children.drain(..).map(|child| to_verb("Response", child)).collect::<Result<_, _>>()?;
    root.finish()?;
    Ok(Response { verbs })
}

/// One element of the tree.
struct Element {
    name: String,
    at: usize,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

/// Builds the tree.
fn parse_tree(document: &str) -> Result<Element, ReadError> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().enable_all_checks(true);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    let mut elements = 0_usize;
    loop {
        let at = offset(reader.buffer_position());
        let event = reader.read_event().map_err(|error| ReadError::Xml { at, problem: error.to_string() })?;
        let (started, is_empty) = match event {
            Event::Start(start) => (Some(start), false),
            Event::Empty(start) => (Some(start), true),
            Event::End(_) => {
                close(&mut open, &mut root)?;
                (None, false)
            }
            Event::Text(text) => {
                append_text(&mut open, &text.xml10_content(), at)?;
                (None, false)
            }
            Event::CData(text) => {
                append_text(&mut open, &text.xml10_content(), at)?;
                (None, false)
            }
            Event::GeneralRef(reference) => {
                append_text(&mut open, &resolve(&reference, at)?, at)?;
                (None, false)
            }
            Event::Comment(_) => (None, false),
            Event::Decl(_) if at == 0 => (None, false),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                return Err(ReadError::Xml { at, problem: "document types and instructions are not taken".to_owned() });
            }
            Event::Eof => break,
        };
        let Some(start) = started else { continue };
        elements = elements.saturating_add(1);
        if open.len() >= MAX_DEPTH || elements > MAX_ELEMENTS {
            return Err(ReadError::TooComplex { at });
        }
        open.push(element(&start, at)?);
        if is_empty {
            close(&mut open, &mut root)?;
        }
    }
    if open.is_empty() { root.ok_or(ReadError::Root) } else { Err(ReadError::Root) }
}

/// Takes the innermost open element out and hangs it into its parent.
fn close(open: &mut Vec<Element>, root: &mut Option<Element>) -> Result<(), ReadError> {
    let Some(done) = open.pop() else { return Err(ReadError::Root) };
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None if root.is_none() => *root = Some(done),
        None => return Err(ReadError::Root),
    }
    Ok(())
}

/// Adds text to the innermost open element; outside the root only white space may stand.
fn append_text(open: &mut [Element], text: &str, at: usize) -> Result<(), ReadError> {
    if !text.chars().all(is_legal_char) {
        return Err(ReadError::Xml { at, problem: "character that XML cannot carry".to_owned() });
    }
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(ReadError::Root),
    }
    Ok(())
}

/// Returns what a reference such as `&amp;` or `&#13;` stands for.
fn resolve(reference: &BytesRef<'_>, at: usize) -> Result<Cow<'static, str>, ReadError> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => Ok(Cow::Owned(c.to_string())),
        Ok(None) => resolve_predefined_entity(reference)
            .map(Cow::Borrowed)
            .ok_or_else(|| ReadError::Xml { at, problem: "unknown entity".to_owned() }),
        Err(error) => Err(ReadError::Xml { at, problem: error.to_string() }),
    }
}

/// Reads a start tag.
fn element(start: &BytesStart<'_>, at: usize) -> Result<Element, ReadError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| ReadError::Xml { at, problem: error.to_string() })?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| ReadError::Xml { at, problem: error.to_string() })?;
        if !value.chars().all(is_legal_char) {
            return Err(ReadError::Xml { at, problem: "character that XML cannot carry".to_owned() });
        }
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    let name = start.name().as_ref().to_owned();
    Ok(Element { name, at, attributes, text: String::new(), children: Vec::new() })
}

/// Returns a position of the reader as an index.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

impl Element {
    /// Takes an attribute out.
    fn attribute(&mut self, name: &'static str) -> Option<String> {
        let index = self.attributes.iter().position(|(known, _)| known == name)?;
        Some(self.attributes.swap_remove(index).1)
    }

    fn number(&mut self, name: &'static str) -> Result<Option<u32>, ReadError> {
        let Some(text) = self.attribute(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_error| self.bad(name, "a whole number"))
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, ReadError> {
        match self.attribute(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.bad(name, "'true' or 'false'")),
        }
    }

    fn method(&mut self, name: &'static str) -> Result<Option<HttpMethod>, ReadError> {
        self.word(name, HttpMethod::ALL, HttpMethod::word, "'GET' or 'POST'")
    }

    /// Takes an attribute out whose value is one of a few words.
    fn word<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ReadError> {
        let Some(text) = self.attribute(name) else { return Ok(None) };
        all.iter().copied().find(|value| word(*value) == text).map(Some).ok_or_else(|| self.bad(name, expected))
    }

    fn bad(&self, name: &'static str, expected: &'static str) -> ReadError {
        ReadError::BadAttribute { element: self.name.clone(), name, expected, at: self.at }
    }

    fn missing(&self, missing: &'static str) -> ReadError {
        ReadError::Missing { element: self.name.clone(), missing, at: self.at }
    }

    /// Takes the text out, without white space around it; it has to be there.
    fn word_text(&mut self, what: &'static str) -> Result<String, ReadError> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        if text.is_empty() { Err(self.missing(what)) } else { Ok(text.to_owned()) }
    }

    /// Checks that there is only white space between the children.
    fn no_text(&mut self) -> Result<(), ReadError> {
        if std::mem::take(&mut self.text).trim().is_empty() {
            Ok(())
        } else {
            Err(ReadError::UnexpectedText { element: self.name.clone(), at: self.at })
        }
    }

    /// Checks that everything in the element was taken out.
    fn finish(mut self) -> Result<(), ReadError> {
        self.no_text()?;
        if let Some((name, _)) = self.attributes.pop() {
            return Err(ReadError::UnknownAttribute { element: self.name, name, at: self.at });
        }
        match self.children.pop() {
            Some(child) => Err(unknown_element(&self.name, child)),
            None => Ok(()),
        }
    }
}

fn unknown_element(parent: &str, element: Element) -> ReadError {
    ReadError::UnknownElement { parent: parent.to_owned(), name: element.name, at: element.at }
}

fn to_verb(parent: &'static str, mut element: Element) -> Result<Verb, ReadError> {
    let verb = match element.name.as_str() {
        "Play" => to_play(&mut element)?.into(),
        "Say" => to_say(&mut element)?.into(),
        "Pause" => Pause { length_s: element.number("length")? }.into(),
        "Connect" => to_connect(&mut element)?.into(),
        "Record" => to_record(&mut element)?.into(),
        "Gather" => to_gather(&mut element)?.into(),
        "Dial" => to_dial(&mut element)?.into(),
        "Redirect" => Redirect { method: element.method("method")?, url: element.word_text("URL")? }.into(),
        "Reject" => {
            let reason = element.word("reason", RejectReason::ALL, RejectReason::word, "'rejected' or 'busy'")?;
            Reject { reason }.into()
        }
        "Hangup" => Verb::Hangup,
        _ => return Err(unknown_element(parent, element)),
    };
    element.finish()?;
    Ok(verb)
}

fn to_play(element: &mut Element) -> Result<Play, ReadError> {
    let (repeat, digits) = (element.number("loop")?, element.attribute("digits"));
    let url = std::mem::take(&mut element.text).trim().to_owned();
    if url.is_empty() && digits.is_none() {
        return Err(element.missing("URL"));
    }
    Ok(Play { url, repeat, digits })
}

fn to_say(element: &mut Element) -> Result<Say, ReadError> {
    Ok(Say {
        voice: element.attribute("voice"),
        language: element.attribute("language"),
        repeat: element.number("loop")?,
        text: std::mem::take(&mut element.text),
    })
}

fn to_connect(element: &mut Element) -> Result<Connect, ReadError> {
    let (action, method) = (element.attribute("action"), element.method("method")?);
    element.no_text()?;
    let mut stream = None;
    for child in element.children.drain(..) {
        if child.name != "Stream" || stream.is_some() {
            return Err(unknown_element("Connect", child));
        }
        stream = Some(to_stream(child)?);
    }
    let stream = stream.ok_or_else(|| element.missing("<Stream>"))?;
    Ok(Connect { action, method, stream })
}

fn to_stream(mut element: Element) -> Result<Stream, ReadError> {
    let mut parameters = Vec::new();
    for mut child in std::mem::take(&mut element.children) {
        if child.name != "Parameter" {
            return Err(unknown_element("Stream", child));
        }
        let name = child.attribute("name").ok_or_else(|| child.missing("name"))?;
        let value = child.attribute("value").ok_or_else(|| child.missing("value"))?;
        child.finish()?;
        parameters.push((name, value));
    }
    let stream = Stream {
        url: element.attribute("url").ok_or_else(|| element.missing("url"))?,
        name: element.attribute("name"),
        track: element.word("track", Track::ALL, Track::word, "'inbound_track', 'outbound_track' or 'both_tracks'")?,
        status_callback: element.attribute("statusCallback"),
        status_callback_method: element.method("statusCallbackMethod")?,
        parameters,
    };
    element.finish()?;
    Ok(stream)
}

fn to_record(element: &mut Element) -> Result<Record, ReadError> {
    Ok(Record {
        action: element.attribute("action"),
        method: element.method("method")?,
        timeout_s: element.number("timeout")?,
        finish_on_key: element.attribute("finishOnKey"),
        max_length_s: element.number("maxLength")?,
        play_beep: element.flag("playBeep")?,
        trim: element.word("trim", Trim::ALL, Trim::word, "'trim-silence' or 'do-not-trim'")?,
        transcribe: element.flag("transcribe")?,
        recording_status_callback: element.attribute("recordingStatusCallback"),
        recording_status_callback_method: element.method("recordingStatusCallbackMethod")?,
        recording_status_callback_event: element.attribute("recordingStatusCallbackEvent"),
    })
}

fn to_gather(element: &mut Element) -> Result<Gather, ReadError> {
    element.no_text()?;
    let mut prompts = Vec::new();
    for child in element.children.drain(..) {
        if !matches!(child.name.as_str(), "Say" | "Play" | "Pause") {
            return Err(unknown_element("Gather", child));
        }
        prompts.push(to_verb("Gather", child)?);
    }
    Ok(Gather {
        input: element.word("input", GatherInput::ALL, GatherInput::word, "'dtmf', 'speech' or 'dtmf speech'")?,
        action: element.attribute("action"),
        method: element.method("method")?,
        timeout_s: element.number("timeout")?,
        finish_on_key: element.attribute("finishOnKey"),
        num_digits: element.number("numDigits")?,
        language: element.attribute("language"),
        action_on_empty_result: element.flag("actionOnEmptyResult")?,
        prompts,
    })
}

fn to_dial(element: &mut Element) -> Result<Dial, ReadError> {
    let mut numbers = Vec::new();
    for mut child in element.children.drain(..) {
        if child.name != "Number" {
            return Err(unknown_element("Dial", child));
        }
        numbers.push(to_number(&mut child)?);
        child.finish()?;
    }
    // A number may also stand in <Dial> itself.
    let text = std::mem::take(&mut element.text);
    if !text.trim().is_empty() {
        numbers.push(Number { number: Pii::new(text.trim().to_owned()), ..Number::default() });
    }
    Ok(Dial {
        action: element.attribute("action"),
        method: element.method("method")?,
        timeout_s: element.number("timeout")?,
        time_limit_s: element.number("timeLimit")?,
        caller_id: element.attribute("callerId").map(Pii::new),
        answer_on_bridge: element.flag("answerOnBridge")?,
        numbers,
    })
}

fn to_number(element: &mut Element) -> Result<Number, ReadError> {
    Ok(Number {
        number: element.word_text("number")?.into(),
        send_digits: element.attribute("sendDigits"),
        url: element.attribute("url"),
        method: element.method("method")?,
        status_callback: element.attribute("statusCallback"),
    })
}
