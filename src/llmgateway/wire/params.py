"""What becomes of each request parameter at one provider's mapping, compiled once per snapshot from the protocol's
vocabulary, the provider's policy and what the mapping lacks.

A parameter is sent as it is, renamed, clamped, forced, or (harmless ones only) left out and listed. Parameters whose
loss would change the answer are never left out: `plan` sends such a request elsewhere.
"""

from collections.abc import Set
from typing import Final, Literal

from llmgateway.domain.chat import REQUEST_FIELDS, Chat
from llmgateway.domain.routing import Mapping, ParameterPlan, ParameterPolicy, Provider
from llmgateway.wire.openai_chat.reasoning import says_tokens, style_named
from llmgateway.wire.openai_chat.vocabulary import VOCABULARY as OPENAI_CHAT
from llmgateway.wire.quirks import REWRITES_MESSAGES
from llmgateway.wire.vocabulary import Vocabulary

CONSUMED: Final = frozenset(("usage", "include_reasoning", "reasoningText", "provider", "transforms", "route"))
"""Fields of other gateways that are understood or meaningless here; never sent on, never listed."""

OURS: Final = frozenset(
    (
        "model",
        "messages",
        "stream_options",
        "tools",
        "reasoning",
        "effort",
        "free_models_only",
        "no_reasoning",
        "onboarding",
        "web_search",
        "plugins",
        "image_config",
        "sensitive_word_check",
        "routing",
        "models",
    )
)
"""Fields that the request builder treats by name."""

HARMLESS: Final = frozenset(
    (
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "prompt_cache_key",
        "prompt_cache_retention",
        "verbosity",
        "prediction",
    )
)
"""Fields that may be left out where a provider lacks them."""

REFUSABLE: Final = frozenset(
    (
        "stop",
        "n",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "response_format",
        "modalities",
        "audio",
        "functions",
        "service_tier",
        "effort",
        "image_config",
    )
)
"""Fields that must not get lost: a protocol without a word for one is no place for a request that uses it."""

_BY_PRESENCE: Final = frozenset(("audio", "effort", "image_config", "service_tier", "top_logprobs"))
_FIXED_SAMPLING: Final = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
"""What models without a temperature take all the same (platform.openai.com/docs/guides/reasoning)."""


def compile_parameters(
    provider: Provider,
    mapping: Mapping,
    *,
    vocabulary: Vocabulary = OPENAI_CHAT,
    lacks: frozenset[str] = frozenset(),
    emulates: frozenset[str] = frozenset(),
    tiers: frozenset[str] = frozenset(),
) -> ParameterPlan:
    """The plan of one mapping; quirks are those of the mapping, patterns resolved. `lacks`: what offers have at this
    address only if they say so. `emulates`: what the codec makes up for. `tiers`: the service tiers that the protocol
    knows, empty = any."""
    policy = provider.parameters
    words = _words(provider, vocabulary)
    fields = vocabulary.fields | words
    pass_unknown = provider.unknown_fields == "pass"
    refuse = _refused(policy, fields, takes_all=pass_unknown and vocabulary.is_open)
    listed = (set(policy.drop) & HARMLESS) | (HARMLESS - fields) | (refuse & {"service_tier"})
    fixed = _fixed(mapping, listed)
    listed |= fixed.keys()
    untouched = _untouched(provider, mapping, listed)
    missing = vocabulary.lacks | ((vocabulary.rare | lacks) - mapping.has) | mapping.lacks
    return ParameterPlan(
        untouched=untouched,
        rename=policy.rename,
        listed=frozenset(listed),
        clamp=policy.clamp,
        force=policy.force,
        pass_unknown=pass_unknown,
        fixed=fixed,
        reasoning=style_named(provider.quirks),
        rewrites_messages=not REWRITES_MESSAGES.isdisjoint(provider.quirks),
        lacks=missing - words - emulates,
        refuse=refuse,
        excluding=tuple(sorted(refuse & _BY_PRESENCE)),
        tiers=tiers,
        takes=frozenset(policy.takes),
        types=policy.types,
        samples=_samples(provider.quirks) if fixed else "",
        plain=_plain(provider, untouched),
    )


def _untouched(provider: Provider, mapping: Mapping, listed: Set[str]) -> frozenset[str]:
    policy = provider.parameters
    touched = OURS | CONSUMED | listed | policy.rename.keys() | policy.clamp.keys() | policy.force.keys()
    if style_named(provider.quirks) or "reasoning" in mapping.lacks:
        touched |= {"reasoning_effort"}
    return frozenset((REQUEST_FIELDS - touched) | set(policy.takes))


def _plain(provider: Provider, untouched: Set[str]) -> frozenset[str]:
    """Fields that need no look at a provider which takes messages and tools as they are."""
    if provider.parameters.force or not REWRITES_MESSAGES.isdisjoint(provider.quirks):
        return frozenset()
    looked_at = OURS | {"stream", "response_format"}
    if "tool_choice_any" in provider.quirks:
        looked_at |= {"tool_choice"}
    return frozenset([*(untouched - looked_at), "model", "messages", "tools"])


def breakpoints(chat: Chat) -> list[str]:
    """Where the caller set breakpoints of the prompt cache, for protocols that have no word for them."""
    parts = [message.content for message in chat.messages if isinstance(message.content, list)]
    found = {"messages[].content[].cache_control": any(part.cache_control for content in parts for part in content)}
    found["tools[].cache_control"] = any(tool.cache_control for tool in chat.request.tools or ())
    return [path for path, there in found.items() if there]


def _words(provider: Provider, vocabulary: Vocabulary) -> frozenset[str]:
    """What the provider has words for besides those of its protocol."""
    words = frozenset[str]().union(*[vocabulary.quirks.get(quirk, ()) for quirk in provider.quirks])
    if vocabulary is OPENAI_CHAT and says_tokens(provider.quirks):
        words |= {"reasoning_max_tokens"}
    return words


def _fixed(mapping: Mapping, listed: set[str]) -> dict[str, float]:
    if "temperature" not in mapping.lacks:
        return {}
    return {name: value for name, value in _FIXED_SAMPLING.items() if name not in listed}


def _samples(quirks: tuple[str, ...]) -> Literal["", "at_none", "by_default"]:
    if "sampling_at_none" not in quirks:
        return ""
    return "by_default" if "none_by_default" in quirks else "at_none"


def _refused(policy: ParameterPolicy, fields: frozenset[str], *, takes_all: bool) -> frozenset[str]:
    """The old `functions` are tools by another name."""
    refuse = set(policy.refuse) if takes_all else set(policy.refuse) | (REFUSABLE - fields)
    if "service_tier" in policy.drop:
        refuse.add("service_tier")
    if "tools" in refuse:
        refuse.add("functions")
    return frozenset(refuse)
