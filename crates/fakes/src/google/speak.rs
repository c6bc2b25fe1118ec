//! Text-to-Speech v1.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};
use units::SampleRate;

use super::auth::authorize;
use super::{only, read, text};
use crate::answer::Answer;
use crate::behaviour::Service;
use crate::cloud::Shared;
use crate::voice::mulaw_file;

const SERVICE: Service = Service::GoogleSpeak;
/// Longest input, in bytes.
const MAX_INPUT_BYTES: usize = 5_000;
/// Languages with voices, and the letters of their voices.
const LANGUAGES: [(&str, &[&str]); 2] =
    [("he-IL", &["A", "B", "C", "D"]), ("en-US", &["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"])];
const KINDS: [&str; 2] = ["Standard", "Wavenet"];

/// Speaks.
pub(crate) fn speak(shared: &Shared, parts: &Parts, body: &Bytes) -> Result<Answer, Answer> {
    authorize(shared, parts, SERVICE, &shared.google_speak_url())?;
    let request = read(SERVICE, body)?;
    only(SERVICE, &request, "", &["input", "voice", "audioConfig"])?;
    only(SERVICE, &request, "/input", &["text", "ssml", "markup"])?;
    only(SERVICE, &request, "/voice", &["languageCode", "name", "ssmlGender"])?;
    let audio =
        ["audioEncoding", "sampleRateHertz", "speakingRate", "pitch", "volumeGainDb", "effectsProfileId"].as_slice();
    only(SERVICE, &request, "/audioConfig", audio)?;
    let bad = |message: &str| Answer::bad_request(SERVICE, message);
    let input = text(&request, "/input/text").ok_or_else(|| bad("Synthesis input should not be empty."))?;
    if input.is_empty() || input.len() > MAX_INPUT_BYTES {
        return Err(bad("Either `input.text` or `input.ssml` is longer than the limit of 5000 bytes."));
    }
    let language = text(&request, "/voice/languageCode").unwrap_or_default();
    let name = text(&request, "/voice/name");
    let is_voice = |name: &str| all_voices(language).any(|voice| voice == name);
    if !LANGUAGES.iter().any(|(known, _)| *known == language) || name.is_some_and(|name| !is_voice(name)) {
        return Err(bad("Voice does not exist. Is it misspelled?"));
    }
    let rate = request.pointer("/audioConfig/sampleRateHertz").and_then(Value::as_u64).unwrap_or(24_000);
    let samples = shared.speak(input, language);
    let file = match text(&request, "/audioConfig/audioEncoding") {
        Some("MULAW") if rate == 8_000 => mulaw_file(&samples),
        Some("LINEAR16") if rate == 8_000 => media::wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000)
            .map_err(|_error| bad("The audio is too long."))?,
        _ => return Err(bad("This fake speaks MULAW and LINEAR16 at 8000 Hz only.")),
    };
    Ok(Answer::json(&json!({"audioContent": BASE64_STANDARD.encode(file)})))
}

/// Lists the voices.
pub(crate) fn voices(shared: &Shared, parts: &Parts) -> Result<Answer, Answer> {
    authorize(shared, parts, Service::GoogleVoices, &shared.google_speak_url())?;
    let query = parts.uri.query().unwrap_or_default();
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("languageCode="));
    let voices: Vec<Value> = LANGUAGES
        .iter()
        .map(|(language, _)| language)
        .filter(|language| wanted.is_none_or(|wanted| wanted == **language))
        .flat_map(|language| all_voices(language).map(move |name| (language, name)))
        .map(|(language, name)| {
            json!({"languageCodes": [language], "name": name, "ssmlGender": "FEMALE", "naturalSampleRateHertz": 24_000})
        })
        .collect();
    Ok(Answer::json(&json!({"voices": voices})))
}

fn all_voices(language: &str) -> impl Iterator<Item = String> {
    let known = LANGUAGES.iter().find(|(known, _)| *known == language);
    let letters = known.map_or(&[][..], |(_, letters)| *letters);
    let pairs = KINDS.iter().flat_map(move |kind| letters.iter().map(move |letter| (kind, letter)));
    pairs.map(move |(kind, letter)| format!("{language}-{kind}-{letter}"))
}
