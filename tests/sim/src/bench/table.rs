//! The table, printed as it comes.

use std::time::Duration;

use super::stage::{Share, Stage};
use super::{Outcome, Row, TARGET_DEVICES, TARGET_EVENTS_PER_S};

/// Returns what stands above everything.
pub(super) fn head(processors: usize) -> String {
    format!(
        "Simulator, broker, gateway and database run on the same {processors} processors; what the simulator takes, they \
         do not have.\nStored: events per second that watermarks cover, told after the commit. Waits: from the first \
         publish to the watermark.\nms/tx, msg/tx: how long a transaction of the gateway takes, and how many messages it \
         stores, on average.\nProcessor time in percent of one processor, memory in MiB; 'others' is everything \
         else on this machine.\n"
    )
}

/// Returns what stands above the loads of a stage.
pub(super) fn stage(stage: &Stage, connected: u64, took: Duration) -> String {
    let workers = if stage.workers() == 1 { "1 worker".to_owned() } else { format!("{} workers", stage.workers()) };
    let title = format!("{}, {workers}: {connected} devices connected in {:.0} s", stage.name(), took.as_secs_f64());
    let columns = [
        "events/msg",
        "offered/s",
        "stored/s",
        "p50 ms",
        "p99 ms",
        "ms/tx",
        "msg/tx",
        "gateway",
        "broker",
        "database",
        "simulator",
        "others",
        "MiB: gateway",
        "broker",
        "database",
        "simulator",
    ];
    format!("\n{title}\n{}\n", columns.join(" "))
}

/// Returns the line of a load.
pub(super) fn row(row: &Row) -> String {
    let percent = |cpu_s: f64| format!("{:.0} %", 100.0 * cpu_s / row.seconds.max(0.001));
    let mib = |share: Share| (share.memory_bytes >> 20).to_string();
    let ms = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
    let programs = &row.programs;
    let cells = [
        (10, row.burst.to_string()),
        (9, row.offered_per_s.map_or_else(|| "most".to_owned(), |offered| format!("{offered:.0}"))),
        (8, format!("{:.0}", row.stored_per_s)),
        (6, ms(row.p50_ms)),
        (6, ms(row.p99_ms)),
        (5, format!("{:.0}", 1_000.0 * row.commits.seconds / row.commits.count.max(1.0))),
        (6, format!("{:.0}", row.commits.messages / row.commits.count.max(1.0))),
        (7, percent(programs.gateway.cpu_s)),
        (6, percent(programs.broker.cpu_s)),
        (8, percent(programs.database.cpu_s)),
        (9, percent(programs.simulator.cpu_s)),
        (6, percent(programs.others_cpu_s)),
        (12, mib(programs.gateway)),
        (6, mib(programs.broker)),
        (8, mib(programs.database)),
        (9, mib(programs.simulator)),
    ];
    let mut line = cells.map(|(width, cell)| format!("{cell:>width$}")).join(" ");
    if row.sent_again > 0 {
        line = format!("{line}  {} events sent again", row.sent_again);
    }
    format!("{line}\n")
}

/// Returns the figures beside their targets, and what went wrong.
pub(super) fn foot(outcome: &Outcome) -> String {
    let external: Vec<&Row> = outcome.rows.iter().filter(|row| row.programs.broker.memory_bytes > 0).collect();
    let verdict = |is_met| if is_met { "met" } else { "NOT met" };
    let mut text = String::from("\n");
    if !external.is_empty() {
        let connected = external.iter().map(|row| row.connected).min().unwrap_or(0);
        let line = |what: &str, figure: String, target: String, is_met| {
            format!("{what:<58}{figure:>8}   target {target:>6}   {}\n", verdict(is_met))
        };
        let devices = (connected.to_string(), TARGET_DEVICES.to_string());
        text.push_str(&line("devices connected, all loads", devices.0, devices.1, connected >= TARGET_DEVICES));
        let mut bursts: Vec<u32> = external.iter().map(|row| row.burst).collect();
        bursts.sort_unstable();
        bursts.dedup();
        for burst in bursts {
            let best = external
                .iter()
                .filter(|row| row.burst == burst && row.offered_per_s.is_none())
                .max_by(|one, other| one.stored_per_s.total_cmp(&other.stored_per_s));
            let Some(best) = best else { continue };
            let what = format!("events stored per second, {burst} in a message, {} workers", best.workers);
            let figure = format!("{:.0}", best.stored_per_s);
            let target = format!("{TARGET_EVENTS_PER_S:.0}");
            text.push_str(&line(&what, figure, target, best.stored_per_s >= TARGET_EVENTS_PER_S));
        }
    }
    text.extend(outcome.wrong.iter().map(|wrong| format!("WRONG: {wrong}\n")));
    if outcome.wrong.is_empty() {
        text.push_str("Everything that was made is stored; the database has as many events as watermarks cover.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Commits, Programs};

    fn measured(workers: usize, burst: u32, offered_per_s: Option<f64>, stored_per_s: f64) -> Row {
        let broker = Share { cpu_s: 5.0, memory_bytes: 100 << 20 };
        Row {
            servers: "Mosquitto + PostgreSQL",
            workers,
            connected: 10_000,
            burst,
            offered_per_s,
            stored_per_s,
            p50_ms: Some(12.4),
            p99_ms: None,
            seconds: 10.0,
            programs: Programs { broker, ..Programs::default() },
            commits: Commits { count: 20.0, seconds: 1.0, messages: 400.0 },
            sent_again: 0,
        }
    }

    #[test]
    fn the_best_of_all_workers_is_held_against_the_target() {
        let rows = vec![
            measured(1, 1, None, 4_400.0),
            measured(2, 1, None, 4_900.4),
            measured(2, 1, Some(5_000.0), 5_100.0),
            measured(1, 10, None, 12_000.0),
        ];
        let text = foot(&Outcome { processors: 2, rows, wrong: Vec::new() });
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("target")).collect();
        assert!(lines[0].starts_with("devices connected") && lines[0].ends_with("   met"), "{text}");
        assert!(lines[1].contains("2 workers") && lines[1].contains("4900") && lines[1].ends_with("NOT met"), "{text}");
        assert!(lines[2].contains("12000") && lines[2].ends_with("   met"), "{text}");
        let text = foot(&Outcome { processors: 2, rows: Vec::new(), wrong: vec!["3 events".to_owned()] });
        assert_eq!(text, "\nWRONG: 3 events\n");
    }

    #[test]
    fn a_line_has_a_figure_under_each_head() {
        let line = row(&measured(1, 1, None, 4_400.0));
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[..7], ["1", "most", "4400", "12", "-", "50", "20"]);
        assert!(cells.contains(&"50") && line.ends_with("100        0         0\n"), "{line}");
    }
}
