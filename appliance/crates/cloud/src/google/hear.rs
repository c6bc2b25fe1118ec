//! Recognizers.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use speech::RecognizeRequest;
use units::Language;

use super::ServiceAccount;
use crate::audio::{Usage, telephone_samples};
use crate::error::CloudError;
use crate::hearing::{Certainty, Heard, MIN_SAMPLES, heard};
use crate::http::{self, Http};

/// Longest audio of one request, in samples at 8 kHz: a minute (<https://cloud.google.com/speech-to-text/v2/quotas>).
const MAX_SAMPLES: usize = 60 * 8_000;
/// Most and longest phrases that may be expected, of the service's limits on adaptation.
const MAX_PHRASES: usize = 100;
const MAX_PHRASE_LETTERS: usize = 100;
/// How much likelier those phrases are, from 0 to 20; more makes the service hear them where they are not.
const BOOST: u8 = 10;

/// Recognizes speech.
#[derive(Clone, Debug)]
pub struct Hearer {
    http: Http,
    base_url: String,
    account: Arc<ServiceAccount>,
    model: String,
    location: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    alternatives: Vec<Alternative>,
    #[serde(default)]
    language_code: String,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    /// Zero means that it is not known.
    #[serde(default)]
    confidence: f32,
}

impl Hearer {
    /// Returns a client of the recognizers at `base_url` (`https://speech.googleapis.com`) with a model (`long`,
    /// `telephony`), in the location `global`.
    pub fn new(http: Http, base_url: &str, account: Arc<ServiceAccount>, model: String) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        Self { http, base_url, account, model, location: "global".to_owned() }
    }

    /// Takes another location, whose address `base_url` then has to be.
    #[must_use]
    pub fn with_location(self, location: String) -> Self {
        Self { location, ..self }
    }

    /// Recognizes a stretch of speech of at most a minute. `interim` is called once, with all of it.
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
        if samples.len() > MAX_SAMPLES {
            return Err(CloudError::Unusable { reason: "the audio is longer than a minute" });
        }
        let address = format!(
            "{}/v2/projects/{}/locations/{}/recognizers/_:recognize",
            self.base_url,
            self.account.project(),
            self.location
        );
        let post = http::with_json(self.http.post(&address), &self.body(request, &samples));
        let answer: Answer = http::json(self.account.send(post, &self.base_url).await?, http::MAX_JSON_BYTES).await?;
        let found = answer.heard(request, Usage::of_hearing(samples.len()));
        let text = found.recognition.text.reveal();
        if !text.is_empty() {
            interim(text);
        }
        Ok(found)
    }

    fn body(&self, request: &RecognizeRequest, samples: &[i16]) -> Value {
        let languages = match request.language {
            Some(language) => vec![code(language)],
            None if request.among.is_empty() => Language::ALL.map(code).to_vec(),
            None => request.among.iter().copied().map(code).collect(),
        };
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut config = json!({
            "model": self.model,
            "languageCodes": languages,
            "features": {"enableAutomaticPunctuation": true},
            "explicitDecodingConfig": {"encoding": "LINEAR16", "sampleRateHertz": 8_000, "audioChannelCount": 1},
        });
        let phrases = phrases(&request.prompt);
        if !phrases.is_empty()
            && let Some(config) = config.as_object_mut()
        {
            let set = json!({"inlinePhraseSet": {"phrases": phrases}});
            config.insert("adaptation".to_owned(), json!({"phraseSets": [set]}));
        }
        json!({"config": config, "content": BASE64_STANDARD.encode(bytes)})
    }
}

impl Answer {
    fn heard(&self, request: &RecognizeRequest, cost: Usage) -> Heard {
        let best: Vec<&Alternative> = self.results.iter().filter_map(|found| found.alternatives.first()).collect();
        let text: String = best.iter().map(|best| best.transcript.trim()).collect::<Vec<_>>().join(" ");
        let sure = best.iter().map(|best| best.confidence).filter(|confidence| *confidence > 0.0);
        let least = sure.reduce(f32::min).unwrap_or(1.0);
        let certainty = Certainty { mean_log_probability: least.min(1.0).ln(), ..Certainty::of_text(text.trim()) };
        let named = self.results.iter().find_map(|found| found.language_code.parse().ok());
        heard(request, &text, named, certainty, cost)
    }
}

/// Returns what the service calls a language; it knows Hebrew by its withdrawn code.
const fn code(language: Language) -> &'static str {
    match language {
        Language::Hebrew => "iw-IL",
        Language::English => "en-US",
    }
}

/// Returns what the running text of a prompt names, one by one.
fn phrases(prompt: &str) -> Vec<Value> {
    prompt
        .split([',', ';', '.', '\n'])
        .map(str::trim)
        .filter(|phrase| !phrase.is_empty() && phrase.chars().count() <= MAX_PHRASE_LETTERS)
        .take(MAX_PHRASES)
        .map(|phrase| json!({"value": phrase, "boost": BOOST}))
        .collect()
}
