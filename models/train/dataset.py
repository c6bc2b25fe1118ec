"""Training samples without end: drawn from the clips, augmented, turned to features, in batches of like length."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import wave

import numpy as np
import torch
from tokenizers import Tokenizer

import augment
import features
from augment import RATE_HZ

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE / "work"
CTC_ALPHABET = " 0123456789abcdefghijklmnopqrstuvwxyz'אבגדהוזחטיכלמנסעפצקרשתםןךףץ"
CTC_INDEX = {character: index + 1 for index, character in enumerate(CTC_ALPHABET)}
NOISE_SHARE = 0.10
JOIN_SHARE = 0.14
YESNO_SHARE = 0.02


@dataclasses.dataclass
class Clip:
    samples: np.ndarray
    text: str
    language: str


def load_set(stem: str, language: str) -> list[Clip]:
    audio = np.memmap(WORK / f"{stem}.i16", dtype="<i2", mode="r")
    rows = [json.loads(line) for line in open(WORK / f"{stem}.jsonl")]
    return [Clip(audio[row["offset"] : row["offset"] + row["length"]], row["text"], language) for row in rows]


def read_wav(path: pathlib.Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, path
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2"), file.getframerate()


def load_yesno(shared: pathlib.Path, held_out: bool) -> list[Clip]:
    """The real recordings of kaldi yesno (OpenSLR SLR1, Apache-2.0): every sixth file in sorted order is held out."""
    files = sorted((shared / "data/speech/he/yesno").glob("*.wav"))
    if not files:
        print("no yesno recordings in the shared data: going on without them")
    clips = []
    for index, path in enumerate(files):
        if (index % 6 == 0) == held_out:
            samples, rate_hz = read_wav(path)
            assert rate_hz == RATE_HZ
            words = ["כן" if digit == "1" else "לא" for digit in path.stem.split("_")]
            clips.append(Clip(samples, " ".join(words), "he"))
    return clips


def split_words(clip: Clip) -> list[Clip]:
    """Cut a yesno recording at its pauses into runs of words, when the pauses are as many as they should be."""
    window = 160
    count = len(clip.samples) // window
    energy = np.array([augment.rms(clip.samples[i * window : (i + 1) * window].astype(np.float32)) for i in range(count)])
    loud = energy > max(60.0, energy.max() * 0.06)
    spans, start, quiet = [], None, 0
    for index, on in enumerate(loud):
        if on:
            start, quiet = (index if start is None else start), 0
        elif start is not None:
            quiet += 1
            if quiet > 7:
                spans.append((start, index - quiet + 1))
                start = None
    if start is not None:
        spans.append((start, count))
    spans = [span for span in spans if span[1] - span[0] >= 6]
    words = clip.text.split(" ")
    if len(spans) != len(words):
        return []
    out = []
    for first in range(len(words)):
        for last in range(first, min(first + 4, len(words))):
            begin, end = max(0, spans[first][0] - 3) * window, (spans[last][1] + 4) * window
            out.append(Clip(clip.samples[begin:end], " ".join(words[first : last + 1]), clip.language))
    return out


def load_ambience(shared: pathlib.Path) -> np.ndarray | None:
    """Office ambience (pipecat, BSD-2), as background and as noise without speech."""
    path = shared / "data/noise/pipecat_office-ambience-24000-mono.mp3"
    if not path.is_file():
        print("no office ambience in the shared data: going on without it")
        return None
    import soundfile
    from scipy import signal

    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == 24_000
    return signal.resample_poly(samples, 1, 3).astype(np.float32)


class Source:
    def __init__(self, shared: pathlib.Path, seed: int, gentle: float = 0.0) -> None:
        """`gentle` is the share of speech that comes nearly clean and unjoined: the start of training needs it."""
        self.random = np.random.default_rng(seed)
        self.gentle = gentle
        self.clips = {language: load_set(f"{language}.train", language) for language in ("he", "en")}
        yesno = load_yesno(shared, held_out=False)
        self.yesno = yesno + [part for clip in yesno for part in split_words(clip)]
        self.ambience = load_ambience(shared)
        self.babble = augment.Babble([clip.samples for language in ("he", "en") for clip in self.clips[language][:3_000]])

    def background(self, count: int) -> np.ndarray:
        random_ = self.random
        kind = random_.random()
        if kind < 0.3:
            return augment.coloured(random_, count, random_.uniform(-0.3, 0.5))
        if kind < 0.55:
            return augment.coloured(random_, count, random_.uniform(0.7, 2.2))
        if kind < 0.63:
            noise = augment.hum(random_, count, random_.choice([50.0, 60.0, 100.0]) * random_.uniform(0.98, 1.02))
            return augment.at_level(noise, -20) + augment.at_level(augment.coloured(random_, count, 1), random_.uniform(-50, -30))
        if kind < 0.72:
            return augment.clicks(random_, count)
        if kind < 0.8 and self.ambience is not None:
            return augment.fit(self.ambience, count, random_)
        noise = self.babble(random_, count, int(random_.integers(3, 9)))
        if random_.random() < 0.5:
            noise = augment.echo(noise, random_)
        return augment.swell(random_, noise) if random_.random() < 0.5 else noise

    def without_speech(self) -> np.ndarray:
        random_ = self.random
        count = int(random_.uniform(0.3, 6.0) * RATE_HZ)
        kind = random_.random()
        if kind < 0.05:
            return np.zeros(count, dtype=np.float32)
        if kind < 0.2:
            noise = augment.tones(random_, count)
        elif kind < 0.36:
            noise = self.babble(random_, count, int(random_.integers(1, 6)), backwards=1.0)
        else:
            noise = self.background(count)
            if random_.random() < 0.3:
                noise = augment.at_level(noise, -20) + augment.at_level(self.background(count), random_.uniform(-40, -20))
        if random_.random() < 0.4:
            noise = augment.swell(random_, noise)
        return augment.at_level(noise, random_.uniform(-75, -10) if random_.random() < 0.5 else random_.uniform(-40, -12))

    def clip(self) -> Clip:
        if self.yesno and self.random.random() < YESNO_SHARE:
            return self.yesno[int(self.random.integers(len(self.yesno)))]
        clips = self.clips["he" if self.random.random() < 0.52 else "en"]
        return clips[int(self.random.integers(len(clips)))]

    def speech(self) -> tuple[np.ndarray, str, str]:
        random_ = self.random
        first = self.clip()
        parts, text = [first], first.text
        if len(first.samples) < 3 * RATE_HZ and random_.random() < JOIN_SHARE * (1 - self.gentle):
            second = self.clip()
            digits = text[-1:].isdigit() and second.text[:1].isdigit()
            if second.language == first.language and not digits and len(second.samples) < 5 * RATE_HZ:
                parts.append(second)
                text = f"{text} {second.text}"
        track = [np.zeros(int(random_.uniform(0, 0.6) * RATE_HZ), dtype=np.float32)]
        for part in parts:
            samples = part.samples.astype(np.float32)
            if random_.random() < 0.7:  # other vocal tracts: mostly like the voice's own, now and then much shorter
                factor = random_.uniform(0.9, 1.1) if random_.random() < 0.65 else random_.uniform(1.08, 1.3)
                samples = augment.change_speed(samples, factor)
            track += [samples, np.zeros(int(random_.uniform(0.12, 0.7) * RATE_HZ), dtype=np.float32)]
        track[-1] = track[-1][: int(random_.uniform(0, 0.6) * RATE_HZ)]
        return np.concatenate(track), text, first.language

    def channel(self, samples: np.ndarray) -> np.ndarray:
        random_ = self.random
        if random_.random() < self.gentle:
            return augment.mu_law(augment.at_level(samples, random_.uniform(-26, -14)))
        if random_.random() < 0.3:
            samples = augment.echo(samples, random_)
        level = random_.uniform(-34, -12)
        samples = augment.at_level(samples, level)
        if random_.random() < 0.75:
            samples = samples + augment.at_level(self.background(len(samples)), level - random_.uniform(3, 40))
        if random_.random() < 0.85:
            samples = augment.handset(samples, random_)
        if random_.random() < 0.08:
            samples = samples * 10 ** (random_.uniform(6, 20) / 20)
        if random_.random() < 0.1:
            samples = augment.lose_packets(samples, random_)
        return augment.mu_law(samples)

    def sample(self) -> tuple[np.ndarray, float, str | None, str]:
        """(mel, value of silence, text or None where nobody speaks, language)."""
        if self.random.random() < NOISE_SHARE:
            noise = self.without_speech()
            if self.random.random() < 0.5:
                noise = augment.handset(noise, self.random)
            mel, silence = features.features(augment.mu_law(noise))
            return mel, silence, None, "he" if self.random.random() < 0.5 else "en"
        samples, text, language = self.speech()
        mel, silence = features.features(self.channel(samples)[: 12 * RATE_HZ])
        return mel, silence, text, language


@dataclasses.dataclass
class Batch:
    mel: torch.Tensor
    inputs: torch.Tensor
    labels: torch.Tensor
    ctc: torch.Tensor
    ctc_lengths: torch.Tensor
    used: torch.Tensor  # encoder positions that hold audio


class Batches:
    """Draws a pool, sorts it by length, cuts it into batches of about the same number of frames, gives them in random order."""

    def __init__(self, source: Source, tokenizer: Tokenizer, frames_per_batch: int, pool: int = 384) -> None:
        self.source, self.tokenizer, self.frames, self.pool = source, tokenizer, frames_per_batch, pool
        self.id = {token: tokenizer.token_to_id(token) for token in ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|he|>", "<|transcribe|>", "<|notimestamps|>", "<|nospeech|>")}

    def __iter__(self):
        random_ = self.source.random
        while True:
            rows = sorted((self.source.sample() for _ in range(self.pool)), key=lambda row: row[0].shape[1])
            batches, here = [], []
            for row in rows:
                longest = row[0].shape[1] + 100
                if here and (len(here) + 1) * longest > self.frames:
                    batches.append(here)
                    here = []
                here.append(row)
            batches.append(here)
            for index in random_.permutation(len(batches)):
                yield self.collate(batches[index])

    def collate(self, rows) -> Batch:
        random_ = self.source.random
        longest = max(row[0].shape[1] for row in rows)
        frames = longest + int(random_.integers(0, 100))
        if random_.random() < 0.025:  # now and then a window as long as a stock loader would pad it to
            rows = rows[:3]
            frames = int(random_.choice([1_000, 1_500, 3_000]))
        mel = np.stack([features.pad(row[0], row[1], frames) for row in rows])
        for one in mel:
            self.mask(one)
        inputs, labels, ctc = zip(*(self.tokens(row[2], row[3]) for row in rows), strict=True)
        width = max(map(len, inputs))
        eot = self.id["<|endoftext|>"]
        return Batch(
            torch.from_numpy(mel),
            torch.tensor([row + [eot] * (width - len(row)) for row in inputs]),
            torch.tensor([row + [-100] * (width - len(row)) for row in labels]),
            torch.tensor([index for row in ctc for index in row] or [0]),
            torch.tensor([len(row) for row in ctc]),
            torch.tensor([min((frames + 1) // 2, (row[0].shape[1] + 1) // 2 + 10) for row in rows]),
        )

    def mask(self, mel: np.ndarray) -> None:
        """A few bins and short stretches blanked (SpecAugment), on half of the samples."""
        random_ = self.source.random
        if random_.random() < max(0.5, self.source.gentle):
            return
        mean = mel.mean()
        for _ in range(2):
            width, at = int(random_.integers(0, 12)), int(random_.integers(0, 70))
            mel[at : at + width] = mean
        for _ in range(2):
            width, at = int(random_.integers(0, 10)), int(random_.integers(0, mel.shape[1]))
            mel[:, at : at + width] = mean

    def tokens(self, text: str | None, language: str) -> tuple[list[int], list[int], list[int]]:
        token = self.id
        spoken = language
        if self.source.random.random() < 0.08:  # the language may be pinned wrongly: write what was said all the same
            language = "en" if language == "he" else "he"
        prompt = [token["<|startoftranscript|>"], token[f"<|{language}|>"], token["<|transcribe|>"], token["<|notimestamps|>"]]
        if text is None:
            return prompt, [token["<|nospeech|>"], -100, -100, token["<|endoftext|>"]], []
        words = self.tokenizer.encode(" " + text).ids
        labels = [token[f"<|{spoken}|>"], token["<|transcribe|>"], token["<|notimestamps|>"], *words, token["<|endoftext|>"]]
        return prompt + words, labels, [CTC_INDEX[character] for character in text]
