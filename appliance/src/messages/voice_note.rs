//! What is said in a voice note.

use std::sync::Arc;
use std::time::Duration;

use media::voice_note::{VoiceNoteError, decode};
use store::Transcript;
use units::Language;

use crate::app::Parts;
use crate::transcribing::{TranscribeError, transcribe_wide};

/// Longest voice note that is listened to: what a person says at length, and two minutes of work for a small box.
pub(super) const MAX_LENGTH: Duration = Duration::from_mins(10);

/// Returns what is said in a voice note; `None` when it cannot be listened to. The language is `otherwise` where there
/// are no words.
pub(super) async fn hear(
    parts: &Arc<Parts>,
    file: Vec<u8>,
    otherwise: Language,
) -> Result<Option<Transcript>, TranscribeError> {
    let decoded = tokio::task::spawn_blocking(move || decode(&file, MAX_LENGTH)).await;
    let samples = match decoded.unwrap_or(Err(VoiceNoteError::Damaged)) {
        Ok(samples) => samples,
        Err(error) => {
            tracing::info!(error = &error as &dyn std::error::Error, "voice note not listened to");
            return Ok(None);
        }
    };
    match transcribe_wide(parts, samples).await {
        Ok(heard) => Ok(Some(Transcript { text: heard.text, language: heard.language.unwrap_or(otherwise) })),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "voice note not heard");
            Ok(None)
        }
    }
}
