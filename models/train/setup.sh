#!/usr/bin/env bash
# Makes what training needs: the virtual environment .venv, and work/nakdimon.onnx out of the pinned piper-tts wheel. Quick the second time.
set -euo pipefail
cd "$(dirname "$0")"

NAKDIMON_SHA256=9ff491dcc7d66392019d427a98b97d5de10c0d721628ae740858174ae22b190e

for tool in python3 espeak-ng cargo; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing. Install it (Debian: apt-get install -y espeak-ng python3-venv; Rust from rustup.rs)." >&2
        exit 1
    }
done
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed." >&2; exit 1; }

mkdir -p work
if ! cmp -s requirements.txt .venv/installed.txt; then
    echo "installing the Python packages of requirements.txt into models/train/.venv (about 3 GB with the default torch wheel)"
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/pip install -q -r requirements.txt
    cp requirements.txt .venv/installed.txt
fi
if ! echo "$NAKDIMON_SHA256  work/nakdimon.onnx" | sha256sum -c --status 2>/dev/null; then
    echo "taking nakdimon.onnx (MIT) from the piper-tts 1.8.0 wheel"
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    .venv/bin/pip download -q --no-deps --only-binary=:all: -d "$wheels" piper-tts==1.8.0
    python3 -m zipfile -e "$wheels"/piper_tts-1.8.0-*.whl "$wheels/unpacked"
    cp "$wheels/unpacked/piper/hebrew/nakdimon.onnx" work/nakdimon.onnx
    echo "$NAKDIMON_SHA256  work/nakdimon.onnx" | sha256sum -c --status || { echo "nakdimon.onnx is not the expected file" >&2; exit 1; }
fi
