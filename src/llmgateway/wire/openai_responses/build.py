"""Builds the request to a provider of the responses protocol from the typed view and the caller's own spans.

The body begins with what stays the same from turn to turn (model, tools) and goes on with the input, which only grows;
the other parameters follow. Nothing is kept at the provider unless the caller says so, and reasoning models are asked
for their reasoning in encrypted form, so that it can be given back.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import REQUEST_FIELDS, Chat, ChatRequest
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.openai_responses.items import build_input
from llmgateway.wire.openai_responses.tools import build_choice, build_tools
from llmgateway.wire.openai_responses.vocabulary import VOCABULARY
from llmgateway.wire.params import CONSUMED, breakpoints
from llmgateway.wire.sampling import takes_fixed

_SAME_NAME: Final = frozenset(
    (
        "temperature",
        "top_p",
        "top_logprobs",
        "user",
        "metadata",
        "store",
        "parallel_tool_calls",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
    )
)
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_ENCRYPTED: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"
_OUR_REASONING: Final = frozenset(("effort", "max_tokens", "summary", "exclude", "enabled"))
_UNNAMED: Final = frozenset(("routing", "models", "onboarding", "plugins"))
"""Fields for the gateway itself: none of them is a word to a provider."""


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and the parameters that were left out."""
    dropped = breakpoints(chat)
    body: dict[str, Any] = {"model": to.mapping.upstream}
    build_tools(chat, body=body, dropped=dropped)
    items = body["input"] = build_input(chat, to=to, dropped=dropped)
    build_choice(chat, body=body)
    if chat.streamed:
        body["stream"] = True
        options = chat.request.stream_options
        if options is not None and options.include_obfuscation is False:
            body["stream_options"] = {"include_obfuscation": False}
    body["store"] = False
    for name, span in chat.raw.items():
        if name in _SAME_NAME:
            _same(name, span, chat, to, body, dropped)
        elif name not in VOCABULARY.fields and name not in CONSUMED and name not in _UNNAMED:
            _wordless(name, span, chat, to, body, dropped)
    _limit(chat, to, body)
    _text(chat, to, body, dropped)
    _reasoning(chat, to, body, dropped)
    _include(chat, to, body, items)
    for name, text in to.parameters.force.items():
        body[name] = Raw(text.encode())
    head = to.head_stream if chat.streamed else to.head
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def _same(name: str, span: Raw, chat: Chat, to: Deployment, body: dict[str, Any], dropped: list[str]) -> None:
    """A field that has the same name and meaning here, under the row's policy."""
    plan = to.parameters
    if (name in plan.listed and not takes_fixed(name, span, chat, plan)) or name in plan.force:
        dropped.append(name)
    elif name in plan.clamp and msgspec.json.decode(span, type=float) > plan.clamp[name]:
        body[name] = _number(plan.clamp[name])
    else:
        body[name] = span


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


def _wordless(name: str, span: Raw, chat: Chat, to: Deployment, body: dict[str, Any], dropped: list[str]) -> None:
    """A field of chat completions that this protocol lacks, or one nobody knows."""
    if name in REQUEST_FIELDS:
        if not _means_nothing(name, chat.request):
            dropped.append(name)
    elif not (to.parameters.pass_unknown or name in to.parameters.takes) or name in body or _later(name, chat):
        dropped.append(name)
    elif name != "include":
        body[name] = span


def _later(name: str, chat: Chat) -> bool:
    """A whole answer that is made in the background is not there yet when it comes."""
    return name == "background" and not chat.streamed


def _means_nothing(name: str, request: ChatRequest) -> bool:
    """`n: 1`, an empty `stop`, a switch that is off: nothing is lost with them."""
    value = getattr(request, name)
    return value == 1 if name == "n" else value is False or value in ("", [], {})


def _limit(chat: Chat, to: Deployment, body: dict[str, Any]) -> None:
    limit = chat.output_limit
    if limit is not None:
        most = min((to.parameters.clamp[name] for name in _LIMITS if name in to.parameters.clamp), default=limit)
        body["max_output_tokens"] = int(min(limit, most))
    if chat.request.functions and not chat.request.tools:
        body["parallel_tool_calls"] = False  # an answer in those words has room for one call


def _text(chat: Chat, to: Deployment, body: dict[str, Any], dropped: list[str]) -> None:
    """`response_format` and `verbosity`; `text` of a caller who knows this protocol is the ground for them."""
    request, text = chat.request, dict[str, Any]()
    shape = request.response_format
    if shape is not None and shape.json_schema is not None and shape.type == "json_schema":
        text["format"] = {"type": "json_schema", "name": shape.json_schema.name}
        for name in ("description", "schema", "strict"):
            value = getattr(shape.json_schema, name)
            if value is not None:
                text["format"][name] = value
    elif shape is not None:
        text["format"] = {"type": shape.type}
    if request.verbosity is not None:
        if "verbosity" in to.parameters.listed:
            dropped.append("verbosity")
        else:
            text["verbosity"] = request.verbosity
    if text:
        body["text"] = {**_members(body.get("text")), **text}


def _reasoning(chat: Chat, to: Deployment, body: dict[str, Any], dropped: list[str]) -> None:
    """The effort, and a summary unless the caller hides it: this protocol shows no other reasoning."""
    request, sent = chat.request, dict[str, Any]()
    ours = request.reasoning
    effort = request.reasoning_effort if ours is None or ours.effort is None else ours.effort
    asked = ours.summary if ours is not None else None
    summary = asked
    if summary is None and effort not in (None, "none") and not chat.hides_reasoning:
        summary = "auto"
    if "reasoning" in to.mapping.lacks or "no_reasoning_summary" in to.provider.quirks:
        summary = None
    if effort is not None and not (effort == "none" and "reasoning" in to.mapping.lacks):
        sent["effort"] = effort
    if summary is not None:
        sent["summary"] = summary
    elif asked is not None:
        dropped.append("reasoning.summary")
    for name, span in _members(chat.raw.get("reasoning")).items():
        if name in _OUR_REASONING:
            continue
        if to.parameters.pass_unknown or f"reasoning.{name}" in to.parameters.takes:
            sent[name] = span
        else:
            dropped.append(f"reasoning.{name}")
    if sent:
        body["reasoning"] = sent


def _include(chat: Chat, to: Deployment, body: dict[str, Any], items: list[Any]) -> None:
    """Models that do not reason refuse to be asked for encrypted content (`Encrypted content is not supported with
    this model`), so that of a model nobody knows it is asked only where reasoning is wanted or given back."""
    wanted = list[str]()
    if (
        "reasoning" in to.mapping.has
        or body.get("reasoning", {}).get("effort", "none") != "none"
        or any(item.get("type") == "reasoning" for item in items)
    ):
        wanted.append(_ENCRYPTED)
    if chat.request.logprobs or chat.request.top_logprobs:
        wanted.append(_LOGPROBS)
    if "include" in chat.raw and (to.parameters.pass_unknown or "include" in to.parameters.takes):
        try:
            wanted += [name for name in msgspec.json.decode(chat.raw["include"], type=list[str]) if name not in wanted]
        except msgspec.ValidationError:
            body["include"] = chat.raw["include"]
            return
    if wanted:
        body["include"] = wanted


def _members(span: Raw | None) -> dict[str, Raw]:
    """Those of an object; none for anything else."""
    try:
        return msgspec.json.decode(span, type=dict[str, Raw]) if span is not None else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
