//! What a process weighs.

use std::io;

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it holds now: resident, shared pages included (`VmRSS` of proc(5)).
    pub resident: u64,
    /// The most it held since it began (`VmHWM`).
    pub peak: u64,
}

/// Reads the memory of the process `pid`.
///
/// # Errors
///
/// When there is no such process, or it has ended and only waits to be collected.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let kib =
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib.saturating_mul(1024))
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no {name} of process {pid}")))
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}
