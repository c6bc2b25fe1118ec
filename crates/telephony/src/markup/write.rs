//! The writer.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Connect, Dial, Gather, HttpMethod, Number, Play, Record, Response, Say, Stream, Verb};

/// Longest document the carrier takes, in bytes (error 11750, <https://www.twilio.com/docs/api/errors/11750>).
pub const MAX_DOCUMENT_BYTES: usize = 65_536;

/// Name and value of a stream parameter together have to be shorter than this, in characters
/// (<https://www.twilio.com/docs/voice/twiml/stream#custom-parameters>).
pub const MAX_PARAMETER_CHARS: usize = 500;

/// Returns whether XML 1.0 can carry this character at all (<https://www.w3.org/TR/xml/#charsets>).
pub const fn is_legal_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Why a document cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is longer than the carrier takes.
    #[error("markup of {bytes} bytes, the carrier takes at most {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// A stream parameter is longer than the carrier takes.
    #[error(
        "stream parameter {name:?} has {chars} characters with its value, expected fewer than {MAX_PARAMETER_CHARS}"
    )]
    ParameterTooLong {
        /// Name of the parameter.
        name: String,
        /// Characters of name and value together.
        chars: usize,
    },
    /// A `<Gather>` holds a verb other than `Say`, `Play` or `Pause`.
    #[error("<Gather> can hold <Say>, <Play> and <Pause> only")]
    NotAPrompt,
    /// The XML writer failed.
    #[error("cannot write XML")]
    Xml(#[from] io::Error),
}

impl Response {
    /// Writes the document as XML with its declaration, UTF-8.
    pub fn write(&self) -> Result<String, WriteError> {
        let mut xml = Xml { writer: Writer::new(Vec::with_capacity(1_024)) };
        xml.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        xml.element("Response", Attributes::default(), |xml| {
            self.verbs.iter().try_for_each(|verb| verb_to_xml(verb, xml))
        })?;
        let bytes = xml.writer.into_inner();
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(WriteError::TooLarge { bytes: bytes.len() });
        }
        String::from_utf8(bytes).map_err(|error| WriteError::Xml(io::Error::new(io::ErrorKind::InvalidData, error)))
    }
}

/// Attributes in the order they are written.
#[derive(Default)]
struct Attributes<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Attributes<'a> {
    fn text(mut self, name: &'static str, value: Option<&'a str>) -> Self {
        self.0.extend(value.map(|value| (name, legal(value))));
        self
    }

    fn number(mut self, name: &'static str, value: Option<u32>) -> Self {
        self.0.extend(value.map(|value| (name, Cow::Owned(value.to_string()))));
        self
    }

    fn flag(self, name: &'static str, value: Option<bool>) -> Self {
        self.text(name, value.map(|value| if value { "true" } else { "false" }))
    }

    fn method(self, name: &'static str, value: Option<HttpMethod>) -> Self {
        self.text(name, value.map(HttpMethod::word))
    }
}

/// The XML writer with the two shapes of element we need.
struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    /// Writes an element with children.
    fn element(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        children: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.writer.write_event(Event::Start(start(name, attributes)))?;
        children(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))?;
        Ok(())
    }

    /// Writes an element that holds a text.
    fn text(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) -> Result<(), WriteError> {
        self.element(name, attributes, |xml| {
            xml.writer.write_event(Event::Text(BytesText::new(&legal(text))))?;
            Ok(())
        })
    }

    /// Writes an element that holds nothing.
    fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) -> Result<(), WriteError> {
        self.writer.write_event(Event::Empty(start(name, attributes)))?;
        Ok(())
    }
}

/// Returns a start tag; values are escaped by the XML library.
fn start(name: &'static str, attributes: Attributes<'_>) -> BytesStart<'static> {
    let mut start = BytesStart::new(name);
    attributes.0.into_iter().for_each(|attribute| start.push_attribute(attribute));
    start
}

/// Returns the text without the characters XML cannot carry.
fn legal(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_legal_char) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| is_legal_char(*c)).collect())
    }
}

fn verb_to_xml(verb: &Verb, xml: &mut Xml) -> Result<(), WriteError> {
    match verb {
        Verb::Play(play) => play_to_xml(play, xml),
        Verb::Say(say) => say_to_xml(say, xml),
        Verb::Pause(pause) => xml.empty("Pause", Attributes::default().number("length", pause.length_s)),
        Verb::Connect(connect) => connect_to_xml(connect, xml),
        Verb::Record(record) => record_to_xml(record, xml),
        Verb::Gather(gather) => gather_to_xml(gather, xml),
        Verb::Dial(dial) => dial_to_xml(dial, xml),
        Verb::Redirect(redirect) => {
            xml.text("Redirect", Attributes::default().method("method", redirect.method), &redirect.url)
        }
        Verb::Reject(reject) => {
            xml.empty("Reject", Attributes::default().text("reason", reject.reason.map(super::RejectReason::word)))
        }
        Verb::Hangup => xml.empty("Hangup", Attributes::default()),
    }
}

fn play_to_xml(play: &Play, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default().number("loop", play.repeat).text("digits", play.digits.as_deref());
    if play.url.is_empty() { xml.empty("Play", attributes) } else { xml.text("Play", attributes, &play.url) }
}

fn say_to_xml(say: &Say, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("voice", say.voice.as_deref())
        .text("language", say.language.as_deref())
        .number("loop", say.repeat);
    xml.text("Say", attributes, &say.text)
}

fn connect_to_xml(connect: &Connect, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default().text("action", connect.action.as_deref()).method("method", connect.method);
    xml.element("Connect", attributes, |xml| stream_to_xml(&connect.stream, xml))
}

fn stream_to_xml(stream: &Stream, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("url", Some(&stream.url))
        .text("name", stream.name.as_deref())
        .text("track", stream.track.map(super::Track::word))
        .text("statusCallback", stream.status_callback.as_deref())
        .method("statusCallbackMethod", stream.status_callback_method);
    if stream.parameters.is_empty() {
        return xml.empty("Stream", attributes);
    }
    xml.element("Stream", attributes, |xml| {
        stream.parameters.iter().try_for_each(|(name, value)| {
            let chars = name.chars().count().saturating_add(value.chars().count());
            if chars >= MAX_PARAMETER_CHARS {
                return Err(WriteError::ParameterTooLong { name: name.chars().take(64).collect(), chars });
            }
            xml.empty("Parameter", Attributes::default().text("name", Some(name)).text("value", Some(value)))
        })
    })
}

fn record_to_xml(record: &Record, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("action", record.action.as_deref())
        .method("method", record.method)
        .number("timeout", record.timeout_s)
        .text("finishOnKey", record.finish_on_key.as_deref())
        .number("maxLength", record.max_length_s)
        .flag("playBeep", record.play_beep)
        .text("trim", record.trim.map(super::Trim::word))
        .flag("transcribe", record.transcribe)
        .text("recordingStatusCallback", record.recording_status_callback.as_deref())
        .method("recordingStatusCallbackMethod", record.recording_status_callback_method)
        .text("recordingStatusCallbackEvent", record.recording_status_callback_event.as_deref());
    xml.empty("Record", attributes)
}

fn gather_to_xml(gather: &Gather, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("input", gather.input.map(super::GatherInput::word))
        .text("action", gather.action.as_deref())
        .method("method", gather.method)
        .number("timeout", gather.timeout_s)
        .text("finishOnKey", gather.finish_on_key.as_deref())
        .number("numDigits", gather.num_digits)
        .text("language", gather.language.as_deref())
        .flag("actionOnEmptyResult", gather.action_on_empty_result);
    xml.element("Gather", attributes, |xml| {
        gather.prompts.iter().try_for_each(|verb| {
            if matches!(verb, Verb::Say(_) | Verb::Play(_) | Verb::Pause(_)) {
                verb_to_xml(verb, xml)
            } else {
                Err(WriteError::NotAPrompt)
            }
        })
    })
}

fn dial_to_xml(dial: &Dial, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("action", dial.action.as_deref())
        .method("method", dial.method)
        .number("timeout", dial.timeout_s)
        .number("timeLimit", dial.time_limit_s)
        .text("callerId", dial.caller_id.as_ref().map(|id| id.reveal().as_str()))
        .flag("answerOnBridge", dial.answer_on_bridge);
    xml.element("Dial", attributes, |xml| dial.numbers.iter().try_for_each(|number| number_to_xml(number, xml)))
}

fn number_to_xml(number: &Number, xml: &mut Xml) -> Result<(), WriteError> {
    let attributes = Attributes::default()
        .text("sendDigits", number.send_digits.as_deref())
        .text("url", number.url.as_deref())
        .method("method", number.method)
        .text("statusCallback", number.status_callback.as_deref());
    xml.text("Number", attributes, number.number.reveal())
}
