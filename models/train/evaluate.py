"""Score an exported model folder on the held-out set with the int8 graphs, one thread, greedy, the language given.

    python evaluate.py ../receptionist-mini [--set work/heldout] [--suffix ''] [--frames 3000] [--errors 20] [--json FILE]

Prints the figures; --json also writes them to a file. Word error rate = (substitutions + deletions + insertions) / words, after
each digit has been made a word of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "export"))

import features
import heldout
from export import Session

SHORTEST = 50  # frames: the window is the audio as it is, but at least half a second
TOKENS_PER_SECOND = 12


def words(text: str) -> list[str]:
    """What the error rate counts: no points, no punctuation, lower case, digits one by one."""
    text = re.sub("[\u0591-\u05c7]", "", text.lower())
    text = re.sub(r"([0-9])", r" \1 ", text)
    return re.sub(r"[^\w\s']", " ", text).split()


def distance(reference: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for i, want in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, have in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (want != have))
    return row[-1]


class Listener:
    def __init__(self, folder: pathlib.Path, suffix: str) -> None:
        self.session = Session(folder, suffix)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.id = self.tokenizer.token_to_id

    def prompt(self, language: str) -> list[int]:
        return [self.id(f"<|{name}|>") for name in ("startoftranscript", language, "transcribe", "notimestamps")]

    def mel(self, samples: np.ndarray, frames: int | None = None) -> np.ndarray:
        mel, silence = features.features(samples)
        return features.pad(mel, silence, frames or max(SHORTEST, mel.shape[1]))

    def hear(self, samples: np.ndarray, language: str, frames: int | None = None) -> tuple[str, float, str, float]:
        """(text, probability of no speech, the likelier language, milliseconds without the features)."""
        mel = self.mel(samples, frames)
        began = time.perf_counter()
        limit = int(len(samples) / 8_000 * TOKENS_PER_SECOND) + 10
        tokens, first = self.session.greedy(mel, self.prompt(language), self.id("<|endoftext|>"), limit)
        took = (time.perf_counter() - began) * 1_000
        share = np.exp(first - first.max())
        likelier = "he" if first[self.id("<|he|>")] > first[self.id("<|en|>")] else "en"
        return self.tokenizer.decode(tokens).strip(), float(share[self.id("<|nospeech|>")] / share.sum()), likelier, took


def read_set(folder: pathlib.Path):
    for line in (folder / "heldout.tsv").read_text().splitlines()[1:]:
        file, language, kind, text = line.split("\t")
        samples, rate_hz = heldout.read_any(folder / file)
        assert rate_hz == 8_000
        yield file, language, kind, text, samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--set", type=pathlib.Path, default=HERE / "work/heldout")
    parser.add_argument("--suffix", default="_int8")
    parser.add_argument("--frames", type=int, help="a fixed window, such as 3000")
    parser.add_argument("--errors", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    listener = Listener(arguments.folder, arguments.suffix)
    score: dict[str, list[int]] = {}
    noise: dict[str, list[int]] = {}
    took, silent, spoken, told, shown = [], [], [], [], 0
    for file, language, kind, text, samples in read_set(arguments.set):
        for tongue in ["he", "en"] if language == "none" else [language]:
            heard, no_speech, likelier, milliseconds = listener.hear(samples, tongue, arguments.frames)
            took.append(milliseconds)
            wrong = distance(words(text), words(heard))
            if language == "none":
                noise.setdefault(kind, []).append(int(heard != ""))
                silent.append(no_speech)
            else:
                score.setdefault(f"{language} {kind}", []).append([wrong, len(words(text)), int(wrong == 0)])
                spoken.append(no_speech)
                told.append(likelier == language)
            if wrong and shown < arguments.errors:
                shown += 1
                print(f"  {file}: {text!r} heard {heard!r} p(nospeech) {no_speech:.3f}")
    result: dict[str, object] = {}
    for name, rows in score.items():
        edits, count, exact = (sum(column) for column in zip(*rows, strict=True))
        result[name] = {"clips": len(rows), "words": count, "wer": round(edits / count, 4), "exact": exact}
        print(f"{name:14} {len(rows):4} clips {count:5} words  WER {edits / count * 100:5.2f} %  exact {exact}/{len(rows)}")
    if noise:
        clips = sum(len(rows) for rows in noise.values())
        empty = clips - sum(sum(rows) for rows in noise.values())
        detail = {kind: f"{len(rows) - sum(rows)}/{len(rows)}" for kind, rows in sorted(noise.items())}
        result["noise"] = {"decodes": clips, "empty": empty, "share": round(empty / clips, 4), "kinds": detail}
        print(f"without speech {clips:4} decodes (each clip as Hebrew and as English)  empty {empty / clips * 100:.2f} %  {detail}")
        result["no_speech"] = {"above_0.5_without_speech": round(float(np.mean(np.array(silent) > 0.5)), 4), "above_0.5_with_speech": round(float(np.mean(np.array(spoken) > 0.5)), 4)}
        print(f"p(nospeech) > 0.5: {result['no_speech']}")
    result["language"] = {"told": sum(told), "clips": len(told)}
    print(f"language told from the first position: {sum(told)}/{len(told)}")
    result["milliseconds"] = {"median": round(statistics.median(took), 1), "p95": round(float(np.percentile(took, 95)), 1)}
    print(f"encoder + decoder, one thread: median {result['milliseconds']['median']} ms, p95 {result['milliseconds']['p95']} ms per clip")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
