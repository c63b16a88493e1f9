"""What a wire protocol has words for; each codec states its own, and the parameter plans are compiled from it."""

import msgspec


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """`fields`: request fields that the protocol carries, as they are or translated. A harmless field that is not
    among them is left out and listed. `lacks`: capabilities that no model can have through this protocol, so that a
    request which needs one of them is never sent there.

    `rare`: capabilities that only a mapping which says so has. `quirks`: fields and capabilities that rows of a quirk
    have besides. `is_open`: a row of this protocol that takes
    unknown fields takes every field of ours as it is, too.
    """

    fields: frozenset[str]
    lacks: frozenset[str] = frozenset()
    rare: frozenset[str] = frozenset()
    quirks: dict[str, frozenset[str]] = {}
    is_open: bool = False
