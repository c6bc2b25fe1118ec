//! Speech-to-Text v2.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use media::g711::Law;
use media::wav::Wav;
use serde_json::{Value, json};
use units::SampleRate;

use super::auth::authorize;
use super::{only, read, text};
use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;

const SERVICE: Service = Service::GoogleHear;
/// Longest audio of a request that is answered at once: one minute at 8 kHz.
const MAX_SAMPLES: usize = 60 * 8_000;
/// How Hebrew and English are called; the old code of Hebrew is the one that is documented.
const LANGUAGES: [&str; 3] = ["iw-IL", "he-IL", "en-US"];
const CONFIG: [&str; 8] = [
    "model",
    "languageCodes",
    "features",
    "adaptation",
    "autoDecodingConfig",
    "explicitDecodingConfig",
    "denoiserConfig",
    "transcriptNormalization",
];

/// Recognizes.
pub(crate) fn hear(shared: &Shared, parts: &Parts, body: &Bytes) -> Result<Answer, Answer> {
    authorize(shared, parts, SERVICE, &shared.google_hear_url())?;
    if !parts.uri.path().ends_with("/_:recognize") {
        return Err(Answer::bad_request(SERVICE, "This fake has no other recognizer than '_'."));
    }
    let request = read(SERVICE, body)?;
    only(SERVICE, &request, "", &["config", "configMask", "content", "uri"])?;
    only(SERVICE, &request, "/config", &CONFIG)?;
    only(SERVICE, &request, "/config/explicitDecodingConfig", &["encoding", "sampleRateHertz", "audioChannelCount"])?;
    let languages = request.pointer("/config/languageCodes").and_then(Value::as_array);
    let is_known = |code: &Value| code.as_str().is_some_and(|code| LANGUAGES.contains(&code));
    if !languages.is_some_and(|codes| !codes.is_empty() && codes.iter().all(is_known)) {
        return Err(bad("Invalid language code."));
    }
    if text(&request, "/config/model").is_none() {
        return Err(bad("Model must be set."));
    }
    let samples = samples(&request)?;
    let heard = shared.clips.recognize(&samples).unwrap_or_default();
    Ok(Answer::json(&answer(&heard, samples.len())))
}

fn bad(message: &str) -> Answer {
    Answer::bad_request(SERVICE, message)
}

fn answer(heard: &str, samples: usize) -> Value {
    let seconds = samples.div_ceil(8_000);
    let metadata = json!({"requestId": "fake", "totalBilledDuration": format!("{seconds}s")});
    if heard.is_empty() {
        return json!({"metadata": metadata});
    }
    let hebrew = heard.chars().any(|c| ('\u{5d0}'..='\u{5ea}').contains(&c));
    let result = json!({
        "alternatives": [{"transcript": heard, "confidence": 0.94}],
        "resultEndOffset": format!("{seconds}s"),
        "languageCode": if hebrew { "iw-il" } else { "en-us" },
    });
    json!({"results": [result], "metadata": metadata})
}

/// Returns the audio at 8 kHz.
fn samples(request: &Value) -> Result<Vec<i16>, Answer> {
    let content = text(request, "/content").and_then(|content| BASE64_STANDARD.decode(content).ok());
    let content = content.ok_or_else(|| bad("Audio content must be base64."))?;
    let explicit = request.pointer("/config/explicitDecodingConfig");
    let samples = match explicit.map(|config| (text(config, "/encoding"), config.get("sampleRateHertz"))) {
        None => {
            let wav = Wav::parse(&content).map_err(|_error| bad("Audio encoding cannot be detected."))?;
            media::resample::convert_i16(&wav.mono(), wav.spec().rate, SampleRate::HZ_8000)
                .map_err(|_error| bad("Audio encoding cannot be detected."))?
        }
        Some((Some("MULAW"), Some(rate))) if rate == 8_000 => {
            content.iter().map(|byte| Law::Mu.decode(*byte)).collect()
        }
        Some((Some("LINEAR16"), Some(rate))) if rate == 8_000 => {
            content.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
        }
        Some(_) => return Err(bad("This fake hears MULAW and LINEAR16 at 8000 Hz, and WAV.")),
    };
    if samples.is_empty() || samples.len() > MAX_SAMPLES {
        return Err(bad("Audio can be of a maximum of 60 seconds."));
    }
    Ok(samples)
}
