"""From clean clips to what a telephone delivers: joining, speed, handset, noise, level, clipping, lost packets, mu-law. All at 8 kHz.

Every function takes its numpy random generator; equal seeds give equal samples.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import fft, signal

RATE_HZ = 8_000
DTMF_ROWS, DTMF_COLUMNS = [697, 770, 852, 941], [1_209, 1_336, 1_477, 1_633]


def _mu_law_table() -> np.ndarray:
    """int16 (as index + 32768) -> the int16 that G.711 mu-law gives back."""
    value = np.arange(-32_768, 32_768)
    magnitude = np.minimum(np.abs(value), 32_635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    back = ((mantissa << 3) + 132 << exponent) - 132
    return (np.sign(value) * back).astype(np.int16)


MU_LAW = _mu_law_table()


def _mu_law_bytes() -> np.ndarray:
    """byte -> sample, as G.711 numbers them (bits inverted, the highest bit set for positive samples)."""
    code = np.arange(256) ^ 0xFF
    magnitude = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


MU_LAW_BYTE = _mu_law_bytes()


def mu_law_bytes(samples: np.ndarray) -> bytes:
    """The bytes of samples that mu_law gave."""
    table = np.zeros(65_536, dtype=np.uint8)
    table[MU_LAW_BYTE.astype(np.int32) + 32_768] = np.arange(256)
    table[32_768] = 0xFF
    return table[samples.astype(np.int32) + 32_768].tobytes()


def mu_law(samples: np.ndarray) -> np.ndarray:
    """Float samples in int16 units, clipped, through G.711 mu-law and back."""
    return MU_LAW[np.clip(np.round(samples), -32_768, 32_767).astype(np.int32) + 32_768]


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-9))


def at_level(samples: np.ndarray, dbfs: float) -> np.ndarray:
    return samples * (32_768 * 10 ** (dbfs / 20) / max(rms(samples), 1e-6))


def coloured(random_: np.random.Generator, count: int, slope: float) -> np.ndarray:
    """Noise whose power falls as 1 / f^slope (0 white, 1 pink, 2 brown, -1 blue)."""
    length = fft.next_fast_len(count, real=True)
    spectrum = fft.rfft(random_.standard_normal(length, dtype=np.float32))
    frequency = np.maximum(np.arange(len(spectrum), dtype=np.float32), length * 40 / RATE_HZ)
    return fft.irfft(spectrum * frequency ** (-slope / 2), length)[:count].astype(np.float32)


def hum(random_: np.random.Generator, count: int, base_hz: float) -> np.ndarray:
    time = np.arange(count) / RATE_HZ
    out = np.zeros(count, dtype=np.float32)
    for harmonic in range(1, 9):
        out += random_.uniform(0, 1) / harmonic * np.sin(2 * np.pi * base_hz * harmonic * time + random_.uniform(0, 6.28))
    return out


def tones(random_: np.random.Generator, count: int) -> np.ndarray:
    """A row of DTMF keys, or call-progress tones."""
    out = np.zeros(count, dtype=np.float32)
    at = int(random_.integers(0, 2_000))
    while at < count:
        length = int(random_.integers(480, 2_400))
        if random_.random() < 0.75:
            pair = (random_.choice(DTMF_ROWS), random_.choice(DTMF_COLUMNS))
        else:
            pair = (random_.choice([350, 400, 425, 440, 480]), random_.choice([400, 440, 620, 1_000]))
        time = np.arange(min(length, count - at)) / RATE_HZ
        out[at : at + length] = sum(np.sin(2 * np.pi * hertz * time) for hertz in pair)
        at += length + int(random_.integers(400, 4_000))
    return out


def clicks(random_: np.random.Generator, count: int) -> np.ndarray:
    out = np.zeros(count, dtype=np.float32)
    for _ in range(int(random_.integers(1, 4 + count // 2_000))):
        at, length = int(random_.integers(0, count)), int(random_.integers(1, 200))
        burst = random_.standard_normal(length) * np.exp(-np.arange(length) / max(1, length / 4))
        out[at : at + length] += burst[: count - at] * random_.uniform(0.2, 1)
    return out


def swell(random_: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """A slow random change of level."""
    knots = random_.uniform(0.15, 1.0, len(samples) // 1_600 + 2)
    return samples * np.interp(np.arange(len(samples)), np.arange(len(knots)) * 1_600, knots)


def fit(samples: np.ndarray, count: int, random_: np.random.Generator) -> np.ndarray:
    """`count` samples from a random place, repeated when too short."""
    if len(samples) < count:
        samples = np.tile(samples, count // max(1, len(samples)) + 1)
    start = int(random_.integers(0, len(samples) - count + 1))
    return samples[start : start + count].astype(np.float32)


@dataclasses.dataclass
class Babble:
    """Background voices made of the clips themselves: several at once, half of them backwards."""

    clips: list[np.ndarray]

    def __call__(self, random_: np.random.Generator, count: int, voices: int, backwards: float = 0.5) -> np.ndarray:
        out = np.zeros(count, dtype=np.float32)
        for _ in range(voices):
            track, length = [], 0
            while length < count + RATE_HZ:
                clip = self.clips[int(random_.integers(len(self.clips)))].astype(np.float32)
                track.append(clip[::-1] if random_.random() < backwards else clip)
                pause = int(random_.integers(0, 3_000))
                track.append(np.zeros(pause, dtype=np.float32))
                length += len(clip) + pause
            out += at_level(fit(np.concatenate(track), count, random_), -20 + random_.uniform(-6, 3))
        return out


def change_speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Faster and higher, or slower and lower, by reading at another rate."""
    positions = np.arange(0, len(samples) - 1, factor)
    return np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)


def handset(samples: np.ndarray, random_: np.random.Generator) -> np.ndarray:
    """The telephone band with random edges, and a random tilt."""
    low, high = random_.uniform(120, 420), random_.uniform(2_900, 3_750)
    band = signal.butter(int(random_.integers(1, 4)), [low, high], btype="band", fs=RATE_HZ, output="sos")
    out = signal.sosfilt(band, samples)
    tilt = random_.uniform(-0.5, 0.5)
    return signal.lfilter([1, -tilt], [1], out).astype(np.float32)


def echo(samples: np.ndarray, random_: np.random.Generator) -> np.ndarray:
    """A small room: a few decaying reflections."""
    out = samples.copy()
    for _ in range(int(random_.integers(2, 7))):
        delay = int(random_.integers(30, 900))
        if delay < len(samples):
            out[delay:] += samples[:-delay] * random_.uniform(-0.4, 0.4) * np.exp(-delay / 500)
    return out


def lose_packets(samples: np.ndarray, random_: np.random.Generator) -> np.ndarray:
    out = samples.copy()
    for _ in range(int(random_.integers(1, 4))):
        length = int(random_.choice([160, 320, 480]))
        at = int(random_.integers(0, max(1, len(out) - length)))
        out[at : at + length] = 0
    return out
