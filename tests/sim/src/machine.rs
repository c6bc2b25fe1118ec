//! What the machine lets a process do, and what processes take of it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets and files a process needs beside those of its devices.
const OTHER_FILES: u64 = 256;

/// The system does not let us open as many files as there are devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{needed} open files are needed and {allowed} allowed; raise the limit (as root: ulimit -n {needed}; for a service: \
     LimitNOFILE={needed}), or simulate fewer devices"
)]
pub struct TooFewFiles {
    /// How many are needed.
    pub needed: u64,
    /// How many may be had.
    pub allowed: u64,
}

/// Raises the limit of open files of this process, and of those it starts, so that `devices` have a socket each.
pub fn raise_open_files(devices: u64) -> Result<(), TooFewFiles> {
    let needed = devices.saturating_add(OTHER_FILES);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is nothing in both places.
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let higher = Rlimit { current: Some(needed), maximum: maximum.map(|maximum| maximum.max(needed)) };
    // Root may raise what it may raise to.
    setrlimit(Resource::Nofile, higher).map_err(|_refused| TooFewFiles { needed, allowed: maximum.unwrap_or(needed) })
}

/// What a program, with all processes of its name below us, takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Memory that is its own, shared pages counted by their share (PSS of proc(5)), in bytes.
    pub memory: u64,
    /// Processor time since it began, children that have ended included, in seconds.
    pub cpu_s: f64,
}

/// A process as `/proc/PID/stat` shows it.
#[derive(Clone, Debug, PartialEq)]
struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    cpu_ticks: u64,
}

/// Reads what the program `name` takes, over all of its processes that descend from this one; without a name, this one
/// alone.
pub fn load(name: Option<&str>) -> io::Result<Load> {
    let own = std::process::id();
    let all = processes()?;
    let is_ours = |stat: &&Stat| match name {
        None => stat.pid == own,
        Some(name) => stat.name == name && descends(&all, stat, own),
    };
    let mut load = Load::default();
    for stat in all.iter().filter(is_ours) {
        #[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second")]
        let cpu_s = stat.cpu_ticks as f64 / ticks_per_second() as f64;
        load.cpu_s += cpu_s;
        load.memory = load.memory.saturating_add(proportional(stat.pid).unwrap_or(0));
    }
    Ok(load)
}

/// Returns the processor time that the whole machine has spent on work since it began, in seconds.
pub fn busy_s() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal; what is idle, waits for a disk or is another machine's is no work.
    let ticks: u64 = fields
        .enumerate()
        .filter(|(place, _)| !matches!(place, 3 | 4 | 7..))
        .filter_map(|(_, field)| field.parse::<u64>().ok())
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second")]
    let busy = ticks as f64 / ticks_per_second() as f64;
    Ok(busy)
}

fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

fn processes() -> io::Result<Vec<Stat>> {
    let folders = std::fs::read_dir("/proc")?;
    let pids = folders.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // One that has just ended is not there any more.
    Ok(pids.filter_map(|pid| parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect())
}

/// Reads a line of `/proc/PID/stat`: the name is in parentheses and may hold anything.
fn parse(pid: u32, line: &str) -> Option<Stat> {
    let (head, rest) = line.rsplit_once(") ")?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split(' ').collect();
    // Behind the name: state, ppid, and from the twelfth on utime, stime, cutime, cstime.
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { pid, name, parent: fields.get(1)?.parse().ok()?, cpu_ticks: ticks })
}

fn descends(all: &[Stat], stat: &Stat, from: u32) -> bool {
    let mut parent = stat.parent;
    // No family is deeper; a loop cannot come of two readings.
    for _ in 0..64 {
        if parent == from {
            return true;
        }
        let Some(next) = all.iter().find(|stat| stat.pid == parent) else { return false };
        parent = next.parent;
    }
    false
}

fn proportional(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()?.saturating_mul(1_024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let line = "77 (a b) c) S 12 77 77 0 -1 4194560 1 0 0 0 5 7 11 13 20 0 1 0 3 4 5";
        let stat = parse(77, line).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent, stat.cpu_ticks), ("a b) c", 12, 36));
    }

    #[test]
    fn this_process_takes_memory_and_is_part_of_what_the_machine_does() {
        let own = load(None).unwrap();
        assert!(own.memory > 100_000 && own.cpu_s <= busy_s().unwrap());
        assert_eq!(load(Some("no such program")).unwrap(), Load::default());
    }

    #[test]
    fn who_wants_more_files_than_there_can_be_is_told_how_many() {
        let TooFewFiles { needed, allowed } = raise_open_files(1 << 40).unwrap_err();
        assert!(needed > 1 << 40 && allowed < 1 << 40);
        raise_open_files(10).unwrap();
    }
}
