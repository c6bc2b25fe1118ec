//! What was spoken once is kept: in memory, and on disk what is no personal data.
//!
//! Kept as µ-law, which is what the telephone carries. Both places have a cap; what was used least lately goes first.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::g711::Law;
use sha2::{Digest as _, Sha256};

use self::disk::Folder;
use crate::synthesizer::{Flow, SynthesizeError, SynthesizeRequest, Synthesizer};

/// Changes whenever the same text shall sound different: voices, normalisation, phonemes, shaping.
const VERSION: u32 = 2;
/// Samples handed over at once: 100 ms.
const PIECE: usize = 800;
/// Longest utterance kept, in samples: a minute.
const MAX_SAMPLES: usize = 60 * 8_000;

/// Where and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Bytes in memory, one for each sample at 8 kHz. Default 8 MiB, 17 minutes.
    pub memory_bytes: u64,
    /// Folder on disk, made when missing. Default none: memory only.
    pub folder: Option<PathBuf>,
    /// Bytes on disk. Default 32 MiB.
    pub disk_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { memory_bytes: 8 * 1024 * 1024, folder: None, disk_bytes: 32 * 1024 * 1024 }
    }
}

/// Figures of a cache since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheMetrics {
    /// Utterances found in memory.
    pub memory_hits: u64,
    /// Utterances found on disk.
    pub disk_hits: u64,
    /// Utterances found nowhere.
    pub misses: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// Rendered utterances, shared by all voices of a pool.
#[derive(Debug)]
pub struct PromptCache {
    inner: Mutex<Inner>,
}

type Key = [u8; 32];

#[derive(Debug)]
struct Inner {
    memory: BTreeMap<Key, Entry>,
    memory_cap: u64,
    /// Counts uses, to tell what was used last.
    clock: u64,
    prompts: BTreeSet<(&'static str, String)>,
    folder: Option<Folder>,
    metrics: CacheMetrics,
}

#[derive(Debug)]
struct Entry {
    mulaw: Arc<[u8]>,
    used: u64,
}

impl PromptCache {
    /// Opens a cache. A folder that cannot be used is logged and done without.
    pub fn new(config: CacheConfig) -> Self {
        let folder = config.folder.and_then(|path| match Folder::open(path, config.disk_bytes) {
            Ok(folder) => Some(folder),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "rendered prompts are not kept on disk");
                None
            }
        });
        let inner = Inner {
            memory: BTreeMap::new(),
            memory_cap: config.memory_bytes,
            clock: 0,
            prompts: BTreeSet::new(),
            folder,
            metrics: CacheMetrics::default(),
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Names sentences of the box itself. Only these are kept on disk: others may repeat what a caller said.
    pub fn add_prompts(&self, prompts: impl IntoIterator<Item = SynthesizeRequest>) {
        let prompts = prompts.into_iter().map(|prompt| (prompt.language.code(), prompt.text));
        self.lock().prompts.extend(prompts);
    }

    /// Returns the sentence as `voice` spoke it before, in µ-law, if it is still kept.
    pub fn find(&self, voice: &str, request: &SynthesizeRequest) -> Option<Vec<u8>> {
        self.get(&key(voice, request), request).map(|mulaw| mulaw.to_vec())
    }

    /// Keeps a sentence as `voice` spoke it, in µ-law; one longer than a minute is not kept.
    pub fn keep(&self, voice: &str, request: &SynthesizeRequest, mulaw: &[u8]) {
        if !mulaw.is_empty() && mulaw.len() <= MAX_SAMPLES {
            self.put(key(voice, request), request, mulaw.to_vec());
        }
    }

    /// Returns the figures.
    pub fn metrics(&self) -> CacheMetrics {
        let inner = self.lock();
        CacheMetrics { disk_bytes: inner.folder.as_ref().map_or(0, Folder::bytes), ..inner.metrics }
    }

    fn get(&self, key: &Key, request: &SynthesizeRequest) -> Option<Arc<[u8]>> {
        let mut inner = self.lock();
        inner.clock = inner.clock.saturating_add(1);
        let clock = inner.clock;
        if let Some(entry) = inner.memory.get_mut(key) {
            entry.used = clock;
            let mulaw = Arc::clone(&entry.mulaw);
            inner.metrics.memory_hits = inner.metrics.memory_hits.saturating_add(1);
            return Some(mulaw);
        }
        let is_prompt = inner.is_prompt(request);
        let from_disk = inner.folder.as_mut().filter(|_| is_prompt).and_then(|folder| folder.read(&name(key)));
        let Some(mulaw) = from_disk else {
            inner.metrics.misses = inner.metrics.misses.saturating_add(1);
            return None;
        };
        inner.metrics.disk_hits = inner.metrics.disk_hits.saturating_add(1);
        let mulaw: Arc<[u8]> = mulaw.into();
        inner.remember(*key, Arc::clone(&mulaw));
        Some(mulaw)
    }

    fn put(&self, key: Key, request: &SynthesizeRequest, mulaw: Vec<u8>) {
        let mut inner = self.lock();
        let is_prompt = inner.is_prompt(request);
        if let Some(folder) = inner.folder.as_mut().filter(|_| is_prompt)
            && let Err(error) = folder.write(&name(&key), &mulaw)
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "a rendered prompt is not kept on disk");
        }
        inner.remember(key, mulaw.into());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_prompt(&self, request: &SynthesizeRequest) -> bool {
        self.prompts.contains(&(request.language.code(), request.text.clone()))
    }

    fn remember(&mut self, key: Key, mulaw: Arc<[u8]>) {
        let len = bytes(&mulaw);
        if len > self.memory_cap {
            return;
        }
        if let Some(old) = self.memory.remove(&key) {
            self.metrics.memory_bytes = self.metrics.memory_bytes.saturating_sub(bytes(&old.mulaw));
        }
        while self.metrics.memory_bytes.saturating_add(len) > self.memory_cap {
            let oldest = self.memory.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let Some(old) = oldest.and_then(|key| self.memory.remove(&key)) else { break };
            self.metrics.memory_bytes = self.metrics.memory_bytes.saturating_sub(bytes(&old.mulaw));
        }
        self.metrics.memory_bytes = self.metrics.memory_bytes.saturating_add(len);
        self.clock = self.clock.saturating_add(1);
        self.memory.insert(key, Entry { mulaw, used: self.clock });
    }
}

/// A voice that first looks whether it has said the same before.
#[derive(Debug)]
pub struct CachedSynthesizer<S> {
    inner: S,
    cache: Arc<PromptCache>,
}

impl<S: Synthesizer> CachedSynthesizer<S> {
    /// Puts a cache before a voice.
    pub const fn new(inner: S, cache: Arc<PromptCache>) -> Self {
        Self { inner, cache }
    }
}

impl<S: Synthesizer> Synthesizer for CachedSynthesizer<S> {
    fn synthesize(
        &mut self,
        request: &SynthesizeRequest,
        audio: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), SynthesizeError> {
        let key = key(self.inner.voice(), request);
        if let Some(mulaw) = self.cache.get(&key, request) {
            let mut samples = Vec::with_capacity(PIECE);
            for piece in mulaw.chunks(PIECE) {
                samples.clear();
                Law::Mu.decode_into(piece, &mut samples);
                if audio(&samples) == Flow::Stop {
                    break;
                }
            }
            return Ok(());
        }
        let (mut mulaw, mut whole) = (Vec::new(), true);
        self.inner.synthesize(request, &mut |samples| {
            if mulaw.len().saturating_add(samples.len()) > MAX_SAMPLES {
                whole = false;
            } else {
                Law::Mu.encode_into(samples, &mut mulaw);
            }
            let flow = audio(samples);
            whole &= flow == Flow::Continue;
            flow
        })?;
        // What nobody listened to up to its end is not all of it.
        if whole && !mulaw.is_empty() {
            self.cache.put(key, request, mulaw);
        }
        Ok(())
    }

    fn voice(&self) -> &str {
        self.inner.voice()
    }
}

fn key(voice: &str, request: &SynthesizeRequest) -> Key {
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    for part in [voice, request.language.code(), &request.text] {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn name(key: &Key) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    key.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes(mulaw: &[u8]) -> u64 {
    u64::try_from(mulaw.len()).unwrap_or(u64::MAX)
}
