//! Speech.

use bytes::Bytes;
use http::request::Parts;
use units::SampleRate;

use super::{authorize, is_hebrew, no_model, object, text};
use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;

const SERVICE: Service = Service::Speech;
/// Longest text, in characters.
const MAX_CHARACTERS: usize = 4_096;
const FIELDS: [&str; 7] = ["model", "input", "voice", "instructions", "response_format", "speed", "stream_format"];
const MODELS: [&str; 3] = ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"];
const VOICES: [&str; 13] =
    ["alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar"];
/// Rate of `pcm`, in hertz.
const RATE_HZ: u32 = 24_000;

/// Speaks.
pub(crate) fn speech(shared: &Shared, parts: &Parts, body: &Bytes) -> Result<Answer, Answer> {
    authorize(shared, parts, SERVICE)?;
    let request = object(SERVICE, body, &FIELDS)?;
    let model = text(SERVICE, &request, "model")?;
    if !MODELS.iter().any(|known| model.starts_with(known)) {
        return Err(no_model(SERVICE));
    }
    let input = text(SERVICE, &request, "input")?;
    if input.is_empty() || input.chars().count() > MAX_CHARACTERS {
        return Err(Answer::bad_request(SERVICE, "Expected an input of 1 to 4096 characters."));
    }
    if !VOICES.contains(&text(SERVICE, &request, "voice")?) {
        return Err(Answer::bad_request(SERVICE, "Input should be one of the voices."));
    }
    let failed = || Answer::bad_request(SERVICE, "The audio cannot be made.");
    let rate = SampleRate::new(RATE_HZ).ok_or_else(failed)?;
    let samples = shared.speak(input, if is_hebrew(input) { "he" } else { "en" });
    let samples = media::resample::convert_i16(&samples, SampleRate::HZ_8000, rate).map_err(|_error| failed())?;
    match request.get("response_format").and_then(serde_json::Value::as_str) {
        Some("pcm") => {
            let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            Ok(Answer::bytes("audio/pcm", bytes))
        }
        Some("wav") => {
            let file = media::wav::encode_pcm16(&samples, 1, rate).map_err(|_error| failed())?;
            Ok(Answer::bytes("audio/wav", file))
        }
        _ => Err(Answer::bad_request(SERVICE, "This fake speaks 'pcm' and 'wav' only.")),
    }
}
