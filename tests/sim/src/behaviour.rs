//! How simulated devices behave: what a script, or the command line, may ask of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::{DeviceId, Stream};
use serde::Deserialize;

/// The most events that a device may make per second; beyond it the simulator is the benchmark.
const MAX_RATE: f64 = 1_000.0;
/// The most events made at one moment: what one batch of the box carries.
const MAX_BURST: u32 = 64;
/// The most events that may wait in one stream of one device.
const MAX_OUTBOX: u32 = 100_000;
/// The most groups in a script.
const MAX_GROUPS: usize = 64;
/// The most devices: what has a port of one address (RFC 6335, section 6), less what others need.
const MAX_DEVICES: u32 = 60_000;

/// What the devices of a group do.
#[derive(Clone, Debug, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Events that each device makes per second on average, at random moments; 0 is none, 1000 the most
    #[arg(long, value_name = "EVENTS/S", default_value_t = 0.5)]
    pub rate: f64,
    /// Events made at the same moment, which go in one batch; 1 to 64. The rate counts events, not bursts
    #[arg(long, value_name = "EVENTS", default_value_t = 1)]
    pub burst: u32,
    /// Make the next burst as soon as the gateway has stored the last, whatever the rate
    #[arg(long)]
    pub saturate: bool,
    /// The streams that events go into, by chance; several with commas
    #[arg(long, value_name = "STREAM", value_delimiter = ',', default_value = "calls")]
    pub streams: Vec<Stream>,
    /// What the devices' wall clocks show
    #[arg(long, value_enum, default_value_t = Clock::Right)]
    pub clock: Clock,
    /// Cut the connection without a word after about so long, as in 20s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub flap_up: Option<Duration>,
    /// Stay away for about so long after a cut
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "2s")]
    #[serde(with = "humantime_serde")]
    pub flap_down: Duration,
    /// Probability, 0 to 1, that a batch the gateway has stored is sent once more
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.0)]
    pub repeat: f64,
    /// Make a flood of events about this often
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub flood_every: Option<Duration>,
    /// Events in a flood
    #[arg(long, value_name = "EVENTS", default_value_t = 500)]
    pub flood_events: u32,
    /// Send a payload that is malformed, too long, or another device's about this often
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub bad_every: Option<Duration>,
    /// Events that may wait in one stream. Beyond it the oldest logs and metrics are dropped and announced; of other
    /// streams no new ones are made meanwhile
    #[arg(long, value_name = "EVENTS", default_value_t = 1_000)]
    pub outbox: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            rate: 0.5,
            burst: 1,
            saturate: false,
            streams: vec![Stream::Calls],
            clock: Clock::Right,
            flap_up: None,
            flap_down: Duration::from_secs(2),
            repeat: 0.0,
            flood_every: None,
            flood_events: 500,
            bad_every: None,
            outbox: 1_000,
        }
    }
}

/// What a wall clock shows. All but the right one say that they were never set (`time_synced` false).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The time.
    Right,
    /// The time since the device got power, counted from 1970.
    Unset,
    /// Five years ago.
    Past,
    /// In five years.
    Future,
}

/// How fast events are made. It may change while the simulation goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Not at all.
    Rest,
    /// At random moments.
    Rate {
        /// Events per second on average.
        events_per_second: f64,
        /// Events at one moment.
        burst: u32,
    },
    /// As fast as they are stored: one burst of the device is under way at any time.
    Saturate {
        /// Events at one moment.
        burst: u32,
    },
}

impl Behaviour {
    /// Returns how fast events are made at first.
    pub fn pace(&self) -> Pace {
        if self.saturate {
            Pace::Saturate { burst: self.burst }
        } else if self.rate > 0.0 {
            Pace::Rate { events_per_second: self.rate, burst: self.burst }
        } else {
            Pace::Rest
        }
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let range = |field, expected, is_good: bool| if is_good { Ok(()) } else { Err(OutOfRange { field, expected }) };
        let long = |wait: Option<Duration>| wait.is_none_or(|wait| wait >= Duration::from_millis(10));
        range("rate", "0 to 1000", (0.0..=MAX_RATE).contains(&self.rate))?;
        range("burst", "1 to 64", (1..=MAX_BURST).contains(&self.burst))?;
        range("streams", "at least one", !self.streams.is_empty())?;
        range("flap_up", "at least 10ms", long(self.flap_up))?;
        range("repeat", "0 to 1", (0.0..=1.0).contains(&self.repeat))?;
        range("flood_every", "at least 10ms", long(self.flood_every))?;
        range("flood_events", "1 to 100000", (1..=MAX_OUTBOX).contains(&self.flood_events))?;
        range("bad_every", "at least 10ms", long(self.bad_every))?;
        range("outbox", "64 to 100000", (MAX_BURST..=MAX_OUTBOX).contains(&self.outbox))
    }
}

/// Devices that behave alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What their names start with, before a number of five digits, as in `flapping-00007`.
    pub name: DeviceId,
    /// How many there are.
    pub devices: u32,
    /// What they do.
    #[serde(default)]
    pub behaviour: Behaviour,
}

impl Group {
    /// Returns the name of a device, counted from 0.
    ///
    /// # Errors
    ///
    /// When the group's name is so long that the number does not fit behind it.
    pub fn device(&self, place: u32) -> Result<DeviceId, protocol::ParseNameError> {
        format!("{}-{place:05}", self.name).parse()
    }
}

/// Groups of devices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The groups.
    pub group: Vec<Group>,
}

impl Script {
    /// Reads a script from its text; `path` is for the message when it is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)
            .map_err(|source| ScriptError::Toml { path: path.to_owned(), source: source.into() })?;
        script.check()?;
        Ok(script)
    }

    /// Checks what cannot be seen from one field.
    pub fn check(&self) -> Result<(), ScriptError> {
        if !(1..=MAX_GROUPS).contains(&self.group.len()) {
            return Err(ScriptError::Groups(self.group.len()));
        }
        for group in &self.group {
            let of_group = |source| ScriptError::Group { name: group.name.clone(), source };
            group.behaviour.check().map_err(of_group)?;
            let fits = group.device(MAX_DEVICES).is_ok();
            let name = OutOfRange { field: "name", expected: "at most 58 characters" };
            fits.then_some(()).ok_or_else(|| of_group(name))?;
        }
        match self.devices() {
            1..=MAX_DEVICES => Ok(()),
            devices => Err(ScriptError::Devices(devices)),
        }
    }

    /// Returns how many devices there are in all.
    pub fn devices(&self) -> u32 {
        self.group.iter().map(|group| group.devices).fold(0, u32::saturating_add)
    }
}

/// A value that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct OutOfRange {
    /// The field.
    pub field: &'static str,
    /// What would have been right.
    pub expected: &'static str,
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is not TOML, or has fields that do not exist.
    #[error("{}: not a script", .path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// It has no groups, or too many.
    #[error("{0} groups, expected 1 to {MAX_GROUPS}")]
    Groups(usize),
    /// It has no devices, or too many.
    #[error("{0} devices, expected 1 to {MAX_DEVICES}")]
    Devices(u32),
    /// A value of a group makes no sense.
    #[error("group {name}")]
    Group {
        /// Which.
        name: DeviceId,
        /// Why.
        #[source]
        source: OutOfRange,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[group]]
        name = "steady"
        devices = 30

        [[group]]
        name = "flapping"
        devices = 5
        [group.behaviour]
        rate = 4.0
        burst = 2
        streams = ["calls", "logs"]
        clock = "past"
        flap_up = "500ms"
    "#;

    #[test]
    fn a_script_says_who_does_what() {
        let script = Script::parse(Path::new("script.toml"), TEXT).unwrap();
        assert_eq!(script.devices(), 35);
        assert_eq!(script.group[0].behaviour, Behaviour::default());
        let flapping = &script.group[1];
        assert_eq!(flapping.device(7).unwrap().as_str(), "flapping-00007");
        assert_eq!(flapping.behaviour.pace(), Pace::Rate { events_per_second: 4.0, burst: 2 });
        assert_eq!(flapping.behaviour.flap_up, Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = |from: &str, to: &str| {
            let error = Script::parse(Path::new("script.toml"), &TEXT.replace(from, to)).unwrap_err();
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text = format!("{text}: {source}");
            }
            text
        };
        assert!(wrong("rate", "speed").contains("unknown field `speed`"));
        assert_eq!(wrong("4.0", "4000.0"), "group flapping: rate: expected 0 to 1000");
        assert_eq!(wrong("500ms", "1ms"), "group flapping: flap_up: expected at least 10ms");
        assert_eq!(wrong("devices = 30", "devices = 70000"), "70005 devices, expected 1 to 60000");
        assert!(wrong("flapping", &"f".repeat(60)).ends_with("name: expected at most 58 characters"));
    }
}
