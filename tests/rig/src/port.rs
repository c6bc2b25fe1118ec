//! Ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::RigError;
use crate::process::{Process, pause};

/// Lowest port that is given.
const LOWEST: u32 = 10_240;
/// One above the highest port that is given, where the system does not say where its own begin.
const END: u32 = 32_768;
/// Longest wait for an answer of our own machine.
const CONNECT: Duration = Duration::from_millis(500);

/// Returns a port of the loopback interface on which nobody listens.
///
/// It is below those the kernel gives to connections that go out. A server that is away for a while therefore finds its
/// port free when it is back, and whoever knocks meanwhile is refused: a connection from a port to itself would succeed.
///
/// # Errors
///
/// When no port is free.
pub fn free_port() -> Result<u16, RigError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let end = first_of_kernel().unwrap_or(END).clamp(LOWEST + 1, 65_536);
    let count = end - LOWEST;
    // Processes that test at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..count {
        let offset = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let Ok(port) = u16::try_from(LOWEST + offset) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(RigError::Failed { program: "bind".to_owned(), said: format!("no port from {LOWEST} to {end} is free") })
}

/// Returns the first port that the kernel gives by itself (ip(7), `ip_local_port_range`).
fn first_of_kernel() -> Option<u32> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

/// Waits until `process` listens on `port`.
pub(crate) fn wait_for_port(port: u16, process: &mut Process, patience: Duration) -> Result<(), RigError> {
    let deadline = Instant::now() + patience;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect_timeout(&address, CONNECT).is_err() {
        process.check_running()?;
        if Instant::now() >= deadline {
            return Err(process.too_slow("listening", patience));
        }
        pause();
    }
    Ok(())
}
