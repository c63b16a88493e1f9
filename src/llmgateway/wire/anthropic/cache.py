"""Automatic prompt-cache breakpoints: at the end of the tools, of the system blocks and of the last turn.

At most four are allowed, and none helps before the model's least cacheable length is reached
(platform.claude.com/docs/en/build-with-claude/prompt-caching).
"""

from typing import Any, Final

import msgspec

from llmgateway.wire.anthropic.parts import Block

_EPHEMERAL: Final = {"type": "ephemeral"}
_BYTES_PER_TOKEN: Final = 4
_NEVER_MARKED: Final = frozenset(("thinking", "redacted_thinking"))


def with_breakpoints(
    tools: list[Block], system: list[Block], turns: list[Block], *, minimum: int
) -> tuple[list[Block], list[Block], list[Block]]:
    """The three with breakpoints added; unchanged where the caller has set one. `minimum`: tokens."""
    if any(_is_marked(block) for blocks in (tools, system, *map(_content, turns)) for block in blocks):
        return tools, system, turns
    read = 0
    for blocks in (tools, system):
        read += _tokens(blocks)
        if blocks and read >= minimum:
            blocks[-1] = {**blocks[-1], "cache_control": _EPHEMERAL}
    content = _content(turns[-1])
    if content and read + _tokens(turns) >= minimum and content[-1]["type"] not in _NEVER_MARKED:
        marked = [*content[:-1], {**content[-1], "cache_control": _EPHEMERAL}]
        turns = [*turns[:-1], {**turns[-1], "content": marked}]
    return tools, system, turns


def _content(turn: Block) -> list[Block]:
    content: Any = turn["content"]
    return [] if isinstance(content, str) else content


def _is_marked(block: Block) -> bool:
    return "cache_control" in block


def _tokens(blocks: list[Block]) -> int:
    return len(msgspec.json.encode(blocks)) // _BYTES_PER_TOKEN
