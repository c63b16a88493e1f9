"""How each family of vendors is told to reason: effort, none, or a number of tokens, in their own words.

A row names its style as the quirk `reasoning:<style>`; without one the effort goes out as the caller said it. A level
that a model does not have becomes the nearest one it has; what cannot be said at all is left out and listed.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment

_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_000, "xhigh": 32_000}
"""Tokens of an effort where only tokens can be said; `max` sets no limit."""
_SMALLEST: Final = 1024


class Style(Struct, frozen=True, kw_only=True):
    """`words`: our effort → theirs, where it differs; `levels` False: no level can be said.

    `off`, `on`: JSON members for effort none and for any other. `budget`: JSON members for a number of tokens, with %d.
    `capped`: the number has to stay below the limit of the whole answer.
    """

    words: dict[str, str] = {}
    levels: bool = True
    off: str = ""
    on: str = ""
    budget: str = ""
    capped: bool = False


STYLES: Final[dict[str, Style]] = {
    # o-series, gpt-oss: platform.openai.com/docs/guides/reasoning
    "low_to_high": Style(words={"none": "low", "minimal": "low", "xhigh": "high", "max": "high"}),
    # gpt-5: platform.openai.com/docs/guides/latest-model
    "minimal_to_high": Style(words={"none": "minimal", "xhigh": "high", "max": "high"}),
    # gpt-5.1
    "none_to_high": Style(words={"minimal": "low", "xhigh": "high", "max": "high"}),
    # gpt-5.2 and later
    "none_to_xhigh": Style(words={"minimal": "low", "max": "xhigh"}),
    # grok-3-mini: docs.x.ai/docs/guides/reasoning
    "low_or_high": Style(words={"none": "low", "minimal": "low", "medium": "high", "xhigh": "high", "max": "high"}),
    # grok-4.6 and later: docs.x.ai/developers/model-capabilities/text/reasoning
    "low_to_xhigh": Style(words={"none": "low", "minimal": "low", "max": "xhigh"}),
    # docs.mistral.ai/capabilities/reasoning
    "none_or_high": Style(words=dict.fromkeys(("minimal", "low", "medium", "xhigh", "max"), "high")),
    # Models that reason as they like
    "fixed": Style(levels=False),
    # docs.z.ai/guides/capabilities/thinking-mode, platform.kimi.ai/docs/api/chat
    "thinking": Style(levels=False, off='{"thinking":{"type":"disabled"}}', on='{"thinking":{"type":"enabled"}}'),
    # api-docs.deepseek.com/guides/thinking_mode: on by default, and any of our words is taken for an effort
    "thinking_effort": Style(off='{"thinking":{"type":"disabled"}}'),
    # platform.kimi.ai/docs/api/chat: kimi-k3 cannot be told not to
    "low_high_max": Style(words={"none": "low", "minimal": "low", "medium": "high", "xhigh": "max"}),
    # www.alibabacloud.com/help/en/model-studio/deep-thinking
    "enable_thinking": Style(
        off='{"enable_thinking":false}', on='{"enable_thinking":true}', budget='{"thinking_budget":%d}'
    ),
    # docs.together.ai/docs/inference/chat/reasoning
    "reasoning_enabled": Style(
        levels=False, off='{"reasoning":{"enabled":false}}', on='{"reasoning":{"enabled":true}}'
    ),
    # docs.fireworks.ai/guides/reasoning
    "effort_or_tokens": Style(budget='{"thinking":{"type":"enabled","budget_tokens":%d}}'),
    # docs.databricks.com/aws/machine-learning/model-serving/query-reason-models
    "tokens": Style(
        off='{"thinking":{"type":"disabled"}}', budget='{"thinking":{"type":"enabled","budget_tokens":%d}}', capped=True
    ),
    # console.groq.com/docs/reasoning: Qwen is told whether, and writes its thoughts into the content unless parsed
    "groq_qwen": Style(
        words=dict.fromkeys(("minimal", "low", "medium", "high", "xhigh", "max"), "default"),
        on='{"reasoning_format":"parsed"}',
    ),
    # inference-docs.cerebras.ai/capabilities/reasoning: GLM knows none and nothing else
    "none_only": Style(levels=False, off='{"reasoning_effort":"none"}'),
    # docs.vllm.ai/en/latest/features/reasoning_outputs.html, docs.sglang.ai: switches of the chat template
    "template": Style(
        levels=False,
        off='{"chat_template_kwargs":{"enable_thinking":false,"thinking":false}}',
        on='{"chat_template_kwargs":{"enable_thinking":true,"thinking":true}}',
    ),
}
DEFAULT: Final = Style()
QUIRK: Final = "reasoning:"
OBJECT: Final = "reasoning_object"


def style_named(quirks: tuple[str, ...]) -> str:
    """The style of a row; empty for the default. The last that is named counts."""
    return next((quirk.removeprefix(QUIRK) for quirk in reversed(quirks) if quirk.startswith(QUIRK)), "")


def says_tokens(quirks: tuple[str, ...]) -> bool:
    """Whether a row can be told a number of tokens."""
    return OBJECT in quirks or bool(STYLES.get(style_named(quirks), DEFAULT).budget)


def say_reasoning(chat: Chat, to: Deployment, body: dict[str, Raw], dropped: list[str]) -> None:
    """Puts what the caller asked for into the body. Vendors with a `reasoning` object get ours."""
    request = chat.request
    reasoning = request.reasoning
    if OBJECT in to.provider.quirks:
        body.update({name: chat.raw[name] for name in ("reasoning", "reasoning_effort") if name in chat.raw})
        return
    if reasoning is not None and reasoning.summary is not None:
        dropped.append("reasoning.summary")
    style = STYLES.get(to.parameters.reasoning, DEFAULT)
    if reasoning is not None and reasoning.max_tokens is not None:
        if style.budget:
            _say_tokens(reasoning.max_tokens, "reasoning.max_tokens", style, chat, body, dropped)
        else:  # only an offer that says it takes a number gets here
            body["reasoning"] = chat.raw["reasoning"]
        return
    effort = request.reasoning_effort or (reasoning.effort if reasoning is not None else None)
    if effort is not None:
        name = "reasoning_effort" if request.reasoning_effort is not None else "reasoning.effort"
        _say_effort(effort, name, style, chat, to, body, dropped)


def _say_effort(
    effort: str, name: str, style: Style, chat: Chat, to: Deployment, body: dict[str, Raw], dropped: list[str]
) -> None:
    if effort == "none":
        _say_none(name, style, to, body, dropped)
        return
    if style.on:
        body.update(_MEMBERS.decode(style.on))
    if style.off and style.budget:
        if effort in _BUDGETS:
            _say_tokens(_BUDGETS[effort], name, style, chat, body, dropped)
    elif style.levels:
        body["reasoning_effort"] = _word(style.words.get(effort, effort))
    else:
        dropped.append(name)


def _say_none(name: str, style: Style, to: Deployment, body: dict[str, Raw], dropped: list[str]) -> None:
    """A model that does not reason needs no telling; one that cannot stop is told to reason as little as it can."""
    if "reasoning" in to.mapping.lacks:
        return
    if style.off:
        body.update(_MEMBERS.decode(style.off))
    elif not style.levels:
        dropped.append(name)
    else:
        word = style.words.get("none", "none")
        body["reasoning_effort"] = _word(word)
        if word != "none":
            dropped.append(name)


def _say_tokens(tokens: int, name: str, style: Style, chat: Chat, body: dict[str, Raw], dropped: list[str]) -> None:
    limit = chat.output_limit
    if style.capped and limit is not None and tokens >= limit:
        tokens = limit - 1
        if tokens < _SMALLEST:
            dropped.append(name)
            return
    if style.on:
        body.update(_MEMBERS.decode(style.on))
    body.update(_MEMBERS.decode(style.budget % tokens))


def _word(word: str) -> Raw:
    return Raw(msgspec.json.encode(word))
