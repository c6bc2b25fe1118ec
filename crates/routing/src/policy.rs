//! What an office wants.

use serde::{Deserialize, Serialize};

/// What an office wants done with its calls. The default has nobody to be put through to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whether there is a person to whom callers can be put through.
    pub can_transfer: bool,
    /// Whether the person hears who calls and why, and takes the call with a key. Otherwise whoever picks up has it, be it
    /// the voicemail of a mobile telephone.
    pub is_announced: bool,
    /// Where a caller goes whom nobody takes.
    pub otherwise: Otherwise,
    /// What a caller is asked before a call is recorded.
    pub consent: Consent,
    /// What becomes of a number that is on the block list.
    pub blocked: Refusal,
    /// What becomes of one that calls too often.
    pub hurried: Refusal,
}

/// Where a caller goes whom no person took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Back to the receptionist, who says so and asks what it is about. The default.
    #[default]
    Receptionist,
    /// To voicemail.
    Voicemail,
}

/// What a caller is asked before a call is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Nothing: calls are not recorded, or the law asks nothing. The default.
    #[default]
    None,
    /// The caller is told, and may hang up.
    Announce,
    /// The caller is told, and presses a key to agree; without the key the call goes on and is not recorded.
    Key,
}

/// What becomes of a call that the office does not want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is not answered: the caller hears that the line is busy, and nobody pays. The default.
    #[default]
    Busy,
    /// It may leave a message.
    Voicemail,
}
