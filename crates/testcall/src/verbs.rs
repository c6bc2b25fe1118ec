//! The verbs of the markup, except streams and recordings.

use std::time::Duration;

use telephony::Params;
use telephony::markup::{Gather, Play, Say, Verb};
use units::Language;

use crate::ask::{method_of, resolve};
use crate::audio;
use crate::call::{Interrupted, LiveCall, Next};
use crate::playout::{FRAME, FRAME_SAMPLES, MULAW_SILENCE};
use crate::report::{Ended, Happened};
use crate::steps::speak;
use crate::voice::SAMPLES_PER_CHARACTER;

/// What `<Gather>` waits for a key when it does not say.
pub(crate) const GATHER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a verb that says "for ever" is repeated: a call that nobody ends has to end some time.
const FOR_EVER: u32 = 100;

impl LiveCall<'_> {
    /// Carries out one verb of the document at `document`.
    pub(crate) async fn verb(&mut self, verb: &Verb, document: &str) -> Result<Next, Interrupted> {
        self.note(Happened::Verb(name_of(verb).to_owned()));
        match verb {
            Verb::Play(play) => self.play(play, document).await,
            Verb::Say(say) => self.say(say).await,
            Verb::Pause(pause) => {
                self.quiet(Duration::from_secs(pause.length_s.unwrap_or(1).into())).await?;
                Ok(Next::Verb)
            }
            Verb::Connect(connect) => self.connect(connect, document).await,
            Verb::Record(record) => self.record(record, document).await,
            Verb::Gather(gather) => self.gather(gather, document).await,
            Verb::Dial(dial) => self.dial(dial, document).await,
            Verb::Redirect(redirect) => Ok(Next::Fetch {
                url: resolve(document, &redirect.url),
                method: method_of(redirect.method),
                extra: Params::new(),
            }),
            Verb::Reject(_) | Verb::Hangup => Ok(Next::End(Ended::ByMarkup)),
        }
    }

    async fn play(&mut self, play: &Play, document: &str) -> Result<Next, Interrupted> {
        if play.url.is_empty() {
            // Keys pressed to the caller make no sound that matters here; each takes half a second.
            let keys = play.digits.as_deref().unwrap_or_default().chars().count();
            self.quiet(Duration::from_millis(500) * u32::try_from(keys).unwrap_or(FOR_EVER)).await?;
            return Ok(Next::Verb);
        }
        if let Some(bytes) = self.fetch_sound(&resolve(document, &play.url)).await {
            for _ in 0..times(play.repeat) {
                self.play_audio(&bytes).await?;
            }
        }
        Ok(Next::Verb)
    }

    /// Fetches and decodes what `<Play>` names; `None` with a warning where that cannot be played.
    pub(crate) async fn fetch_sound(&mut self, url: &str) -> Option<Vec<u8>> {
        let sound = match self.exchange.client.fetch(url).await {
            Ok(answer) if answer.status == 200 => audio::decode(answer.content_type.as_deref(), &answer.body).await,
            Ok(answer) => {
                self.warn(11_200, format!("the sound to play was answered with {}", answer.status));
                return None;
            }
            Err(error) => {
                self.warn(11_200, format!("the sound to play could not be fetched: {error}"));
                return None;
            }
        };
        match sound {
            Ok(samples) => Some(audio::to_mulaw(&samples)),
            Err(error) => {
                self.warn(13_420, format!("the sound to play is not one: {error}"));
                None
            }
        }
    }

    async fn say(&mut self, say: &Say) -> Result<Next, Interrupted> {
        if let Some(bytes) = self.spoken(say).await {
            for _ in 0..times(say.repeat) {
                self.play_audio(&bytes).await?;
            }
        }
        Ok(Next::Verb)
    }

    /// Returns what `<Say>` says as sound; `None` with a warning where that is nothing.
    pub(crate) async fn spoken(&mut self, say: &Say) -> Option<Vec<u8>> {
        if say.text.trim().is_empty() {
            self.warn(13_520, "<Say> says nothing");
            return None;
        }
        let language = say.language.as_deref().and_then(|tag| tag.parse().ok()).unwrap_or(Language::English);
        Some(match speak(self.exchange, &say.text, language).await {
            Ok(Ok(samples)) => audio::to_mulaw(&samples),
            // Without a voice the line is silent as long as the text would take.
            Ok(Err(_)) | Err(_) => vec![MULAW_SILENCE; say.text.chars().count() * SAMPLES_PER_CHARACTER],
        })
    }

    /// Says the prompts, then takes the keys the caller presses next.
    async fn gather(&mut self, gather: &Gather, document: &str) -> Result<Next, Interrupted> {
        for prompt in &gather.prompts {
            match prompt {
                Verb::Play(play) => drop(self.play(play, document).await?),
                Verb::Say(say) => drop(self.say(say).await?),
                Verb::Pause(pause) => self.quiet(Duration::from_secs(pause.length_s.unwrap_or(1).into())).await?,
                Verb::Connect(_)
                | Verb::Record(_)
                | Verb::Gather(_)
                | Verb::Dial(_)
                | Verb::Redirect(_)
                | Verb::Reject(_)
                | Verb::Hangup => self.warn(12_200, "a verb that does not belong into <Gather>"),
            }
        }
        let digits = self.gather_keys(gather).await?;
        if digits.is_empty() && gather.action_on_empty_result != Some(true) {
            return Ok(Next::Verb);
        }
        let url = gather.action.as_deref().map_or_else(|| document.to_owned(), |action| resolve(document, action));
        let extra = Params::new().with("Digits", digits);
        Ok(Next::Fetch { url, method: method_of(gather.method), extra })
    }

    async fn gather_keys(&mut self, gather: &Gather) -> Result<String, Interrupted> {
        let timeout = gather.timeout_s.map_or(GATHER_TIMEOUT, |s| Duration::from_secs(s.into()));
        let most = gather.num_digits.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let last = gather.finish_on_key.as_deref().unwrap_or("#");
        let mut digits = String::new();
        let mut waited = Duration::ZERO;
        while waited < timeout && digits.len() < most {
            let start = self.line.position();
            let now = self.at_prompt.tick(false);
            self.note_caller(start, &now.notes);
            if now.hangs_up {
                self.note(Happened::CallerHungUp);
                return Err(Interrupted::ByCaller);
            }
            waited += FRAME;
            if let Some(key) = now.key {
                self.note(Happened::Key);
                if last.contains(key.label()) {
                    break;
                }
                digits.push(key.label());
                waited = Duration::ZERO;
            }
            self.frame(&now.frame, &[MULAW_SILENCE; FRAME_SAMPLES]).await?;
        }
        Ok(digits)
    }

    /// Plays audio to the caller, who is silent.
    pub(crate) async fn play_audio(&mut self, mulaw: &[u8]) -> Result<(), Interrupted> {
        for part in mulaw.chunks(FRAME_SAMPLES) {
            let mut frame = [MULAW_SILENCE; FRAME_SAMPLES];
            for (slot, byte) in frame.iter_mut().zip(part) {
                *slot = *byte;
            }
            self.play_frame(&frame).await?;
        }
        Ok(())
    }

    /// Lets time pass in silence.
    pub(crate) async fn quiet(&mut self, lasting: Duration) -> Result<(), Interrupted> {
        for _ in 0..lasting.as_millis() / FRAME.as_millis() {
            self.play_frame(&[MULAW_SILENCE; FRAME_SAMPLES]).await?;
        }
        Ok(())
    }
}

/// Returns how often a verb is repeated.
pub(crate) fn times(repeat: Option<u32>) -> u32 {
    match repeat {
        None => 1,
        Some(0) => FOR_EVER,
        Some(times) => times.min(FOR_EVER),
    }
}

fn name_of(verb: &Verb) -> &'static str {
    match verb {
        Verb::Play(_) => "Play",
        Verb::Say(_) => "Say",
        Verb::Pause(_) => "Pause",
        Verb::Connect(_) => "Connect",
        Verb::Record(_) => "Record",
        Verb::Gather(_) => "Gather",
        Verb::Dial(_) => "Dial",
        Verb::Redirect(_) => "Redirect",
        Verb::Reject(_) => "Reject",
        Verb::Hangup => "Hangup",
    }
}
