"""Every random number of a day, by what it is for: (seed, request) or (seed, request, provider, try).

A keyed hash is the generator, so that no draw depends on the order of events, and whoever asks what would have become
of an attempt, gateway or oracle, gets the same answer.
"""

import math
import random
from array import array
from bisect import bisect_right
from hashlib import blake2b
from statistics import NormalDist
from struct import Struct
from typing import Final

from tests.simulation.scenario import BUSY, DAY_S

_KEY: Final = Struct("<QQHH")
_EIGHT: Final = Struct("<8Q")
_UNIT: Final = 2.0**-52
_REQUEST: Final = 0xFFFF
_NORMAL: Final = NormalDist()
_BUSIEST_S: Final = 16 * 3600.0
_STEPS: Final = 86_400

Uniforms = tuple[float, float, float, float, float, float, float, float]


def of_attempt(seed: int, request: int, host: int, attempt: int) -> Uniforms:
    """Eight numbers between 0 and 1, neither included."""
    return _uniforms(_KEY.pack(seed, request, host, attempt))


def of_request(seed: int, request: int) -> Uniforms:
    return _uniforms(_KEY.pack(seed, request, _REQUEST, 0))


def _uniforms(key: bytes) -> Uniforms:
    a, b, c, d, e, f, g, h = _EIGHT.unpack(blake2b(key, digest_size=64).digest())
    return (
        ((a >> 12) + 0.5) * _UNIT, ((b >> 12) + 0.5) * _UNIT, ((c >> 12) + 0.5) * _UNIT, ((d >> 12) + 0.5) * _UNIT,
        ((e >> 12) + 0.5) * _UNIT, ((f >> 12) + 0.5) * _UNIT, ((g >> 12) + 0.5) * _UNIT, ((h >> 12) + 0.5) * _UNIT,
    )  # fmt: skip


def log_normal(uniform: float, *, median: float, sigma: float) -> float:
    return median * math.exp(sigma * _NORMAL.inv_cdf(uniform))


def traffic(at: float) -> float:
    """How busy a moment is, 1 on the day's average: least at 04:00, most at 16:00."""
    return 1 + BUSY * math.cos(2 * math.pi * (at - _BUSIEST_S) / DAY_S)


def arrivals(seed: int, requests: int) -> "array[float]":
    """When each request of a day is made, in order: what a Poisson process of that traffic gives for so many."""
    source = random.Random(f"arrivals {seed}")
    step = DAY_S / _STEPS
    reached = [0.0]
    for second in range(_STEPS):
        reached.append(reached[-1] + traffic((second + 0.5) * step) * step)
    whole = reached[-1]
    drawn = sorted([source.random() * whole for _ in range(requests)])
    times = array("d", bytes(8 * requests))
    for number, mark in enumerate(drawn):
        second = bisect_right(reached, mark) - 1
        times[number] = (second + (mark - reached[second]) / (reached[second + 1] - reached[second])) * step
    return times
