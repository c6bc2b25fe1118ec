"""Hebrew text to espeak-ng phoneme input: points by Nakdimon, the product's readings and the vocabulary's own entries, phonemes by the product's rules.

Nakdimon (MIT) is the ONNX file inside the piper-tts wheel; setup.sh puts it at work/nakdimon.onnx. Its input is one float per character (an index into
the table below), its outputs are class scores per character for the vowel point, the dagesh and the shin dot.
"""

from __future__ import annotations

import os
import pathlib
import random
import re
import subprocess
import sys

import numpy as np

from vocabulary import Vocabulary

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
POINTS = re.compile("[\u0591-\u05c7]")
PUNCTUATION = " !\"'(),-.:;?"
LETTERS = [chr(code) for code in range(0x05D0, 0x05EB)]
# Index 0 is the mask, then "Hebrew letter of another kind", "other", "digit".
INDEX = {character: index for index, character in enumerate(["", "H", "O", "5", *PUNCTUATION, *LETTERS])}
FINALS = dict(zip("ךםןףץ", "כמנפצ"))
VOWELS = ["", "", *(chr(code) for code in range(0x05B0, 0x05BD)), "\u05b7"]
TAKES_DAGESH = set("בגדהוזטיכלמנספצקשתךף")
TAKES_VOWEL = set("אבגדהוזחטיכלמנסעפצקרשתךן")
PREFIXES = "בלהומשכ"


def readings() -> dict[str, str]:
    """The product's own table of words that the model reads wrongly."""
    lines = (ROOT / "crates/language/data/readings.tsv").read_text().splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


class Diacritizer:
    def __init__(self, overrides: dict[str, str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(HERE / "work/nakdimon.onnx"), options, providers=["CPUExecutionProvider"])
        self.overrides = readings() | overrides
        for text, pointed in self.overrides.items():
            assert POINTS.sub("", pointed) == text, f"niqqud entry {text!r} spells {POINTS.sub('', pointed)!r}"

    def model(self, text: str) -> str:
        ids = [[INDEX.get(FINALS.get(c, c), INDEX["5"] if c.isdigit() else INDEX["O"]) for c in text]]
        vowels, dageshes, shins = self.session.run(None, {self.session.get_inputs()[0].name: np.array(ids, dtype=np.float32)})
        out = []
        for i, letter in enumerate(text):
            out.append(letter)
            if letter in TAKES_DAGESH and dageshes[0, i].argmax() == 2:
                out.append("\u05bc")
            if letter == "ש":
                out.append(["", "", "\u05c1", "\u05c2"][shins[0, i].argmax()])
            if letter in TAKES_VOWEL:
                out.append(VOWELS[vowels[0, i].argmax()])
        return "".join(out)

    def __call__(self, text: str) -> str:
        """Pointed text; entries of the vocabulary win over the model, longer ones over single words."""
        words, given = [], text.split(" ")
        known = len(given)  # the model need not see a tail of words that the vocabulary knows, such as a long number
        while known and given[known - 1].rstrip(",") in self.overrides:
            known -= 1
        model = self.plain(" ".join(given[:known])).split(" ") if known else []
        for word, pointed in zip(given, model + given[known:], strict=True):
            bare = word.rstrip(",")
            words.append(self._word(bare, pointed) + word[len(bare):])
        line = " ".join(words)
        for key, value in self.overrides.items():
            if " " in key and f" {key} " in f" {text} ":
                first = f" {text} ".index(f" {key} ")
                at = f" {text} "[: first + 1].count(" ") - 1
                words[at : at + key.count(" ") + 1] = value.split(" ")
                line = " ".join(words)
        return line

    def plain(self, text: str) -> str:
        """The model alone. It wants a full stop: without one it loses the vowels of the last word."""
        pointed = self.model(text.replace(",", "") + ".").rstrip(".").split(" ")
        commas = ["," if word.endswith(",") else "" for word in text.split(" ")]
        return " ".join(word + comma for word, comma in zip(pointed, commas, strict=True))

    def _word(self, bare: str, pointed: str) -> str:
        pointed = pointed.rstrip(",")
        if bare in self.overrides:
            return self.overrides[bare]
        if bare[:1] in PREFIXES and bare[1:] in self.overrides:
            prefix = re.match(f".{POINTS.pattern}*", pointed).group(0)
            return prefix + self.overrides[bare[1:]]
        return pointed


def phonemes(pointed: list[str]) -> list[str]:
    """espeak-ng mnemonics of pointed lines, by the rules of crates/language. KOLBOX_PHONEMES may name the built example."""
    lines = "\n".join(pointed) + "\n"
    built = os.environ.get("KOLBOX_PHONEMES")
    command = [built] if built else ["cargo", "run", "-q", "-p", "language", "--example", "phonemes"]
    out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    assert len(out) == len(pointed), f"{len(pointed)} lines in, {len(out)} out"
    return out


def vary(mnemonics: str, random_: random.Random) -> str:
    """Small differences between speakers: glottal stops and stress marks dropped."""
    if random_.random() < 0.4:
        mnemonics = mnemonics.replace("?", "")
    if random_.random() < 0.25:
        mnemonics = mnemonics.replace("'", "")
    return mnemonics


def main() -> None:
    """Show the points and the phonemes of each argument."""
    diacritizer = Diacritizer(Vocabulary("he").niqqud)
    pointed = [diacritizer(text) for text in sys.argv[1:]]
    for line, spoken in zip(pointed, phonemes(pointed), strict=True):
        print(f"{line}\t{spoken}")


if __name__ == "__main__":
    main()
