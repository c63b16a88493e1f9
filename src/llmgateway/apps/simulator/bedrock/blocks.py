"""The content blocks of Bedrock's converse protocol as a request has them."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType


class ReasoningText(Struct, frozen=True):
    text: str
    signature: str | None = None


class Reasoning(Struct, frozen=True, rename="camel"):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class ToolUse(Struct, frozen=True, rename={"id": "toolUseId"}):
    id: str
    name: str
    input: Raw


class ResultPart(Struct, frozen=True):
    text: str | None = None
    json: Raw | UnsetType = UNSET


class ToolResult(Struct, frozen=True, rename={"id": "toolUseId"}):
    id: str
    content: list[ResultPart]
    status: Literal["success", "error"] | None = None


class Source(Struct, frozen=True):
    bytes: str | None = None
    uri: Raw | UnsetType = msgspec.field(name="s3Location", default=UNSET)


class Image(Struct, frozen=True):
    format: str
    source: Source


class Block(Struct, frozen=True, rename="camel"):
    text: str | None = None
    image: Image | None = None
    document: Raw | UnsetType = UNSET
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    reasoning_content: Reasoning | None = None
    cache_point: Raw | UnsetType = UNSET
    guard_content: Raw | UnsetType = UNSET
    citations_content: Raw | UnsetType = UNSET
    video: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    search_result: Raw | UnsetType = UNSET

    @property
    def kinds(self) -> list[str]:
        """Which of the kinds of block it is: exactly one, if it is right."""
        return [name for name in self.__struct_fields__ if getattr(self, name) not in (None, UNSET)]


class Message(Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: list[Block]


class Schema(Struct, frozen=True):
    json: object = None


class ToolSpec(Struct, frozen=True, rename={"schema": "inputSchema"}):
    name: str
    schema: Schema
    description: str | None = None


class Tool(Struct, frozen=True, rename={"spec": "toolSpec"}):
    spec: ToolSpec | None = None


class Named(Struct, frozen=True):
    name: str


class ToolChoice(Struct, frozen=True):
    auto: Raw | UnsetType = UNSET
    any: Raw | UnsetType = UNSET
    tool: Named | None = None


class ToolConfig(Struct, frozen=True, rename={"choice": "toolChoice"}):
    tools: list[Tool]
    choice: ToolChoice | None = None


def result_text(result: ToolResult) -> str:
    return "".join([part.text or ("" if part.json is UNSET else bytes(part.json).decode()) for part in result.content])
