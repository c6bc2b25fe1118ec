//! Recordings: whole, cut short, crashed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::call_id;
use crate::{FaultyDisk, RecordingError, RecordingFormat, RecordingName, Recordings, VoicemailKey};

#[test]
fn a_finished_recording_is_a_wav_file_with_the_samples_and_their_digest() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path());
    let name = RecordingName::call(call_id(1));
    let mut writer = recordings.create(name.clone(), RecordingFormat::PHONE_STEREO).unwrap();
    writer.write(&[1, -2, 3, -4]).unwrap();
    writer.write(&vec![7; 15_996]).unwrap();
    assert_eq!(writer.duration(), Duration::from_secs(1));
    let finished = writer.finish().unwrap();
    assert_eq!((finished.duration, finished.byte_count, finished.cut_short), (Duration::from_secs(1), 32_044, false));
    assert_eq!(finished.digest.len(), 64);
    let bytes = fs::read(recordings.path(&name)).unwrap();
    assert_eq!(&bytes[..4], b"RIFF");
    assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()), 32_036);
    assert_eq!(u32::from_le_bytes(bytes[40..44].try_into().unwrap()), 32_000);
    assert_eq!(&bytes[44..52], [1, 0, 254, 255, 3, 0, 252, 255]);
    assert_eq!(recordings.list().unwrap(), [(name.clone(), 32_044)]);
    assert!(matches!(recordings.create(name, RecordingFormat::PHONE), Err(RecordingError::Exists { .. })));
}

#[test]
fn a_recording_that_a_crash_left_unfinished_is_finished_when_the_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path());
    let long = RecordingName::voicemail(call_id(1));
    let mut writer = recordings.create(long.clone(), RecordingFormat::PHONE).unwrap();
    writer.write(&vec![5; 8_000]).unwrap();
    drop(writer);
    drop(recordings.create(RecordingName::voicemail(call_id(2)), RecordingFormat::PHONE).unwrap());
    let part = folder.path().join("recordings").join(format!("{long}.wav.part"));
    let mut bytes = fs::read(&part).unwrap();
    bytes.push(1);
    fs::write(&part, bytes).unwrap();
    fs::write(folder.path().join("recordings").join("voicemail-CA3.wav.part"), [b'x'; 100]).unwrap();

    let (recordings, recovered) = Recordings::open(folder.path(), 0).unwrap();
    assert_eq!(recovered.finished, std::slice::from_ref(&long));
    assert_eq!((recovered.removed, recovered.failed), (2, 0));
    let bytes = fs::read(recordings.path(&long)).unwrap();
    assert_eq!(bytes.len(), 16_044);
    assert_eq!(u32::from_le_bytes(bytes[40..44].try_into().unwrap()), 16_000);
    assert_eq!(Recordings::open(folder.path(), 0).unwrap().1, crate::RecoveredRecordings::default());
}

#[test]
fn a_disk_that_fills_up_cuts_the_recording_short_and_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (recordings, _) = Recordings::open_on(folder.path(), 1_000_000, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let name = RecordingName::call(call_id(1));
    let mut writer = recordings.create(name, RecordingFormat::PHONE).unwrap();
    writer.write(&[1; 1_000]).unwrap();
    disk.set_free_bytes(1_100_000);
    for _ in 0..400 {
        writer.write(&[1; 1_000]).unwrap();
    }
    let finished = writer.finish().unwrap();
    assert!(finished.cut_short);
    assert!(finished.byte_count < 300_000, "{}", finished.byte_count);
    let refused = recordings.create(RecordingName::call(call_id(2)), RecordingFormat::PHONE);
    assert!(matches!(refused, Err(RecordingError::DiskFull { .. })));
}

#[test]
fn a_recording_is_not_under_its_name_before_the_disk_confirmed_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (recordings, _) = Recordings::open_on(folder.path(), 0, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let name = RecordingName::call(call_id(1));
    let mut writer = recordings.create(name.clone(), RecordingFormat::PHONE).unwrap();
    writer.write(&[1; 100]).unwrap();
    disk.allow_syncs(0);
    assert!(matches!(writer.finish(), Err(RecordingError::File { .. })));
    assert!(!recordings.path(&name).exists());
    disk.allow_syncs(u64::MAX);
    assert_eq!(Recordings::open(folder.path(), 0).unwrap().1.finished, [name]);
}

#[test]
fn a_file_fetched_from_the_carrier_is_taken_in_whole() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path());
    let mut writer = recordings.create(RecordingName::call(call_id(1)), RecordingFormat::PHONE).unwrap();
    writer.write(&vec![3; 12_000]).unwrap();
    let made = writer.finish().unwrap();
    let bytes = fs::read(recordings.path(&made.name)).unwrap();
    let name = RecordingName::voicemail(call_id(1));
    let taken = recordings.import(name.clone(), &bytes).unwrap();
    assert_eq!((taken.duration, &taken.digest), (Duration::from_millis(1_500), &made.digest));
    assert!(matches!(recordings.import(name.clone(), &bytes), Err(RecordingError::Exists { .. })));
    assert_eq!(recordings.remove(&name).unwrap(), Some(24_044));
    assert_eq!(recordings.remove(&name).unwrap(), None);
    let odd = recordings.import(name, b"not a wav file at all").unwrap();
    assert_eq!(odd.duration, Duration::ZERO);
}

#[test]
fn a_recording_that_is_given_up_leaves_nothing_and_its_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path());
    let name = RecordingName::call(call_id(1));
    let mut writer = recordings.create(name.clone(), RecordingFormat::PHONE).unwrap();
    writer.write(&vec![3; 12_000]).unwrap();
    writer.discard().unwrap();
    assert_eq!(fs::read_dir(folder.path().join("recordings")).unwrap().count(), 0);
    recordings.create(name, RecordingFormat::PHONE).unwrap();
}

#[test]
fn what_is_removed_is_removed_on_the_disk_and_what_is_there_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (recordings, _) = Recordings::open_on(folder.path(), 0, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let mut writer = recordings.create(RecordingName::call(call_id(1)), RecordingFormat::PHONE).unwrap();
    writer.write(&vec![3; 12_000]).unwrap();
    let made = writer.finish().unwrap();
    assert_eq!(recordings.inspect(&made.name).unwrap(), made);
    let before = disk.syncs();
    recordings.remove(&made.name).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    assert!(matches!(recordings.inspect(&made.name), Err(RecordingError::File { .. })));
}

#[test]
fn each_message_of_a_call_has_a_name_and_the_name_of_before_is_still_read() {
    let at = |received_wall_ms| RecordingName::of_message(&VoicemailKey { received_wall_ms, call: call_id(1) });
    let before = RecordingName::voicemail(call_id(1));
    for (name, end) in [(before, ""), (at(1_700_000_000_000), "-1700000000000"), (at(7), "-0000000000007")] {
        let text = name.to_string();
        assert_eq!(text, format!("voicemail-{}{end}", call_id(1)));
        assert_eq!(text.parse(), Ok(name));
    }
    assert_ne!(at(1), at(2));
    // A call's own digits stay its own, and so does the name of a whole call.
    for text in ["voicemail-CA-12", "voicemail-CA-00001700000000000", "call-CA-1700000000000"] {
        let name: RecordingName = text.parse().unwrap();
        assert_eq!((name.to_string().as_str(), name.received_wall_ms), (text, None));
    }
}

#[test]
fn names_are_made_of_ids_only() {
    let name = RecordingName::voicemail(call_id(1));
    assert_eq!(name.to_string().parse(), Ok(name));
    for bad in ["", "call-", "video-CA1", "call-../x", "CA1", "call-CA1/x"] {
        assert!(bad.parse::<RecordingName>().is_err(), "{bad}");
    }
}

fn open(folder: &Path) -> Recordings {
    Recordings::open(folder, 0).unwrap().0
}
