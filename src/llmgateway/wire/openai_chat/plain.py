"""Plain events: text for the one choice and nothing else, which is most of a stream.

All that came in one read are decoded in one step, typed to the last member, and only their text is encoded anew. An
event that is anything more ends the run and is read on its own.
"""

import re
from itertools import takewhile
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from llmgateway.domain.reply import Wire


class _Delta(Struct, forbid_unknown_fields=True):
    content: str
    role: str | None = None


class _Choice(Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: Literal[0] = 0
    logprobs: None = None
    finish_reason: None = None


class _Event(Struct, forbid_unknown_fields=True):
    choices: Annotated[list[_Choice], Meta(min_length=1, max_length=1)]
    usage: None = None
    obfuscation: str = ""


_DECODE: Final = msgspec.json.Decoder(list[_Event]).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_JOINT: Final = b',{"choices":'
_FINISH: Final = b'"finish_reason":"'
_PLACE: Final = re.compile(r"`\$\[(\d+)\]")
_TAIL: Final = b'[{"index":0,"delta":{"content":%b},"logprobs":null,"finish_reason":null}]}'


def read_plain(data: bytes, *, opening: bytes) -> tuple[int, Wire | None]:
    """How many bytes of whole events at the start of `data` are plain, and what they tell (None: nothing).

    `opening`: what each of them begins with, up to and including `"choices":`; `data` begins so. The joint put between
    two events has quotes, so that no string of one can swallow it; one that closes early and opens another gives a
    wrong count.
    """
    finish = data.find(_FINISH)
    end = data.rfind(b"\n\n", 0, finish if finish >= 0 else len(data))
    if end < 0:
        return 0, None
    events = data[len(opening) : end].replace(b"\n\n" + opening, _JOINT)
    if b"\n" in events:
        alike = takewhile(lambda event: event.startswith(opening) and b"\n" not in event, data[:end].split(b"\n\n"))
        return _read_run(list(alike), opening)
    return _read(b"[" + _JOINT[1:] + events + b"]", data, end=end, opening=opening)


def _read(events: bytes, data: bytes, *, end: int, opening: bytes) -> tuple[int, Wire | None]:
    try:
        decoded = _DECODE(events)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        return _read_run(data[:end].split(b"\n\n")[: int(place[1]) if place is not None else 0], opening)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, None
    if len(decoded) != data.count(b"\n\n", 0, end) + 1:
        return 0, None
    texts = [text for event in decoded if (text := event.choices[0].delta.content)]
    told = Wire([_TAIL % _ENCODE(text) for text in texts], sum(map(len, texts))) if texts else None
    return end + 2, told


def _read_run(run: list[bytes], opening: bytes) -> tuple[int, Wire | None]:
    """The events known to be alike, read on their own."""
    return read_plain(b"\n\n".join(run) + b"\n\n", opening=opening) if run else (0, None)
