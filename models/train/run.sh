#!/usr/bin/env bash
# Makes models/receptionist-mini from nothing: environment, clips, training, export, held-out figures, card.
#
#   models/train/run.sh                                everything: two to three hours on 2 cores
#   SCALE=1 OUT=work/try models/train/run.sh          one hundredth of the steps, to see every part run
#
# ../shared (recordings and noise with permissive licences) is used where it is present; without it the run says so and goes on.
set -euo pipefail
cd "$(dirname "$0")"

SCALE=${SCALE:-100}
OUT=${OUT:-../receptionist-mini}
steps() { echo $(($1 * SCALE / 100)); }

./setup.sh
python=.venv/bin/python
cargo build -q -p language --example phonemes
[ -s work/en.train.jsonl ] || $python synth.py --language en --count 20000
[ -s work/he.train.jsonl ] || $python synth.py --language he --count 26000
[ -s work/en.heldout.jsonl ] || $python synth.py --language en --count 300 --held-out
[ -s work/he.heldout.jsonl ] || $python synth.py --language he --count 300 --held-out
[ -s work/heldout/heldout.tsv ] || $python heldout.py --count 300 --noise 500

# Large batches of hard audio teach it what is said; small ones of nearly clean audio teach it to listen; then back to hard audio.
$python train.py --out work/stage1 --steps "$(steps 1048)" --decay 1 --frames 10000
$python train.py --out work/stage2 --from work/stage1 --steps "$(steps 2036)" --decay 1 --gentle 0.85 --ctc 1.0
$python train.py --out work/stage3 --from work/stage2 --steps "$(steps 4960)" --decay 1 --gentle 0.5 --ctc 0.7 --rate 2e-3
$python train.py --out work/stage4 --from work/stage3 --steps "$(steps 7500)" --decay "$(steps 7500)" --gentle 0.3 --ctc 0.5 --rate 2e-3
$python train.py --out work/stage5 --from work/stage4 --steps "$(steps 9000)" --decay "$(steps 3000)" --gentle 0.3 --ctc 0.5 --rate 1.5e-3 --frames 5000
./finish.sh work/stage5 "$OUT"
