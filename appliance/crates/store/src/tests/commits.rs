//! What a commit promises, on a disk that fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};

use super::{batch_of_call, batch_of_everything, call, call_id, open, open_on};
use crate::{Batch, Calls, CommitError, FaultyDisk, Opened, Query, Turns, WebhookKeys, WebhookRow};

#[test]
fn a_commit_is_acknowledged_only_after_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    for number in 0..50 {
        let before = disk.syncs();
        store.commit(batch_of_call(number)).unwrap();
        assert!(disk.syncs() > before, "commit {number} was acknowledged without a sync");
    }
}

#[test]
fn a_commit_whose_sync_fails_is_refused_and_the_next_one_brings_the_database_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    store.commit(batch_of_call(1)).unwrap();
    disk.allow_syncs(0);
    assert!(matches!(store.commit(batch_of_call(2)), Err(CommitError::Sync(_))));
    assert!(!store.is_open());
    assert!(matches!(store.get::<Calls>(&call_id(1)), Err(crate::ReadError::Closed)));
    disk.allow_syncs(u64::MAX);
    store.commit(batch_of_call(3)).unwrap();
    assert!(store.is_open());
    for number in [1, 3] {
        assert_eq!(store.get::<Calls>(&call_id(number)).unwrap(), Some(call(number)));
    }
}

#[test]
fn whichever_write_or_sync_fails_everything_acknowledged_is_there_afterwards() {
    for fail_writes in [true, false] {
        for allowed in 0..8 {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(FaultyDisk::default());
            let store = open_on(folder.path(), &disk);
            if fail_writes {
                disk.allow_writes(allowed);
            } else {
                disk.allow_syncs(allowed);
            }
            let mut acknowledged = Vec::new();
            for number in 0..12 {
                match store.commit(batch_of_everything(number)) {
                    Ok(()) => acknowledged.push(number),
                    Err(CommitError::DiskFull) => assert!(fail_writes),
                    Err(CommitError::Sync(_)) => assert!(!fail_writes),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(acknowledged.len() as u64, allowed);
            drop(store);
            disk.allow_writes(u64::MAX);
            disk.allow_syncs(u64::MAX);
            let store = open_on(folder.path(), &disk);
            assert_eq!(store.report().opened, Opened::Existing);
            for number in acknowledged {
                assert_eq!(store.get::<Calls>(&call_id(number)).unwrap(), Some(call(number)));
                assert_eq!(store.turns(&call_id(number)).unwrap().len(), 3);
            }
        }
    }
}

#[test]
fn a_batch_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    disk.allow_syncs(2);
    for number in 0..6 {
        let _either_way = store.commit(batch_of_everything(number)).is_ok();
    }
    drop(store);
    let store = open(folder.path());
    for number in 0..6 {
        let has_call = store.get::<Calls>(&call_id(number)).unwrap().is_some();
        assert_eq!(store.turns(&call_id(number)).unwrap().len(), if has_call { 3 } else { 0 });
    }
}

#[test]
fn a_disk_that_is_nearly_full_refuses_commits_until_there_is_room_and_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    store.commit(batch_of_call(1)).unwrap();
    disk.set_free_bytes(100);
    let refused = store.commit(batch_of_call(2)).unwrap_err();
    assert!(matches!(refused, CommitError::DiskFull) && refused.is_transient());
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(call(1)));
    assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), None);
    disk.set_free_bytes(u64::MAX);
    store.commit(batch_of_call(2)).unwrap();
    assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), Some(call(2)));
}

#[test]
fn many_commits_at_once_share_syncs() {
    const THREADS: u64 = 32;
    const EACH: u64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let store = open_on(folder.path(), &disk);
    let before = disk.syncs();
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..EACH {
                    store.commit(batch_of_call(thread * EACH + number)).unwrap();
                }
            });
        }
    });
    let syncs = disk.syncs() - before;
    println!("{} commits shared {syncs} syncs", THREADS * EACH);
    assert!(syncs * 2 < THREADS * EACH, "{syncs} syncs for {} commits", THREADS * EACH);
    assert_eq!(store.recent_calls(None, 10_000).unwrap().len() as u64, THREADS * EACH);
}

#[test]
fn submitting_calls_back_once_per_batch_and_a_full_queue_is_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::StoreConfig { queue_len: 2, ..super::config(folder.path()) };
    let store = crate::Store::open(&config).unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    store
        .submit(batch_of_call(0), move |_| {
            entered.send(()).unwrap();
            blocked.recv().unwrap();
        })
        .unwrap();
    has_entered.recv().unwrap();
    let called = Arc::new(AtomicU64::new(0));
    let mut accepted = 0;
    for number in 1..10 {
        let called = Arc::clone(&called);
        let result = store.submit(batch_of_call(number), move |result| {
            result.unwrap();
            called.fetch_add(1, Ordering::SeqCst);
        });
        match result {
            Ok(()) => accepted += 1,
            Err(error) => assert!(matches!(error, CommitError::Busy)),
        }
    }
    assert_eq!(accepted, 2);
    release.send(()).unwrap();
    drop(store);
    assert_eq!(called.load(Ordering::SeqCst), accepted);
}

#[test]
fn a_callback_that_panics_harms_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.submit(batch_of_call(1), |_| panic!("on purpose")).unwrap();
    store.commit(batch_of_call(2)).unwrap();
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(call(1)));
}

#[test]
fn a_conflict_refuses_only_the_batch_that_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut batch = batch_of_call(1);
    batch.require_absent::<WebhookKeys>(&"t".to_owned()).unwrap();
    batch.put::<WebhookKeys>(&"t".to_owned(), &WebhookRow::default()).unwrap();
    store.commit(batch.clone()).unwrap();
    let refused = store.commit(batch).unwrap_err();
    assert!(matches!(refused, CommitError::Conflict) && !refused.is_transient());
    store.commit(batch_of_call(2)).unwrap();
}

#[test]
fn an_empty_batch_commits_and_a_deleted_row_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(Batch::new()).unwrap();
    store.commit(batch_of_everything(1)).unwrap();
    let mut batch = Batch::new();
    for (key, _) in store.query(&Query::<Turns>::of_call(&call_id(1))).unwrap() {
        batch.delete::<Turns>(&key).unwrap();
    }
    store.commit(batch).unwrap();
    drop(store);
    assert_eq!(open(folder.path()).turns(&call_id(1)).unwrap(), []);
}
