//! What the owner may say about recordings of calls.

use routing::Consent;
use serde::Deserialize;

/// Recordings of whole calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Whether calls are recorded, both sides. Default no.
    pub calls: bool,
    /// Whether callers are told before the greeting. Default yes.
    pub announce: bool,
    /// What a caller is asked before. Default `none`.
    pub consent: Consent,
}

impl Default for Recording {
    fn default() -> Self {
        Self { calls: false, announce: true, consent: Consent::None }
    }
}

impl Recording {
    /// Returns whether callers are told in a clip before the greeting; those who are asked for a key are told there.
    pub fn is_announced(&self) -> bool {
        match self.consent {
            Consent::None => self.calls && self.announce,
            Consent::Announce => self.calls,
            Consent::Key => false,
        }
    }
}
