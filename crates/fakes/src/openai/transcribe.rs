//! Transcription.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request};
use bytes::Bytes;
use http::request::Parts;
use media::wav::Wav;
use serde_json::{Value, json};
use units::SampleRate;

use super::{authorize, is_hebrew, no_model, tokens};
use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;

const SERVICE: Service = Service::Transcribe;
/// The model that knows how sure it is, and does not stream.
const WHISPER: &str = "whisper-1";
/// The models that stream, and answer `json` only.
const STREAMING: [&str; 5] = [
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
];
const FIELDS: [&str; 12] = [
    "model",
    "language",
    "prompt",
    "response_format",
    "temperature",
    "timestamp_granularities[]",
    "stream",
    "chunking_strategy",
    "include[]",
    "languages[]",
    "keywords[]",
    "file",
];
const EXTENSIONS: [&str; 9] = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"];

/// Recognizes an uploaded file.
pub(crate) async fn transcribe(shared: &Shared, parts: Parts, body: Bytes) -> Result<Answer, Answer> {
    authorize(shared, &parts, SERVICE)?;
    let form = Form::read(parts, body).await?;
    let model = form.field("model").ok_or_else(|| bad("Missing required parameter: 'model'."))?;
    let streams = STREAMING.contains(&model);
    if !streams && model != WHISPER {
        return Err(no_model(SERVICE));
    }
    let format = form.field("response_format").unwrap_or("json");
    if !(format == "json" || (format == "verbose_json" && !streams)) {
        return Err(bad("response_format is not compatible with the model."));
    }
    if form.field("language").is_some_and(|language| language.len() != 2) {
        return Err(bad("Invalid language. Expected an ISO-639-1 code."));
    }
    let samples = form.samples()?;
    let heard = shared.clips.recognize(&samples).unwrap_or_default();
    let seconds = samples.len() / 8_000;
    let logprobs = form.field("include[]").map(|_logprobs| logprobs(&heard));
    if streams && form.field("stream") == Some("true") {
        return Ok(Answer::events(events(&heard, seconds, logprobs)));
    }
    Ok(Answer::json(&match (format, streams) {
        ("verbose_json", _) => verbose(&heard, samples.len()),
        (_, true) => json!({"text": heard, "usage": usage(&heard, seconds), "logprobs": logprobs}),
        (_, false) => json!({"text": heard, "usage": {"type": "duration", "seconds": seconds.max(1)}}),
    }))
}

/// How sure the model is of each word, always the same.
fn logprobs(heard: &str) -> Vec<Value> {
    heard.split_inclusive(' ').map(|word| json!({"token": word, "logprob": -0.125, "bytes": word.as_bytes()})).collect()
}

fn bad(message: &str) -> Answer {
    Answer::bad_request(SERVICE, message)
}

/// The text, word by word, and then as a whole.
fn events(heard: &str, seconds: usize, logprobs: Option<Vec<Value>>) -> Vec<String> {
    let mut events: Vec<String> = heard
        .split_inclusive(' ')
        .map(|word| json!({"type": "transcript.text.delta", "delta": word, "obfuscation": "x7Gd"}).to_string())
        .collect();
    let mut done = json!({"type": "transcript.text.done", "text": heard, "usage": usage(heard, seconds)});
    if let (Some(logprobs), Some(done)) = (logprobs, done.as_object_mut()) {
        done.insert("logprobs".to_owned(), logprobs.into());
    }
    events.push(done.to_string());
    events
}

/// Ten tokens of audio a second.
fn usage(heard: &str, seconds: usize) -> Value {
    let (audio, output) = (seconds.saturating_mul(10), tokens(heard));
    json!({
        "type": "tokens",
        "input_tokens": audio,
        "input_token_details": {"audio_tokens": audio, "text_tokens": 0},
        "output_tokens": output,
        "total_tokens": u64::try_from(audio).unwrap_or(u64::MAX).saturating_add(output),
    })
}

#[expect(clippy::cast_precision_loss, reason = "an upload has less than 2^52 samples")]
fn verbose(heard: &str, samples: usize) -> Value {
    let seconds = samples as f64 / 8_000.0;
    let (sure, no_speech) = if heard.is_empty() { (-1.2, 0.93) } else { (-0.21, 0.02) };
    let segment = json!({
        "id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": heard, "tokens": [50_364],
        "temperature": 0.0, "avg_logprob": sure, "compression_ratio": 1.1, "no_speech_prob": no_speech,
    });
    json!({
        "task": "transcribe",
        "language": if is_hebrew(heard) { "hebrew" } else { "english" },
        "duration": seconds,
        "text": heard,
        "segments": [segment],
        "usage": {"type": "duration", "seconds": seconds.ceil()},
    })
}

/// What was uploaded.
struct Form {
    fields: BTreeMap<String, String>,
    file: Bytes,
}

impl Form {
    async fn read(parts: Parts, body: Bytes) -> Result<Self, Answer> {
        let request = Request::from_parts(parts, Body::from(body));
        let mut multipart =
            Multipart::from_request(request, &()).await.map_err(|_rejection| bad("Could not parse multipart form."))?;
        let (mut fields, mut file) = (BTreeMap::new(), None);
        loop {
            let field = multipart.next_field().await.map_err(|_error| bad("Could not parse multipart form."))?;
            let Some(field) = field else { break };
            let name = field.name().unwrap_or_default().to_owned();
            if !FIELDS.contains(&name.as_str()) {
                return Err(bad(&format!("Unrecognized request argument supplied: {name}")));
            }
            let extension = field.file_name().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_owned());
            let bytes = field.bytes().await.map_err(|_error| bad("Could not parse multipart form."))?;
            if name == "file" {
                if !extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
                    return Err(bad("Invalid file format."));
                }
                file = Some(bytes);
            } else {
                fields.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        let file = file.ok_or_else(|| bad("Missing required parameter: 'file'."))?;
        Ok(Self { fields, file })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Returns the audio at 8 kHz.
    fn samples(&self) -> Result<Vec<i16>, Answer> {
        let wav = Wav::parse(&self.file).map_err(|_error| bad("Audio file might be corrupted or unsupported."))?;
        if wav.data().len() < 200 {
            return Err(bad("Audio file is too short. Minimum audio length is 0.1 seconds."));
        }
        media::resample::convert_i16(&wav.mono(), wav.spec().rate, SampleRate::HZ_8000)
            .map_err(|_error| bad("Audio file might be corrupted or unsupported."))
    }
}
