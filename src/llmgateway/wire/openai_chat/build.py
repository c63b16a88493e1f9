"""Builds the request to an OpenAI-compatible provider from the caller's own spans.

What need not change is sent byte for byte, in the caller's order, so that provider-side prompt caches see the same
prefix from turn to turn. Each field that does change has its own small function; what is left out is listed.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.openai_chat.emulation import emulates, native_format, with_instruction
from llmgateway.wire.openai_chat.messages import MESSAGES, rewritten
from llmgateway.wire.openai_chat.reasoning import say_reasoning
from llmgateway.wire.params import CONSUMED, OURS
from llmgateway.wire.sampling import takes_fixed

_SEARCH: Final = "web_search"
_INCLUDE_USAGE: Final = Raw(b'{"include_usage":true}')
_INCLUDE_USAGE_PLAIN: Final = Raw(b'{"include_usage":true,"include_obfuscation":false}')
_TOOLS: Final = msgspec.json.Decoder(list[Raw])


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and the parameters that were left out."""
    plan = to.parameters
    traits = chat.traits
    if plan.plain.issuperset(chat.raw) and not traits.rebuild and not traits.foreign and _SEARCH not in traits.needs:
        own = {**chat.raw, "model": Raw(msgspec.json.encode(to.mapping.upstream))}
        return HttpRequest(to.origin, to.head, msgspec.json.encode(own)), ()
    dropped: list[str] = []
    body: dict[str, Raw] = {}
    untouched = plan.untouched
    rebuild = traits.rebuild or plan.rewrites_messages
    for name, span in chat.raw.items():
        if name in untouched:
            body[name] = span
        elif name == "model":
            body["model"] = Raw(msgspec.json.encode(to.mapping.upstream))
        elif name == "messages":
            body["messages"] = _messages(chat, span, to, dropped) if rebuild else span
        elif name not in OURS and name not in CONSUMED and name != "reasoning_effort":
            _policy(name, span, chat, to, body, dropped)
    if chat.raw.keys() & OURS - {"model", "messages"} or chat.streamed or _worded(chat, to):
        _ours(chat, to, body, dropped)
    if "response_format" in body and emulates(chat, to=to) is not None:
        _emulated(chat, to, body)
    for name, text in plan.force.items():
        body[name] = Raw(text.encode())
    head = to.head_stream if chat.streamed else to.head
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def _worded(chat: Chat, to: Deployment) -> bool:
    """The effort has to be said in other words."""
    return chat.request.reasoning_effort is not None and "reasoning_effort" not in to.parameters.untouched


def _messages(chat: Chat, span: Raw, to: Deployment, dropped: list[str]) -> Raw:
    return Raw(msgspec.json.encode(rewritten(chat, span, to, dropped)))


def _emulated(chat: Chat, to: Deployment, body: dict[str, Raw]) -> None:
    """JSON is asked for in words; of `response_format` at most JSON mode remains."""
    schema = chat.request.response_format is not None and chat.request.response_format.type == "json_schema"
    native = native_format(to) if schema else None
    if native is None:
        del body["response_format"]
    else:
        body["response_format"] = native
    messages = with_instruction(MESSAGES.decode(body["messages"]), chat, to=to)
    body["messages"] = Raw(msgspec.json.encode(messages))


def _policy(name: str, span: Raw, chat: Chat, to: Deployment, body: dict[str, Raw], dropped: list[str]) -> None:
    """A field with a rule of its own at this provider, or one nobody knows."""
    plan = to.parameters
    if name in plan.listed:
        if takes_fixed(name, span, chat, plan):
            body[name] = span
        else:
            dropped.append(name)
    elif name in plan.clamp:
        value = msgspec.json.decode(span, type=float)
        body[plan.rename.get(name, name)] = span if value <= plan.clamp[name] else Raw(_number(plan.clamp[name]))
    elif name in plan.rename:
        body[plan.rename[name]] = span
    elif name in plan.force:
        dropped.append(name)
    elif plan.pass_unknown:
        body[name] = span
    else:
        dropped.append(name)


def _number(value: float) -> bytes:
    return msgspec.json.encode(int(value) if value == int(value) else value)


def _ours(chat: Chat, to: Deployment, body: dict[str, Raw], dropped: list[str]) -> None:
    request = chat.request
    if chat.streamed and "no_stream_options" not in to.provider.quirks:
        options = request.stream_options
        obfuscation = options.include_obfuscation if options is not None else None
        body["stream_options"] = _INCLUDE_USAGE_PLAIN if obfuscation is False else _INCLUDE_USAGE
    if request.tools:
        _tools(chat, to, body, dropped)
    if request.web_search and "web_search_options" not in body:
        body["web_search_options"] = Raw(b"{}")
    if request.reasoning is not None or _worded(chat, to):
        say_reasoning(chat, to, body, dropped)
    if request.tool_choice == "required" and "tool_choice_any" in to.provider.quirks:
        body["tool_choice"] = Raw(b'"any"')
    for name in ("effort", "image_config", "sensitive_word_check"):
        if getattr(request, name) is not None:
            if to.parameters.pass_unknown or name in to.provider.quirks:
                body[name] = chat.raw[name]
            else:
                dropped.append(name)
    dropped.extend(name for name in ("free_models_only", "no_reasoning") if getattr(request, name))


def _tools(chat: Chat, to: Deployment, body: dict[str, Raw], dropped: list[str]) -> None:
    """Functions as they are; a web_search tool becomes `web_search_options`, which is how this protocol says it."""
    tools = chat.request.tools or []
    search = None
    if "web_search" in chat.traits.needs:
        search = next((tool for tool in tools if tool.type == "web_search"), None)
    if search is None:
        body["tools"] = chat.raw["tools"]
        return
    spans = _TOOLS.decode(chat.raw["tools"])
    kept = [span for span, tool in zip(spans, tools, strict=True) if tool.type != "web_search"]
    if kept:
        body["tools"] = Raw(msgspec.json.encode(kept))
    options: dict[str, Any] = {}
    if search.search_context_size is not None:
        options["search_context_size"] = search.search_context_size
    if search.user_location is not None:
        options["user_location"] = _location(search.user_location)
    body.setdefault("web_search_options", Raw(msgspec.json.encode(options)))
    where = tools.index(search)
    dropped.extend(
        f"tools[{where}].{name}"
        for name in ("max_uses", "allowed_domains", "blocked_domains")
        if getattr(search, name) is not None
    )


def _location(location: dict[str, Raw]) -> dict[str, Any]:
    """Chat completions nest the place one deeper than the tool does (platform.openai.com/docs/guides)."""
    if "approximate" in location:
        return dict(location)
    place = {name: span for name, span in location.items() if name != "type"}
    return {"type": "approximate", "approximate": place}
