//! What is thrown away.

use std::time::Duration;

use proptest::prelude::*;

use super::{batch_of_everything, call_id, open, voicemail};
use crate::{
    Batch, Calls, DropReason, Forms, Held, Query, RecordingFormat, RecordingName, Recordings, RetentionPlan,
    RetentionRule, VoicemailKey, VoicemailRecord, VoicemailState, Voicemails, plan_retention,
};

const RULE: RetentionRule = RetentionRule {
    recordings_for: Duration::from_secs(1),
    recording_bytes: 100,
    free_bytes: 50,
    calls_for: Duration::from_secs(5),
};

#[test]
fn old_recordings_go_first_then_the_oldest_until_the_rest_fits() {
    let held =
        [held(1, 8_000, 30, false), held(2, 9_500, 60, false), held(3, 9_400, 60, false), held(4, 9_600, 40, false)];
    let plan = plan_retention(&RULE, 10_000, 1_000, &held);
    assert_eq!(plan.recordings, [(name(1), DropReason::Age), (name(3), DropReason::Space)]);
    assert_eq!(plan.calls_before_wall_ms, 5_000);
}

#[test]
fn messages_nobody_listened_to_go_last() {
    let held = [held(1, 9_100, 80, true), held(2, 9_900, 80, false)];
    assert_eq!(plan_retention(&RULE, 10_000, 1_000, &held).recordings, [(name(2), DropReason::Space)]);
}

#[test]
fn a_full_disk_makes_recordings_go_even_if_they_are_few() {
    let held = [held(1, 9_100, 20, false), held(2, 9_200, 20, false)];
    assert_eq!(plan_retention(&RULE, 10_000, 45, &held).recordings, [(name(1), DropReason::Space)]);
}

#[test]
fn a_clock_far_in_the_past_throws_nothing_away_by_age() {
    assert_eq!(plan_retention(&RULE, 0, 1_000, &[held(1, 9_100, 20, false)]), RetentionPlan::default());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn afterwards_the_rule_holds_or_nothing_is_left_and_nothing_goes_twice(
        sizes in prop::collection::vec((0_u64..12_000, 0_u64..80, any::<bool>()), 0..30),
        free in 0_u64..200,
    ) {
        let all: Vec<Held> =
            sizes.iter().zip(0..).map(|(&(made, size, unheard), index)| held(index, made, size, unheard)).collect();
        let plan = plan_retention(&RULE, 10_000, free, &all);
        let gone: std::collections::BTreeSet<_> = plan.recordings.iter().map(|(name, _)| name.clone()).collect();
        prop_assert_eq!(gone.len(), plan.recordings.len());
        let left: Vec<_> = all.iter().filter(|held| !gone.contains(&held.name)).collect();
        let left_bytes: u64 = left.iter().map(|held| held.byte_count).sum();
        let freed: u64 = all.iter().map(|held| held.byte_count).sum::<u64>() - left_bytes;
        prop_assert!(left_bytes <= RULE.recording_bytes || left.is_empty());
        prop_assert!(free + freed >= RULE.free_bytes || left.is_empty());
        prop_assert!(left.iter().all(|held| held.made_wall_ms >= 9_000));
    }
}

#[test]
fn a_plan_is_carried_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (recordings, _) = Recordings::open(folder.path(), 0).unwrap();
    for number in 0..70 {
        store.commit(batch_of_everything(number)).unwrap();
        let mut writer = recordings.create(RecordingName::voicemail(call_id(number)), RecordingFormat::PHONE).unwrap();
        writer.write(&[1; 100]).unwrap();
        writer.finish().unwrap();
    }
    let held = store.held_recordings(&recordings).unwrap();
    assert_eq!(held.len(), 70);
    assert!(held.iter().all(|held| held.unheard && held.made_wall_ms >= 1_000 && held.byte_count == 244));
    let plan = RetentionPlan {
        recordings: vec![
            (RecordingName::voicemail(call_id(0)), DropReason::Age),
            (RecordingName::voicemail(call_id(1)), DropReason::Space),
            (RecordingName::voicemail(call_id(999)), DropReason::Age),
        ],
        calls_before_wall_ms: 1_066,
    };
    let dropped = store.drop_planned(&plan, &recordings).unwrap();
    assert_eq!((dropped.recordings_by_age, dropped.recordings_by_space, dropped.bytes), (1, 1, 488));
    assert_eq!((dropped.calls, dropped.voicemails), (66, 66));
    assert_eq!(store.query(&Query::<Calls>::all()).unwrap().len(), 4);
    assert_eq!(store.query(&Query::<Forms>::all()).unwrap().len(), 4);
    assert_eq!(store.recent_voicemails(None, 100).unwrap().last(), Some(&voicemail(66)));
    assert_eq!(store.drop_planned(&RetentionPlan::default(), &recordings).unwrap(), crate::Dropped::default());
}

#[test]
fn each_message_of_a_call_is_held_by_its_own_time_and_by_whether_it_was_heard() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (recordings, _) = Recordings::open(folder.path(), 0).unwrap();
    let mut batch = Batch::new();
    for (received_wall_ms, state) in [(1_000, VoicemailState::Heard), (9_000, VoicemailState::New)] {
        let key = VoicemailKey { received_wall_ms, call: call_id(1) };
        let name = RecordingName::of_message(&key);
        recordings.import(name.clone(), &[0; 100]).unwrap();
        let row = VoicemailRecord { key: key.clone(), recording: Some(name), state, ..voicemail(1) };
        batch.put::<Voicemails>(&key, &row).unwrap();
    }
    store.commit(batch).unwrap();
    let held = store.held_recordings(&recordings).unwrap();
    let known: Vec<(u64, bool)> = held.iter().map(|held| (held.made_wall_ms, held.unheard)).collect();
    assert_eq!(known, [(1_000, false), (9_000, true)]);
}

fn name(number: u64) -> RecordingName {
    RecordingName::call(call_id(number))
}

fn held(number: u64, made_wall_ms: u64, byte_count: u64, unheard: bool) -> Held {
    Held { name: name(number), made_wall_ms, byte_count, unheard }
}
