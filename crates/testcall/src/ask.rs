//! Requests of a call to the box: documents, actions, callbacks.

use std::time::SystemTime;

use telephony::Params;
use telephony::markup::{self, HttpMethod};

use crate::call::{Document, LiveCall, MOST_REQUESTS};
use crate::carrier::Progress;
use crate::http::{Answer, HttpError, Method, timed};
use crate::line::LineTime;
use crate::report::RequestReport;
use crate::script::Signing;
use crate::sid::{new_sid, rfc_2822};

/// One leg of a call, as requests name it.
pub(crate) struct Leg<'a> {
    pub(crate) sid: &'a str,
    pub(crate) parent: Option<&'a str>,
    pub(crate) direction: &'static str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
}

impl LiveCall<'_> {
    /// Asks for a document; on failure asks the fallback URL. `None` when there is none to be had.
    pub(crate) async fn document(
        &mut self,
        method: Method,
        url: &str,
        status: &str,
        extra: &Params,
    ) -> Option<Document> {
        let params = self.params(status, extra);
        let problem = match self.exchange(method, url, &params, false).await {
            Ok(answer) => match self.read_answer(url, &answer) {
                Ok(document) => return Some(document),
                Err(code) => code,
            },
            Err(_) => 11_200,
        };
        self.warn(problem, "the box gave no usable markup");
        let fallback = self.terms.fallback_url.clone()?;
        let params = params.with("ErrorCode", problem.to_string()).with("ErrorUrl", url);
        let answer = self.exchange(Method::Post, &fallback, &params, false).await.ok()?;
        match self.read_answer(&fallback, &answer) {
            Ok(document) => Some(document),
            Err(code) => {
                self.warn(code, "the fallback gave no usable markup");
                None
            }
        }
    }

    /// Reads an answer as the carrier does; the error is the carrier's code.
    pub(crate) fn read_answer(&mut self, url: &str, answer: &Answer) -> Result<Document, u32> {
        if !(200..300).contains(&answer.status) {
            return Err(11_200);
        }
        let content_type = answer.content_type.as_deref().unwrap_or_default();
        if !["text/xml", "application/xml"].iter().any(|known| content_type.starts_with(known)) {
            return Err(12_300);
        }
        let text = str::from_utf8(&answer.body).unwrap_or_default();
        if text.is_empty() {
            return Err(if answer.body.is_empty() { 11_770 } else { 12_100 });
        }
        self.read_markup(url, text).ok_or(12_100)
    }

    pub(crate) fn read_markup(&mut self, url: &str, text: &str) -> Option<Document> {
        if self.report.markup.len() < MOST_REQUESTS {
            self.report.markup.push(text.to_owned().into());
        }
        match markup::read(text) {
            Ok(response) => Some(Document { url: url.to_owned(), response }),
            Err(error) => {
                self.warn(12_200, error.to_string());
                None
            }
        }
    }

    /// Sends one webhook, twice if the script says so, and writes it down.
    pub(crate) async fn exchange(
        &mut self,
        method: Method,
        url: &str,
        params: &Params,
        is_callback: bool,
    ) -> Result<Answer, HttpError> {
        let at = self.line.position();
        let token = new_sid("ID");
        let mut outcome = self.exchange_once(at, method, url, params, &token, false).await;
        if self.script.faults.duplicate_webhooks {
            // The carrier follows the answer to its retry: it gave up on the first.
            outcome = self.exchange_once(at, method, url, params, &token, true).await;
        }
        if is_callback && outcome.as_ref().is_ok_and(|answer| answer.status >= 400) {
            self.warn(15_003, "a status callback was refused");
        }
        outcome
    }

    async fn exchange_once(
        &mut self,
        at: LineTime,
        method: Method,
        url: &str,
        params: &Params,
        token: &str,
        retry: bool,
    ) -> Result<Answer, HttpError> {
        let signing = self.script.faults.signature;
        let exchange = self.exchange.client.webhook(method, url, params, signing, token);
        let (outcome, micros) = timed(exchange).await;
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        self.note_request(RequestReport { at, path: path_of(url), status, micros, retry });
        outcome
    }

    /// Sends a callback while the call goes on.
    pub(crate) fn call_back(&mut self, method: Option<HttpMethod>, url: &str, params: Params) {
        let client = self.exchange.client.clone();
        let (at, signing, url) = (self.line.position(), self.script.faults.signature, url.to_owned());
        let times = if self.script.faults.duplicate_webhooks { 2 } else { 1 };
        self.aside.spawn(async move { call_back(client, method_of(method), url, params, signing, at, times).await });
    }

    /// Returns the parameters of a request of this call.
    pub(crate) fn params(&self, status: &str, extra: &Params) -> Params {
        let leg = Leg {
            sid: self.sid.as_str(),
            parent: None,
            direction: self.terms.direction,
            from: self.terms.from.reveal(),
            to: self.terms.to.reveal(),
        };
        self.leg_params(&leg, status, extra)
    }

    /// Returns the parameters of a request of one leg.
    pub(crate) fn leg_params(&self, leg: &Leg<'_>, status: &str, extra: &Params) -> Params {
        let mut params = Params::new()
            .with("CallSid", leg.sid)
            .with("AccountSid", self.exchange.config.account_sid.as_str())
            .with("ApiVersion", "2010-04-01")
            .with("CallStatus", status)
            .with("Direction", leg.direction)
            .with("From", leg.from)
            .with("To", leg.to)
            .with("Caller", leg.from)
            .with("Called", leg.to);
        if let Some(parent) = leg.parent {
            params.push("ParentCallSid", parent);
        }
        for who in ["From", "To", "Caller", "Called"] {
            for what in ["City", "State", "Zip"] {
                params.push(format!("{who}{what}"), "");
            }
            params.push(format!("{who}Country"), "IL");
        }
        extra.iter().fold(params, |params, (name, value)| params.with(name, value))
    }

    /// Tells the box how far the call is, if it wants to know. `ended` is the status once the call is over.
    pub(crate) async fn tell(&mut self, progress: Progress, ended: &'static str) {
        let Some(told) = self.terms.told.clone().filter(|told| told.events.contains(&progress)) else { return };
        let mut extra = Params::new()
            .with("SequenceNumber", self.sequence.to_string())
            .with("CallbackSource", "call-progress-events")
            .with("Timestamp", rfc_2822(SystemTime::now()));
        let status = match progress {
            Progress::Initiated => "initiated",
            Progress::Ringing => "ringing",
            Progress::Answered => "in-progress",
            Progress::Completed => {
                let seconds = self.line.position().since_answer().as_millis().div_ceil(1_000);
                extra.push("CallDuration", seconds.to_string());
                extra.push("Duration", seconds.div_ceil(60).to_string());
                if let Some(who) = &self.report.answered_by {
                    extra.push("AnsweredBy", who);
                }
                ended
            }
        };
        self.sequence += 1;
        let params = self.params(status, &extra);
        if let Err(error) = self.exchange(told.method, &told.url, &params, true).await {
            self.warn(15_003, format!("a status callback failed: {error}"));
        }
    }

    /// Waits for the callbacks that are under way.
    pub(crate) async fn join_aside(&mut self) {
        while let Some(joined) = self.aside.join_next().await {
            match joined {
                Ok(request) => self.note_request(request),
                Err(_) => self.warn(15_003, "a callback ended early"),
            }
        }
    }
}

/// Sends a callback `times` times and returns what became of the last.
async fn call_back(
    client: crate::http::BoxClient,
    method: Method,
    url: String,
    params: Params,
    signing: Signing,
    at: LineTime,
    times: u32,
) -> RequestReport {
    let token = new_sid("ID");
    let mut report = RequestReport { at, path: path_of(&url), status: None, micros: 0, retry: times > 1 };
    for _ in 0..times {
        let (outcome, micros) = timed(client.webhook(method, &url, &params, signing, &token)).await;
        report.status = outcome.ok().map(|answer| answer.status);
        report.micros = micros;
    }
    report
}

/// Returns the carrier's own method for one named in the markup; without one it is a POST.
pub(crate) fn method_of(method: Option<HttpMethod>) -> Method {
    match method {
        Some(HttpMethod::Get) => Method::Get,
        Some(HttpMethod::Post) | None => Method::Post,
    }
}

/// Returns a URL of the markup made absolute: relative to the document it stands in.
pub(crate) fn resolve(document: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let document = document.split(['?', '#']).next().unwrap_or_default();
    let authority_ends = document
        .find("://")
        .and_then(|at| document.get(at + 3..).map(|rest| at + 3 + rest.find('/').unwrap_or(rest.len())))
        .unwrap_or(document.len());
    let (origin, path) = document.split_at_checked(authority_ends).unwrap_or((document, ""));
    if url.starts_with('/') {
        return format!("{origin}{url}");
    }
    let folder = path.rfind('/').and_then(|at| path.get(..at)).unwrap_or_default();
    format!("{origin}{folder}/{url}")
}

fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{path_of, resolve};

    #[test]
    fn urls_of_the_markup_are_relative_to_the_document_they_stand_in() {
        let document = "https://box.example/webhook/incoming_call?x=1";
        assert_eq!(resolve(document, "https://other.example/a"), "https://other.example/a");
        assert_eq!(resolve(document, "/webhook/ended"), "https://box.example/webhook/ended");
        assert_eq!(resolve(document, "ended"), "https://box.example/webhook/ended");
        assert_eq!(resolve("https://box.example", "ended"), "https://box.example/ended");
    }

    #[test]
    fn paths_in_the_report_have_no_query() {
        assert_eq!(path_of("https://box.example/a/b?c#d"), "/a/b");
        assert_eq!(path_of("https://box.example"), "/");
    }
}
