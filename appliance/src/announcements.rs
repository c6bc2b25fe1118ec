//! What a person hears before taking a call: spoken by the local voice, fetched once by the carrier, forgotten.
//!
//! It says who calls and why, so it lies in memory only, under a name that nobody can guess.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use media::wav;
use units::{Language, SampleRate};

use crate::app::Parts;

/// Announcements kept at once; the carrier fetches each within seconds.
const MAX_KEPT: usize = 32;

/// Announcements that wait to be fetched.
#[derive(Default)]
pub struct Announcements {
    kept: Mutex<VecDeque<(String, Arc<Vec<u8>>)>>,
}

impl std::fmt::Debug for Announcements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcements").finish_non_exhaustive()
    }
}

impl Announcements {
    /// Keeps a WAV file under a name made of `random`, and returns the name. The oldest makes room.
    pub fn keep(&self, wav: Vec<u8>, random: [u8; 16]) -> String {
        let name = random.iter().fold(String::new(), |mut name, byte| {
            // A string takes everything.
            let _infallible = write!(name, "{byte:02x}");
            name
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((name.clone(), Arc::new(wav)));
        while kept.len() > MAX_KEPT {
            kept.pop_front();
        }
        name
    }

    /// Returns the file of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Vec<u8>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| known == name).map(|(_, wav)| Arc::clone(wav))
    }
}

/// Speaks `text` and keeps it; returns its name, or `None` when this device cannot speak now.
pub async fn speak(parts: &Arc<Parts>, text: String, language: Language) -> Option<String> {
    let speaker = Arc::clone(parts);
    let spoken = tokio::task::spawn_blocking(move || {
        let samples = speaker.voice.speak(&text, language).ok()?;
        wav::encode_pcm16(&samples, 1, SampleRate::HZ_8000).ok()
    });
    let wav = spoken.await.ok().flatten()?;
    Some(parts.announcements.keep(wav, rand::random()))
}

#[cfg(test)]
mod tests {
    use super::{Announcements, MAX_KEPT};

    #[test]
    fn the_newest_are_kept_and_none_is_shown() {
        let announcements = Announcements::default();
        let first = announcements.keep(vec![1], [0; 16]);
        assert_eq!(announcements.get(&first).as_deref(), Some(&vec![1]));
        for number in 1..=u8::try_from(MAX_KEPT).unwrap() {
            announcements.keep(vec![number], [number; 16]);
        }
        assert_eq!(announcements.get(&first), None);
        assert_eq!(format!("{announcements:?}"), "Announcements { .. }");
    }
}
