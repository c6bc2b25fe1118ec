//! Bad input, broken parts and whole calls against a box in this process: each time the box lives on, keeps what it
//! acknowledged and tells how it is.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "helpers of tests fail like tests; counters are whole numbers"
)]

mod api;
mod broken;
mod calls;
mod carrier;
mod clouds;
mod connections;
mod doctor;
mod endings;
mod gateway;
mod keeping;
mod leads;
mod messages;
mod pages;
mod privacy;
mod recordings;
mod rest;
mod routes;
mod streams;
mod sync;
mod voicemail;
mod voicemail_device;
mod voicemail_told;
mod webhooks;
