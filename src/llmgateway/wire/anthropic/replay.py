"""Earlier reasoning on its way back to the model that signed it: `reasoning_details` as thinking blocks.

Signed blocks must come back complete and unchanged, in order
(platform.claude.com/docs/en/build-with-claude/thinking-tool-workflows), so that a message's details are replayed all
together or not at all. What came after text or tool calls says so in its `id` (`after:` and how many of them came
before it), which is how blocks find back between them.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from llmgateway.domain.chat import JsonObject, Message
from llmgateway.wire.anthropic.parts import Block

FORMAT: Final = "anthropic-claude-v1"
_AFTER: Final = "after:"


class _Detail(Struct):
    type: str
    format: str
    text: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None


def place_id(units: int) -> str | None:
    """The `id` of a detail that came after so many texts and tool calls."""
    return f"{_AFTER}{units}" if units else None


def thinking_blocks(message: Message, dropped: dict[str, None]) -> list[tuple[int, Block]]:
    """(how many texts and calls come before it, block) for each detail; none unless all can be replayed."""
    details = message.reasoning_details
    if not details:
        if message.reasoning or message.reasoning_content:
            dropped["messages[].reasoning"] = None
        return []
    found = [_block(detail) for detail in details]
    blocks = [block for block in found if block is not None]
    if len(blocks) != len(found):
        dropped["messages[].reasoning_details"] = None
        return []
    return blocks


def _block(source: JsonObject) -> tuple[int, Block] | None:
    try:
        detail = msgspec.json.decode(msgspec.json.encode(source), type=_Detail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if detail.format != FORMAT:
        return None
    block: dict[str, Any]
    if detail.type == "reasoning.text" and detail.signature:
        block = {"type": "thinking", "thinking": detail.text or "", "signature": detail.signature}
    elif detail.type == "reasoning.encrypted" and detail.data:
        block = {"type": "redacted_thinking", "data": detail.data}
    else:
        return None
    return _units(detail.id), block


def _units(place: str | None) -> int:
    after = (place or "").removeprefix(_AFTER)
    return int(after) if after.isascii() and after.isdecimal() and len(after) < 6 else 0


def interleaved(thoughts: list[tuple[int, Block]], units: list[Block]) -> list[Block]:
    """Thinking blocks at their places among the texts and tool calls of a message."""
    if not thoughts:
        return units
    result: list[Block] = []
    taken = 0
    for before, block in thoughts:
        if before > taken:
            result += units[taken:before]
            taken = min(before, len(units))
        result.append(block)
    return result + units[taken:]
