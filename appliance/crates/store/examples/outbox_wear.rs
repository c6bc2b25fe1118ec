//! Prints how many bytes reach the disk for each byte of events, written and removed again.
//!
//! `cargo run --release -p store --example outbox_wear [FOLDER]`; the folder has to be on a real file system. What is
//! counted is `write_bytes` of `/proc/self/io`: pages that were made dirty and handed to the disk, as the kernel sees it.

#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use protocol::{EventId, Kind, NewEvent, Stamp, Stream};
use serde_json::json;
use store::{Batch, Store, StoreConfig};

/// Events in each measurement.
const EVENTS: u64 = 20_000;
/// Events after which the gateway says that it has them.
const REMOVE_EVERY: u64 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    println!("events/commit  JSON bytes  disk bytes  disk/JSON  disk/data  commits/s  file");
    for count in [1, 8, 32, 64] {
        let own = folder.clone().unwrap_or_else(std::env::temp_dir).join(format!("kolbox-wear-{}", std::process::id()));
        measure(&own, count)?;
        std::fs::remove_dir_all(&own)?;
    }
    Ok(())
}

fn measure(folder: &std::path::Path, count: u64) -> Result<(), Box<dyn Error>> {
    let store = Store::open(&StoreConfig::new(folder))?;
    let (mut json_bytes, mut data_bytes, mut commits) = (0_u64, 0_u64, 0_u64);
    let events = if count == 1 { EVENTS / 10 } else { EVENTS };
    let before = written()?;
    let started = Instant::now();
    let mut number = 0;
    while number < events {
        let mut batch = Batch::new();
        for _ in 0..count {
            let event = call_ended(number)?;
            data_bytes += u64::try_from(event.data.reveal().to_string().len())?;
            json_bytes += u64::try_from(serde_json::to_string(&event.clone().numbered(number + 1))?.len())?;
            batch.emit(event);
            number += 1;
        }
        store.commit(batch)?;
        commits += 1;
        if number % REMOVE_EVERY < count {
            let head = store.outbox_heads().into_iter().next_back().ok_or("no stream")?;
            let mut batch = Batch::new();
            batch.acknowledge(head.stream, head.epoch, head.next - 1);
            store.commit(batch)?;
        }
    }
    let took = started.elapsed();
    drop(store);
    let disk_bytes = written()?.saturating_sub(before);
    let tenths = |part: u64, whole: u64| format!("{}.{}", part / whole, part % whole * 10 / whole);
    println!(
        "{count:>13}  {json_bytes:>10}  {disk_bytes:>10}  {:>9}  {:>9}  {:>9}  {:>4} kB",
        tenths(disk_bytes, json_bytes),
        tenths(disk_bytes, data_bytes),
        u128::from(commits) * 1_000 / took.as_millis().max(1),
        std::fs::metadata(folder.join("v1-000001").join("db"))?.len() / 1_024,
    );
    Ok(())
}

/// A call's end as the appliance tells it, with names and numbers that differ.
fn call_ended(number: u64) -> Result<NewEvent, Box<dyn Error>> {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 29;
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().zip(mixed.to_be_bytes().into_iter().cycle()) {
        *place = byte ^ 0x5A;
    }
    Ok(NewEvent::raw(
        Stream::Calls,
        Kind::CALL_ENDED,
        EventId::from_random_bytes(id),
        Stamp {
            boot: 1_763_720_000_000,
            mono_ms: number * 20,
            wall_ms: 1_763_720_000_000 + number * 20,
            time_synced: true,
        },
        json!({
            "call": format!("CA{mixed:032x}"), "outcome": "completed", "duration_ms": mixed % 600_000,
            "turns": mixed % 20, "language": "he",
            "weather": { "recognize": "receptionist-mini", "reply": "form", "synthesize": "espeak-ng" }
        }),
    )?)
}

fn written() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.trim().parse()?)
}
