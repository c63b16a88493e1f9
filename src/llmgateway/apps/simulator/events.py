"""Changes of a stream's events that several protocols share."""

from collections.abc import Callable, Hashable
from itertools import zip_longest

from llmgateway.apps.simulator.dialect import Json


def interleaved(events: list[Json], *, key: Callable[[Json], Hashable]) -> list[Json]:
    """The events of each key (None: of no key) in turns, all in the place of the first."""
    by_key: dict[Hashable, list[Json]] = {}
    for event in events:
        if (one := key(event)) is not None:
            by_key.setdefault(one, []).append(event)
    if not by_key:
        return events
    turns = [event for turn in zip_longest(*by_key.values()) for event in turn if event is not None]
    start = next(at for at, event in enumerate(events) if key(event) is not None)
    return [*events[:start], *turns, *[event for event in events[start:] if key(event) is None]]
