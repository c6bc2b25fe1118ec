//! What the interface knows, and what it is to do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::body::Bytes;
use telephony::Params;
use tokio::sync::mpsc;
use units::CallId;

use super::{Api, CallUpdate, UPDATES_WAITING};
use crate::report::CallReport;
use crate::rest::{Asked, MessagePlan, RestCall, RestFault, SentMessage};
use crate::script::Callee;

/// The most requests, calls and messages kept.
const MOST_KEPT: usize = 50_000;

/// A call that the box places.
#[derive(Debug)]
pub(crate) struct OutboundOrder {
    pub(crate) sid: CallId,
    pub(crate) form: Params,
    pub(crate) callee: Callee,
    pub(crate) updates: mpsc::Receiver<CallUpdate>,
}

/// A message whose statuses are to be told.
#[derive(Debug)]
pub(crate) struct MessageOrder {
    pub(crate) sid: String,
    pub(crate) form: Params,
    pub(crate) plan: MessagePlan,
}

/// A call the interface knows of.
#[derive(Debug)]
pub(super) struct KnownCall {
    /// `None` when it is over.
    pub(super) updates: Option<mpsc::Sender<CallUpdate>>,
    pub(super) answered: bool,
}

/// A recording the box may fetch.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) wav: Bytes,
    pub(super) fetched: u32,
    /// How often it is not there yet.
    pub(super) late_by: u32,
}

/// A file of a message.
#[derive(Clone, Debug)]
pub(super) struct Media {
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) calls: BTreeMap<String, KnownCall>,
    pub(super) callees: BTreeMap<String, Callee>,
    pub(super) placed: Vec<CallId>,
    pub(super) reports: BTreeMap<String, CallReport>,
    pub(super) recordings: BTreeMap<String, Stored>,
    pub(super) recording_delay: u32,
    pub(super) media: BTreeMap<String, Media>,
    pub(super) messages: Vec<SentMessage>,
    /// How many of the messages, from the first, have been told all they will be; by name.
    pub(super) settled: BTreeSet<String>,
    pub(super) plans: VecDeque<MessagePlan>,
    pub(super) closed_windows: BTreeSet<String>,
    faults: BTreeMap<RestCall, VecDeque<RestFault>>,
    asked: Vec<Asked>,
}

impl Api {
    /// Lets the box change a call until [`Api::forget_call`].
    pub(crate) fn know_call(&self, sid: &str) -> mpsc::Receiver<CallUpdate> {
        let (sender, receiver) = mpsc::channel(UPDATES_WAITING);
        let call = KnownCall { updates: Some(sender), answered: false };
        self.with(|tables| tables.calls.insert(sid.to_owned(), call));
        receiver
    }

    /// The call was answered.
    pub(crate) fn answer_call(&self, sid: &str) {
        self.with(|tables| {
            if let Some(call) = tables.calls.get_mut(sid) {
                call.answered = true;
            }
        });
    }

    /// The call is over: it is known, and cannot be changed any more.
    pub(crate) fn forget_call(&self, sid: &str) {
        self.with(|tables| {
            if let Some(call) = tables.calls.get_mut(sid) {
                call.updates = None;
            }
        });
    }

    pub(crate) fn keep_report(&self, sid: &CallId, report: CallReport) {
        self.with(|tables| tables.reports.insert(sid.to_string(), report));
    }

    /// Notes one status that the box was told, and took.
    pub(crate) fn message_told(&self, sid: &str, status: &str) {
        self.with(|tables| {
            if let Some(message) = tables.messages.iter_mut().find(|message| message.sid == sid) {
                message.told.push(status.to_owned());
            }
        });
    }

    /// Every status of a message has been told.
    pub(crate) fn message_settled(&self, sid: &str) {
        self.with(|tables| tables.settled.insert(sid.to_owned()));
    }

    /// Lets the box fetch a recording until it is deleted.
    pub(crate) fn keep_recording(&self, sid: &str, wav: Vec<u8>) {
        self.with(|tables| {
            let stored = Stored { wav: wav.into(), fetched: 0, late_by: tables.recording_delay };
            tables.recordings.insert(sid.to_owned(), stored);
        });
    }

    pub(crate) fn keep_media(&self, sid: &str, content_type: &str, bytes: Vec<u8>) {
        let media = Media { content_type: content_type.to_owned(), bytes: bytes.into() };
        self.with(|tables| tables.media.insert(sid.to_owned(), media));
    }

    pub(crate) fn plan_fault(&self, call: RestCall, fault: RestFault, times: usize) {
        self.with(|tables| {
            tables.faults.entry(call).or_default().extend(std::iter::repeat_n(fault, times.min(MOST_KEPT)));
        });
    }

    pub(crate) fn take_fault(&self, call: RestCall) -> Option<RestFault> {
        self.with(|tables| tables.faults.get_mut(&call)?.pop_front())
    }

    pub(crate) fn note_asked(&self, asked: Asked) {
        self.with(|tables| {
            if tables.asked.len() < MOST_KEPT {
                tables.asked.push(asked);
            }
        });
    }

    pub(crate) fn set_callee(&self, number: String, callee: Callee) {
        self.with(|tables| tables.callees.insert(number, callee));
    }

    pub(crate) fn set_recording_delay(&self, fetches: u32) {
        self.with(|tables| tables.recording_delay = fetches);
    }

    pub(crate) fn plan_message(&self, plan: MessagePlan) {
        self.with(|tables| tables.plans.push_back(plan));
    }

    pub(crate) fn close_window(&self, address: String) {
        self.with(|tables| tables.closed_windows.insert(address));
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.look(|tables| tables.asked.clone())
    }

    pub(crate) fn placed(&self) -> Vec<CallId> {
        self.look(|tables| tables.placed.clone())
    }

    pub(crate) fn report(&self, sid: &CallId) -> Option<CallReport> {
        self.look(|tables| tables.reports.get(sid.as_str()).cloned())
    }

    pub(crate) fn has_recording(&self, sid: &str) -> bool {
        self.look(|tables| tables.recordings.contains_key(sid))
    }

    /// Returns how often the box has fetched a recording.
    pub(crate) fn times_fetched(&self, sid: &str) -> u32 {
        self.look(|tables| tables.recordings.get(sid).map_or(0, |stored| stored.fetched))
    }

    pub(crate) fn messages(&self) -> Vec<SentMessage> {
        self.look(|tables| tables.messages.clone())
    }

    pub(crate) fn settled_message(&self, nth: usize) -> Option<SentMessage> {
        self.look(|tables| tables.messages.get(nth).filter(|message| tables.settled.contains(&message.sid)).cloned())
    }
}
