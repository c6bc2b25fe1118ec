//! Prints how long a database takes to open, and what memory that takes.
//!
//! `cargo run --release -p store --example opening_cost FOLDER`, with the folder of a store that no box has open, for
//! instance the one that `kolbox bench --only offline` leaves behind.

#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use std::error::Error;
use std::time::Instant;

use store::{Store, StoreConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("expected: FOLDER")?;
    let began = Instant::now();
    let store = Store::open(&StoreConfig::new(folder))?;
    let took = began.elapsed();
    let waiting: u64 = store.outbox_heads().iter().map(|head| head.next - 1 - head.through).sum();
    println!("opened in {} ms, {:?}", took.as_millis(), store.report().opened);
    println!("events that wait: {waiting}");
    println!("memory after it: {}", status("VmRSS:")?);
    println!("most memory: {}", status("VmHWM:")?);
    Ok(())
}

/// Returns a line of what the kernel knows of this process.
fn status(name: &str) -> Result<String, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel does not say")?;
    Ok(line.trim().to_owned())
}
