//! What is printed: a line for each second, a summary, the same as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::bad::BadKind;
use crate::tally::Figures;

/// Exit code when events were left that the gateway does not have.
pub const EXIT_NOT_STORED: u8 = 1;

/// Returns the line of a second: what was counted since the one before, and how all stands.
pub fn progress(age: Duration, since: &Figures, all: &Figures) -> String {
    format!(
        "{:4} s  connected {:5}  sent {:6}/s  watermarked {:6}/s  in flight {:6}  waiting {:6}  p50 {}  p99 {}",
        age.as_secs(),
        all.connected,
        since.sent,
        since.stored,
        all.in_flight(),
        all.waiting(),
        millis(since.quantile(0.5)),
        millis(since.quantile(0.99)),
    )
}

/// Returns a time in milliseconds, or a dash.
pub fn millis(time: Option<Duration>) -> String {
    time.map_or_else(|| "   - ms".to_owned(), |time| format!("{:4.0} ms", time.as_secs_f64() * 1_000.0))
}

/// How a run came out.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The seed that gives the same devices again.
    pub seed: u64,
    /// Devices.
    pub devices: u64,
    /// Devices that were connected at once, at most.
    pub connected_most: u64,
    /// Connections that came up.
    pub connects: u64,
    /// How long it ran, goodbyes not included, in seconds.
    pub seconds: f64,
    /// Events made.
    pub made: u64,
    /// Events that a watermark covers.
    pub watermarked: u64,
    /// Events dropped by devices to make room, as far as a watermark covers their numbers.
    pub dropped: u64,
    /// Events made or announced that no watermark covers.
    pub waiting: u64,
    /// Events not made for want of room.
    pub stalled: u64,
    /// Events sent once more because no watermark came.
    pub sent_again: u64,
    /// Events sent once more by the script though a watermark covered them.
    pub repeated: u64,
    /// Batches the broker refused.
    pub refused: u64,
    /// Messages of the broker that made no sense.
    pub unreadable: u64,
    /// Bad payloads the broker took, by what the gateway calls them.
    pub bad: std::collections::BTreeMap<&'static str, u64>,
    /// From publish to watermark, half of the events, in milliseconds.
    pub p50_ms: Option<f64>,
    /// From publish to watermark, 99 of 100 events, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Memory of this process at its end, in bytes.
    pub memory_bytes: u64,
    /// What of it a device takes: less what was there before the first, divided by how many there are.
    pub memory_per_device_bytes: u64,
    /// Processor time of this process, in seconds.
    pub cpu_s: f64,
}

impl Summary {
    /// Fills in what figures tell.
    pub fn new(seed: u64, devices: u64, seconds: f64, figures: &Figures) -> Self {
        let ms = |share| figures.quantile(share).map(|time| time.as_secs_f64() * 1_000.0);
        let bad = BadKind::ALL.iter().zip(&figures.spoilt).filter(|(_, count)| **count > 0);
        Self {
            seed,
            devices,
            connected_most: figures.connected,
            connects: figures.connects,
            seconds,
            made: figures.made,
            watermarked: figures.stored,
            dropped: figures.passed,
            waiting: figures.waiting(),
            stalled: figures.stalled,
            sent_again: figures.sent_again,
            repeated: figures.repeated,
            refused: figures.refused,
            unreadable: figures.unreadable,
            bad: bad.map(|(kind, count)| (kind.cause(), *count)).collect(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            memory_bytes: 0,
            memory_per_device_bytes: 0,
            cpu_s: 0.0,
        }
    }

    /// Returns it for people.
    pub fn text(&self) -> String {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} ms"));
        let bad: u64 = self.bad.values().sum();
        let kinds: Vec<String> = self.bad.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        let rows = [
            ("devices", format!("{}, at most {} connected at once", self.devices, self.connected_most)),
            ("connections", self.connects.to_string()),
            ("made", format!("{} events in {:.0} s", self.made, self.seconds)),
            ("watermarked", format!("{}, and {} dropped to make room", self.watermarked, self.dropped)),
            ("left", format!("{} events without a watermark", self.waiting)),
            ("not made", format!("{} events for want of room", self.stalled)),
            ("sent again", format!("{} events, and {} by the script", self.sent_again, self.repeated)),
            ("refused", format!("{} batches by the broker", self.refused)),
            ("bad payloads", format!("{bad} taken by the broker {}", kinds.join(", ")).trim_end().to_owned()),
            ("publish to watermark", format!("p50 {}, p99 {}", ms(self.p50_ms), ms(self.p99_ms))),
            (
                "memory",
                format!("{} MiB, {} KiB for each device", self.memory_bytes >> 20, self.memory_per_device_bytes >> 10),
            ),
            ("processor time", format!("{:.1} s", self.cpu_s)),
            ("seed", self.seed.to_string()),
        ];
        let mut lines: Vec<String> = rows.iter().map(|(name, value)| format!("  {name:<22}{value}")).collect();
        lines.push(String::new());
        lines.join("\n")
    }

    /// Returns the exit code: whether the gateway has everything.
    pub fn exit_code(&self) -> u8 {
        if self.waiting == 0 { 0 } else { EXIT_NOT_STORED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Count;
    use crate::tally::Tally;

    #[test]
    fn what_was_counted_is_printed_and_nothing_left_is_success() {
        let tally = Tally::default();
        let start = tally.figures();
        for count in [
            Count::Up,
            Count::Made(10),
            Count::Sent(9),
            Count::Stored { events: 7, waited: Duration::from_millis(40) },
            Count::Spoilt(BadKind::Oversized),
        ] {
            tally.add(count);
        }
        let figures = tally.figures();
        // Times are the upper ends of buckets.
        let line = progress(Duration::from_secs(12), &(&figures - &start), &figures);
        assert_eq!(
            line,
            "  12 s  connected     1  sent      9/s  watermarked      7/s  in flight      2  waiting      3  p50   41 ms  p99   41 ms"
        );
        let summary = Summary::new(5, 1, 12.0, &figures);
        assert_eq!((summary.exit_code(), summary.bad["too_long"]), (EXIT_NOT_STORED, 1));
        tally.add(Count::Stored { events: 3, waited: Duration::from_millis(40) });
        let summary = Summary::new(5, 1, 12.0, &tally.figures());
        assert_eq!(summary.exit_code(), 0);
        assert!(summary.text().contains("left                  0 events without a watermark"));
        assert!(serde_json::to_string(&summary).unwrap().contains("\"watermarked\":10"));
    }
}
