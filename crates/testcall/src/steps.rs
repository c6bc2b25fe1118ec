//! From a script's steps to audio, before the call begins.

use std::sync::Arc;

use telephony::Digit;

use crate::audio;
use crate::caller::ReadyStep;
use crate::carrier::{CallError, Exchange};
use crate::script::Step;

/// Renders the audio of steps; `first` is the number of the first for messages.
pub(crate) async fn render(exchange: &Exchange, steps: &[Step], first: usize) -> Result<Vec<ReadyStep>, CallError> {
    let mut ready = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let failed = |source| CallError::Voice { step: first + index, source };
        match step {
            Step::Say { text, language } => {
                let spoken = speak(exchange, text.reveal(), *language).await?.map_err(failed)?;
                ready.push(ReadyStep::Audio(audio::to_mulaw(&spoken)));
            }
            Step::Interrupt { text, language, after } => {
                let spoken = speak(exchange, text.reveal(), *language).await?.map_err(failed)?;
                let limit = Step::INTERRUPT_LIMIT;
                ready.push(ReadyStep::WaitUntilAgentSpeaks { lasting: *after, limit });
                ready.push(ReadyStep::Audio(audio::to_mulaw(&spoken)));
            }
            Step::PlayWav { path } => {
                let path = path.clone();
                let reading = tokio::task::spawn_blocking(move || audio::read_wav_file(&path));
                let samples = reading.await.map_err(CallError::VoicePanicked)?.map_err(|error| failed(error.into()))?;
                ready.push(ReadyStep::Audio(audio::to_mulaw(&samples)));
            }
            Step::WaitForAgentToFinish { quiet, limit } => {
                ready.push(ReadyStep::WaitForAgentToFinish { quiet: *quiet, limit: *limit });
            }
            Step::WaitUntilAgentSpeaks { lasting, limit } => {
                ready.push(ReadyStep::WaitUntilAgentSpeaks { lasting: *lasting, limit: *limit });
            }
            Step::Silence { lasting } => ready.push(ReadyStep::Silence(*lasting)),
            Step::Dtmf { digits } => {
                ready.push(ReadyStep::Keys(digits.reveal().chars().filter_map(Digit::new).collect()));
            }
            Step::Hangup {} => ready.push(ReadyStep::Hangup),
            Step::WaitEnd { limit } => ready.push(ReadyStep::WaitEnd(*limit)),
        }
    }
    Ok(ready)
}

/// Speaks a text on a thread that may block.
pub(crate) async fn speak(
    exchange: &Exchange,
    text: &str,
    language: units::Language,
) -> Result<Result<Vec<i16>, crate::voice::VoiceError>, CallError> {
    let (voice, text) = (Arc::clone(&exchange.voice), text.to_owned());
    tokio::task::spawn_blocking(move || voice.speak(&text, language)).await.map_err(CallError::VoicePanicked)
}
