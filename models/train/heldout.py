"""The held-out set: what training never saw, made by rule.

    python heldout.py --count 300 --noise 500        -> work/heldout/{he,en,noise}/*.wav and work/heldout/heldout.tsv
    python heldout.py --pick 40 --into ../receptionist-mini/heldout

Voices, variants and speeds are the held-out ones of synth.py. Background: blue noise, crackle, a modulated hum, and a cafe recording where the shared data has it
(no training sample holds any of them). The real yesno recordings are those that training leaves out. Wav files are 8 kHz G.711 mu-law.

Columns: file, language (he, en, none), kind, text.
"""

from __future__ import annotations

import argparse
import pathlib
import struct
import sys

import numpy as np

import augment
import dataset
from augment import RATE_HZ

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE / "work"
SEED = 9_001
NOISE_KINDS = ["white", "pink", "hum", "clicks", "dtmf", "babble", "silence", "cafe"]


def crackle(random_: np.random.Generator, count: int) -> np.ndarray:
    """Sparse impulses through a ringing filter over faint blue noise."""
    out = 0.02 * augment.coloured(random_, count, -1.0)
    for _ in range(int(random_.integers(3, 12)) * max(1, count // RATE_HZ)):
        at, hertz = int(random_.integers(0, count)), random_.uniform(500, 3_000)
        length = min(count - at, 160)
        time = np.arange(length) / RATE_HZ
        out[at : at + length] += random_.uniform(0.2, 1) * np.sin(2 * np.pi * hertz * time) * np.exp(-time * 300)
    return out.astype(np.float32)


def humming(random_: np.random.Generator, count: int) -> np.ndarray:
    """A fan: hum at a pitch training does not use, its level going up and down."""
    time = np.arange(count) / RATE_HZ
    wave_ = augment.hum(random_, count, random_.uniform(70, 90))
    return (wave_ * (1 + 0.5 * np.sin(2 * np.pi * random_.uniform(0.5, 3) * time))).astype(np.float32)


def cafe(shared: pathlib.Path) -> np.ndarray | None:
    path = shared / "data/noise/bolna_coffee-shop.wav"
    if not path.is_file():
        print("no cafe recording in the shared data: held-out noise goes on without it")
        return None
    samples, rate_hz = dataset.read_wav(path)
    if rate_hz != RATE_HZ:
        from scipy import signal

        samples = signal.resample_poly(samples.astype(np.float32), RATE_HZ, rate_hz)
    return samples.astype(np.float32)


def telephone(clip: np.ndarray, background: list, random_: np.random.Generator) -> np.ndarray:
    lead, tail = (np.zeros(int(random_.uniform(0.1, 0.6) * RATE_HZ), dtype=np.float32) for _ in range(2))
    samples = np.concatenate([lead, clip.astype(np.float32), tail])
    level = random_.uniform(-28, -14)
    samples = augment.at_level(samples, level)
    noise = background[int(random_.integers(len(background)))](random_, len(samples))
    samples = samples + augment.at_level(noise, level - random_.uniform(10, 35))
    samples = augment.handset(samples, random_)
    if random_.random() < 0.1:
        samples = augment.lose_packets(samples, random_)
    return augment.mu_law(samples)


def without_speech(kind: str, random_: np.random.Generator, babble: augment.Babble, cafe_: np.ndarray | None) -> np.ndarray:
    count = int(random_.uniform(0.5, 6.0) * RATE_HZ)
    if kind == "silence":
        return augment.mu_law(np.zeros(count) + random_.integers(-4, 5, count) * (random_.random() < 0.5))
    if kind == "cafe" and cafe_ is None:
        kind = "pink"
    made = {
        "white": lambda: augment.coloured(random_, count, 0),
        "pink": lambda: augment.coloured(random_, count, 1),
        "hum": lambda: humming(random_, count),
        "clicks": lambda: crackle(random_, count),
        "dtmf": lambda: augment.tones(random_, count),
        "babble": lambda: babble(random_, count, int(random_.integers(1, 6)), backwards=1.0),
        "cafe": lambda: augment.fit(cafe_, count, random_),
    }[kind]()
    return augment.mu_law(augment.at_level(made, random_.uniform(-55, -12)))


def write_wav(path: pathlib.Path, samples: np.ndarray) -> None:
    """A mono mu-law file (wave format 7): the samples went through mu-law already, so each has its byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = augment.mu_law_bytes(samples)
    head = struct.pack("<4sI4s4sIHHIIHHH", b"RIFF", 50 + len(data) + len(data) % 2, b"WAVE", b"fmt ", 18, 7, 1, RATE_HZ, RATE_HZ, 1, 8, 0)
    fact = struct.pack("<4sII4sI", b"fact", 4, len(data), b"data", len(data))
    path.write_bytes(head + fact + data + b"\0" * (len(data) % 2))


def read_any(path: pathlib.Path) -> tuple[np.ndarray, int]:
    """A wav file as write_wav makes it."""
    raw = path.read_bytes()
    form, _, rate_hz = struct.unpack_from("<HHI", raw, 20)
    assert form == 7, f"{path} is not mu-law"
    at = raw.index(b"data", 36)
    (length,) = struct.unpack_from("<I", raw, at + 4)
    return augment.MU_LAW_BYTE[np.frombuffer(raw[at + 8 : at + 8 + length], dtype=np.uint8)], rate_hz


def generate(count: int, noise: int, shared: pathlib.Path):
    """Yields (file, language, kind, text, samples)."""
    sets = {language: dataset.load_set(f"{language}.heldout", language) for language in ("he", "en")}
    recording = cafe(shared)
    background = [lambda r, n: augment.coloured(r, n, -1.0), crackle, humming]
    if recording is not None:
        background.append(lambda r, n: augment.fit(recording, n, r))
    for language, clips in sets.items():
        random_ = np.random.default_rng(SEED + len(language) + (language == "he"))
        for index, clip in enumerate(clips[:count]):
            yield f"{language}/{language}_{index:03}.wav", language, "synthetic", clip.text, telephone(clip.samples, background, random_)
    for index, clip in enumerate(dataset.load_yesno(shared, held_out=True)):
        yield f"he/yesno_{index:03}.wav", "he", "yesno", clip.text, augment.mu_law(clip.samples.astype(np.float32))
    babble = augment.Babble([clip.samples for clips in sets.values() for clip in clips])
    random_ = np.random.default_rng(SEED + 77)
    for index in range(noise):
        kind = NOISE_KINDS[index % len(NOISE_KINDS)]
        yield f"noise/{kind}_{index:03}.wav", "none", kind, "", without_speech(kind, random_, babble, recording)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="clips per language")
    parser.add_argument("--noise", type=int, default=500, help="clips without speech")
    parser.add_argument("--pick", type=int, help="only this many short clips per language, no recordings of others, no noise")
    parser.add_argument("--into", type=pathlib.Path, default=WORK / "heldout")
    parser.add_argument("--shared", type=pathlib.Path, default=HERE.parents[2] / "shared")
    arguments = parser.parse_args()
    rows, taken = [], {"he": 0, "en": 0}
    for file, language, kind, text, samples in generate(arguments.count, 0 if arguments.pick else arguments.noise, arguments.shared):
        if arguments.pick:
            if kind != "synthetic" or taken[language] == arguments.pick or len(samples) > 3.2 * RATE_HZ and taken[language] % 10:
                continue
            taken[language] += 1
        write_wav(arguments.into / file, samples)
        rows.append(f"{file}\t{language}\t{kind}\t{text}\n")
    (arguments.into / "heldout.tsv").write_text("file\tlanguage\tkind\ttext\n" + "".join(rows))
    print(f"{len(rows)} clips in {arguments.into}", file=sys.stderr)


if __name__ == "__main__":
    main()
