use std::time::Duration;

use units::SampleCount;

use super::{Line, LineTime, Recorded, loud_range};
use crate::playout::{FRAME_SAMPLES, MULAW_SILENCE};

const QUIET: [u8; FRAME_SAMPLES] = [MULAW_SILENCE; FRAME_SAMPLES];
const LOUD: [u8; FRAME_SAMPLES] = [0; FRAME_SAMPLES];

#[test]
fn both_sides_are_recorded_in_step() {
    let mut line = Line::new(Recorded::Kept);
    line.advance(&LOUD, &QUIET);
    line.advance(&QUIET, &LOUD);
    assert_eq!(line.position().since_answer(), Duration::from_millis(40));

    let stereo = line.into_recording().unwrap();
    assert_eq!((stereo.left.len(), stereo.right.len()), (320, 320));
    assert_eq!((stereo.left[0], stereo.right[0]), (-32_124, 0));
    assert_eq!((stereo.left[160], stereo.right[160]), (0, -32_124));
}

#[test]
fn pauses_between_words_do_not_end_speech_longer_ones_do() {
    let mut line = Line::new(Recorded::Dropped);
    for quiet_frames in [10, 30] {
        assert!(line.advance(&QUIET, &LOUD));
        for _ in 0..quiet_frames {
            assert!(!line.advance(&QUIET, &QUIET));
        }
    }
    line.advance(&QUIET, &LOUD);
    let stretches: Vec<(u64, u64)> = line.agent_speech().iter().map(|s| (s.from.0.0, s.until.0.0)).collect();
    assert_eq!(stretches, [(0, 12 * 160), (42 * 160, 43 * 160)]);
    assert!(line.caller_speech().is_empty());
    assert!(line.into_recording().is_none());
}

#[test]
fn what_is_softer_than_the_threshold_is_not_heard() {
    let soft = crate::audio::to_mulaw(&[300; 50]);
    assert_eq!(loud_range(&soft), None);
    let mut voice = soft;
    voice.extend(crate::audio::to_mulaw(&[-2_000; 3]));
    voice.push(MULAW_SILENCE);
    assert_eq!(loud_range(&voice), Some(50..53));
}

#[test]
fn line_time_is_written_in_milliseconds() {
    let time = LineTime(SampleCount(8_000 + 80));
    assert_eq!(serde_json::to_string(&time).unwrap(), "1010");
    assert_eq!(serde_json::from_str::<LineTime>("1010").unwrap(), time);
}
