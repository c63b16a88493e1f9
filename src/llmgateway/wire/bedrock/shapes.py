"""The shapes of converse answers as botocore's service model names them; only what is told of them is read."""

from msgspec import Raw, Struct

from llmgateway.wire.spans import NULL


class ReasoningText(Struct):
    text: str | None = None
    signature: str | None = None


class Reasoning(Struct):
    """Of a whole answer `reasoningText`, of a stream its members one by one."""

    reasoningText: ReasoningText | None = None
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None


class ToolUse(Struct):
    """`input`: any JSON of a whole answer, a string of a stream. `type` `server_tool_use`: no call for the client."""

    toolUseId: str | None = None
    name: str | None = None
    type: str | None = None
    input: Raw = NULL


class Text(Struct):
    text: str | None = None


class Citation(Struct):
    title: str | None = None
    source: str | None = None
    sourceContent: list[Text] | None = None
    location: dict[str, dict[str, Raw]] | None = None


class Citations(Struct):
    content: list[Text] | None = None
    citations: list[Citation] | None = None


class ImageSource(Struct):
    bytes: str | None = None


class Image(Struct):
    format: str | None = None
    source: ImageSource | None = None


class Block(Struct):
    text: str | None = None
    reasoningContent: Reasoning | None = None
    toolUse: ToolUse | None = None
    citationsContent: Citations | None = None
    image: Image | None = None


class BlockDelta(Struct):
    text: str | None = None
    toolUse: ToolUse | None = None
    reasoningContent: Reasoning | None = None
    citation: Citation | None = None
    image: Image | None = None


class BlockStart(Struct):
    toolUse: ToolUse | None = None
    image: Image | None = None


class CacheDetail(Struct):
    ttl: str | None = None
    inputTokens: int | None = None


class TokenUsage(Struct):
    inputTokens: int | None = None
    outputTokens: int | None = None
    cacheReadInputTokens: int | None = None
    cacheWriteInputTokens: int | None = None
    cacheReadInputTokenCount: int | None = None
    cacheWriteInputTokenCount: int | None = None
    cacheDetails: list[CacheDetail] | None = None


class ServiceTier(Struct):
    type: str | None = None


class PromptRouter(Struct):
    invokedModelId: str | None = None


class Trace(Struct):
    promptRouter: PromptRouter | None = None


class Message(Struct):
    content: list[Block] | None = None


class Output(Struct):
    message: Message | None = None


class Response(Struct):
    output: Output | None = None
    stopReason: str | None = None
    usage: TokenUsage | None = None
    serviceTier: ServiceTier | None = None
    trace: Trace | None = None


class BlockDeltaEvent(Struct):
    delta: BlockDelta
    contentBlockIndex: int = 0


class BlockStartEvent(Struct):
    start: BlockStart
    contentBlockIndex: int = 0


class BlockStopEvent(Struct):
    contentBlockIndex: int = 0


class MessageStopEvent(Struct):
    stopReason: str | None = None


class MetadataEvent(Struct):
    usage: TokenUsage | None = None
    serviceTier: ServiceTier | None = None
    trace: Trace | None = None
