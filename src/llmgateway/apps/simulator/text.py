"""Text for simulated answers: filler of a given length, and the pieces (about a token each) it is streamed in."""

import re
from functools import lru_cache

MAX_OUTPUT_TOKENS = 10_000
"""What an answer may cost its maker: a simulator inside a gateway must not be a lever against it."""
_MAX_PIECE_CHARS = 9
_PIECE = re.compile(r" ?[^\W_]{1,8}|\s{1,8}|.", re.DOTALL)
_LOREM = (
    "Lorem ipsum dolor sit amet, consectetur elit, sed do eiusmod tempor ut labore et dolore magna aliqua. "
    "Ut enim ad minim veniam, quis nostrud ullamco laboris nisi ut aliquip ex ea commodo. "
)


def pieces_of(text: str) -> tuple[str, ...]:
    """The text cut into pieces of about one token; joined they are the text again, or the beginning of an overlong
    one."""
    return (
        _cut(text) if len(text) <= 4096 else tuple(_PIECE.findall(text[: (MAX_OUTPUT_TOKENS + 1) * _MAX_PIECE_CHARS]))
    )


@lru_cache(maxsize=512)
def _cut(text: str) -> tuple[str, ...]:
    return tuple(_PIECE.findall(text))


@lru_cache(maxsize=64)
def lorem(tokens: int) -> tuple[str, ...]:
    """Filler of `tokens` pieces; of an overlong one a little more than may be answered."""
    tokens = min(tokens, MAX_OUTPUT_TOKENS + 1)
    once = pieces_of(_LOREM)
    return (once * (tokens // len(once) + 1))[:tokens]


def prompt_tokens_of(size_bytes: int) -> int:
    """Tokens of a prompt of `size_bytes` JSON bytes: four bytes each."""
    return max(1, -(-size_bytes // 4))


def argument_pieces(arguments: str) -> list[str]:
    """The JSON text of a tool call's arguments cut into pieces to stream."""
    return [arguments[at : at + 8] for at in range(0, len(arguments), 8)]
