"""Row policy: what becomes of each request parameter at one provider's mapping, compiled once per snapshot.

A parameter is sent as it is, renamed, clamped, forced, or (harmless ones only) left out and listed. Parameters whose
loss would change the answer are never left out: `plan` excludes the mapping instead (`REFUSED_BY`).
"""

from typing import Final

from llmgateway.domain.chat import REQUEST_FIELDS
from llmgateway.domain.routing import Mapping, ParameterPlan, Provider
from llmgateway.wire.openai_chat.reasoning import says_tokens, style_named
from llmgateway.wire.quirks import REWRITES_MESSAGES

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

_FIXED_SAMPLING: Final = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
"""What models without a temperature take all the same (platform.openai.com/docs/guides/reasoning)."""


def compile_parameters(provider: Provider, mapping: Mapping) -> ParameterPlan:
    """The plan of one mapping: the provider's policy, narrowed by what the mapping lacks. Quirks are those of the
    mapping, patterns resolved.
    """
    policy = provider.parameters
    listed = set(policy.drop) & HARMLESS
    fixed: dict[str, float] = {}
    if "temperature" in mapping.lacks:
        fixed = {name: value for name, value in _FIXED_SAMPLING.items() if name not in listed}
        listed |= fixed.keys()
    touched = OURS | CONSUMED | listed | set(policy.rename) | set(policy.clamp) | set(policy.force)
    style = style_named(provider.quirks)
    if style or "reasoning" in mapping.lacks:
        touched |= {"reasoning_effort"}
    return ParameterPlan(
        untouched=(REQUEST_FIELDS - touched) | set(policy.takes),
        rename=dict(policy.rename),
        listed=frozenset(listed),
        clamp=dict(policy.clamp),
        force=dict(policy.force),
        pass_unknown=provider.unknown_fields == "pass",
        fixed=fixed,
        reasoning=style,
        says_tokens=says_tokens(provider.quirks),
        rewrites_messages=not REWRITES_MESSAGES.isdisjoint(provider.quirks),
    )
