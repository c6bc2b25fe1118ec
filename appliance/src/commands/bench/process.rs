//! What a process costs, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Ticks per second of the times in `/proc/<pid>/stat`: 100 on every Linux (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Processor time, its children's included.
    pub(super) processor: Duration,
    /// Memory in the machine's RAM, in MiB.
    pub(super) resident_mib: f64,
    /// The most memory it ever had there, in MiB.
    pub(super) peak_mib: f64,
}

impl Usage {
    /// Reads what the process has used.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
        // The name in parentheses may hold spaces; fields are counted behind it, from the third on.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = [11, 12, 13, 14].iter().filter_map(|i| fields.get(*i)?.parse::<f64>().ok()).sum();
        let mib = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or_default() / 1_024.0
        };
        Ok(Self {
            processor: Duration::from_secs_f64(ticks / TICKS_PER_SECOND),
            resident_mib: mib("VmRSS:"),
            peak_mib: mib("VmHWM:"),
        })
    }
}
