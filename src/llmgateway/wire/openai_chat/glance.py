"""A glance at the messages and tools of a large request: most are plain, and then their types alone prove what
`traits` checks one by one otherwise.

Plain messages are texts, tool calls and their results. Nothing in them is left undecoded, which proves their UTF-8 as
well. Plain tools are functions. An application sends the same tools with every request: the last ones are remembered,
bounded by what they take, and recognised by comparing all of their bytes. The rest wants a closer look than this.
"""

import time
from collections.abc import Callable, Iterable
from itertools import chain
from operator import attrgetter
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from llmgateway.domain.chat import CacheControl, Function, FunctionCall, Tool
from llmgateway.wire.openai_chat.lately import Lately

MAX_BYTES: Final = 8 * 1024 * 1024
_TAIL: Final = 64
_PER_BYTE: Final = 5
_PER_TOOL: Final = 600
_PER_MEMBER: Final = 250


class _CacheControl(CacheControl, frozen=True, forbid_unknown_fields=True):
    """A breakpoint of the prompt cache."""


class _Text(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["text"]
    text: str
    cache_control: _CacheControl | None = None


class _FunctionCall(FunctionCall, frozen=True, forbid_unknown_fields=True):
    """What an assistant calls."""


class _Call(Struct, frozen=True, forbid_unknown_fields=True):
    """`index`: left over from a stream's deltas."""

    function: _FunctionCall
    id: str | None = None
    type: str | None = None
    extra_content: None = None
    index: int | None = None


class _Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="role"):
    """What `Message` takes, and less of it: its other members only if they are null."""

    content: str | list[_Text] | None = None
    name: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: None = None
    refusal: str | None = None
    audio: None = None
    reasoning: None = None
    reasoning_content: None = None
    reasoning_details: None = None
    images: None = None
    is_error: bool | None = None


class _Said(_Message, frozen=True, kw_only=True):
    content: str | list[_Text] = field()
    tool_calls: None = None


class _System(_Said, frozen=True, kw_only=True, tag="system"):
    """Who said it is the tag."""


class _Developer(_Said, frozen=True, kw_only=True, tag="developer"):
    """The newer word."""


class _User(_Said, frozen=True, kw_only=True, tag="user"):
    """By far the most."""


class _Assistant(_Message, frozen=True, kw_only=True, tag="assistant"):
    """`annotations`: none, as OpenAI says of most answers."""

    annotations: Annotated[list[None], Meta(max_length=0)] | None = None


class _Result(_Message, frozen=True, kw_only=True, tag="tool"):
    tool_call_id: str = field()


class _PlainTool(Tool, frozen=True, kw_only=True):
    type: Literal["function"] = field()
    function: Function = field()
    user_location: None = None
    search_context_size: None = None
    max_uses: None = None
    allowed_domains: None = None
    blocked_domains: None = None


_MESSAGES: Final = msgspec.json.Decoder(
    Annotated[list[_System | _Developer | _User | _Assistant | _Result], Meta(min_length=1)]
)
_TOOLS: Final = msgspec.json.Decoder(Annotated[list[_PlainTool], Meta(max_length=1024)])
_content: Final = attrgetter("content")


class PlainMessages(Struct, frozen=True):
    """How many they are, and the characters of their texts and arguments."""

    count: int
    characters: int


class PlainTools(Struct, frozen=True):
    """`characters`: of all that a model reads. `weight`: about how many bytes they take in memory, rather more."""

    tools: list[Tool]
    characters: int
    weight: int


def plain_messages(span: Raw | bytes | memoryview) -> PlainMessages | None:
    """Messages that need no further check, nor one of their UTF-8; None where they may."""
    try:
        messages = _MESSAGES.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    texts: list[str | None] = list(map(_content, messages))
    if list in map(type, texts):
        texts = [text for message in messages for text in _texts(message.content)]
    arguments = [call.function.arguments for message in messages if message.tool_calls for call in message.tool_calls]
    return PlainMessages(len(messages), _length(texts) + _length(arguments))


def _texts(content: str | list[_Text] | None) -> list[str | None]:
    return [part.text for part in content] if isinstance(content, list) else [content]


def _length(texts: Iterable[str | None]) -> int:
    return sum(map(len, filter(None, texts)))


class KnownTools:
    """The tools that requests had lately. `max_bytes`: how much memory they may take, about."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lately: Lately[tuple[int, bytes], tuple[bytes, PlainTools]] = Lately(
            max_bytes=max_bytes, monotonic=monotonic
        )

    def read(self, span: Raw) -> PlainTools | None:
        """Function tools whose UTF-8 is sound, and nothing else; None where there may be more to them."""
        written = bytes(span)
        key = (len(written), written[-_TAIL:])
        known = self.lately.get(key)
        if known is not None and known[0] == written:
            self.lately.touch(key)
            return known[1]
        tools = plain_tools(written)
        if tools is not None:
            self.lately.put(key, (written, tools), weight=tools.weight)
        return tools


def plain_tools(written: bytes) -> PlainTools | None:
    """Function tools whose UTF-8 is sound; None where there may be more to them."""
    try:
        tools = _TOOLS.decode(written)
        written.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    functions = [tool.function for tool in tools]
    schemas = [function.parameters for function in functions if function.parameters]
    texts = [text for function in functions for text in (function.name, function.description)]
    names = list(chain.from_iterable(schemas))
    members = chain.from_iterable([schema.values() for schema in schemas])
    return PlainTools(
        list(tools),
        characters=_length(texts) + _length(names) + sum(map(len, members)),
        weight=_PER_BYTE * len(written) + _PER_TOOL * len(tools) + _PER_MEMBER * len(names),
    )
