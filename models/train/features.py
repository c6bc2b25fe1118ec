"""Log-mel features of 16 kHz audio, equal to Whisper's (models/reference holds the proof), and the way there from 8 kHz."""

from __future__ import annotations

import numpy as np
from scipy import fft, signal

RATE_HZ = 16_000
HOP = 160
WINDOW = 400
BINS = 80
FLOOR = -10.0


def _mel_filters() -> np.ndarray:
    """Slaney-scale triangles of unit area over 201 bins from 0 to 8 kHz."""
    def to_mel(hertz: np.ndarray) -> np.ndarray:
        return np.where(hertz < 1_000, hertz * 3 / 200, 15 + np.log(np.maximum(hertz, 1e-9) / 1_000) * 27 / np.log(6.4))

    def to_hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = to_hertz(np.linspace(to_mel(np.array(0.0)), to_mel(np.array(8_000.0)), BINS + 2))
    grid = np.linspace(0, 8_000, WINDOW // 2 + 1)
    rising = (grid[None, :] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - grid[None, :]) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


FILTERS = _mel_filters()
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
UP_HALF = 30
UP_FILTER = (signal.firwin(UP_HALF * 2 + 1, 0.5, window=("kaiser", 7.0)) * 2).astype(np.float32)


def upsample(narrow: np.ndarray) -> np.ndarray:
    """8 kHz to 16 kHz by a half-band filter, delay removed."""
    out = signal.upfirdn(UP_FILTER, narrow.astype(np.float32), up=2)
    return out[UP_HALF : UP_HALF + 2 * len(narrow)]


def log_mel(audio: np.ndarray) -> tuple[np.ndarray, float]:
    """[bins, frames] of f32 audio in -1..1, and the value that frames of added digital silence would have."""
    padded = np.pad(audio.astype(np.float32), WINDOW // 2, mode="reflect")
    count = len(audio) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:: HOP][:count]
    spectrum = fft.rfft(frames * HANN, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel = np.log10(np.maximum(FILTERS @ power.T, 1e-10))
    floor = max(FLOOR, float(mel.max()) - 8.0)
    return (np.maximum(mel, floor) + 4) / 4, (floor + 4) / 4


def features(narrow: np.ndarray) -> tuple[np.ndarray, float]:
    """log_mel of int16 samples at 8 kHz."""
    return log_mel(upsample(narrow.astype(np.float32) / 32_768.0))


def pad(mel: np.ndarray, silence: float, frames: int) -> np.ndarray:
    out = np.full((BINS, frames), silence, dtype=np.float32)
    count = min(frames, mel.shape[1])
    out[:, :count] = mel[:, :count]
    return out
