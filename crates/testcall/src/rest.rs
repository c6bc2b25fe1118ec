//! What tests tell the carrier's REST interface to do, and what they read from it.

use std::time::Duration;

use telephony::Params;
use units::{CallId, Pii};

use crate::carrier::Carrier;
use crate::report::CallReport;
use crate::script::Callee;
use crate::sid::new_sid;

/// A kind of request to the REST interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestCall {
    /// Changes a call.
    UpdateCall,
    /// Places a call.
    CreateCall,
    /// Reads about a recording, or fetches it.
    FetchRecording,
    /// Deletes a recording.
    DeleteRecording,
    /// Sends a message.
    SendMessage,
    /// Fetches a file of a message.
    FetchMedia,
    /// Deletes a file of a message.
    DeleteMedia,
}

/// What goes wrong with one request to the REST interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestFault {
    /// 429 with code 20429; nothing is done.
    TooManyRequests {
        /// `Retry-After` in seconds, if there is one.
        retry_after_s: Option<u32>,
    },
    /// A status of 500 or above.
    Fails {
        /// The status.
        status: u16,
        /// Whether the request is carried out all the same.
        done: bool,
    },
    /// The request is carried out, and the connection breaks before the answer.
    CutAfter,
    /// The connection breaks before anything is done.
    CutBefore,
    /// Nothing is done, and no answer ever comes.
    Silent,
    /// 200 with a web page, as a captive portal answers; nothing is done.
    Html,
}

/// As whom a request to the REST interface signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// With the account's auth token.
    AuthToken,
    /// With an API key.
    ApiKey,
    /// With something else.
    Wrong,
    /// Not at all.
    Nobody,
}

/// One request to the REST interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// The path without a query.
    pub path: String,
    /// The form, if there was one.
    pub form: Pii<Params>,
    /// As whom.
    pub signed_in: SignedIn,
    /// What went wrong on purpose.
    pub fault: Option<RestFault>,
    /// The status it was answered with; `None` when it was not.
    pub status: Option<u16>,
}

/// What becomes of one message that the box sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePlan {
    /// What the status callback is told, in this order.
    pub statuses: Vec<MessageStatus>,
}

/// One thing that a status callback of a message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageStatus {
    /// `sent`, `delivered`, `read`, `failed`, `undelivered` …
    pub status: String,
    /// The carrier's code, where it failed.
    pub error: Option<u32>,
    /// How often it is told.
    pub times: u32,
}

impl MessagePlan {
    /// Returns the plan that tells each of these statuses once.
    pub fn of<'a>(statuses: impl IntoIterator<Item = &'a str>) -> Self {
        let one = |status: &str| MessageStatus { status: status.to_owned(), error: None, times: 1 };
        Self { statuses: statuses.into_iter().map(one).collect() }
    }

    /// Returns the plan of a message that fails with a code of the carrier.
    pub fn failing(code: u32) -> Self {
        Self { statuses: vec![MessageStatus { status: "failed".to_owned(), error: Some(code), times: 1 }] }
    }
}

impl Default for MessagePlan {
    fn default() -> Self {
        Self::of(["sent", "delivered"])
    }
}

/// A message that the box sent and the carrier took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The carrier's name for it.
    pub sid: String,
    /// Its form.
    pub form: Pii<Params>,
    /// The statuses the box was told and took, in order.
    pub told: Vec<String>,
}

/// What tests say and ask about the REST interface.
impl Carrier {
    /// The next `times` requests of a kind go wrong like this. Faults of one kind are used up in the order given.
    pub fn fail_next(&self, call: RestCall, fault: RestFault, times: usize) {
        self.api().plan_fault(call, fault, times);
    }

    /// Returns every request so far, in the order they were answered.
    pub fn asked(&self) -> Vec<Asked> {
        self.api().asked()
    }

    /// Says who answers when the box calls this number. Everybody else is [`Callee::NoAnswer`].
    pub fn answers_at(&self, number: impl Into<String>, callee: Callee) {
        self.api().set_callee(number.into(), callee);
    }

    /// Returns the calls that the box placed, in order.
    pub fn placed(&self) -> Vec<CallId> {
        self.api().placed()
    }

    /// Waits until the `nth` call that the box placed, from 0, is over, and returns what it came to.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way.
    pub async fn outbound(&self, nth: usize) -> CallReport {
        loop {
            let changed = self.api().changed();
            let report = self.placed().get(nth).and_then(|sid| self.api().report(sid));
            if let Some(report) = report {
                return report;
            }
            changed.await;
        }
    }

    /// From now on the sound of a recording is answered 404 this many times before it is there.
    pub fn recordings_late_by(&self, fetches: u32) {
        self.api().set_recording_delay(fetches);
    }

    /// Keeps a recording for the box and returns its address, without extension.
    pub fn add_recording(&self, wav: Vec<u8>) -> String {
        let sid = new_sid("RE");
        self.api().keep_recording(&sid, wav);
        format!("{}/2010-04-01/Accounts/{}/Recordings/{sid}", self.api_url(), self.account_sid())
    }

    /// Returns whether there is a recording with this name, not deleted.
    pub fn has_recording(&self, sid: &str) -> bool {
        self.api().has_recording(sid)
    }

    /// Keeps a file of an inbound message and returns its address. Fetching it leads to another host.
    pub fn add_media(&self, content_type: &str, bytes: Vec<u8>) -> String {
        let (message, media) = (new_sid("MM"), new_sid("ME"));
        self.api().keep_media(&media, content_type, bytes);
        let account = self.account_sid();
        format!("{}/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}", self.api_url())
    }

    /// Says what becomes of the next message that has no plan yet; after the plans, of every other ([`MessagePlan`]).
    pub fn plan_message(&self, plan: MessagePlan) {
        self.api().plan_message(plan);
    }

    /// From now on nobody at this address has written within 24 hours: free text fails with 63016.
    pub fn close_window(&self, address: impl Into<String>) {
        self.api().close_window(address.into());
    }

    /// Returns the messages that the box sent, in order.
    pub fn messages(&self) -> Vec<SentMessage> {
        self.api().messages()
    }

    /// Waits until a message, by its place from 0, was taken and all its statuses were told, and returns it.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way.
    pub async fn message(&self, nth: usize) -> SentMessage {
        loop {
            let changed = self.api().changed();
            if let Some(message) = self.api().settled_message(nth) {
                return message;
            }
            changed.await;
        }
    }
}

/// How long the carrier looks at who answered, when it was a person or nobody said a word.
pub(crate) const HUMAN_DETECTED_AFTER: Duration = Duration::from_millis(1_500);
