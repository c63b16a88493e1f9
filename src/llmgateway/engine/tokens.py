"""Token estimates: a cheap rule of characters, and a careful count for where it matters.

The cheap rule (`estimate_text`, `estimate_prompt`) costs nothing: four characters to a token. The careful one reads the
text as a tokenizer would, piece by piece, and then says what a model's family makes of it. It is taken where the answer
depends on it: near a context, for `auto`, for usage that a provider did not report. What its figures are worth is
measured on recorded traffic (docs/tokens.md).
"""

import re
from functools import lru_cache
from math import ceil
from typing import Final

import msgspec

from llmgateway.domain.chat import Chat, ChatRequest, JsonObject, Message, Tool
from llmgateway.domain.routing import Mapping
from llmgateway.engine.pictures import Picture, picture
from llmgateway.engine.token_families import FAMILIES, Family

_CHARACTERS_PER_TOKEN: Final = 4
_CHARACTERS_PER_PIECE: Final = 4.6
_PER_MESSAGE: Final = 4
_READ: Final = 65_536
_SLICES: Final = 16
_HAN: Final = r"\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_HAN_WEIGHT: Final = 0.62
_ASCII_PIECES: Final = (
    r"[ _]?[A-Z]?(?<![a-z])[a-z]{1,13}|[a-z]{1,4}|[ _]?[A-Z]{1,4}|[0-9]{1,3}"
    r"| ?[!-/:-@\[-^`{-~]{1,3}\n*|_|\s*\n|[ \t]+|[\x00-\x7f]"
)
_WIDE_PIECES: Final = (
    r"[ _]?[A-Z]?(?<![a-z])[a-z]{1,13}+(?![ß-ɏ])|[ _]?[A-ZÀ-Þ]?[a-zß-ɏ]{1,4}|[ _]?[A-Z]{1,4}|[0-9]{1,3}"
    r"| ?[가-힣]{1,3}|[\u0e00-\u0eff]{1,3}| ?[\u0370-\u1fff\u2c00-\u2dff\ua000-\uabff\ufb00-\ufdff\ufe70-\ufeff]{1,5}"
    r"| ?[^\w\s]{1,3}\n*|_|\s*\n|[ \t]+|\S"
)
_ASCII: Final = re.compile(_ASCII_PIECES).findall
_WIDE: Final = re.compile(_WIDE_PIECES).findall
_WITHOUT_HAN: Final = re.compile(f"[{_HAN}]").subn


class Tally(msgspec.Struct, frozen=True):
    """What is in a prompt, whoever counts it. `text`, `schema` and `format`: tokens as OpenAI's tokenizer makes them.

    `text`: messages, names and arguments of calls, names and descriptions of tools. `schema`: of the tools, as JSON.
    `format`: the JSON schema of the answer. `hidden`: bytes of encrypted reasoning and of signatures.
    """

    messages: int = 0
    text: float = 0
    tools: int = 0
    schema: float = 0
    calls: int = 0
    format: float = 0
    thinks: bool = False
    hidden: int = 0
    pictures: tuple[Picture, ...] = ()
    files: int = 0
    audio: int = 0


def estimate_text(characters: int, *, family: Family | None = None) -> int:
    """Tokens of a text of so many characters; better if the family that wrote it is known."""
    if family is not None:
        return ceil(characters * family.text / _CHARACTERS_PER_PIECE)
    return -(-characters // _CHARACTERS_PER_TOKEN)


def estimate_prompt(characters: int, *, messages: int) -> int:
    """Tokens of a prompt: all texts, tools and arguments together, plus what wraps each message."""
    return estimate_text(characters) + messages * _PER_MESSAGE


def count_text(text: str) -> float:
    """Tokens of a text as OpenAI's tokenizer (o200k) would make them: about 30 ns a character.

    Of a long text, evenly spaced slices are read and stand for the whole.
    """
    length = len(text)
    if length > _READ:
        step, width = length // _SLICES, _READ // _SLICES
        read = "".join([text[at : at + width] for at in range(0, step * _SLICES, step)])
        return count_text(read) * length / len(read)
    if text.isascii():
        return len(_ASCII(text))
    rest, han = _WITHOUT_HAN("", text)
    return len(_WIDE(rest)) + _HAN_WEIGHT * han


def family_of(mapping: Mapping, *, protocol: str = "") -> Family:
    """Whose tokenizer and prompt format a mapping has; some count otherwise in another protocol."""
    return _family(mapping.provider, mapping.upstream, mapping.model, protocol)


def prompt_tokens(tally: Tally, *, family: Family) -> int:
    """The estimate of a prompt at one family of models."""
    tokens = family.base + family.message * tally.messages + family.text * tally.text + family.call * tally.calls
    if tally.tools:
        tokens += family.tools + family.tool * tally.tools + family.schema * tally.schema
    if tally.format:
        tokens += family.shape + family.format * tally.format
    if tally.thinks:
        tokens += family.thinking
    tokens += family.hidden * tally.hidden
    if tally.pictures:
        tokens += sum([family.media.picture(one) for one in tally.pictures])
    return round(tokens) + family.media.file * tally.files + family.media.audio * tally.audio


def estimate_chat(chat: Chat, *, mapping: Mapping, protocol: str = "") -> int:
    """Prompt tokens of a request at one mapping, counted with care."""
    return prompt_tokens(tally_of(chat), family=family_of(mapping, protocol=protocol))


def tally_of(chat: Chat) -> Tally:
    """One reading of a whole request; what many families make of it is then arithmetic."""
    seen, request = _Seen(), chat.request
    for message in chat.messages:
        seen.message(message)
    for tool in request.tools or ():
        seen.tool(tool)
    for function in request.functions or ():
        seen.tool(Tool("function", function))
    shape = request.response_format
    wanted: list[str] = []
    if shape is not None and shape.json_schema is not None:
        named = shape.json_schema
        wanted = [named.name, named.description or "", *_spans(named.schema)]
    return Tally(
        messages=chat.traits.messages,
        text=_counted(seen.texts),
        tools=seen.tools,
        schema=_counted(seen.schemas) + 2 * len(seen.schemas),
        calls=seen.calls,
        format=_counted(wanted),
        thinks=_thinks(request),
        hidden=seen.hidden,
        pictures=tuple(seen.pictures),
        files=seen.files,
        audio=seen.audio,
    )


def _thinks(request: ChatRequest) -> bool:
    reasoning = request.reasoning
    if reasoning is None:
        return request.reasoning_effort not in (None, "none")
    return reasoning.max_tokens is not None or (reasoning.effort or request.reasoning_effort) not in (None, "none")


class _Seen:
    """What one reading gathers; lives for one call of `tally_of`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.schemas: list[str] = []
        self.tools = 0
        self.calls = 0
        self.hidden = 0
        self.pictures: list[Picture] = []
        self.files = 0
        self.audio = 0

    def message(self, message: Message) -> None:
        content = message.content
        if isinstance(content, str):
            self.texts.append(content)
        elif content is not None:
            for part in content:
                if part.text is not None:
                    self.texts.append(part.text)
                elif part.image_url is not None:
                    self.pictures.append(picture(part.image_url.url, detail=part.image_url.detail))
                elif part.file is not None:
                    self.files += 1
                elif part.input_audio is not None:
                    self.audio += 1
        if message.tool_calls is not None or message.reasoning_details is not None:
            self._assistant(message)

    def _assistant(self, message: Message) -> None:
        for call in message.tool_calls or ():
            self.calls += 1
            if call.function is not None:
                self.texts += (call.function.name, call.function.arguments)
            for span in (call.extra_content or {}).values():
                self.hidden += len(span)
        for detail in message.reasoning_details or ():
            self.hidden += sum([len(detail[name]) for name in ("data", "signature") if name in detail])

    def tool(self, tool: Tool) -> None:
        function = tool.function
        if function is not None:
            self.tools += 1
            self.texts += (function.name, function.description or "")
            self.schemas += _spans(function.parameters)


def _spans(schema: JsonObject | None) -> list[str]:
    """A schema's members as they are written, each with its name."""
    return [f"{name}{str(span, 'utf-8', 'replace')}" for name, span in (schema or {}).items()]


def _counted(texts: list[str]) -> float:
    """All of them; where they are long together, as one text, so that the work stays bounded."""
    if sum(map(len, texts)) > _READ:
        return count_text("\n".join(texts))
    return sum(map(count_text, texts))


@lru_cache(maxsize=4096)
def _family(provider: str, upstream: str, model: str, protocol: str) -> Family:
    names = (f"{provider}/{model} {protocol}".lower(), f"{provider}/{upstream} {protocol}".lower())
    for family in FAMILIES:
        if any(re.search(family.pattern, name) for name in names):
            return family
    return FAMILIES[-1]
