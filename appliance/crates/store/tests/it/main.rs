//! A program that commits is killed at random moments.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Calls, Opened, Store, StoreConfig};

#[cfg(test)]
mod power_cut;

const SEED: u64 = 20_261_121;
const KILLS: u64 = 20;

#[test]
fn whatever_was_acknowledged_before_a_kill_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut acknowledged = 0_u64;
    let mut next = 0_u64;
    for round in 0..KILLS {
        let wanted = random.random_range(1..40_u64);
        let last =
            commit_until_killed(folder.path(), next, wanted, Duration::from_micros(random.random_range(0..3_000)))
                .unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        assert_eq!(store.report().opened, Opened::Existing, "seed {SEED}, round {round}");
        for number in next..=last {
            let call = format!("CA{number:032}").parse().unwrap();
            let row = store.get::<Calls>(&call).unwrap();
            assert!(row.is_some(), "seed {SEED}, round {round}: call {number} was acknowledged and is gone");
            acknowledged += 1;
        }
        next = last + 1_000;
    }
    println!("{acknowledged} acknowledged commits survived {KILLS} kills");
    assert!(acknowledged >= KILLS);
}

/// Runs the committing program until it has acknowledged so many, kills it a moment later, and returns the last
/// number it acknowledged.
fn commit_until_killed(folder: &std::path::Path, first: u64, wanted: u64, moment: Duration) -> Option<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_store-commit-loop"))
        .arg(folder)
        .arg(first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let (sender, lines) = mpsc::channel::<u64>();
    let output = BufReader::new(child.stdout.take()?);
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // The last line may be cut in two by the kill.
            if let Ok(number) = line.parse()
                && sender.send(number).is_err()
            {
                break;
            }
        }
    });
    let mut last = lines.recv().ok()?;
    while last < first + wanted {
        last = lines.recv().ok()?;
    }
    // Nothing is waited for here: the moment only moves the kill within a commit.
    if let Ok(number) = lines.recv_timeout(moment) {
        last = number;
    }
    child.kill().ok()?;
    child.wait().ok()?;
    reader.join().ok()?;
    Some(lines.iter().last().unwrap_or(last))
}
