//! The carrier's side of a call, as a library: rings a box the way Twilio does and follows what it says.
//!
//! A [`Carrier`] places calls from [`CallScript`]s: it posts the signed webhook, reads the markup and carries it out
//! (plays sounds it really fetches and decodes, opens the media stream, records after the beep, redirects, hangs up),
//! asks the actions and status callbacks in the carrier's order, and serves its own REST interface, where the box
//! ends or changes calls, places its own to a [`Callee`], fetches recordings and sends messages. The caller is a list of [`Step`]s and a [`CallerVoice`]. Whom the box dials ([`DialAnswer`]) and what can
//! go wrong on the way ([`Faults`], [`RestFault`]) is data too. A [`CallReport`] comes back.
//!
//! It deliberately does not know what was said: understanding is the box's, and so is the transcript. It knows
//! nothing of the box but its public URL and the auth token.
//!
//! | module | is |
//! |---|---|
//! | [`playout`] | pure: the buffer between what the box sends and what the caller hears, with marks and clears |
//! | [`caller`] | pure: from steps and what is heard to one frame of the caller every 20 ms |
//! | [`mod@line`] | pure: the clock of the call, who was heard when, the stereo recording |
//! | [`measure`] | pure: the latencies of each turn |
//! | the rest | a shell of tokio around them |
//!
//! **Invariant:** figures are taken in line time, which moves by what is played, not by the clock.
//! **Invariant:** what the box does wrong ends up in the report; only what is wrong on this side is an error.
//! **Invariant:** nothing outlives [`Carrier::place`] but the REST interface and what it was asked for, and nothing outlives [`Carrier::stop`].
//!
//! Protocol facts: <https://www.twilio.com/docs/voice/twiml> and
//! <https://www.twilio.com/docs/voice/media-streams/websocket-messages>.

mod api;
mod ask;
mod audio;
mod call;
pub mod caller;
mod carrier;
mod dial;
mod http;
pub mod line;
pub mod measure;
mod outbound;
mod pace;
pub mod playout;
mod record;
mod report;
mod rest;
mod script;
mod sid;
mod steps;
mod stream;
mod verbs;
mod voice;

pub use crate::audio::AudioError;
pub use crate::carrier::{CallError, Carrier, CarrierConfig, Progress, StartError, StopError, new_call_id};
pub use crate::http::{CONNECT_DEADLINE, EXCHANGE_DEADLINE, HttpError, LONGEST_MARKUP};
pub use crate::line::LineTime;
pub use crate::pace::Pace;
pub use crate::playout::MarkEcho;
pub use crate::report::{
    CallReport, DialReport, Ended, Event, Happened, RecordEnd, RecordingReport, RequestReport, StreamEnd, StreamReport,
    TurnReport, Warning,
};
pub use crate::rest::{Asked, MessagePlan, MessageStatus, RestCall, RestFault, SentMessage, SignedIn};
pub use crate::script::{
    CallScript, Callee, DialAnswer, DialStatus, Faults, Injected, Injection, ParameterFault, Person, Signing, Step,
};
pub use crate::stream::{CLOSE_DEADLINE, HANDSHAKE_DEADLINE, SEND_DEADLINE};
pub use crate::voice::{CallerVoice, ToneVoice, VoiceError, WavVoice};
