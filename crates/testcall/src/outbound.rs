//! What the box starts over the REST interface: calls to somebody, and messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use telephony::Params;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use units::{Language, Pii};

use crate::api::{CallUpdate, MessageOrder, Order, OutboundOrder};
use crate::audio;
use crate::call::{Interrupted, LiveCall, Terms, Told};
use crate::caller::ReadyStep;
use crate::carrier::{CallError, Exchange, Progress};
use crate::http::Method;
use crate::playout::{FRAME, FRAME_SAMPLES};
use crate::report::{CallReport, Ended, Happened};
use crate::rest::HUMAN_DETECTED_AFTER;
use crate::script::{CallScript, Callee, Signing};
use crate::sid::new_sid;
use crate::steps::speak;

/// How long a call rings when the box does not say.
const RING: Duration = Duration::from_mins(1);

/// Speech longer than this is a machine's, when the box does not say (`MachineDetectionSpeechThreshold`).
const SPEECH_THRESHOLD: Duration = Duration::from_millis(2_400);

/// Longest judging, when the box does not say (`MachineDetectionTimeout`).
const DETECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the beep of an answering machine is, and the silence that is taken for one.
const BEEP: Duration = Duration::from_millis(400);

/// A machine hangs up when nobody speaks for this long.
const MACHINE_PATIENCE: Duration = Duration::from_mins(2);

/// Carries out what the box orders, until the carrier stops.
pub(crate) async fn run(exchange: Arc<Exchange>, mut orders: mpsc::Receiver<Order>, stopping: CancellationToken) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            Some(order) = orders.recv() => {
                let exchange = Arc::clone(&exchange);
                running.spawn(async move {
                    match order {
                        Order::Call(order) => place(&exchange, *order).await,
                        Order::Message(order) => tell_message(&exchange, &order).await,
                    }
                });
            }
            Some(_) = running.join_next() => {}
        }
    }
    running.shutdown().await;
}

/// Tells how a message does, in the order of its plan.
async fn tell_message(exchange: &Exchange, order: &MessageOrder) {
    let form = &order.form;
    for status in order.plan.statuses.iter().filter(|_| form.first("StatusCallback").is_some()) {
        let mut params = Params::new()
            .with("MessageSid", &order.sid)
            .with("MessageStatus", &status.status)
            .with("SmsSid", &order.sid)
            .with("SmsStatus", &status.status)
            .with("AccountSid", exchange.config.account_sid.as_str())
            .with("From", form.first("From").unwrap_or_default())
            .with("To", form.first("To").unwrap_or_default())
            .with("ApiVersion", "2010-04-01");
        if let Some(code) = status.error {
            params.push("ErrorCode", code.to_string());
        }
        let url = form.first("StatusCallback").unwrap_or_default();
        for _ in 0..status.times {
            let token = new_sid("ID");
            let told = exchange.client.webhook(Method::Post, url, &params, Signing::Right, &token).await;
            if told.is_ok_and(|answer| (200..300).contains(&answer.status)) {
                exchange.api.message_told(&order.sid, &status.status);
            }
        }
    }
    exchange.api.message_settled(&order.sid);
}

/// Places one call and keeps what it came to.
async fn place(exchange: &Exchange, order: OutboundOrder) {
    let sid = order.sid.clone();
    let report = follow(exchange, order).await.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a call of the box could not be placed");
        CallReport { call_sid: sid.to_string(), ended: Ended::ByError, ..CallReport::default() }
    });
    exchange.api.keep_report(&sid, report);
}

async fn follow(exchange: &Exchange, order: OutboundOrder) -> Result<CallReport, CallError> {
    let OutboundOrder { sid, form, callee, updates } = order;
    let script = match &callee {
        Callee::Human(script) => CallScript::clone(script),
        Callee::Machine { .. } | Callee::Fax | Callee::Silent | Callee::NoAnswer | Callee::Busy | Callee::Failed => {
            CallScript::default()
        }
    };
    let terms = terms_of(&form);
    let mut call = LiveCall::prepare(exchange, &script, sid, terms, updates).await?;
    call.begin().await;
    let (ended, status) = call.reach(&callee, &form).await?;
    call.report.ended = ended;
    call.tell(Progress::Completed, status).await;
    call.finish().await
}

fn terms_of(form: &Params) -> Terms {
    let events: Vec<Progress> = form
        .iter()
        .filter(|(name, _)| *name == "StatusCallbackEvent")
        .flat_map(|(_, words)| words.split_whitespace())
        .filter_map(Progress::named)
        .collect();
    let told = form.first("StatusCallback").map(|url| Told {
        url: url.to_owned(),
        method: method_named(form.first("StatusCallbackMethod")),
        events: if events.is_empty() { vec![Progress::Completed] } else { events },
    });
    let text = |name: &str| Pii::new(form.first(name).unwrap_or_default().to_owned());
    let fallback_url = form.first("FallbackUrl").map(str::to_owned);
    Terms { direction: "outbound-api", from: text("From"), to: text("To"), told, fallback_url }
}

fn method_named(word: Option<&str>) -> Method {
    if word == Some("GET") { Method::Get } else { Method::Post }
}

/// What the box wants to know about who answers.
struct Detection {
    to_message_end: bool,
    speech_threshold: Duration,
    timeout: Duration,
}

impl Detection {
    fn of(form: &Params) -> Option<Self> {
        let number = |name: &str| form.first(name).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            to_message_end: form.first("MachineDetection")? == "DetectMessageEnd",
            speech_threshold: number("MachineDetectionSpeechThreshold").map_or(SPEECH_THRESHOLD, Duration::from_millis),
            timeout: number("MachineDetectionTimeout").map_or(DETECTION_TIMEOUT, Duration::from_secs),
        })
    }

    /// Returns the carrier's word for who answers, and after how long it is found.
    fn judge(&self, callee: &Callee) -> (&'static str, Duration) {
        match callee {
            Callee::Machine { greeting, beep } if *greeting > self.speech_threshold => {
                if !self.to_message_end {
                    return ("machine_start", self.speech_threshold);
                }
                let word = if *beep { "machine_end_beep" } else { "machine_end_silence" };
                let found = *greeting + BEEP;
                if found > self.timeout { ("unknown", self.timeout) } else { (word, found) }
            }
            Callee::Fax => ("fax", HUMAN_DETECTED_AFTER),
            Callee::Silent => ("unknown", self.timeout),
            // A greeting as short as a person's is taken for one.
            Callee::Machine { .. } | Callee::Human(_) | Callee::NoAnswer | Callee::Busy | Callee::Failed => {
                ("human", HUMAN_DETECTED_AFTER)
            }
        }
    }
}

impl LiveCall<'_> {
    /// Rings the callee and follows the box's markup. Returns how it ended, and the carrier's word for it.
    async fn reach(&mut self, callee: &Callee, form: &Params) -> Result<(Ended, &'static str), CallError> {
        match callee {
            Callee::Busy => return Ok((Ended::Unanswered, "busy")),
            Callee::Failed => return Ok((Ended::Unanswered, "failed")),
            Callee::NoAnswer => {
                let ring = form.first("Timeout").and_then(|text| text.parse().ok()).map_or(RING, Duration::from_secs);
                return Ok(match self.ring(ring).await {
                    Ok(()) => (Ended::Unanswered, "no-answer"),
                    Err(_) => (Ended::ByRest, "canceled"),
                });
            }
            Callee::Human(_) | Callee::Machine { .. } | Callee::Fax | Callee::Silent => {}
        }
        self.answered().await;
        let detected = self.detect(callee, form).await;
        let (extra, past) = match detected {
            Ok(found) => found,
            Err(Interrupted::ByCaller) => return Ok((Ended::ByCaller, "completed")),
            Err(Interrupted::ByUpdate(_)) => return Ok((Ended::ByRest, "completed")),
        };
        self.set_machine(callee, past).await?;
        let document = match (form.first("Url"), form.first("Twiml")) {
            (Some(url), _) => {
                let method = method_named(form.first("Method"));
                self.document(method, url, "in-progress", &extra).await
            }
            (None, markup) => {
                let base = self.exchange.config.public_url.webhook("/");
                self.read_markup(&base, markup.unwrap_or_default())
            }
        };
        match document {
            Some(document) => Ok((self.follow(document).await, "completed")),
            None => Ok((Ended::ByError, "completed")),
        }
    }

    /// Judges who answered, if the box wants to know. Returns what the box is told, and how much of the call is past.
    async fn detect(&mut self, callee: &Callee, form: &Params) -> Result<(Params, Duration), Interrupted> {
        let Some(detection) = Detection::of(form) else { return Ok((Params::new(), Duration::ZERO)) };
        let (word, after) = detection.judge(callee);
        let extra =
            Params::new().with("AnsweredBy", word).with("MachineDetectionDuration", after.as_millis().to_string());
        self.report.answered_by = Some(word.to_owned());
        if form.first("AsyncAmd") == Some("true") {
            self.note(Happened::AnsweredBy(word.to_owned()));
            if let Some(url) = form.first("AsyncAmdStatusCallback") {
                let params = self.params("in-progress", &extra);
                self.call_back(None, url, params);
            }
            return Ok((Params::new(), Duration::ZERO));
        }
        self.quiet(after).await?;
        self.note(Happened::AnsweredBy(word.to_owned()));
        Ok((extra, after))
    }

    /// Lets a machine say what is left of its greeting on the stream, and then listen.
    async fn set_machine(&mut self, callee: &Callee, past: Duration) -> Result<(), CallError> {
        let mut steps = match callee {
            Callee::Human(_) => return Ok(()),
            Callee::Machine { greeting, .. } => {
                let left = greeting.saturating_sub(past);
                let frames = usize::try_from(left.as_millis() / FRAME.as_millis()).unwrap_or_default();
                let voice = speak(self.exchange, "Nobody is here. Leave a message.", Language::English).await?;
                let voice = voice.map(|samples| audio::to_mulaw(&samples)).unwrap_or_default();
                let greeting: Vec<u8> = voice.into_iter().cycle().take(frames * FRAME_SAMPLES).collect();
                vec![ReadyStep::Audio(greeting)]
            }
            Callee::Fax | Callee::Silent | Callee::NoAnswer | Callee::Busy | Callee::Failed => Vec::new(),
        };
        steps.push(ReadyStep::WaitEnd(MACHINE_PATIENCE));
        self.steps = VecDeque::from([steps]);
        Ok(())
    }

    /// Rings, before the line begins to count. An error when the box changes its mind.
    async fn ring(&mut self, lasting: Duration) -> Result<(), CallUpdate> {
        for _ in 0..lasting.as_millis() / FRAME.as_millis() {
            self.pacer.next_frame(false).await;
            self.pacer.frame_done();
            if let Ok(update) = self.updates.try_recv() {
                self.note(Happened::RestUpdate);
                return Err(update);
            }
        }
        Ok(())
    }
}
