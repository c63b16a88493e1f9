"""Which known names are most like an unknown one, for the suggestions of a 404. Knows spelling only.

Every name is reduced once to a bit set of its letter pairs; the unknown name is compared with all of them by counting
common bits, and only the best few by difflib.
"""

import difflib
import itertools
from collections.abc import Iterable

MAX_CHARACTERS = 100
_BITS = 512
_SHORTLIST = 40


def _letter_pairs(name: str) -> int:
    data = name.lower().encode("utf-8", "replace")
    bits = 0
    for left, right in itertools.pairwise(data):
        bits |= 1 << ((left * 37 + right) % _BITS)
    return bits


class Vocabulary:
    """Names that can be suggested."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = [(name, _letter_pairs(name)) for name in sorted(names)]

    def nearest(self, name: str, *, n: int) -> list[str]:
        """The `n` names most like this one, best first; fewer when little is alike. Only its first characters count."""
        wanted = name[:MAX_CHARACTERS].lower()
        bits = _letter_pairs(wanted)
        size = bits.bit_count()
        common = [
            (2 * (bits & known).bit_count() / (size + known.bit_count() or 1), candidate)
            for candidate, known in self._names
        ]
        common.sort(key=lambda item: (-item[0], item[1]))
        matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)
        ranked: list[tuple[float, str]] = []
        for _, candidate in common[:_SHORTLIST]:
            matcher.set_seq1(candidate.lower())
            ranked.append((-matcher.ratio(), candidate))
        return [candidate for score, candidate in sorted(ranked)[:n] if score <= -0.4]
