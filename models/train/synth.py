"""Speak the vocabulary with espeak-ng: clips at 8 kHz, one flat file of samples and one table per set.

    python synth.py --language he --count 16000            -> work/he.train.i16, work/he.train.jsonl
    python synth.py --language he --count 300 --held-out   -> work/he.heldout.i16, work/he.heldout.jsonl

The held-out set uses voices, variants and speeds that training never uses (VOICES below), and its own seed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import io
import json
import pathlib
import random
import subprocess
import sys
import wave

import numpy as np
from scipy import signal

import hebrew
from vocabulary import Sentence, Vocabulary

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE / "work"
RATE_HZ = 8_000
SEEDS = {("he", False): 101, ("en", False): 102, ("he", True): 201, ("en", True): 202}

VOICES = {
    ("he", False): ["he"],
    ("he", True): ["he"],
    ("en", False): ["en-us", "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-029"],
    ("en", True): ["en-us", "en-gb", "en-gb-x-gbclan"],
}
VARIANTS = {
    False: [
        "", "", "m1", "m2", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f5", "croak", "klatt", "klatt2", "klatt4", "adam", "Alex", "Andy", "Annie", "antonio", "aunty", "belinda",
        "caleb", "Denis", "Diogo", "edward", "Gene", "grandma", "Henrique", "Hugo", "iven2", "Jacky", "linda", "Marco", "max", "michel", "pablo", "paul", "quincy", "rob", "sandro",
        "shelby", "steph", "steph3", "travis", "victor", "anika", "robert", "marcelo", "kaukovalta",
    ],
    True: ["m3", "f4", "klatt3", "Alicia", "benjamin", "steph2", "Michael", "john", "ed"],
}
TRAIN_SPEEDS = [*range(115, 138), *range(146, 174), *range(186, 215)]
HELD_OUT_SPEEDS = [*range(139, 145), *range(176, 184)]


def check_tools() -> None:
    try:
        subprocess.run(["espeak-ng", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit("espeak-ng is missing. Install it: apt-get install -y espeak-ng")


def speak(command: list[str], text: str) -> np.ndarray:
    """Samples at 8 kHz, silence at both ends cut off; empty when the voice failed."""
    out = subprocess.run([*command, "--stdout", "--stdin"], input=text.encode(), capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(out)) as file:
        rate_hz = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32)
    assert rate_hz == 22_050
    narrow = signal.resample_poly(samples, 160, 441)
    loud = np.flatnonzero(np.abs(narrow) > 120)
    if len(loud) < 400:
        return np.zeros(0, dtype=np.int16)
    cut = narrow[max(0, loud[0] - 160) : loud[-1] + 400]
    return np.clip(np.round(cut * min(1.0, 30_000 / max(1.0, np.abs(cut).max()))), -32_768, 32_767).astype(np.int16)


def sentences(vocabulary: Vocabulary, count: int, random_: random.Random) -> list[Sentence]:
    """Every plain phrase first (as often as count / 6 allows), the rest drawn by weight."""
    plain = [Sentence(vocabulary.language, group, phrase, phrase) for group, phrase in vocabulary.plain_phrases()]
    random_.shuffle(plain)
    rounds = count // (len(plain) * 6)
    out = plain * rounds if rounds else plain[: count // 4]
    while len(out) < count:
        out.append(vocabulary.draw(random_))
    random_.shuffle(out)
    return out


def spoken_forms(vocabulary: Vocabulary, drawn: list[Sentence], held_out: bool, random_: random.Random) -> list[str]:
    """What each sentence gives espeak-ng: English text, or Hebrew phonemes."""
    if vocabulary.language == "en":
        return [sentence.spoken for sentence in drawn]
    diacritizer = hebrew.Diacritizer(vocabulary.niqqud)
    known: dict[tuple[str, bool], str] = {}
    pointed = []
    for sentence in drawn:
        alone = not held_out and random_.random() < 0.25  # as the product's own voice would say it
        key = (sentence.spoken, alone)
        if key not in known:
            known[key] = diacritizer.plain(sentence.spoken) if alone else diacritizer(sentence.spoken)
        pointed.append(known[key])
    lines = hebrew.phonemes(pointed)
    return [f"[[{line if held_out else hebrew.vary(line, random_)}]]" for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--language", choices=["he", "en"], required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="")
    parser.add_argument("--seed-offset", type=int, default=0)
    arguments = parser.parse_args()
    check_tools()
    WORK.mkdir(exist_ok=True)
    held_out = arguments.held_out
    random_ = random.Random(SEEDS[arguments.language, held_out] + arguments.seed_offset)
    vocabulary = Vocabulary(arguments.language)
    drawn = sentences(vocabulary, arguments.count, random_)
    forms = spoken_forms(vocabulary, drawn, held_out, random_)
    jobs = []
    for sentence, form in zip(drawn, forms, strict=True):
        voice, variant = random_.choice(VOICES[arguments.language, held_out]), random_.choice(VARIANTS[held_out])
        name = f"{voice}+{variant}" if variant else voice
        speed = random_.choice(HELD_OUT_SPEEDS if held_out else TRAIN_SPEEDS)
        pitch = random_.randrange(25, 81)
        command = ["espeak-ng", "-v", name, "-s", str(speed), "-p", str(pitch)]
        jobs.append((sentence, form, command, {"voice": name, "speed": speed, "pitch": pitch}))

    stem = arguments.name or f"{arguments.language}.{'heldout' if held_out else 'train'}"
    offset, kept = 0, 0
    with (
        open(WORK / f"{stem}.i16", "wb") as audio,
        open(WORK / f"{stem}.jsonl", "w") as table,
        concurrent.futures.ThreadPoolExecutor(arguments.workers) as pool,
    ):
        for (sentence, form, _, said), samples in zip(jobs, pool.map(lambda job: speak(job[2], job[1]), jobs), strict=True):
            if len(samples) == 0 or len(samples) > 12 * RATE_HZ:
                continue
            audio.write(samples.astype("<i2").tobytes())
            row = {"text": sentence.text, "group": sentence.group, "offset": offset, "length": len(samples), "form": form, **said}
            table.write(json.dumps(row, ensure_ascii=False) + "\n")
            offset += len(samples)
            kept += 1
    print(f"{stem}: {kept} clips of {len(jobs)}, {offset / RATE_HZ / 60:.1f} minutes")


if __name__ == "__main__":
    main()
