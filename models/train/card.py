"""Write card.toml and README.md of the finished model folder from the figures of evaluate.py and the training record.

    python card.py CHECKPOINT FOLDER SCORES_JSON
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys

import onnx

from vocabulary import Vocabulary

VERSION = "1.0.0"
STAGE_FIELDS = ["steps", "clips", "gentle", "ctc", "rate", "seed", "ranks", "encoder_layers"]
CARDED = ["config.json", "decoder_int8.onnx", "encoder_int8.onnx", "generation_config.json", "preprocessor_config.json", "tokenizer.json"]


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensors(path: pathlib.Path) -> tuple[list[str], list[str]]:
    graph = onnx.load(path).graph
    return [value.name for value in graph.input], [value.name for value in graph.output]


def card(folder: pathlib.Path, scores: dict, record: dict) -> str:
    lines = [
        'name = "receptionist-mini"', f'version = "{VERSION}"', 'architecture = "whisper"', 'layout = "B"  # models/export/README.md', 'licence = "Apache-2.0"',
        'languages = ["he", "en"]', "sample_rate_hz = 16000", "mel_bins = 80", 'trained_by = "models/train/run.sh"', f"seed = {record['seed']}",
        f"steps = {record['steps']}", f"training_minutes = {record['minutes']}", f"bytes = {sum((folder / name).stat().st_size for name in CARDED)}",
        "context = false  # never trained with text before the utterance", "",
        "[window]", 'policy = "fit"', "pad_ms = 0", "",
    ]
    for part in ("encoder", "decoder"):
        inputs, outputs = tensors(folder / f"{part}_int8.onnx")
        lines += [f"[tensors.{part}]", f"inputs = {json.dumps(inputs)}", f"outputs = {json.dumps(outputs)}", ""]
    for name in CARDED:
        lines += ["[[file]]", f'name = "{name}"', f"bytes = {(folder / name).stat().st_size}", f'sha256 = "{digest(folder / name)}"', ""]
    lines += ["[heldout]  # as models/train/evaluate.py printed it"]
    for name, row in scores.items():
        if isinstance(row, dict) and "wer" in row:
            lines.append(f"{name.replace(' ', '_')} = {{ clips = {row['clips']}, words = {row['words']}, word_error_rate = {row['wer']} }}")
    if "noise" in scores:
        lines.append(f"without_speech = {{ decodes = {scores['noise']['decodes']}, empty = {scores['noise']['empty']}, share = {scores['noise']['share']} }}")
    for stage in record["stages"]:
        lines += ["", "[[stage]]  # of the training, each going on from the one before", *(f"{name} = {json.dumps(stage[name])}" for name in STAGE_FIELDS)]
    return "\n".join(lines) + "\n"


def readme(folder: pathlib.Path, scores: dict, record: dict) -> str:
    total = sum((folder / name).stat().st_size for name in CARDED)
    config = json.loads((folder / "config.json").read_text())
    rows = []
    for name, row in scores.items():
        if isinstance(row, dict) and "wer" in row:
            language, kind = name.split(" ")
            label = {"he": "Hebrew", "en": "English"}[language] + (", synthetic voices" if kind == "synthetic" else ", yesno (real recordings, 8 words each)")
            rows.append(f"| {label} | {row['clips']} | {row['wer'] * 100:.2f} % | {row['exact']} |")
    noise = scores["noise"]
    kinds = ", ".join(f"{kind} {share}" for kind, share in noise["kinds"].items())
    phrases = {language: len(Vocabulary(language).plain_phrases()) for language in ("he", "en")}
    sizes = "\n".join(f"| `{name}` | {(folder / name).stat().st_size} | `{digest(folder / name)}` |" for name in CARDED)
    milliseconds = scores["milliseconds"]
    stages = "\n".join(f"| {stage['steps']} | {stage['clips']} | {stage['gentle']} | {stage['ctc']} | {stage['rate']} | {stage['encoder_layers']} |" for stage in record["stages"])
    return f"""# receptionist-mini {VERSION}

A very small speech recogniser for one purpose: a fresh checkout of Kolbox, without any download, hears what callers of an office usually
say, in Hebrew and English, at telephone quality. Whisper architecture, {config['encoder_layers']} encoder and {config['decoder_layers']} decoder layers of width {config['d_model']}, a vocabulary of {config['vocab_size']} tokens,
int8, {total / 1e6:.1f} MB in all.

## What it can do

* The phrases and patterns of `models/train/vocabulary/he.toml` ({phrases['he']} whole phrases and the patterns with names, numbers, days, times, places) and
  `en.toml` ({phrases['en']}): yes and no, names, telephone numbers, days and times, reasons for calling, flats and rooms and budgets, asking for a person,
  hesitations, thanks, goodbyes; two of them in a row with a pause.
* Digit strings are written as digits joined ("0541234567"); every other number is written in words. No punctuation, no points, English in
  lower case.
* Noise, tones and silence give an empty text, and a high probability of `<|nospeech|>` at the first position.
* The window is free: no padding is needed. A 30 s window works too, but is a little worse and twenty times slower.

## What it cannot do

* It knows no other sentences. What is outside the vocabulary comes out as something inside it, and with confidence. Names that are not in the
  lists come out as names that are.
* It was trained on synthetic voices (espeak-ng), apart from one real speaker's Hebrew yes and no. Real callers will be understood worse than the
  figures below say; how much worse has not been measured. An office that goes into service installs one of the larger models of the catalogue.
* No timestamps, no translation, no context (`<|startofprev|>` is in the tokenizer but was never trained), no other languages.
* The wrong language given with `<|he|>` or `<|en|>` is survived in most cases, since training did that on purpose now and then, but not measured.

## Figures

Held-out set of `models/train/heldout.py`: voices, variants and speeds that training never used; backgrounds of kinds that training never used
(blue noise, crackle, a fan, a cafe recording); telephone band, mu-law, lost packets. Greedy, int8, language given, one thread, printed by
`models/train/evaluate.py`. The sentences are drawn from the same vocabulary as in training, the numbers are new.

| set | clips | word error rate | without an error |
|---|---|---|---|
{chr(10).join(rows)}

Word error rate: substitutions, deletions and insertions over words, each digit counted as a word.

Without speech: {noise['empty']} of {noise['decodes']} decodes empty ({noise['share'] * 100:.2f} %; each clip once as Hebrew, once as English): {kinds}.
p(no speech) above 0.5: {scores['no_speech']['above_0.5_without_speech'] * 100:.1f} % of them, and {scores['no_speech']['above_0.5_with_speech'] * 100:.1f} % of the clips with speech.

The language is told from the first position for {scores['language']['told']} of the {scores['language']['clips']} clips with speech.

Encoder and decoder, one thread of the training machine's x86-64 CPU: median {milliseconds['median']} ms, 95th percentile {milliseconds['p95']} ms per clip.

`heldout/` holds 40 clips per language of the set (8 kHz mu-law) with `heldout.tsv`, for benchmarks that have no Python. They lean to the
shorter clips, so that they stay small; their figure is not the one above.

## Training

`models/train/run.sh`: espeak-ng speaks the vocabulary (20000 English and 26000 Hebrew clips; Hebrew through Nakdimon, the entries of the vocabulary
and the product's own rules to phonemes), then {record['clips']} augmented samples in {record['steps']} steps (seed {record['seed']}, {record['ranks']} processes, {record['minutes']} minutes on a busy 2-core
machine; the rate falls to zero over the later stages), cross entropy with a CTC help on the encoder. The stages, each going on from the one before ("gentle": the share of nearly clean speech):

| until step | samples | gentle | CTC weight | peak rate | encoder layers |
|---|---|---|---|---|---|
{stages}

Equal seeds give the same samples in the same order; sums in another order on another CPU end in slightly different weights. The shipped weights went another way
than `run.sh` goes: the stages with four encoder layers came first, two more layers were added to the weights recovered from the int8 files of that model
(`recover.py`), and the Hebrew clips were spoken again then, with the stress of two number words corrected. `run.sh` begins with six layers.

| data | licence | use |
|---|---|---|
| espeak-ng 1.51 output | the output of a GPL-3 program, not covered by its licence | training, held-out |
| Nakdimon (in the piper-tts 1.8.0 wheel) | MIT | points for Hebrew text |
| kaldi yesno (OpenSLR SLR1) | Apache-2.0 | training; every sixth file held out |
| office ambience (pipecat) | BSD-2 | background in training |
| cafe ambience (bolna) | MIT | background, held-out only |

Nothing under a share-alike licence is in it.

## Files

| file | bytes | SHA-256 |
|---|---|---|
{sizes}
"""


def main() -> None:
    checkpoint, folder, scores_file = map(pathlib.Path, sys.argv[1:4])
    scores = json.loads(scores_file.read_text())
    record = json.loads((checkpoint / "training.json").read_text())
    layers = json.loads((checkpoint / "config.json").read_text())["encoder_layers"]
    stages = [dict(record)]
    while stages[0].get("before"):
        stages.insert(0, stages[0]["before"])
    stages = [{"encoder_layers": layers, **stage} for stage in stages]
    record |= {"clips": sum(stage["clips"] for stage in stages), "minutes": round(sum(stage["minutes"] for stage in stages)), "stages": stages}
    (folder / "card.toml").write_text(card(folder, scores, record))
    (folder / "README.md").write_text(readme(folder, scores, record))
    print(f"wrote {folder / 'card.toml'} and {folder / 'README.md'}")


if __name__ == "__main__":
    main()
