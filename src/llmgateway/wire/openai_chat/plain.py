"""Plain events: text for the one choice and nothing else, which is most of a stream.

All that came in one read are decoded in one step, typed to the last member, and only their text is encoded anew. An
event that is anything more ends the run and is read on its own.
"""

import re
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
_OPENING: Final = b'{"choices":'
_PLACE: Final = re.compile(r"`\$\[(\d+)\]")
_TAIL: Final = b'[{"index":0,"delta":{"content":%b},"logprobs":null,"finish_reason":null}]}'


def read_plain(tails: list[bytes]) -> tuple[int, Wire | None]:
    """How many of the events are plain, from the first on, and what they tell (None: nothing).

    `tails`: what each event holds behind its `"choices":`. The joint between two of them has quotes, so that no string
    of one can swallow it; an event that closes early and opens another gives a wrong count.
    """
    try:
        events = _DECODE(b"[" + _OPENING + (b"," + _OPENING).join(tails) + b"]")
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        return read_plain(tails[: int(place[1])]) if place is not None and 0 < int(place[1]) < len(tails) else (0, None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, None
    if len(events) != len(tails):
        return 0, None
    texts = [text for event in events if (text := event.choices[0].delta.content)]
    told = Wire([_TAIL % _ENCODE(text) for text in texts], sum(map(len, texts))) if texts else None
    return len(tails), told
