"""Write the reference fixtures that the Rust front end and tokenizer are compared with.

    models/train/.venv/bin/python models/reference/dump.py [--shared ../shared]

Writes into models/reference/data/:
  logmel_<signal>_<seconds>.f32    log-mel of openai-whisper, little-endian f32, frame-major: frame 0's 80 bins, then frame 1's
  logmel.json                      for each: signal, samples, frames, bins, sha256 of the i16 samples, a few samples
  tokens.json                      text -> ids of the multilingual tokenizer (only where the shared data is present)

The two signals are made with integers only, so that any language makes the same samples (README.md says how).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE / "data"
RATE_HZ = 16_000
MASK = 0xFFFF_FFFF


def lcg(seed: int, count: int) -> list[int]:
    """The upper 16 bits of a 32-bit linear congruential generator (1664525, 1013904223), as signed numbers."""
    state, values = seed & MASK, []
    for _ in range(count):
        state = (state * 1_664_525 + 1_013_904_223) & MASK
        high = state >> 16
        values.append(high - 65_536 if high >= 32_768 else high)
    return values


def chirp_and_noise(count: int) -> np.ndarray:
    """A rising triangle-wave chirp of amplitude 8192 and noise of amplitude 512.

    The phase is a 32-bit counter; its step starts at 200 Hz and grows by 2 Hz per millisecond (16 samples), back to 200 Hz
    when it would pass 3600 Hz."""
    noise = lcg(12_345, count)
    phase, samples = 0, []
    for index in range(count):
        hertz = 200 + (index // 16 * 2) % 3_400
        phase = (phase + hertz * 4_294_967_296 // RATE_HZ) & MASK
        ramp = phase >> 16  # 0..65535
        triangle = ramp if ramp < 32_768 else 65_535 - ramp  # 0..32767
        samples.append(((triangle - 16_384) >> 1) + (noise[index] >> 6))
    return np.array(samples, dtype=np.int16)


def bursts(count: int) -> np.ndarray:
    """Noise of full scale for 100 ms, silence for 150 ms, and so on: onsets, digital silence, and the -8 floor."""
    noise = lcg(777, count)
    return np.array([noise[i] if i % 4_000 < 1_600 else 0 for i in range(count)], dtype=np.int16)


SIGNALS = {"chirp": (chirp_and_noise, 24_000), "bursts": (bursts, 16_000)}

TEXTS = [
    "שלום", " שלום", "אני רוצה לבטל את התור", " אני רוצה לבטל את התור", "קוראים לי דני כהן", "המספר שלי הוא 0541234567",
    " המספר שלי הוא 054-1234567.", "ארה״ב", "צה\"ל", "שָׁלוֹם", "ג'ירפה וצ׳יפס", "עשר וחצי, בבקשה!", "yes", " yes", "no thanks",
    " I would like to book an appointment for Tuesday at half past ten.", "my number is 0521234567", "it's", "don't  stop",
    " two  spaces ", "tab\tand\nnewline\n\n", "1234567890", "3.14", "mixed שלום hello 42 ₪", "😀", "é", "", " ", "naïve café",
]


def write_logmel() -> None:
    import torch
    import whisper

    table = {}
    for name, (make, count) in SIGNALS.items():
        samples = make(count)
        audio = torch.from_numpy(samples.astype(np.float32) / 32_768.0)
        for mels in (80,):
            logmel = whisper.log_mel_spectrogram(audio, n_mels=mels).numpy()
            frames = logmel.shape[1]
            file = f"logmel_{name}_{mels}.f32"
            (DATA / file).write_bytes(np.ascontiguousarray(logmel.T).astype("<f4").tobytes())
            table[file] = {
                "signal": name, "samples": count, "frames": frames, "bins": mels,
                "samples_sha256": hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest(),
                "first_samples": [int(v) for v in samples[:8]],
                "samples_at_5000": [int(v) for v in samples[5_000:5_008]],
            }
    (DATA / "logmel.json").write_text(json.dumps(table, indent=1) + "\n")


def write_tokens(shared: pathlib.Path) -> None:
    ranks = shared / "data/whisper/multilingual.tiktoken"
    if not ranks.is_file():
        print(f"tokens.json left as it is: no {ranks.name} in the shared data")
        return
    from whisper.tokenizer import get_tokenizer

    tokenizer = get_tokenizer(multilingual=True, language="he", task="transcribe")
    table = {
        "sot_sequence_including_notimestamps": list(tokenizer.sot_sequence_including_notimestamps),
        "eot": tokenizer.eot, "no_speech": tokenizer.no_speech, "timestamp_begin": tokenizer.timestamp_begin,
        "sot_prev": tokenizer.sot_prev, "non_speech_tokens": list(tokenizer.non_speech_tokens),
        "texts": [{"text": text, "ids": tokenizer.encode(text)} for text in TEXTS],
    }
    (DATA / "tokens.json").write_text(json.dumps(table, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=pathlib.Path, default=HERE.parents[2] / "shared")
    arguments = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    write_logmel()
    write_tokens(arguments.shared)
    for file in sorted(DATA.iterdir()):
        print(f"{file.name}\t{file.stat().st_size}")


if __name__ == "__main__":
    main()
