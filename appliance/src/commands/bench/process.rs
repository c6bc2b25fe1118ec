//! What a process costs, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Ticks per second of the times in `/proc/<pid>/stat`: 100 on every Linux (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;
/// Time between two looks at the threads. What a thread works after its last look is not seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Share of a core below which a box is said to do nothing: its store alone takes less.
const QUIET: f64 = 0.01;
/// Longest wait for a box to do nothing.
const QUIET_PATIENCE: Duration = Duration::from_mins(2);

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Processor time in steps of 10 ms, its children's included, and that of threads which are gone.
    pub(super) processor: Duration,
    /// Memory in the machine's RAM, in MB (10^6 bytes).
    pub(super) resident_mb: f64,
    /// Of that what is no page of a file: heap and stacks, in MB.
    pub(super) anonymous_mb: f64,
    /// The most memory it ever had in RAM, in MB.
    pub(super) peak_mb: f64,
}

impl Usage {
    /// Reads what the process has used.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
        let mb = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            kib.unwrap_or_default() * 1_024.0 / 1_000_000.0
        };
        let own = ticks(pid, [11, 12])?;
        Ok(Self {
            processor: own.saturating_add(of_children(pid)?),
            resident_mb: mb("VmRSS:"),
            anonymous_mb: mb("RssAnon:"),
            peak_mb: mb("VmHWM:"),
        })
    }
}

/// Returns the processor time of the children that are gone.
fn of_children(pid: u32) -> anyhow::Result<Duration> {
    ticks(pid, [13, 14])
}

/// Adds two fields of the process's `stat`, which are times.
fn ticks(pid: u32, fields: [usize; 2]) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    // The name in parentheses may hold spaces; fields are counted behind it, from the third on.
    let all: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields.iter().filter_map(|field| all.get(*field)?.parse::<f64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// Returns how many bytes a process has handed to the disk, as the kernel counts them (`write_bytes`, proc(5)).
pub(super) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).context("the process is gone")?;
    let figure = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.trim().parse().ok());
    figure.context("this kernel does not count what is written")
}

/// Measures the processor time of a process over a stretch of time, to the nanosecond: ticks of 10 ms are too coarse
/// for one call, which takes a few of them in 20 s.
#[derive(Debug)]
pub(super) struct Meter {
    pid: u32,
    began: Instant,
    lasted: Duration,
    children: Duration,
    /// Of each thread seen, its time at the beginning and at the last look.
    threads: BTreeMap<u32, (Duration, Duration)>,
    most_resident_mb: f64,
}

impl Meter {
    /// Measures for a while.
    pub(super) async fn over(pid: u32, lasting: Duration) -> anyhow::Result<Self> {
        let threads = of_threads(pid)?.into_iter().map(|(thread, time)| (thread, (time, time))).collect();
        let children = of_children(pid)?;
        let began = Instant::now();
        let mut meter = Self { pid, began, lasted: Duration::ZERO, children, threads, most_resident_mb: 0.0 };
        while meter.lasted < lasting {
            tokio::time::sleep(LOOK_EVERY.min(lasting.saturating_sub(meter.lasted))).await;
            meter.look()?;
        }
        Ok(meter)
    }

    fn look(&mut self) -> anyhow::Result<()> {
        for (thread, time) in of_threads(self.pid)? {
            // One that was not there at the beginning began at zero.
            self.threads.entry(thread).or_default().1 = time;
        }
        self.lasted = self.began.elapsed();
        self.most_resident_mb = self.most_resident_mb.max(Usage::of(self.pid)?.resident_mb);
        Ok(())
    }

    /// Returns the share of one core that the process took, its children included.
    pub(super) fn share(&self) -> anyhow::Result<f64> {
        let own: Duration = self.threads.values().map(|(first, last)| last.saturating_sub(*first)).sum();
        let children = of_children(self.pid)?.saturating_sub(self.children);
        Ok((own + children).as_secs_f64() / self.lasted.as_secs_f64())
    }

    /// Returns how long was measured.
    pub(super) fn lasted(&self) -> Duration {
        self.lasted
    }

    /// Returns the most memory in RAM at any look, in MB.
    pub(super) fn most_resident_mb(&self) -> f64 {
        self.most_resident_mb
    }
}

/// Returns the processor time of each thread (`schedstat`, its first field, in nanoseconds).
fn of_threads(pid: u32) -> anyhow::Result<Vec<(u32, Duration)>> {
    let mut times = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        let path = entry?.path();
        let thread = path.file_name().and_then(|name| name.to_str()?.parse().ok()).context("a thread has a number")?;
        // A thread that has just ended is left as it was at the last look.
        let Ok(stat) = fs::read_to_string(path.join("schedstat")) else { continue };
        let nanoseconds = stat.split_whitespace().next().and_then(|time| time.parse().ok());
        times.push((thread, Duration::from_nanos(nanoseconds.context("this kernel keeps no times of threads")?)));
    }
    Ok(times)
}

/// Waits until the process does next to nothing for a second: what it does by itself after its start or after a call is
/// not to be counted as a call's.
pub(super) async fn quiet(pid: u32) -> anyhow::Result<()> {
    let began = Instant::now();
    while Meter::over(pid, Duration::from_secs(1)).await?.share()? > QUIET {
        if began.elapsed() > QUIET_PATIENCE {
            bail!("the box is still busy after {QUIET_PATIENCE:?}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Meter;

    #[tokio::test]
    async fn a_meter_sees_the_work_of_threads_that_came_and_went() {
        let working = std::thread::spawn(|| {
            let began = std::time::Instant::now();
            let mut rounds = 0_u64;
            while began.elapsed() < Duration::from_millis(600) {
                rounds = std::hint::black_box(rounds.wrapping_add(1));
            }
        });
        let meter = Meter::over(std::process::id(), Duration::from_secs(1)).await.unwrap();
        working.join().unwrap();
        let share = meter.share().unwrap();
        // A machine busy with other things gives the thread less than it asks for, never more.
        assert!(share > 0.02 && meter.lasted() >= Duration::from_secs(1), "{share}");
        assert!(meter.most_resident_mb() > 1.0);
    }
}
