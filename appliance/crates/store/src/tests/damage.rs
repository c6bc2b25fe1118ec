//! Databases that do not open, or open to something else.

use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{batch_of_everything, call, call_id, config, open};
use crate::{CallOutcome, CallRecord, Calls, Opened, Query, Store, Turns};

const SEED: u64 = 20_261_121;
const CALLS: u64 = 40;

#[test]
fn random_damage_never_keeps_the_store_from_opening_nor_makes_a_row_up() {
    let mut random = StdRng::seed_from_u64(SEED);
    let template = filled();
    let (mut reset, mut lost, mut found) = (0, 0, 0);
    for round in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        copy(template.path(), folder.path());
        damage(&database(folder.path()).join("db"), &mut random);
        let store = open(folder.path());
        reset += u64::from(store.report().opened == Opened::Reset);
        lost += u64::from(store.report().lost_hint());
        for (key, row) in store.query(&Query::<Calls>::all()).unwrap() {
            let number = row.started_wall_ms - 1_000;
            // Salvage may bring an older version of a row back, never another.
            let begun = call(number);
            assert!(row == ended(number) || row == begun, "seed {SEED}, round {round}: call {key}");
            found += 1;
        }
        store.commit(batch_of_everything(1_000)).unwrap();
        drop(store);
        let again = open(folder.path());
        assert_eq!(again.report().opened, Opened::Existing, "seed {SEED}, round {round}");
        assert_eq!(again.get::<Calls>(&call_id(1_000)).unwrap(), Some(call(1_000)));
    }
    println!("{reset} of 50 were reset, {lost} told of a loss; {found} of {} calls were read after damage", 50 * CALLS);
    assert!(lost > 10, "the damage did no harm");
    assert!(found > 30 * CALLS, "only {found} calls were read");
}

#[test]
fn a_database_that_is_no_database_is_moved_aside_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let data = database(folder.path());
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            fs::write(path, vec![0x5A; 4_096]).unwrap();
        }
    }
    let store = open(folder.path());
    let report = store.report().clone();
    assert_eq!(report.opened, Opened::Reset);
    assert!(report.lost_hint() && report.reason.is_some());
    assert!(report.quarantined.is_some_and(|path| path.join("db").exists()));
    store.commit(batch_of_everything(1)).unwrap();
}

#[test]
fn rows_of_a_database_that_does_not_open_are_salvaged() {
    let template = filled();
    let folder = tempfile::tempdir().unwrap();
    copy(template.path(), folder.path());
    spoil(&database(folder.path()));
    let store = open(folder.path());
    assert_eq!(store.report().opened, Opened::Reset);
    assert!(store.report().salvaged >= CALLS * 7, "{:?}", store.report());
    assert!(store.report().boot > 1);
    for number in 0..CALLS {
        assert_eq!(store.get::<Calls>(&call_id(number)).unwrap(), Some(ended(number)));
        assert_eq!(store.turns(&call_id(number)).unwrap().len(), 3);
    }
    assert_eq!(store.recent_calls(None, 1_000).unwrap().len() as u64, CALLS);
}

#[test]
fn of_a_row_whose_newest_version_is_damaged_the_one_before_is_salvaged() {
    let folder = filled();
    // Counted, with the versions before.
    drop(open(folder.path()));
    let file = database(folder.path()).join("db");
    let (mut bytes, newest) = (fs::read(&file).unwrap(), serde_json::to_vec(&ended(7)).unwrap());
    let places: Vec<usize> = (0..bytes.len() - newest.len()).filter(|at| bytes[*at..].starts_with(&newest)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&file, bytes).unwrap();
    spoil(&database(folder.path()));
    let store = open(folder.path());
    assert_eq!(store.get::<Calls>(&call_id(7)).unwrap(), Some(call(7)));
    assert_eq!(store.get::<Calls>(&call_id(8)).unwrap(), Some(ended(8)));
}

#[test]
fn a_row_that_was_deleted_does_not_come_back_with_the_others() {
    let template = filled();
    let folder = tempfile::tempdir().unwrap();
    copy(template.path(), folder.path());
    let store = open(folder.path());
    let mut batch = crate::Batch::new();
    batch.delete::<Calls>(&call_id(7)).unwrap();
    store.commit(batch).unwrap();
    drop(store);
    spoil(&database(folder.path()));
    let store = open(folder.path());
    assert_eq!(store.get::<Calls>(&call_id(7)).unwrap(), None);
    assert_eq!(store.query(&Query::<Calls>::all()).unwrap().len() as u64, CALLS - 1);
}

#[test]
fn a_commit_cut_off_in_the_middle_is_not_salvaged_in_part() {
    let numbers = |cut: u64| {
        let mut batch = batch_of_everything(1);
        batch.put_call(&call(2)).unwrap();
        let (group, _) = crate::commit::encode_group(batch.operations.iter(), 100).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let frames = group.iter().filter_map(|(_, value)| value.as_ref());
        let kept: Vec<u8> =
            frames.zip(100..).filter(|(_, number)| *number != cut).flat_map(|(frame, _)| frame.clone()).collect();
        fs::write(folder.path().join("db"), kept).unwrap();
        crate::salvage::look_through(folder.path(), usize::MAX).live_rows(0).count()
    };
    assert_eq!(numbers(0), 9);
    assert_eq!(numbers(103), 0);
}

#[test]
fn a_commit_that_is_put_back_takes_its_deletions_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of_everything(1)).unwrap();
    drop(store);
    let mut batch = crate::Batch::new();
    batch.put_call(&call(2)).unwrap();
    batch.delete::<Calls>(&call_id(1)).unwrap();
    // Written whole into the log, which was cut off before it.
    let (group, _) = crate::commit::encode_group(batch.operations.iter(), 9 << 40).unwrap();
    let frames: Vec<u8> = group.into_iter().filter_map(|(_, value)| value).flatten().collect();
    fs::write(database(folder.path()).join("tail"), frames).unwrap();
    for _ in 0..2 {
        let store = open(folder.path());
        assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), Some(call(2)));
        assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), None);
        assert_eq!(store.turns(&call_id(1)).unwrap().len(), 3);
    }
}

#[test]
fn what_a_commit_that_was_put_back_deleted_stays_deleted_when_the_next_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of_everything(1)).unwrap();
    drop(store);
    // Two boots later the tail of the first cut is overwritten; the row that it deleted is still in the log.
    for (boot, number) in [(9, 2), (11, 3)] {
        let mut batch = crate::Batch::new();
        batch.put_call(&call(number)).unwrap();
        if number == 2 {
            batch.delete::<Calls>(&call_id(1)).unwrap();
        }
        let (group, _) = crate::commit::encode_group(batch.operations.iter(), boot << 40).unwrap();
        let frames: Vec<u8> = group.into_iter().filter_map(|(_, value)| value).flatten().collect();
        fs::write(database(folder.path()).join("tail"), frames).unwrap();
        let store = open(folder.path());
        assert_eq!(store.get::<Calls>(&call_id(number)).unwrap(), Some(call(number)));
        assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), None, "after the tail of boot {boot}");
    }
}

#[test]
fn a_log_that_was_cut_far_back_takes_the_deletions_since_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of_everything(1)).unwrap();
    drop(store);
    let early = fs::read(database(folder.path()).join("db")).unwrap();
    let store = open(folder.path());
    let mut batch = batch_of_everything(2);
    batch.delete::<Calls>(&call_id(1)).unwrap();
    store.commit(batch).unwrap();
    drop(store);
    // The deletion is a matter of the census now.
    let store = open(folder.path());
    store.commit(batch_of_everything(3)).unwrap();
    drop(store);
    let data = database(folder.path());
    fs::rename(data.join("db"), data.join("tail")).unwrap();
    fs::write(data.join("db"), early).unwrap();
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    let store = open(folder.path());
    assert_eq!(store.report().opened, Opened::Existing);
    let calls = [1, 2, 3].map(|number| store.get::<Calls>(&call_id(number)).unwrap().is_some());
    assert_eq!(calls, [false, true, true]);
    assert_eq!(store.turns(&call_id(1)).unwrap().len(), 3);
}

#[test]
fn a_salvage_that_was_cut_off_is_done_again_and_keeps_what_is_newer() {
    let template = filled();
    let folder = tempfile::tempdir().unwrap();
    copy(template.path(), folder.path());
    spoil(&database(folder.path()));
    let store = open(folder.path());
    let quarantined = store.report().quarantined.clone().unwrap();
    let newer = CallRecord { outcome: CallOutcome::Transferred, ..call(1) };
    let mut batch = crate::Batch::new();
    batch.put_call(&newer).unwrap();
    batch.delete::<Calls>(&call_id(3)).unwrap();
    store.commit(batch).unwrap();
    drop(store);
    // The note is not there, at the next opening or later.
    for _ in 0..2 {
        fs::remove_file(quarantined.join("salvaged")).unwrap();
        let store = open(folder.path());
        assert_eq!(store.report().opened, Opened::Existing);
        assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(newer.clone()));
        assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), Some(ended(2)));
        assert_eq!(store.get::<Calls>(&call_id(3)).unwrap(), None);
    }
}

#[test]
fn a_database_that_killed_the_program_twice_while_opening_is_not_opened_a_third_time() {
    let template = filled();
    for (attempts, expected) in [("1", Opened::Existing), ("2", Opened::Reset)] {
        let folder = tempfile::tempdir().unwrap();
        copy(template.path(), folder.path());
        fs::write(folder.path().join("opening"), attempts).unwrap();
        let store = open(folder.path());
        assert_eq!(store.report().opened, expected);
        assert!(!folder.path().join("opening").exists());
        assert_eq!(store.query(&Query::<Turns>::all()).unwrap().len() as u64, CALLS * 3);
    }
}

#[test]
fn only_the_last_few_quarantined_databases_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let store = open(folder.path());
        assert_eq!(store.report().opened, if round == 0 { Opened::Fresh } else { Opened::Reset });
        drop(store);
        spoil(&database(folder.path()));
    }
    assert_eq!(fs::read_dir(folder.path().join("quarantine")).unwrap().count(), 3);
}

#[test]
fn a_database_of_a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("v2-000007");
    fs::create_dir(&newer).unwrap();
    fs::write(newer.join("data"), b"from the future").unwrap();
    for opened in [Opened::BesideNewer, Opened::Existing] {
        let store = open(folder.path());
        assert_eq!(store.report().opened, opened);
        assert_eq!(store.report().newer_format, Some(2));
        drop(store);
        assert_eq!(fs::read(newer.join("data")).unwrap(), b"from the future");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&config(&file)).unwrap_err();
    assert!(matches!(error, crate::OpenError::Unusable { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

fn ended(number: u64) -> CallRecord {
    CallRecord { outcome: CallOutcome::Completed, duration_ms: Some(60_000), ..call(number) }
}

/// A closed store with calls that were written twice: when they began and when they ended.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..CALLS {
        store.commit(batch_of_everything(number)).unwrap();
    }
    let mut batch = crate::Batch::new();
    for number in 0..CALLS {
        batch.put_call(&ended(number)).unwrap();
    }
    store.commit(batch).unwrap();
    drop(store);
    folder
}

/// Makes a database that does not open, but whose bytes are all there.
fn spoil(database: &Path) {
    fs::rename(database.join("db"), database.join("db.old")).unwrap();
    fs::create_dir(database.join("db")).unwrap();
}

/// Returns the newest database folder.
pub(super) fn database(root: &Path) -> PathBuf {
    let mut all: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("v1-"))
        .collect();
    all.sort();
    all.pop().unwrap()
}

/// Flips bytes, overwrites a stretch, or cuts the end off.
fn damage(file: &Path, random: &mut StdRng) {
    let mut bytes = fs::read(file).unwrap();
    // Behind the data a database is zeros up to the end of the segment; damage there would be none.
    let len = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    match random.random_range(0..3) {
        0 => {
            for _ in 0..random.random_range(1..20) {
                let at = random.random_range(0..len);
                bytes[at] ^= 1_u8 << random.random_range(0..8_u32);
            }
        }
        1 => {
            let at = random.random_range(0..len);
            let end = (at + random.random_range(1..4_096)).min(len);
            bytes[at..end].fill(random.random());
        }
        _ => bytes.truncate(random.random_range(0..len)),
    }
    fs::write(file, bytes).unwrap();
}

pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
