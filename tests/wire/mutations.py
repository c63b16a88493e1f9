"""Changes recorded bodies in one meaningful place at a time, to see whether the comparers notice.

Answers: what was said, names and ids, token counts, why it ended. Requests: any leaf of what was sent, but for those
that docs/conformance.md says mean nothing. Every choice follows from a seed.
"""

import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import Answer, Refusal
from tests.wire.leaves import COUNTS, ENDS, NAMES, TEXTS, Path, documents, leaves, matches, replaced

MARK = "ƿ"
"""A letter that no recording has."""
MORE_TOKENS = 1000
_HIDDEN = ("server_tool_use", "mcp_tool_use", "compaction")
_TOLD_CALLS = ("function_call", "custom_tool_call", "image_generation_call")


def changed_answers(
    recording: Recording, protocol: str, want: Answer | Refusal, *, n: int
) -> Iterator[tuple[str, bytes]]:
    """`n` changed bodies, each with what was changed; fewer where there is nothing to change."""
    chosen = random.Random(zlib.crc32(recording.source.encode()))
    if isinstance(want, Refusal):
        yield from _changed_refusals(recording, want, chosen, n)
        return
    if want.error is not None or want.broken or not want.finished or want.empty:
        return
    read, write = documents(recording)
    places = list(_places(read, protocol))
    for _ in range(n if places else 0):
        at, path, value, how = chosen.choice(places)
        new = _other(value, how, protocol, chosen)
        what = f"{at}: {'.'.join(map(str, path))}: {value!r:.60} → {new!r:.60}"
        if how == "name":
            old_text, new_text = json.dumps(value), json.dumps(new)
            yield what, write([json.loads(json.dumps(one).replace(old_text, new_text)) for one in read])
        else:
            yield what, write([*read[:at], replaced(read[at], path, new), *read[at + 1 :]])


def changed_requests(body: dict[str, Any], *, seed: str, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """`n` changed copies of a request body."""
    chosen = random.Random(zlib.crc32(seed.encode()))
    places = [(path, value) for path, value in leaves(body) if _counts(path, value)]
    for _ in range(n if places else 0):
        path, value = chosen.choice(places)
        new = _other(value, "text", "", chosen)
        yield f"{'.'.join(map(str, path))}: {value!r:.60} → {new!r:.60}", replaced(body, path, new)


def _counts(path: Path, value: Any) -> bool:
    """Ids pair calls with results, or name copies that a provider keeps: rules of tests/wire/sameness."""
    return value is not None and path[-1] not in ("id", "store", "include") and "include" not in path


def _places(read: list[Any], protocol: str) -> Iterator[tuple[int, Path, Any, str]]:
    last: dict[Path, tuple[int, Path, Any, str]] = {}
    ends, *_ = ENDS[protocol]
    kinds = _kinds(read)
    for at, document in enumerate(read):
        for path, value in leaves(document):
            if value is None or value == "" or _is_unread(document, path, kinds):
                continue
            if matches(TEXTS[protocol], path, document):
                yield at, path, value, "text"
            elif isinstance(value, str) and matches(NAMES[protocol], path, document):
                yield at, path, value, "name"
            elif matches(COUNTS[protocol], path, document) and type(value) is int:
                last[tuple(step for step in path if step != "message")] = (at, path, value, "count")
            elif matches(ends, path, document) and (len(read) == 1 or protocol != "openai-responses"):
                last.setdefault(path, (at, path, value, "end"))
    yield from last.values()


def _kinds(read: list[Any]) -> dict[int, str]:
    """Anthropic's blocks of a stream: index → type."""
    begun = [one for one in read if isinstance(one, dict) and "content_block" in one]
    return {one["index"]: one["content_block"]["type"] for one in begun}


def _is_unread(document: Any, path: Path, kinds: dict[int, str]) -> bool:
    """Calls that a provider makes and answers itself are told to nobody; of a delta that also stands there as a
    message, the delta is read."""
    value = document
    for step in path:
        if isinstance(value, dict) and (_is_hidden(value.get("type")) or (step == "message" and "delta" in value)):
            return True
        value = value[step]
    return isinstance(document, dict) and "delta" in document and _is_hidden(kinds.get(document.get("index", -1)))


def _is_hidden(kind: Any) -> bool:
    if not isinstance(kind, str):
        return False
    if kind.endswith(("_tool_result", "_output")) or kind in _HIDDEN:
        return True
    return kind.endswith("_call") and kind not in _TOLD_CALLS


def _other(value: Any, how: str, protocol: str, chosen: random.Random) -> Any:
    if how == "end":
        _, longer, ended = ENDS[protocol]
        return ended if value == longer else longer
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + MORE_TOKENS
    if isinstance(value, str):
        place = chosen.randint(0, len(value))
        return value[:place] + MARK + value[place:]
    return MARK


def _changed_refusals(
    recording: Recording, want: Refusal, chosen: random.Random, n: int
) -> Iterator[tuple[str, bytes]]:
    """Only words that are relayed, and only as many of them as are compared."""
    if not want.relayed:
        return
    shown = json.dumps(want.relayed[:300])[1:-1].encode()
    for _ in range(n):
        place = chosen.randint(1, min(len(want.relayed), 300) - 1)
        new = json.dumps(want.relayed[:place] + "X" + want.relayed[place:300])[1:-1].encode()
        body = recording.body.replace(shown, new)
        if body != recording.body:
            yield f"the message, at {place}", body
