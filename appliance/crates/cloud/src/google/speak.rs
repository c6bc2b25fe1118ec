//! Voices.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use units::Language;

use super::ServiceAccount;
use crate::audio::{Audio, Usage, mulaw_of_wav, pieces};
use crate::error::CloudError;
use crate::http::{self, Http};

/// Longest text of one request, in bytes (<https://cloud.google.com/text-to-speech/quotas>); a Hebrew letter is two.
const MAX_INPUT_BYTES: usize = 5_000;
/// Longest answer: the longest audio as base64, and what is around it.
const MAX_ANSWER_BYTES: usize = http::MAX_AUDIO_BYTES / 3 * 4 + 4_096;

/// Speaks.
#[derive(Clone, Debug)]
pub struct Speaker {
    http: Http,
    base_url: String,
    account: Arc<ServiceAccount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    audio_content: String,
}

impl Speaker {
    /// Returns a client of the voices at `base_url`: `https://texttospeech.googleapis.com`.
    pub fn new(http: Http, base_url: &str, account: Arc<ServiceAccount>) -> Self {
        Self { http, base_url: base_url.trim_end_matches('/').to_owned(), account }
    }

    /// Speaks a text with a voice (`he-IL-Wavenet-A`); one that is too long for a request is spoken in several, one
    /// after the other.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; what was spoken by then is paid for.
    pub async fn synthesize(&self, text: &str, language: Language, voice_name: &str) -> Result<Audio, CloudError> {
        let mut mulaw = Vec::new();
        for piece in pieces(text, MAX_INPUT_BYTES) {
            mulaw.append(&mut self.synthesize_piece(&piece, language, voice_name).await?);
        }
        let usage = Usage::of_speech(text, &mulaw);
        Ok(Audio { mulaw, usage })
    }

    async fn synthesize_piece(&self, text: &str, language: Language, voice_name: &str) -> Result<Vec<u8>, CloudError> {
        let language = match language {
            Language::Hebrew => "he-IL",
            Language::English => "en-US",
        };
        let body = json!({
            "input": {"text": text},
            "voice": {"languageCode": language, "name": voice_name},
            "audioConfig": {
                "audioEncoding": "MULAW",
                "sampleRateHertz": 8_000,
                "effectsProfileId": ["telephony-class-application"],
            },
        });
        let request = http::with_json(self.http.post(&format!("{}/v1/text:synthesize", self.base_url)), &body);
        let response = self.account.send(request, &self.base_url).await?;
        let answer: Answer = http::json(response, MAX_ANSWER_BYTES).await?;
        let malformed = |reason| CloudError::Malformed { reason };
        let file =
            BASE64_STANDARD.decode(answer.audio_content).map_err(|_error| malformed("the audio is no base64"))?;
        let mulaw = mulaw_of_wav(&file)?;
        if mulaw.is_empty() { Err(malformed("there is no audio in it")) } else { Ok(mulaw) }
    }
}

/// Asks for the Hebrew voices, which costs nothing, and drops the list: the connection, the account, the clock and the
/// service are good then.
///
/// # Cancellation safety
///
/// May be dropped half way.
pub async fn probe(speaker: &Speaker) -> Result<(), CloudError> {
    let request = speaker.http.get(&format!("{}/v1/voices?languageCode=he-IL", speaker.base_url));
    let response = speaker.account.send(request, &speaker.base_url).await?;
    let _voices: IgnoredAny = http::json(response, http::MAX_JSON_BYTES).await?;
    Ok(())
}
