#!/usr/bin/env bash
# From a checkpoint to the shipped folder: export, held-out figures, the committed subset, card. finish.sh CHECKPOINT OUTPUT
set -euo pipefail
cd "$(dirname "$0")"
python=.venv/bin/python
$python ../export/export.py "$1" "$2"
$python heldout.py --pick 40 --into "$2/heldout"
$python evaluate.py "$2" --json work/scores.json
$python card.py "$1" "$2" work/scores.json
