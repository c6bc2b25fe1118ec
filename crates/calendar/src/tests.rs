//! Tests of the calendar as a whole; each file is about one side of it.

mod config;
mod dates;
mod properties;
mod rest;
mod spoken;
mod status;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::{Calendar, Config};

/// An office of five and a half days.
const OFFICE: &str = r#"
    city = "tel_aviv"
    closed = ["2026-08-02"]

    [hours]
    sunday = ["09:00-13:00", "16:00-19:00"]
    monday = ["09:00-17:00"]
    tuesday = ["09:00-17:00"]
    wednesday = ["09:00-17:00"]
    thursday = ["09:00-17:00"]
    friday = ["08:30-12:30"]

    [dates]
    2026-12-31 = ["09:00-12:00"]

    [days]
    chol_hamoed = ["09:00-13:00"]
    independence_day = []
    memorial_day = ["12:00-17:00"]
"#;

fn calendar(text: &str) -> Calendar {
    Calendar::new(&toml::from_str::<Config>(text).unwrap()).unwrap()
}

/// The moment at which the office's clock shows a time, the first where it does so twice.
fn local(text: &str) -> Timestamp {
    let zone = TimeZone::get(Calendar::ZONE).unwrap();
    zone.to_ambiguous_timestamp(text.parse::<DateTime>().unwrap()).compatible().unwrap()
}

/// What the office's clock shows.
fn shown(at: Timestamp) -> String {
    TimeZone::get(Calendar::ZONE).unwrap().to_datetime(at).strftime("%Y-%m-%dT%H:%M").to_string()
}
