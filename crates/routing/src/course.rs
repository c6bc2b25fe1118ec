//! One call's way, from the ring to the end.

use crate::event::{Answerer, Arrival, DialEnd, Ending, Event, Means, Route, VoicemailCause, Way};
use crate::policy::{Consent, Otherwise, Policy, Refusal};

/// The course of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    policy: Policy,
    state: State,
    may_record: bool,
    /// Whether the caller called the office, which wants calls of that number.
    is_wanted: bool,
    /// Whether the caller was sent to the receptionist before, and so was greeted.
    is_greeted: bool,
    /// Whether a media stream of the call is over.
    was_on_line: bool,
    /// Whether a person was rung before: a caller is sent back to the receptionist once.
    has_dialled: bool,
    /// Whether a person took the call.
    is_taken: bool,
    /// Whether the caller wanted somebody and got nobody.
    is_missed: bool,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known of it.
    Unknown,
    /// The caller is asked whether the call may be recorded.
    Asked,
    /// A media stream is expected or open.
    Conversing,
    /// The stream is over, and this comes next.
    Ended(Ending),
    /// A person is rung.
    Ringing(Person),
    /// The caller is asked for a message.
    Voicemail,
    /// Nothing more is to be done.
    Over,
}

/// How far a person is who is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    /// Nobody picked up.
    Called,
    /// Somebody hears who calls.
    Listening,
    /// The key was pressed.
    Accepted,
    /// Another one was.
    Declined,
}

impl Course {
    /// Returns the course of a call of which nothing is known yet.
    pub fn new(policy: Policy) -> Self {
        let may_record = policy.consent != Consent::Key;
        Self {
            policy,
            state: State::Unknown,
            may_record,
            is_wanted: false,
            is_greeted: false,
            was_on_line: false,
            has_dialled: false,
            is_taken: false,
            is_missed: false,
        }
    }

    /// Takes what happened and says what to do.
    pub fn handle(&mut self, event: &Event) -> Way {
        match *event {
            Event::Arrived(arrival) => self.arrived(arrival),
            Event::ConsentAnswered { agreed, means } => {
                self.may_record = agreed;
                self.converse(means)
            }
            Event::StreamOverdue => self.voicemail(VoicemailCause::NoStream),
            Event::StreamEnded { ending } => self.stream_ended(ending),
            Event::StreamAsked => self.stream_asked(),
            Event::PersonAnswered => self.person_answered(),
            Event::PersonKeyed { accepts } => self.person_keyed(accepts),
            Event::DialEnded { result, bridged, means } => self.dial_ended(result, bridged, means),
            Event::MessageTaken => {
                self.state = State::Over;
                Way::Thank
            }
            Event::Over => {
                // Without an announcement nobody tells whether the person picked up, until the carrier does.
                let is_ringing = matches!(self.state, State::Ringing(person) if person != Person::Accepted);
                self.is_missed |= is_ringing && self.policy.is_announced;
                let is_waiting = matches!(self.state, State::Asked | State::Conversing | State::Voicemail);
                self.is_missed |= is_waiting && self.is_wanted && !self.was_on_line;
                self.state = State::Over;
                Way::Nothing
            }
        }
    }

    /// Returns whether the call has come in, so that the same call coming in again changes nothing.
    pub fn is_known(&self) -> bool {
        self.state != State::Unknown
    }

    /// Returns whether nothing more is to be done for the call.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Returns whether the caller got nobody. A person was rung and did not take the call: it was declined, nobody could be
    /// reached, or the caller did not wait. Or the caller hung up before anybody listened, be it at the tone after which a
    /// message can be left; of a message that was left all the same nothing may be known yet.
    pub fn is_missed(&self) -> bool {
        self.is_missed
    }

    /// Returns whether the caller was asked for a message, and nothing is known of one yet.
    pub fn is_asked_for_message(&self) -> bool {
        self.state == State::Voicemail
    }

    /// Returns whether a person took the call.
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }

    fn arrived(&mut self, arrival: Arrival) -> Way {
        if self.is_known() {
            // The carrier could not carry out the first answer: what always works is left.
            return self.voicemail(VoicemailCause::Unknown);
        }
        match arrival.called_back {
            Some(Answerer::Human | Answerer::Unknown) => return self.consent_or_converse(arrival.means),
            Some(Answerer::Machine) => return self.end_with(Way::LeaveWord),
            Some(Answerer::Fax) => return self.end_with(Way::HangUp),
            None => {}
        }
        self.is_wanted = !arrival.is_blocked && !arrival.is_hurried;
        if arrival.is_blocked {
            return self.refuse(self.policy.blocked, VoicemailCause::Blocked);
        }
        if arrival.is_hurried {
            return self.refuse(self.policy.hurried, VoicemailCause::Hurried);
        }
        match arrival.route {
            Route::Voicemail => self.voicemail(VoicemailCause::Hours),
            Route::Human if self.policy.can_transfer => self.dial(),
            Route::Human | Route::Receptionist => self.consent_or_converse(arrival.means),
        }
    }

    fn refuse(&mut self, refusal: Refusal, cause: VoicemailCause) -> Way {
        match refusal {
            Refusal::Busy => self.end_with(Way::Refuse),
            Refusal::Voicemail => self.voicemail(cause),
        }
    }

    fn consent_or_converse(&mut self, means: Means) -> Way {
        let can_talk = means.has_room && means.can_converse;
        if self.policy.consent == Consent::Key && can_talk {
            self.state = State::Asked;
            return Way::AskConsent;
        }
        self.converse(means)
    }

    fn converse(&mut self, means: Means) -> Way {
        if !means.has_room {
            return self.voicemail(VoicemailCause::NoRoom);
        }
        if !means.can_converse {
            return self.voicemail(VoicemailCause::Unwell);
        }
        self.state = State::Conversing;
        let returned = std::mem::replace(&mut self.is_greeted, true);
        Way::Converse { returned, may_record: self.may_record }
    }

    fn stream_ended(&mut self, ending: Ending) -> Way {
        if self.state == State::Over {
            return Way::Nothing;
        }
        self.was_on_line = true;
        self.state = State::Ended(ending);
        match ending {
            Ending::HangUp => Way::Complete,
            Ending::Voicemail | Ending::Transfer => Way::Nothing,
        }
    }

    fn stream_asked(&mut self) -> Way {
        match self.state {
            State::Ended(Ending::HangUp) | State::Over => self.end_with(Way::HangUp),
            State::Ended(Ending::Transfer) if self.policy.can_transfer && !self.has_dialled => self.dial(),
            State::Ended(Ending::Transfer) => self.voicemail(VoicemailCause::NobodyAnswered),
            State::Ended(Ending::Voicemail) | State::Conversing => self.voicemail(VoicemailCause::Conversation),
            State::Unknown | State::Asked | State::Ringing(_) | State::Voicemail => {
                self.voicemail(VoicemailCause::Unknown)
            }
        }
    }

    fn dial(&mut self) -> Way {
        self.state = State::Ringing(Person::Called);
        self.has_dialled = true;
        Way::Dial
    }

    fn person_answered(&mut self) -> Way {
        if let State::Ringing(_) = self.state {
            self.state = State::Ringing(Person::Listening);
        }
        // A box that has just started knows nothing of the call; the person takes it or not all the same.
        if self.policy.is_announced { Way::Announce } else { Way::PutThrough }
    }

    fn person_keyed(&mut self, accepts: bool) -> Way {
        if let State::Ringing(_) = self.state {
            self.state = State::Ringing(if accepts { Person::Accepted } else { Person::Declined });
            self.is_taken = accepts;
        }
        if accepts { Way::PutThrough } else { Way::LetGo }
    }

    fn dial_ended(&mut self, result: DialEnd, bridged: Option<bool>, means: Means) -> Way {
        let took = match self.state {
            State::Ringing(person) => person == Person::Accepted || !self.policy.is_announced,
            State::Unknown | State::Asked | State::Conversing | State::Ended(_) | State::Voicemail | State::Over => {
                true
            }
        };
        // The carrier knows best; where it does not say, a call that was picked up and taken was connected.
        self.is_taken = bridged.unwrap_or(result == DialEnd::Answered && took);
        self.is_missed = !self.is_taken;
        // The carrier may have said before that the call is over.
        if self.is_taken || result == DialEnd::Canceled || self.is_over() {
            return self.end_with(Way::HangUp);
        }
        match (self.policy.otherwise, self.state) {
            // Nothing is known of what was said before the box started.
            (_, State::Unknown) | (Otherwise::Voicemail, _) => self.voicemail(VoicemailCause::NobodyAnswered),
            (Otherwise::Receptionist, _) => {
                // Whom the hours sent to the person was neither greeted nor told of a recording.
                let way = if self.is_greeted { self.converse(means) } else { self.consent_or_converse(means) };
                if matches!(way, Way::Voicemail { .. }) { self.voicemail(VoicemailCause::NobodyAnswered) } else { way }
            }
        }
    }

    fn voicemail(&mut self, cause: VoicemailCause) -> Way {
        self.state = State::Voicemail;
        Way::Voicemail { cause }
    }

    fn end_with(&mut self, way: Way) -> Way {
        self.state = State::Over;
        way
    }
}
