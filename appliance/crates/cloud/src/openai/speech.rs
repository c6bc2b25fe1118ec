//! Speech.

use serde_json::json;
use units::{Language, SampleRate};

use super::Settings;
use crate::audio::{Audio, Usage, mulaw_of_pcm, pieces};
use crate::error::CloudError;
use crate::http::{self, Http};

/// Longest text of one request, in bytes. The provider takes 4096 characters, which would be five minutes of audio and
/// three times what is read; of this, the audio is about a minute.
const MAX_INPUT_BYTES: usize = 800;
/// Rate of the raw samples, in hertz (<https://platform.openai.com/docs/guides/text-to-speech>).
const RATE_HZ: u32 = 24_000;

/// Speaks with one voice.
#[derive(Clone, Debug)]
pub struct Speech {
    http: Http,
    settings: Settings,
    model: String,
    voice: String,
}

impl Speech {
    /// Returns a voice of a model: `gpt-4o-mini-tts`, `tts-1`.
    pub const fn new(http: Http, settings: Settings, model: String, voice: String) -> Self {
        Self { http, settings, model, voice }
    }

    /// Speaks a text; one that is too long for a request is spoken in several, one after the other.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; what was spoken by then is paid for.
    pub async fn synthesize(&self, text: &str, language: Language) -> Result<Audio, CloudError> {
        let mut mulaw = Vec::new();
        for piece in pieces(text, MAX_INPUT_BYTES) {
            mulaw.append(&mut self.synthesize_piece(&piece, language).await?);
        }
        let usage = Usage::of_speech(text, &mulaw);
        Ok(Audio { mulaw, usage })
    }

    async fn synthesize_piece(&self, text: &str, language: Language) -> Result<Vec<u8>, CloudError> {
        let mut body = json!({"model": self.model, "voice": self.voice, "input": text, "response_format": "pcm"});
        // The models that take instructions read short Hebrew better when told what it is; the older ones take none.
        if self.model.starts_with("gpt-")
            && let Some(body) = body.as_object_mut()
        {
            let instruction = match language {
                Language::Hebrew => "Speak Hebrew.",
                Language::English => "Speak English.",
            };
            body.insert("instructions".to_owned(), instruction.into());
        }
        let request = self.settings.authorize(self.http.post(&self.settings.url("audio/speech")));
        let response = http::send(http::with_json(request, &body)).await?;
        let media_type = http::media_type(&response);
        if !(media_type.starts_with("audio/") || media_type == "application/octet-stream") {
            return Err(CloudError::ContentType { expected: "audio" });
        }
        let bytes = http::body(response, http::MAX_AUDIO_BYTES).await?;
        let rate = SampleRate::new(RATE_HZ).ok_or(CloudError::Unusable { reason: "no rate" })?;
        let mulaw = mulaw_of_pcm(&bytes, rate)?;
        if mulaw.is_empty() { Err(CloudError::Malformed { reason: "there is no audio in it" }) } else { Ok(mulaw) }
    }
}
