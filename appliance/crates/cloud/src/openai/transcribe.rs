//! Transcription.

use media::wav;
use reqwest::Response;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use speech::RecognizeRequest;
use units::{Language, SampleRate};

use super::{Settings, event};
use crate::audio::{Usage, telephone_samples};
use crate::error::CloudError;
use crate::hearing::{Certainty, Heard, MIN_SAMPLES, heard};
use crate::http::{self, Http};
use crate::sse::Events;

/// Longest transcript, in bytes; a turn of several minutes has less.
const MAX_TEXT_BYTES: usize = 64 * 1_024;
/// What the models that stream are called; they answer in `json`, the others in `verbose_json`.
const STREAMING: &str = "gpt-";

/// Recognizes speech.
#[derive(Clone, Debug)]
pub struct Transcriber {
    http: Http,
    settings: Settings,
    model: String,
}

/// An answer, or the last event of one.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    text: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    segments: Vec<Segment>,
    #[serde(default)]
    logprobs: Option<Vec<Token>>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Debug, Deserialize)]
struct Segment {
    #[serde(default)]
    avg_logprob: f32,
    #[serde(default)]
    no_speech_prob: f32,
}

#[derive(Debug, Deserialize)]
struct Token {
    logprob: f32,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

/// An event of a stream.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "transcript.text.delta")]
    Delta { delta: String },
    #[serde(rename = "transcript.text.done")]
    Done(Answer),
    #[serde(other)]
    Other,
}

impl Transcriber {
    /// Returns a recognizer of a model: `gpt-4o-mini-transcribe` (streams), `whisper-1` (says how sure it is).
    pub const fn new(http: Http, settings: Settings, model: String) -> Self {
        Self { http, settings, model }
    }

    /// Recognizes a stretch of speech, calling `interim` with the text so far where the model streams.
    ///
    /// Silence, and less than a tenth of a second, give an empty text.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; the provider may charge for it.
    pub async fn transcribe(
        &self,
        request: &RecognizeRequest,
        interim: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Heard, CloudError> {
        let samples = telephone_samples(&request.audio)?;
        if samples.len() < MIN_SAMPLES {
            return Ok(heard(request, "", None, Certainty::of_text(""), Usage::default()));
        }
        let file = wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000)
            .map_err(|_error| CloudError::Unusable { reason: "the audio is too long" })?;
        let form = self.form(request, file)?;
        let address = self.settings.url("audio/transcriptions");
        let response = http::send(self.settings.authorize(self.http.post(&address)).multipart(form)).await?;
        let answer = if http::media_type(&response) == "text/event-stream" {
            streamed(response, interim).await?
        } else {
            http::json(response, http::MAX_JSON_BYTES).await?
        };
        Ok(answer.heard(request, Usage::of_hearing(samples.len())))
    }

    fn form(&self, request: &RecognizeRequest, file: Vec<u8>) -> Result<Form, CloudError> {
        let file = Part::bytes(file).file_name("turn.wav").mime_str("audio/wav");
        let file = file.map_err(|_error| CloudError::Unusable { reason: "no media type" })?;
        let mut form = Form::new().part("file", file).text("model", self.model.clone());
        form = if self.model.starts_with(STREAMING) {
            form.text("response_format", "json").text("stream", "true").text("include[]", "logprobs")
        } else {
            form.text("response_format", "verbose_json")
        };
        if let Some(language) = request.language {
            form = form.text("language", language.code());
        }
        if !request.prompt.is_empty() {
            form = form.text("prompt", request.prompt.clone());
        }
        Ok(form)
    }
}

impl Answer {
    fn heard(&self, request: &RecognizeRequest, mut cost: Usage) -> Heard {
        if let Some(tokens) = &self.usage {
            (cost.input_tokens, cost.output_tokens) = (tokens.input_tokens, tokens.output_tokens);
        }
        let language = self.language.as_deref().and_then(named);
        heard(request, &self.text, language, self.certainty(), cost)
    }

    fn certainty(&self) -> Certainty {
        let of_text = Certainty::of_text(self.text.trim());
        let tokens = self.logprobs.iter().flatten().map(|token| token.logprob);
        let segments = self.segments.iter();
        Certainty {
            mean_log_probability: mean(tokens)
                .or_else(|| mean(segments.clone().map(|segment| segment.avg_logprob)))
                .unwrap_or(of_text.mean_log_probability),
            no_speech_probability: mean(segments.map(|segment| segment.no_speech_prob))
                .unwrap_or(of_text.no_speech_probability),
        }
    }
}

fn mean(numbers: impl Iterator<Item = f32>) -> Option<f32> {
    let (count, sum) = numbers.fold((0.0_f32, 0.0_f32), |(count, sum), number| (count + 1.0, sum + number));
    (count > 0.0).then(|| sum / count)
}

/// Reads a language by its code or, as `verbose_json` has it, its English name.
fn named(word: &str) -> Option<Language> {
    match word.to_ascii_lowercase().as_str() {
        "hebrew" => Some(Language::Hebrew),
        "english" => Some(Language::English),
        code => code.parse().ok(),
    }
}

/// Reads a transcript as it grows.
async fn streamed(response: Response, interim: &mut (dyn FnMut(&str) + Send)) -> Result<Answer, CloudError> {
    let mut events = Events::new(response);
    let mut text = String::new();
    while let Some(data) = events.next().await? {
        match event(&data)? {
            Event::Delta { delta } => {
                if text.len().saturating_add(delta.len()) > MAX_TEXT_BYTES {
                    return Err(CloudError::TooLong { limit: MAX_TEXT_BYTES });
                }
                text.push_str(&delta);
                interim(&text);
            }
            Event::Done(answer) => return Ok(answer),
            Event::Other => {}
        }
    }
    Err(CloudError::Cut(None))
}
