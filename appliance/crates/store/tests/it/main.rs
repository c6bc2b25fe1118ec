//! A program that commits is killed at random moments.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Calls, Opened, Query, Store, StoreConfig};

#[path = "../support/lives.rs"]
mod lives;
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

#[test]
fn whatever_was_deleted_before_kills_is_gone_afterwards_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut acknowledged, mut resets) = (0, 0);
    for round in 0..4 * KILLS {
        // Half of the lives end while the store is opened, or soon after.
        let is_early = random.random_bool(0.5);
        let moment = Duration::from_micros(random.random_range(0..if is_early { 20_000 } else { 150_000 }));
        acknowledged = acknowledged.max(churn_until_killed(folder.path(), moment).unwrap());
        if random.random_bool(0.6) {
            continue;
        }
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        resets += u64::from(store.report().opened == Opened::Reset);
        let rows = store.query(&Query::<Calls>::all().limit(usize::MAX)).unwrap();
        let found: Vec<u64> = rows.into_iter().map(|(_, row)| row.started_wall_ms).collect();
        let last = found.last().copied().unwrap_or_default();
        assert!(
            last >= acknowledged,
            "seed {SEED}, round {round}: {acknowledged} was acknowledged, {last} is the last"
        );
        let is_alive = |number: &u64| !found.is_empty() && number + lives::life(*number) > last;
        let expected: Vec<u64> = (0..=last).filter(is_alive).collect();
        assert_eq!(found, expected, "seed {SEED}, round {round}");
    }
    println!(
        "{acknowledged} acknowledged commits that put and delete; {resets} of the openings looked at were a reset"
    );
    assert!(acknowledged > KILLS);
}

/// Runs the program that deletes as it commits, kills it at a moment of its life, and returns the last number it
/// acknowledged; zero if there is none.
fn churn_until_killed(folder: &std::path::Path, moment: Duration) -> Option<u64> {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_store-commit-loop")).arg(folder).stdout(Stdio::piped()).spawn().ok()?;
    let (sender, end) = mpsc::channel::<()>();
    let output = BufReader::new(child.stdout.take()?);
    let reader = std::thread::spawn(move || {
        let last = output.lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).last();
        drop(sender);
        last.unwrap_or(0)
    });
    // Nothing is waited for here: the moment only moves the kill.
    assert!(end.recv_timeout(moment).is_err(), "it says nothing");
    child.kill().ok()?;
    child.wait().ok()?;
    reader.join().ok()
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
