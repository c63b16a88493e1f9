"""The content blocks of Anthropic's protocol as a request has them."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.reading import read


class Source(Struct, frozen=True):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class Block(Struct, frozen=True):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw | UnsetType = UNSET
    tool_use_id: str | None = None
    content: Raw | UnsetType = UNSET
    source: Source | None = None
    cache_control: dict[str, str] | None = None


class Message(Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        return [Block("text", text=self.content)] if isinstance(self.content, str) else self.content


class Tool(Struct, frozen=True):
    name: str
    type: str | None = None
    input_schema: Raw | UnsetType = UNSET
    cache_control: dict[str, str] | None = None


class ToolChoice(Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct, frozen=True):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = None
    display: str | None = None


_BLOCKS: msgspec.json.Decoder[str | list[Block]] = msgspec.json.Decoder(str | list[Block])


def text_of(block: Block) -> str:
    """The text of a tool result."""
    if block.content is UNSET:
        return ""
    content = read(block.content, _BLOCKS)
    return content if isinstance(content, str) else "".join([part.text or "" for part in content])
