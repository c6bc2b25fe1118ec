//! Renders what the box says in the same words on every call, once, while nobody is on the line.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::app::Parts;

/// Time between two looks whether the line is free.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Sentences that fail before the rest is left for when it is said: the voice is broken, not the sentence.
const MAX_FAILED: u32 = 3;

/// Renders every fixed sentence of the form that is not on the disk yet, one after the other, and ends. While a call is
/// on the line it waits: no more than one sentence, a fraction of a second, is ever ahead of a caller's.
///
/// # Cancellation safety
///
/// Dropped half way, the rest is rendered when it is first said, or after the next start.
pub async fn render(parts: Arc<Parts>) {
    if !parts.voice.keeps_prompts() {
        return;
    }
    let (mut rendered, mut failed) = (0_u32, 0_u32);
    for (text, language) in parts.form.fixed_sentences() {
        while parts.switchboard.on_line() > 0 {
            tokio::select! {
                () = parts.shutdown.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
            }
        }
        if parts.shutdown.is_cancelled() || failed == MAX_FAILED {
            break;
        }
        let speaking = Arc::clone(&parts);
        let spoken = tokio::task::spawn_blocking(move || speaking.voice.speak(&text, language).map(drop));
        match spoken.await {
            Ok(Ok(())) => rendered = rendered.saturating_add(1),
            // What is wrong with the voice is said in `/readyz`; a caller's sentence is tried again.
            Ok(Err(_)) | Err(_) => failed = failed.saturating_add(1),
        }
    }
    parts.metrics.prompts_rendered.set(1);
    tracing::info!(rendered, failed, "rendered the fixed sentences");
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use conversation::StreamWatchdog;
    use routing::{Ending, Event};
    use speech::{
        CacheConfig, CachedSynthesizer, EarshotVad, Flow, PromptCache, SynthesizeError, SynthesizeRequest, Synthesizer,
    };
    use telephony::one_time::TOKEN_RANDOM_BYTES;
    use telephony::wire::Address;
    use tokio::net::TcpListener;
    use tokio::time::timeout;
    use units::Language;

    use super::render;
    use crate::app::{App, Parts};
    use crate::config::{Config, Secret};
    use crate::documents::Clip;
    use crate::switchboard::Caller;
    use crate::voice::Engines;

    const PROMPTS: &str = "prompts";

    #[tokio::test]
    async fn fixed_sentences_are_rendered_while_nobody_calls_and_kept_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (parts, cache) = build(folder.path(), "first").await;
        let greeted = files(folder.path());
        assert_eq!(greeted, 2, "the greeting was recorded in both languages, in the words it is said in");
        answer(&parts);
        let rendered = timeout(Duration::from_millis(200), render(Arc::clone(&parts))).await;
        assert!(rendered.is_err() && files(folder.path()) == greeted, "it waits while a call is on the line");

        let ended = Event::StreamEnded { ending: Ending::HangUp };
        parts.switchboard.end(Duration::ZERO, &"CA1".parse().unwrap(), ended, None);
        render(Arc::clone(&parts)).await;
        let sentences = parts.form.fixed_sentences().len();
        assert!(sentences > 20);
        assert_eq!(files(folder.path()), sentences);
        assert_eq!(cache.metrics().disk_hits, 0);

        let (parts, cache) = build(folder.path(), "second").await;
        render(parts).await;
        let metrics = cache.metrics();
        assert_eq!(usize::try_from(metrics.disk_hits), Ok(sentences));
        // In each language what is no sentence of the form: the trial of the voice, and each recording but the greeting.
        assert_eq!(usize::try_from(metrics.misses), Ok(2 * Clip::ALL.len()), "{metrics:?}");
        assert_eq!(files(folder.path()), sentences);
    }

    /// Builds a box with a store of its own, whose voice is two samples long and kept in `folder`.
    async fn build(folder: &Path, store: &str) -> (Arc<Parts>, Arc<PromptCache>) {
        let text = format!(
            "[http]\npublic_url = 'https://office.example.org'\n[carrier]\n[store]\npath = '{}'\n",
            folder.join(store).display()
        );
        let mut config = Config::parse(Path::new("kolbox.toml"), &text).unwrap();
        config.carrier.auth_tokens = vec![Secret::new("a key for tests")];
        let kept = Some(folder.join(PROMPTS));
        let cache = Arc::new(PromptCache::new(CacheConfig { folder: kept, ..CacheConfig::default() }));
        let speaking = Arc::clone(&cache);
        let engines = Engines {
            recognizer: Box::new(|| Err("there is no model in this test".into())),
            synthesizer: Box::new(move || Ok(Box::new(CachedSynthesizer::new(Blip, Arc::clone(&speaking))))),
            vad: Box::new(|| Box::new(EarshotVad::new())),
            prompts: Some(Arc::clone(&cache)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (App::build(config, listener, engines).await.unwrap().parts(), cache)
    }

    struct Blip;

    impl Synthesizer for Blip {
        fn synthesize(
            &mut self,
            _request: &SynthesizeRequest,
            audio: &mut dyn FnMut(&[i16]) -> Flow,
        ) -> Result<(), SynthesizeError> {
            audio(&[1_000, -1_000]);
            Ok(())
        }

        fn voice(&self) -> &'static str {
            "blip"
        }
    }

    /// Puts a call on the line.
    fn answer(parts: &Parts) {
        let now = Duration::ZERO;
        let caller = Caller {
            call: "CA1".parse().unwrap(),
            from: Address::of("+972541234567").into(),
            to: Address::of("+97235550100").into(),
            language: Language::Hebrew,
            started_wall_ms: 0,
            started: now,
            may_record: true,
            called_back: false,
            before: None,
        };
        let watchdog = StreamWatchdog::armed(now, now, Duration::from_secs(6));
        let token = parts.switchboard.expect(now, caller, watchdog, [1; TOKEN_RANDOM_BYTES]).unwrap();
        parts.switchboard.connect(now, &"CA1".parse().unwrap(), token.as_str()).unwrap();
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder.join(PROMPTS)).unwrap().count()
    }
}
