#!/usr/bin/env bash
# Makes models/receptionist-mini from nothing: environment, clips, training, export, held-out figures, card.
#
#   models/train/run.sh            everything (hours on 2 cores; the clips take minutes)
#   STEPS=200 DECAY=50 OUT=/tmp/mini models/train/run.sh    a quick pass through all of it
#
# ../shared (recordings and noise with permissive licences) is used where it is present; without it the run says so and goes on.
set -euo pipefail
cd "$(dirname "$0")"

STEPS=${STEPS:-12000}
DECAY=${DECAY:-2200}
OUT=${OUT:-../receptionist-mini}

./setup.sh
python=.venv/bin/python
cargo build -q -p language --example phonemes
[ -s work/en.train.jsonl ] || $python synth.py --language en --count 20000
[ -s work/he.train.jsonl ] || $python synth.py --language he --count 26000
[ -s work/en.heldout.jsonl ] || $python synth.py --language en --count 300 --held-out
[ -s work/he.heldout.jsonl ] || $python synth.py --language he --count 300 --held-out
[ -s work/heldout/heldout.tsv ] || $python heldout.py --count 300 --noise 500
$python train.py --steps "$STEPS" --decay "$DECAY" --out work/run
./finish.sh work/run "$OUT"
