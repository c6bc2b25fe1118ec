//! The appliance: everything around the pure crates that makes them answer a telephone.
//!
//! A webhook comes in at [`server`], is verified there and handed to [`reception`], which answers with call markup and
//! expects the call's media stream at the [`switchboard`]. The stream's socket becomes a task in [`call`], which drives
//! the conversation core, asks [`voice`] to hear and to speak, and keeps what was said in the [`archive`].
//!
//! This crate decides little: turn taking is in `conversation`, what is asked in `receptionist`, what is believed in
//! `telephony`. It is the only one that reads files of configuration, variables and the clock ([`config`], [`clock`]).
//!
//! **Invariant:** every task belongs to [`app::App`], a call or a request, and is joined; none is detached.
//! **Invariant:** a part that fails is told in `/readyz` and the next smaller way of working is taken.

/// Name, version and commit of the program, as call logs name it.
pub const SOFTWARE: &str = concat!("kolbox ", env!("CARGO_PKG_VERSION"), " ", env!("KOLBOX_COMMIT"));

pub mod announcements;
pub mod api;
pub mod app;
pub mod archive;
pub mod call;
pub mod call_backs;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod course_log;
pub mod development;
pub mod documents;
pub mod events;
pub mod greetings;
pub mod health;
pub mod leads;
pub mod logging;
pub mod messages;
pub mod metrics;
pub mod reception;
pub mod retention;
pub mod server;
pub mod sound;
pub mod switchboard;
pub mod sync;
pub mod test_call;
pub mod transcribing;
pub mod vitals;
pub mod voice;
pub mod voicemail;
pub mod watchdog;
pub mod weather;
