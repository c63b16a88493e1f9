"""Fits the family rows of the token estimate to recorded prompts: least relative error, held back towards a common row.

A family has nine figures and some of them have few recordings to speak for them, so each is drawn to the common value
with the strength of one guess. How much of the result is overfitting shows on halves: fitted on one random half of the
recordings' files, measured on the other, both ways.
"""

import random
import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

from llmgateway.engine.token_families import FAMILIES, Family
from llmgateway.engine.tokens import prompt_tokens
from tests.wire.token_errors import Measured, error, p90

COMMON: Final = {
    "base": (3.0, 300.0),
    "message": (4.0, 3.0),
    "text": (1.05, 0.15),
    "tools": (10.0, 300.0),
    "tool": (8.0, 8.0),
    "schema": (0.8, 0.4),
    "call": (12.0, 12.0),
    "thinking": (0.0, 20.0),
    "shape": (0.0, 50.0),
    "format": (0.5, 0.5),
}
"""Figure → the common value, and how far a family's own may easily be from it."""
_NOISE: Final = 0.05
_HIDDEN: Final = 0.05
_ROUNDS: Final = 60
_SMALL: Final = 40
"""Of a prompt with fewer tokens than these, a token of error counts no more than of one with so many."""
_DIGITS: Final = {"text": 2, "schema": 2, "format": 2}


def fit(family: Family, rows: Sequence[Measured]) -> Family:
    """The family with its figures fitted to these prompts (media apart)."""
    samples = [(_features(one), float(one.counted)) for one in rows if one.kind in ("text", "tools")]
    figures = [value for value, _ in COMMON.values()]
    for _ in range(_ROUNDS):
        weights = [1 / (max(abs(_dot(figures, x) - y), 0.01 * y, 0.5) * max(y, _SMALL) * _NOISE) for x, y in samples]
        figures = _solved(samples, weights)
    told = {name: round(value, _DIGITS.get(name, 1)) for name, value in zip(COMMON, figures, strict=True)}
    found = msgspec.structs.replace(family, **told, hidden=0)
    left = [_left(one, found) / one.tally.hidden for one in rows if one.kind == "hidden"]
    hidden = round(max(statistics.median(left), 0), 2) if len(left) > 4 else _HIDDEN
    return msgspec.structs.replace(found, hidden=hidden)


def _left(one: Measured, family: Family) -> int:
    """What a prompt has beside what can be read of it."""
    return one.counted - prompt_tokens(one.tally, family=family)


def _features(one: Measured) -> list[float]:
    tally = one.tally
    return [
        1.0,
        tally.messages,
        tally.text,
        1.0 if tally.tools else 0.0,
        tally.tools,
        tally.schema,
        tally.calls,
        1.0 if tally.thinks else 0.0,
        1.0 if tally.format else 0.0,
        tally.format,
    ]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _solved(samples: Sequence[tuple[list[float], float]], weights: Sequence[float]) -> list[float]:
    """Weighted least squares with the common row as a prior; figures below zero are taken out, one by one."""
    size = len(COMMON)
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for index, (value, spread) in enumerate(COMMON.values()):
        matrix[index][index] = 1 / spread**2
        right[index] = value / spread**2
    for (x, y), weight in zip(samples, weights, strict=True):
        for i in range(size):
            if x[i]:
                right[i] += weight * x[i] * y
                for j in range(size):
                    matrix[i][j] += weight * x[i] * x[j]
    kept = list(range(size))
    while True:
        found = _gauss([[matrix[i][j] for j in kept] for i in kept], [right[i] for i in kept])
        if min(found) >= 0:
            break
        del kept[found.index(min(found))]
    figures = [0.0] * size
    for index, value in zip(kept, found, strict=True):
        figures[index] = value
    return figures


def _gauss(matrix: list[list[float]], right: list[float]) -> list[float]:
    """A symmetric positive definite system, so that no pivot need be looked for."""
    size = len(right)
    for i in range(size):
        for k in range(i + 1, size):
            factor = matrix[k][i] / matrix[i][i]
            right[k] -= factor * right[i]
            for j in range(i, size):
                matrix[k][j] -= factor * matrix[i][j]
    for i in reversed(range(size)):
        right[i] = (right[i] - _dot(matrix[i][i + 1 :], right[i + 1 :])) / matrix[i][i]
    return right


def fitted(found: Sequence[Measured]) -> list[str]:
    lines: list[str] = []
    for family in FAMILIES:
        rows = [one for one in found if one.family.name == family.name and one.kind != "media"]
        new = fit(family, rows)
        figures = ", ".join(f"{name}={getattr(new, name):g}" for name in (*COMMON, "hidden"))
        lines.append(f"{family.name}: {figures}  # {_quality([error(one, new) for one in rows])}")
    return lines


def _quality(errors: Sequence[float]) -> str:
    if not errors:
        return "nothing recorded"
    within = sum(value <= 0.1 for value in errors) / len(errors)
    return f"median {statistics.median(errors):.1%}, p90 {p90(errors):.1%}, within 10 %: {within:.0%}, n {len(errors)}"


def halves(found: Sequence[Measured]) -> list[str]:
    """Fitted on one half of the files, measured on the half it was fitted on and on the other."""
    found = [one for one in found if one.kind in ("text", "tools")]
    files = sorted({one.file for one in found})
    random.Random(20261126).shuffle(files)
    first = set(files[: len(files) // 2])
    seen: list[float] = []
    unseen: list[float] = []
    for learns_first in (True, False):
        for family in FAMILIES:
            rows = [one for one in found if one.family.name == family.name]
            learnt = fit(family, [one for one in rows if (one.file in first) is learns_first])
            for one in rows:
                (seen if (one.file in first) is learns_first else unseen).append(error(one, learnt))
    return [f"- On the half that was fitted: {_quality(seen)}.", f"- On the other half: {_quality(unseen)}."]
