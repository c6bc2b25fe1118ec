//! What is asked: a method, a path, a form, and how the answer is to be judged.

use std::fmt;

use reqwest::Url;
use telephony::markup::WriteError;
use telephony::{AccountId, Params};
use units::CallId;

use crate::calls::{CreateCall, UpdateCall};

/// Longest URL the carrier takes, in characters (<https://www.twilio.com/docs/api/errors/21609>).
pub const MAX_URL_CHARS: usize = 4_000;

/// Longest name of a recording, a message or a file, in bytes; the carrier's have 34.
const MAX_NAME_LEN: usize = 64;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes or makes.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ends or redirects a call.
    UpdateCall,
    /// Places a call.
    CreateCall,
    /// Sends a message.
    SendMessage,
    /// Fetches a recording.
    FetchRecording,
    /// Deletes a recording.
    DeleteRecording,
    /// Fetches a file of a message.
    FetchMedia,
    /// Deletes a file of a message.
    DeleteMedia,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::UpdateCall,
        Self::CreateCall,
        Self::SendMessage,
        Self::FetchRecording,
        Self::DeleteRecording,
        Self::FetchMedia,
        Self::DeleteMedia,
    ];

    /// Returns whether the request may be made twice without doing more than once.
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::CreateCall | Self::SendMessage => false,
            Self::UpdateCall | Self::FetchRecording | Self::DeleteRecording | Self::FetchMedia | Self::DeleteMedia => {
                true
            }
        }
    }
}

/// A request to the carrier. `Debug` shows neither path nor values.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    kind: Kind,
    method: Method,
    path: String,
    form: Params,
}

impl Request {
    /// Changes a call.
    ///
    /// # Errors
    ///
    /// When the carrier would refuse the markup or the URL.
    pub fn update_call(account: &AccountId, call: &CallId, update: &UpdateCall) -> Result<Self, RequestError> {
        Ok(Self::new(account, Kind::UpdateCall, Method::Post, &format!("Calls/{call}.json"), update.form()?))
    }

    /// Places a call.
    ///
    /// # Errors
    ///
    /// When the carrier would refuse a field.
    pub fn create_call(account: &AccountId, call: &CreateCall) -> Result<Self, RequestError> {
        Ok(Self::new(account, Kind::CreateCall, Method::Post, "Calls.json", call.form()?))
    }

    /// Sends a message; the form is written by `messaging::twilio::write`.
    pub fn send_message(account: &AccountId, form: Params) -> Self {
        Self::new(account, Kind::SendMessage, Method::Post, "Messages.json", form)
    }

    /// Fetches a recording as WAV.
    pub fn recording(account: &AccountId, recording: &Name) -> Self {
        let path = format!("Recordings/{recording}.wav");
        Self::new(account, Kind::FetchRecording, Method::Get, &path, Params::new())
    }

    /// Deletes a recording.
    pub fn delete_recording(account: &AccountId, recording: &Name) -> Self {
        let path = format!("Recordings/{recording}.json");
        Self::new(account, Kind::DeleteRecording, Method::Delete, &path, Params::new())
    }

    /// Fetches a file of a message.
    pub fn media(account: &AccountId, message: &Name, media: &Name) -> Self {
        let path = format!("Messages/{message}/Media/{media}");
        Self::new(account, Kind::FetchMedia, Method::Get, &path, Params::new())
    }

    /// Deletes a file of a message.
    pub fn delete_media(account: &AccountId, message: &Name, media: &Name) -> Self {
        let path = format!("Messages/{message}/Media/{media}.json");
        Self::new(account, Kind::DeleteMedia, Method::Delete, &path, Params::new())
    }

    fn new(account: &AccountId, kind: Kind, method: Method, path: &str, form: Params) -> Self {
        Self { kind, method, path: format!("/2010-04-01/Accounts/{account}/{path}"), form }
    }

    /// Returns what it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Returns the path on the carrier's host, from its `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the form; empty for methods without one.
    pub fn form(&self) -> &Params {
        &self.form
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("kind", &self.kind).field("form", &self.form).finish_non_exhaustive()
    }
}

/// The carrier's name for a recording, a message or a file: letters and digits only, so that it is safe in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name; `None` for what is none.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=MAX_NAME_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request is not even made. Never holds the value.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The markup cannot be written.
    #[error("cannot write the call markup")]
    Markup(#[source] WriteError),
    /// A field is not what the carrier takes.
    #[error("{field}: expected {expected}")]
    Field {
        /// The carrier's name for it.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

impl RequestError {
    pub(crate) const fn at(field: &'static str, expected: &'static str) -> Self {
        Self::Field { field, expected }
    }
}

/// Returns whether the carrier could ask this URL: a scheme of the web, a host name without `_`, not too long. Before the
/// host a name and a password may stand, with which the carrier then asks.
pub(crate) fn is_web_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let is_text = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_host && is_text && url.chars().count() <= MAX_URL_CHARS && Url::parse(url).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_carrier_can_ask_is_a_web_address() {
        for url in [
            "https://box.example.org/a?b=c#rc=2",
            "http://127.0.0.1:8080",
            "https://[::1]/x",
            "https://the_box:p@box.example.org/a@b_c",
        ] {
            assert!(is_web_address(url), "{url}");
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL_CHARS));
        for url in [
            "",
            "/a",
            "https://",
            "wss://a.example",
            "https://my_box.example",
            "https://a@my_box.example",
            "https://a@",
            "https://a.example/ b",
            "https://a\\@b/",
            "https://a:b:c/",
            "https://a:99999/",
            "https://[a]/",
            &long,
        ] {
            assert!(!is_web_address(url), "{url}");
        }
    }

    #[test]
    fn names_that_would_leave_their_place_in_a_path_are_none() {
        for text in ["", "../RE1", "RE1/x", "RE1.wav", "RE1?x", "רה", &"x".repeat(65)] {
            assert_eq!(Name::new(text), None, "{text}");
        }
        assert_eq!(Name::new("RE0a").unwrap().as_str(), "RE0a");
    }

    #[test]
    fn what_is_asked_is_not_in_debug_output() {
        let account: AccountId = "AC1".parse().unwrap();
        let form = Params::new().with("To", "+972541234567").with("Body", "secret");
        let shown = format!("{:?}", Request::send_message(&account, form));
        assert!(!shown.contains("541234567") && !shown.contains("secret") && shown.contains("Body"), "{shown}");
    }
}
