//! `<Dial>`: a second leg to somebody, the whisper document played there, and the two connected.

use std::collections::VecDeque;
use std::time::Duration;

use telephony::Params;
use telephony::markup::{Dial, Gather, HttpMethod, Number, Verb};
use telephony::wire::Address;
use units::Pii;

use crate::ask::{Leg, method_of, resolve};
use crate::call::{Document, Interrupted, LiveCall, MOST_DOCUMENTS, Next};
use crate::http::Method;
use crate::playout::FRAME_SAMPLES;
use crate::report::{DialReport, Happened};
use crate::script::{DialAnswer, DialStatus, Person};
use crate::sid::new_sid;
use crate::verbs::{GATHER_TIMEOUT, times};

/// What `<Dial>` rings when it does not say.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Time from one key of a person to the next.
const KEY: Duration = Duration::from_millis(200);

/// The leg to whom is dialled.
struct Dialled {
    report: DialReport,
    from: Pii<String>,
    keys: VecDeque<char>,
    answered: bool,
}

/// What follows a verb of the whisper document.
enum Whispered {
    /// The verb behind it; at the end of the document the two are connected.
    Verb,
    /// Another document.
    Fetch { url: String, method: Method, extra: Params },
    /// The leg ends.
    HangUp,
}

impl LiveCall<'_> {
    /// Rings the first number, which answers as the script says.
    pub(crate) async fn dial(&mut self, dial: &Dial, document: &str) -> Result<Next, Interrupted> {
        let Some(number) = dial.numbers.first() else {
            self.warn(13_220, "<Dial> has no number");
            return Ok(Next::Verb);
        };
        let mut leg = Dialled {
            report: DialReport {
                call_sid: new_sid("CA"),
                number: number.number.clone(),
                status: DialStatus::Canceled,
                bridged: false,
                rang: Duration::ZERO,
                heard: Duration::ZERO,
                talked: Duration::ZERO,
            },
            from: dial.caller_id.clone().unwrap_or_else(|| self.terms.from.clone()),
            keys: VecDeque::new(),
            answered: false,
        };
        let outcome = if self.may_show(leg.from.reveal()) {
            self.ring_number(dial, number, document, &mut leg).await
        } else {
            self.warn(13_214, "<Dial> shows no number that it may");
            Ok(DialStatus::Failed)
        };
        if let Ok(status) = outcome {
            leg.report.status = status;
        } else if leg.answered {
            leg.report.status = DialStatus::Completed;
        }
        self.tell_leg(number, document, &leg);
        let lasted = leg.report.heard + leg.report.talked;
        let extra = Params::new()
            .with("DialCallStatus", leg.report.status.as_str())
            .with("DialCallSid", &leg.report.call_sid)
            .with("DialCallDuration", lasted.as_secs().to_string())
            .with("DialBridged", leg.report.bridged.to_string());
        self.report.dialled.push(leg.report);
        outcome?;
        let Some(action) = &dial.action else { return Ok(Next::Verb) };
        Ok(Next::Fetch { url: resolve(document, action), method: method_of(dial.method), extra })
    }

    /// Returns whether a person who is dialled may be shown this: a telephone number, of either side of the call or of the
    /// account.
    fn may_show(&self, caller_id: &str) -> bool {
        let known = [&self.terms.from, &self.terms.to].into_iter().chain(&self.exchange.config.numbers);
        matches!(Address::of(caller_id), Address::Phone(_))
            && known.into_iter().any(|known| known.reveal() == caller_id)
    }

    async fn ring_number(
        &mut self,
        dial: &Dial,
        number: &Number,
        document: &str,
        leg: &mut Dialled,
    ) -> Result<DialStatus, Interrupted> {
        let person = match self.script.dial.clone() {
            DialAnswer::Busy => return Ok(DialStatus::Busy),
            DialAnswer::Failed => return Ok(DialStatus::Failed),
            DialAnswer::NoAnswer => Person { rings: Duration::MAX, ..Person::default() },
            DialAnswer::Answered(talks) => Person { talks, ..Person::default() },
            DialAnswer::Person(person) => person,
        };
        let ring_for = dial.timeout_s.map_or(DIAL_TIMEOUT, |s| Duration::from_secs(s.into()));
        self.note(Happened::DialRinging);
        leg.report.rang = person.rings.min(ring_for);
        self.quiet(leg.report.rang).await?;
        if person.rings >= ring_for {
            return Ok(DialStatus::NoAnswer);
        }
        self.note(Happened::DialAnswered);
        leg.answered = true;
        leg.keys = person.keys.reveal().chars().collect();
        if let Some(url) = &number.url
            && !self.whisper(resolve(document, url), number.method, leg).await?
        {
            self.note(Happened::NotBridged);
            return Ok(person.declined_as);
        }
        self.note(Happened::Bridged);
        leg.report.bridged = true;
        leg.report.talked = dial.time_limit_s.map_or(person.talks, |s| person.talks.min(Duration::from_secs(s.into())));
        self.quiet(leg.report.talked).await?;
        Ok(DialStatus::Completed)
    }

    /// Carries out the whisper document. Returns whether the two are to be connected.
    async fn whisper(
        &mut self,
        url: String,
        method: Option<HttpMethod>,
        leg: &mut Dialled,
    ) -> Result<bool, Interrupted> {
        let (mut url, mut method, mut extra) = (url, method_of(method), Params::new());
        let mut decided = None;
        for _ in 0..MOST_DOCUMENTS {
            let Some(document) = self.whisper_document(&url, method, leg, &extra).await else {
                decided = Some(false);
                break;
            };
            match self.whisper_verbs(&document, leg).await? {
                Whispered::Fetch { url: next, method: by, extra: with } => (url, method, extra) = (next, by, with),
                Whispered::Verb => {
                    decided = Some(true);
                    break;
                }
                Whispered::HangUp => {
                    decided = Some(false);
                    break;
                }
            }
        }
        let heard_ms = u64::try_from(leg.report.heard.as_millis()).unwrap_or(u64::MAX);
        self.note(Happened::WhisperHeard(heard_ms));
        if decided.is_none() {
            self.warn(11_215, "the whisper document redirects for ever");
        }
        Ok(decided.unwrap_or(false))
    }

    async fn whisper_document(&mut self, url: &str, method: Method, leg: &Dialled, extra: &Params) -> Option<Document> {
        let params = self.leg_params(&self.leg(leg), "in-progress", extra);
        let outcome = match self.exchange(method, url, &params, false).await {
            Ok(answer) => self.read_answer(url, &answer),
            Err(_) => Err(11_200),
        };
        match outcome {
            Ok(document) => {
                self.note(Happened::WhisperFetched);
                Some(document)
            }
            Err(code) => {
                self.warn(code, "the box gave no usable whisper document");
                None
            }
        }
    }

    async fn whisper_verbs(&mut self, document: &Document, leg: &mut Dialled) -> Result<Whispered, Interrupted> {
        for verb in &document.response.verbs {
            match self.whisper_verb(verb, &document.url, leg).await? {
                Whispered::Verb => {}
                next @ (Whispered::Fetch { .. } | Whispered::HangUp) => return Ok(next),
            }
        }
        Ok(Whispered::Verb)
    }

    async fn whisper_verb(&mut self, verb: &Verb, url: &str, leg: &mut Dialled) -> Result<Whispered, Interrupted> {
        match verb {
            Verb::Play(_) | Verb::Say(_) | Verb::Pause(_) => {
                self.whisper_sound(verb, url, leg).await?;
                Ok(Whispered::Verb)
            }
            Verb::Gather(gather) => self.whisper_gather(gather, url, leg).await,
            Verb::Redirect(redirect) => Ok(Whispered::Fetch {
                url: resolve(url, &redirect.url),
                method: method_of(redirect.method),
                extra: Params::new(),
            }),
            Verb::Hangup => Ok(Whispered::HangUp),
            Verb::Connect(_) | Verb::Record(_) | Verb::Dial(_) | Verb::Reject(_) => {
                self.warn(13_224, "a verb that does not belong into a whisper document");
                Ok(Whispered::Verb)
            }
        }
    }

    /// Plays a sound to whom is dialled, while the caller waits.
    async fn whisper_sound(&mut self, verb: &Verb, url: &str, leg: &mut Dialled) -> Result<(), Interrupted> {
        let (sound, repeat) = match verb {
            Verb::Play(play) if !play.url.is_empty() => (self.fetch_sound(&resolve(url, &play.url)).await, play.repeat),
            Verb::Say(say) => (self.spoken(say).await, say.repeat),
            Verb::Pause(pause) => {
                return self.quiet(Duration::from_secs(pause.length_s.unwrap_or(1).into())).await;
            }
            Verb::Play(_)
            | Verb::Connect(_)
            | Verb::Record(_)
            | Verb::Gather(_)
            | Verb::Dial(_)
            | Verb::Redirect(_)
            | Verb::Reject(_)
            | Verb::Hangup => return Ok(()),
        };
        let frames = sound.map_or(0, |sound| sound.len().div_ceil(FRAME_SAMPLES));
        let lasting = crate::playout::FRAME.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX)) * times(repeat);
        leg.report.heard += lasting;
        self.quiet(lasting).await
    }

    async fn whisper_gather(
        &mut self,
        gather: &Gather,
        url: &str,
        leg: &mut Dialled,
    ) -> Result<Whispered, Interrupted> {
        for prompt in &gather.prompts {
            self.whisper_sound(prompt, url, leg).await?;
        }
        let most = gather.num_digits.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let last = gather.finish_on_key.as_deref().unwrap_or("#");
        let (mut digits, mut finished) = (String::new(), false);
        while !finished && let Some(key) = leg.keys.pop_front() {
            self.quiet(KEY).await?;
            self.note(Happened::DialKey);
            if last.contains(key) {
                finished = true;
            } else {
                digits.push(key);
                finished = digits.len() >= most;
            }
        }
        if !finished {
            self.quiet(gather.timeout_s.map_or(GATHER_TIMEOUT, |s| Duration::from_secs(s.into()))).await?;
        }
        if digits.is_empty() && gather.action_on_empty_result != Some(true) {
            return Ok(Whispered::Verb);
        }
        let next = gather.action.as_deref().map_or_else(|| url.to_owned(), |action| resolve(url, action));
        let extra = Params::new().with("Digits", digits);
        Ok(Whispered::Fetch { url: next, method: method_of(gather.method), extra })
    }

    /// Tells the box how the leg ended, where the number has a callback of its own.
    fn tell_leg(&mut self, number: &Number, document: &str, leg: &Dialled) {
        let Some(url) = &number.status_callback else { return };
        let lasted = leg.report.heard + leg.report.talked;
        let extra = Params::new().with("SequenceNumber", "0").with("CallDuration", lasted.as_secs().to_string());
        let params = self.leg_params(&self.leg(leg), leg.report.status.as_str(), &extra);
        self.call_back(None, &resolve(document, url), params);
    }

    fn leg<'l>(&'l self, dialled: &'l Dialled) -> Leg<'l> {
        Leg {
            sid: &dialled.report.call_sid,
            parent: Some(self.sid.as_str()),
            direction: "outbound-dial",
            from: dialled.from.reveal(),
            to: dialled.report.number.reveal(),
        }
    }
}
