use proptest::prelude::*;

use super::*;

/// 16 ms each: silence, speech, doubt, and what came of it in milliseconds.
#[test]
fn speech_begins_after_four_likely_windows_and_ends_after_twelve_unlikely() {
    let script = [vec![0.0; 20], vec![0.9; 20], vec![0.1; 20]].concat();
    // 20 windows are 320 ms; the pre-roll is 96 ms.
    assert_eq!(events(&script), ["started 224 at 384", "ended 640 at 832"]);
}

#[test]
fn short_noises_begin_nothing() {
    let script = [vec![0.9; 2], vec![0.0; 1], vec![1.0; 2], vec![0.49; 30]].concat();
    assert!(events(&script).is_empty());
}

#[test]
fn doubt_holds_speech_and_short_gaps_do_not_end_it() {
    let script = [vec![0.9; 4], vec![0.4; 50], vec![0.0; 11], vec![0.4; 1], vec![0.0; 12]].concat();
    assert_eq!(events(&script), ["started 0 at 64", "ended 1056 at 1248"]);
}

#[test]
fn the_end_of_the_audio_ends_speech() {
    let mut segmenter = Segmenter::new(SegmenterConfig::default());
    for _ in 0..10 {
        segmenter.push(1.0);
    }
    assert!(segmenter.is_speech());
    segmenter.finish();
    let told: Vec<SpeechEvent> = std::iter::from_fn(|| segmenter.poll_event()).collect();
    let (first, heard) = (SampleCount(0), SampleCount(2_560));
    assert_eq!(told.last(), Some(&SpeechEvent::Ended { at: heard, detected: heard }));
    assert_eq!(told.first(), Some(&SpeechEvent::Started { at: first, detected: SampleCount(1_024) }));
}

proptest! {
    #[test]
    fn events_alternate_and_never_go_back(script in prop::collection::vec(prop_oneof![0.0_f32..1.0, Just(f32::NAN)], 0..400)) {
        let mut segmenter = Segmenter::new(SegmenterConfig::default());
        let (mut last, mut open) = (SampleCount(0), false);
        for probability in script.into_iter().map(Some).chain([None]) {
            match probability {
                Some(probability) => segmenter.push(probability),
                None => segmenter.finish(),
            }
            while let Some(event) = segmenter.poll_event() {
                let (started, at, detected) = match event {
                    SpeechEvent::Started { at, detected } => (true, at, detected),
                    SpeechEvent::Ended { at, detected } => (false, at, detected),
                };
                prop_assert_ne!(started, open);
                prop_assert!(last <= at && at <= detected && detected == segmenter.heard());
                (open, last) = (started, at);
            }
        }
        prop_assert!(!open);
    }
}

fn events(script: &[f32]) -> Vec<String> {
    let mut segmenter = Segmenter::new(SegmenterConfig::default());
    for probability in script {
        segmenter.push(*probability);
    }
    let ms = |at: SampleCount| at.duration(SampleRate::HZ_16000).as_millis();
    std::iter::from_fn(|| segmenter.poll_event())
        .map(|event| match event {
            SpeechEvent::Started { at, detected } => format!("started {} at {}", ms(at), ms(detected)),
            SpeechEvent::Ended { at, detected } => format!("ended {} at {}", ms(at), ms(detected)),
        })
        .collect()
}
