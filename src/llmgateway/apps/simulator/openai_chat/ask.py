"""Reads an OpenAI chat request: from body bytes to the protocol-neutral Ask. As lenient as it can be, since its
clients test gateways with it: only what it needs is looked at, null means absent."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.dialect import Asked, InvalidAsk
from llmgateway.apps.simulator.scenario import Ask, Offer
from llmgateway.apps.simulator.text import prompt_tokens_of


class _Part(Struct, frozen=True):
    type: str = ""
    text: str | None = None


class _Message(Struct, frozen=True):
    role: str
    content: Raw | UnsetType = UNSET


class _Function(Struct, frozen=True):
    name: str
    parameters: Raw | UnsetType = UNSET


class _Tool(Struct, frozen=True):
    type: str = "function"
    function: _Function | None = None


class _Named(Struct, frozen=True):
    name: str | None = None


class _Choice(Struct, frozen=True):
    function: _Named | None = None
    name: str | None = None


class _JsonSchema(Struct, frozen=True):
    schema: Raw | UnsetType = UNSET


class _ResponseFormat(Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"] | str = "text"
    json_schema: _JsonSchema | None = None


class _StreamOptions(Struct, frozen=True):
    include_usage: bool | None = None


class _Body(Struct, frozen=True):
    model: str
    messages: Raw
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    functions: list[_Function] | None = None
    tool_choice: str | _Choice | None = None
    function_call: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


_BODY = msgspec.json.Decoder(_Body)
_MESSAGES: msgspec.json.Decoder[list[_Message]] = msgspec.json.Decoder(list[_Message])
_PARTS = msgspec.json.Decoder(list[_Part] | str | None)
_MAX_CHOICES = 128


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    try:
        read = _BODY.decode(asked.request.body.removeprefix(b"\xef\xbb\xbf"))
        messages = _MESSAGES.decode(read.messages)
        return _ask(read, messages)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAsk(f"The body is no chat request: {error}", code="invalid_request") from None


def _ask(read: _Body, messages: list[_Message]) -> Ask:
    choice = read.tool_choice if read.tool_choice is not None else read.function_call
    form = read.response_format
    schema = form.json_schema.schema if form is not None and form.json_schema is not None else UNSET
    return Ask(
        model=read.model,
        text=_last_text(messages, roles=("user",)) or "",
        turns=len(messages),
        tools=_offers(read),
        forced=None if choice is None or isinstance(choice, str) else _name(choice),
        forbids_tools=choice == "none",
        parallel=read.parallel_tool_calls is not False,
        legacy_functions=bool(read.functions) and not read.tools,
        tool_result=_last_text(messages, roles=("tool", "function")),
        json=form is not None and form.type in ("json_object", "json_schema"),
        schema=None if schema is UNSET else _plain(schema),
        limit=read.max_completion_tokens or read.max_tokens,
        stop=() if read.stop is None else (read.stop,) if isinstance(read.stop, str) else tuple(read.stop),
        n=max(1, min(read.n or 1, _MAX_CHOICES)),
        stream=read.stream is True,
        include_usage=read.stream_options is not None and read.stream_options.include_usage is True,
        top_logprobs=max(0, min(read.top_logprobs or 0, 20)) if read.logprobs else None,
        prompt_tokens=prompt_tokens_of(memoryview(read.messages).nbytes),
    )


def _offers(read: _Body) -> tuple[Offer, ...]:
    functions = [tool.function for tool in read.tools or () if tool.function is not None] or read.functions or ()
    return tuple([Offer(it.name, None if it.parameters is UNSET else _plain(it.parameters)) for it in functions])


def _name(choice: _Choice) -> str | None:
    return choice.name if choice.function is None else choice.function.name


def _plain(raw: Raw) -> object:
    return msgspec.json.decode(raw)


def _last_text(messages: list[_Message], *, roles: tuple[str, ...]) -> str | None:
    """The text of the last message with one of these roles; None: there is none."""
    for message in reversed(messages):
        if message.role in roles:
            content = None if message.content is UNSET else _PARTS.decode(message.content)
            if content is None or isinstance(content, str):
                return content or ""
            return "".join([part.text for part in content if part.text is not None])
    return None
