use std::num::NonZeroUsize;
use std::sync::mpsc::channel;

use speech::fakes::{Hears, ScriptedRecognizer, ScriptedSynthesizer};
use speech::{
    Flow, Heard, PoolConfig, RecognizeError, RecognizeRequest, RecognizerPool, Spoken, SynthesizeError, SynthesizerPool,
};
use units::Language;

use crate::support::english;

#[test]
fn a_recognizer_tells_interim_texts_and_then_its_result() {
    let pool = recognizers(vec![Hears::Text("yes that is me"), Hears::Panics, Hears::Fails]);
    assert_eq!(hear(&pool), ["yes", "yes that", "yes that is", "done yes that is me"]);
    assert_eq!(hear(&pool), ["Gone"]);
    assert_eq!(pool.model(), "scripted");
    assert_eq!((pool.metrics().panicked, pool.metrics().done), (1, 1));
}

#[test]
fn a_busy_recognizer_says_so_at_once() {
    let (gate, gated) = channel();
    let pool = recognizers(vec![Hears::Waits(gated, "late")]);
    let mut results = Vec::new();
    // One runs or waits, one waits; a third has no place.
    for _ in 0..3 {
        results.push(pool.recognize(request(), |_| ()));
    }
    assert!(results.iter().any(|result| matches!(result, Err(RecognizeError::Busy))));
    assert!(pool.metrics().refused >= 1);
    drop(gate);
}

#[test]
fn a_synthesizer_hands_over_audio_until_it_is_stopped() {
    let one = NonZeroUsize::MIN;
    let config = PoolConfig::new("speak", one, one);
    let pool = SynthesizerPool::start(config, || Ok(Box::new(ScriptedSynthesizer::default()))).unwrap();
    assert_eq!(pool.render(english("one two three")).unwrap().len(), 6_000);
    let (sender, receiver) = channel();
    pool.synthesize(english("one two three"), move |spoken| {
        sender.send(spoken).unwrap();
        Flow::Stop
    })
    .unwrap();
    let told: Vec<Spoken> = receiver.iter().collect();
    assert!(matches!(told.as_slice(), [Spoken::Audio(samples), Spoken::Done(Ok(()))] if samples.len() == 2_000));
}

#[test]
fn a_voice_that_does_not_load_is_an_error() {
    let one = NonZeroUsize::MIN;
    let missing = || Err(Box::new(SynthesizeError::Gone).into());
    assert!(SynthesizerPool::start(PoolConfig::new("speak", one, one), missing).is_err());
}

/// One recognizer with a script; its successors after a panic have none.
fn recognizers(script: Vec<Hears>) -> RecognizerPool {
    let one = NonZeroUsize::MIN;
    let mut script = Some(script);
    RecognizerPool::start(PoolConfig::new("hear", one, one), move || {
        Ok(Box::new(ScriptedRecognizer::new(script.take().unwrap_or_default())))
    })
    .unwrap()
}

fn request() -> RecognizeRequest {
    let language = Some(Language::English);
    RecognizeRequest { audio: vec![0.0; 160], language, among: Vec::new(), prompt: String::new() }
}

fn hear(pool: &RecognizerPool) -> Vec<String> {
    let (sender, receiver) = channel();
    pool.recognize(request(), move |heard| {
        let told = match heard {
            Heard::Interim(text) => text.into_revealed(),
            Heard::Done(Ok(recognition)) => format!("done {}", recognition.text.reveal()),
            Heard::Done(Err(error)) => format!("{error:?}"),
        };
        sender.send(told).unwrap();
    })
    .unwrap();
    receiver.iter().collect()
}
